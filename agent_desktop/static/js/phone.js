// The phone in the browser: an EventTarget around JsSIP that knows telephones and no page.
//
// Every change is told as "change"; the page reads `state`, `call` and `fault` and draws itself.
//   state  off → starting → ready ⇄ lost, or elsewhere (another tab has the phone), or failed
//   call   null or { direction, stage: ringing|calling|talking, number, held, muted, media, since }
// Sound of the far end comes out of the <audio> element given.

import { _ } from "./texts.js";

const LOCK = "callcenter-phone";
// Said with a BYE that nobody wished: the switch then keeps the caller for us. Any other hang-up ends his call.
const UNWISHED = { extraHeaders: ['Reason: Q.850;cause=27;text="page gone"'] };
const PEER = { iceServers: [], rtcpMuxPolicy: "require" };

export class Phone extends EventTarget {
  state = "off";
  call = null;
  fault = "";
  quality = null;
  #session = null;
  #agent = null;
  #release = null;
  #give_up = false;
  #expected = null;
  #audio;
  #sound;

  /** `raw` leaves the microphone as it is: for tests, whose steady tones any noise suppression would eat. */
  constructor(audio, { raw = false } = {}) {
    super();
    this.#audio = audio;
    this.#sound = raw ? { echoCancellation: false, noiseSuppression: false, autoGainControl: false } : true;
    addEventListener("pagehide", () => this.#leave()); // else the caller would sit in silence until RTP times out
    addEventListener("beforeunload", (event) => { if (this.call) event.preventDefault(); });
    setInterval(() => this.#measure(), 3000);
  }

  #change(values = {}) {
    Object.assign(this, values);
    this.dispatchEvent(new Event("change"));
  }

  /** Ask for the microphone, take the phone for this tab and register. To be called from a click. */
  async start({ take = false } = {}) {
    if (this.state === "ready" || this.state === "starting") return;
    this.#change({ state: "starting", fault: "" });
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: this.#sound });
      for (const track of stream.getTracks()) track.stop();
    } catch (fault) {
      this.#change({ state: "failed", fault: no_microphone(fault) });
      return;
    }
    if (!(await this.#take_lock(take))) {
      this.#change({ state: "elsewhere" });
      return;
    }
    try {
      await this.#register();
    } catch (fault) {
      this.#let_go();
      this.#change({ state: "failed", fault: _("The phone could not be started ({why}). Calls cannot ring here; load the page again.", { why: fault.message }) });
    }
  }

  /** One tab has the phone. The lock ends with the tab, however it ends; `take` wrests it from another one. */
  #take_lock(take) {
    if (this.#release) return true;
    return new Promise((resolve) => {
      const options = take ? { steal: true } : { ifAvailable: true };
      navigator.locks.request(LOCK, options, (lock) => {
        resolve(lock !== null);
        return lock && new Promise((release) => { this.#release = release; });
      }).catch(() => {
        this.#release = null;
        if (this.call) this.#give_up = true; // another tab took it: this call is finished here first
        else this.#stop("elsewhere");
      });
    });
  }

  #let_go() {
    this.#release?.();
    this.#release = null;
  }

  async #register() {
    const answer = await fetch("/desk/phone.json");
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const mine = await answer.json();
    const { default: JsSIP } = await import("../vendor/jssip.js");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const agent = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(`${scheme}://${location.host}${mine.path}`)],
      uri: `sip:${mine.extension}@${location.hostname}`,
      realm: mine.realm,
      ha1: mine.ha1,
      register: true,
      register_expires: 120,
      session_timers: false,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 8,
      user_agent: "callcenter",
    });
    agent.on("registered", () => this.#change({ state: "ready", fault: "" }));
    agent.on("registrationFailed", ({ cause }) => this.#change({ state: "lost", fault: _("The switch did not accept this phone ({why}); it is tried again.", { why: cause }) }));
    agent.on("disconnected", () => {
      if (this.#agent === agent) this.#change({ state: "lost", fault: _("The phone has lost its line; it is tried again.") });
    });
    agent.on("newRTCSession", ({ session, originator, request }) => {
      this.#begin(session, originator);
      const kept = originator === "remote" ? request.getHeader("X-Callcenter-Kept") : undefined;
      if (kept && kept === this.#expected && this.#session === session) this.answer();
    });
    this.#agent = agent;
    agent.start();
  }

  #stop(state) {
    const agent = this.#agent;
    this.#agent = null;
    agent?.stop();
    this.#let_go();
    this.#change({ state, fault: "" });
  }

  /** The page goes away: whoever is talked to is kept, and given back to the page that comes after it. */
  #leave() {
    if (this.call?.stage === "talking") this.#session.terminate(UNWISHED);
    this.#agent?.stop();
  }

  /** The caller of this call (its id) is kept for this phone: his ringing is answered at once; a talk that is dead is forgotten. */
  expect(call_id) {
    this.#expected = call_id;
    if (this.call?.stage === "talking") this.#session.terminate(UNWISHED);
  }

  /** Unregister: calls no longer ring here. */
  stop() {
    this.#stop("off");
  }

  #begin(session, originator) {
    if (this.#session) {
      session.terminate({ status_code: 486 });
      return;
    }
    this.#session = session;
    const number = session.remote_identity?.uri?.user ?? "";
    const incoming = originator === "remote";
    this.#change({ call: { direction: incoming ? "in" : "out", stage: incoming ? "ringing" : "calling", number, held: false, muted: false, media: "new", since: Date.now() } });
    const talk = (values) => { if (this.#session === session) { Object.assign(this.call, values); this.#change(); } };
    const listen = (connection) => {
      connection.addEventListener("track", ({ track, streams }) => {
        this.#audio.srcObject = streams[0] ?? new MediaStream([track]);
        this.#audio.play().catch(() => this.#change({ fault: _("The browser does not play sound before you click on the page once.") }));
      });
      connection.addEventListener("connectionstatechange", () => talk({ media: connection.connectionState }));
    };
    if (session.connection) listen(session.connection);
    else session.on("peerconnection", ({ peerconnection }) => listen(peerconnection));
    session.on("accepted", () => talk({ stage: "talking", since: Date.now() }));
    session.on("hold", ({ originator: by }) => by === "local" && talk({ held: true }));
    session.on("unhold", ({ originator: by }) => by === "local" && talk({ held: false }));
    session.on("muted", () => talk({ muted: true }));
    session.on("unmuted", () => talk({ muted: false }));
    session.on("getusermediafailed", (fault) => this.#change({ fault: no_microphone(fault) }));
    const over = ({ cause, originator: by }) => {
      if (this.#session !== session) return;
      this.#session = null;
      this.#audio.srcObject = null;
      const words = by !== "local" || !["Rejected", "Terminated", "Canceled"].includes(cause) ? broken(cause) : "";
      this.#change({ call: null, quality: null, ...(words ? { fault: words } : {}) });
      if (this.#give_up) {
        this.#give_up = false;
        this.#stop("elsewhere");
      }
    };
    session.on("ended", over);
    session.on("failed", over);
  }

  answer() {
    if (this.call?.stage !== "ringing") return;
    this.#change({ fault: "" });
    this.#session.answer({ mediaConstraints: { audio: this.#sound, video: false }, pcConfig: PEER });
  }

  hang_up() {
    this.#session?.terminate(this.call?.stage === "ringing" ? { status_code: 486 } : {});
  }

  hold() {
    if (this.call?.stage !== "talking") return;
    if (this.call.held) this.#session.unhold();
    else this.#session.hold();
  }

  mute() {
    if (this.call?.stage !== "talking") return;
    if (this.call.muted) this.#session.unmute({ audio: true });
    else this.#session.mute({ audio: true });
  }

  /** Send keys to the far end: 0–9, * and #. */
  press(keys) {
    if (this.call?.stage === "talking") this.#session.sendDTMF(keys, { transportType: "RFC2833", duration: 120, interToneGap: 80 });
  }

  /** How the line is, from what was received since the last look: share of packets lost and jitter. */
  async #measure() {
    const connection = this.#session?.connection;
    if (!connection || this.call?.stage !== "talking") return;
    for (const row of (await connection.getStats()).values()) {
      if (row.type !== "inbound-rtp" || row.kind !== "audio") continue;
      const before = this.quality ?? { got: 0, lost: 0 };
      const got = row.packetsReceived - before.got;
      const lost = Math.max(0, (row.packetsLost ?? 0) - before.lost);
      const loss = got + lost > 0 ? lost / (got + lost) : this.call.held ? 0 : 1;
      this.#change({ quality: { got: row.packetsReceived, lost: row.packetsLost ?? 0, loss, jitter_ms: (row.jitter ?? 0) * 1000 } });
    }
  }
}

function no_microphone(fault) {
  switch (fault?.name) {
    case "NotAllowedError": return _("The browser may not use the microphone. Allow it beside the address, then press Ready again.");
    case "NotFoundError": return _("There is no microphone. Plug in the headset, then press Ready again.");
    case "NotReadableError": return _("Another program holds the microphone. Close it there, then press Ready again.");
    default: return navigator.mediaDevices ? _("The microphone cannot be used ({why}).", { why: fault?.message ?? fault?.name ?? "?" })
      : _("This address is not secure, so the browser gives no microphone. Use https, or 127.0.0.1 on this machine.");
  }
}

/** What to say when a call ended otherwise than by hanging up; empty where nothing need be said. */
function broken(cause) {
  if (["Terminated", "Canceled", "No Answer", "Busy", "Rejected", "Expires"].includes(cause)) return "";
  if (cause === "User Denied Media Access") return no_microphone({ name: "NotAllowedError" });
  return _("The call broke off: {why}.", { why: cause });
}
