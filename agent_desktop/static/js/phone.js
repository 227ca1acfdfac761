// The phone in the browser: an EventTarget around JsSIP that knows telephones and no page.
//
// Every change is told as "change"; the page reads `state`, `call` and `fault` and draws itself.
//   state  off → starting → ready ⇄ lost, or elsewhere (another tab has the phone), or failed
//   call   null or { direction, stage: ringing|calling|talking, number, held, muted, media, since }
// Sound of the far end comes out of the <audio> element given.

import { ask } from "./ask.js";
import { received } from "./quality.js";
import { _ } from "./texts.js";
import { window_id } from "./window.js";

const LOCK = "callcenter-phone";
// Said with a BYE that nobody wished: the switch then keeps the caller for us. Any other hang-up ends his call. Who rings is
// told the same by a status, for of a refusal the switch reads no reason: 502 is 27 there, and no call that was missed.
const UNWISHED = { extraHeaders: ['Reason: Q.850;cause=27;text="page gone"'] };
const UNHEARD = { status_code: 502, reason_phrase: "Page Gone" };
const ECHO = "echo"; // who says back what he hears, see the dial plan
const PEER = { iceServers: [], rtcpMuxPolicy: "require" };

export class Phone extends EventTarget {
  state = "off";
  call = null;
  fault = "";
  quality = null;
  #session = null;
  #agent = null;
  #release = null;
  #expected = null;
  #checking = null;
  #wants_hold = false;
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
        this.yield_to_another();
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
    let told = false;
    agent.on("registered", () => {
      if (!told) ask("/desk/phone/taken", { window: window_id });
      told = true;
      this.#change({ state: "ready", fault: "" });
    });
    agent.on("registrationFailed", ({ cause }) => this.#change({ state: "lost", fault: _("The switch did not accept this phone ({why}); it is tried again.", { why: cause }) }));
    agent.on("disconnected", () => {
      if (this.#agent === agent) this.#change({ state: "lost", fault: _("The phone has lost its line; it is tried again.") });
    });
    agent.on("newRTCSession", ({ session, originator, request }) => {
      if (session === this.#checking || (originator === "local" && request.ruri?.user === ECHO)) return;
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

  /** The page goes away: whoever is talked to is kept for the page that comes after it, and whoever rings rings there. */
  #leave() {
    if (this.call?.stage === "talking") this.#session.terminate(UNWISHED);
    if (this.call?.stage === "ringing") this.#session.terminate(UNHEARD);
    this.#agent?.stop();
  }

  /** Call the switch's echo for so long, beside all calls: what came back, or null if nothing did. */
  async check_call(for_ms) {
    if (!this.#agent || this.call || this.#checking) return null;
    try {
      const session = this.#agent.call(ECHO, { mediaConstraints: { audio: this.#sound, video: false }, pcConfig: PEER });
      this.#checking = session;
      await new Promise((give) => {
        session.on("failed", give);
        session.on("accepted", () => setTimeout(give, for_ms));
        setTimeout(give, for_ms + 2000);
      });
      return session.isEstablished() && session.connection ? await received(session.connection) : null;
    } catch {
      return null;
    } finally {
      this.hang_up_check();
    }
  }

  hang_up_check() {
    const session = this.#checking;
    this.#checking = null;
    if (session && !session.isEnded()) session.terminate();
  }

  get checking() { return this.#checking !== null; }

  no_microphone(fault) { return no_microphone(fault); }

  /** The caller of this call (its id) is kept for this phone: his ringing is answered at once; a talk that is dead is forgotten. */
  expect(call_id) {
    this.#expected = call_id;
    if (this.call?.stage === "talking") this.#session.terminate(UNWISHED);
  }

  /** Another window has the phone now; whoever is talked to goes with it. */
  yield_to_another() {
    if (this.state === "off" || this.state === "elsewhere") return;
    this.#leave();
    this.#stop("elsewhere");
  }

  /** Another window has the phone, as the server knows. */
  leave_to_another() {
    this.#change({ state: "elsewhere" });
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
    this.#wants_hold = false;
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
      if (this.quality) this.#sum_up(this.quality);
      this.#change({ call: null, quality: null, ...(words ? { fault: words } : {}) });
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
    this.#wants_hold = !this.#wants_hold;
    this.#settle_hold(this.#session);
  }

  /** A press that comes while the one before is still being agreed with the switch is done after it. */
  #settle_hold(session) {
    if (session !== this.#session || session.isOnHold().local === this.#wants_hold) return;
    const again = () => setTimeout(() => this.#settle_hold(session));
    if (this.#wants_hold) session.hold({}, again);
    else session.unhold({}, again);
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
    const now = await received(connection).catch(() => null);
    if (!now || connection !== this.#session?.connection) return;
    const before = this.quality ?? { packets: 0, lost: 0 };
    const [got, lost] = [now.packets - before.packets, Math.max(0, now.lost - before.lost)];
    const loss = got + lost > 0 ? lost / (got + lost) : this.call.held ? 0 : 1;
    this.#change({ quality: { ...now, loss } });
  }

  /** A talk is over: tell how its sound arrived, as "measured". */
  #sum_up({ packets, lost, jitter_ms, rtt_ms }) {
    if (packets + lost > 0) this.dispatchEvent(new CustomEvent("measured", { detail: { packets, loss: lost / (packets + lost), jitter_ms, rtt_ms } }));
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
