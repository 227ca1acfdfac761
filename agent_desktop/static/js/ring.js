// That a call is there must be heard with the headset on the table and seen with the page behind another one:
// a ring made by WebAudio, the page's title, and a desktop notification.

import { _ } from "./texts.js";

const PERIOD_S = 3;
const RINGS = 20;
const title = document.title;
let sound = null;
let ringing = null;

/** To be called from a click: browsers let no page make sound, or notify, before its user has touched it. */
export function allow_ringing() {
  sound ??= new AudioContext();
  sound.resume();
}

/** Whether the browser has still to be asked if it may show a call while the page is hidden. */
export const may_be_asked = () => "Notification" in window && Notification.permission === "default";
export const allow_notices = () => Notification.requestPermission();

/** All rings of the next minute at once: a hidden page's timers come late, its sound does not. */
function ring_for_a_while() {
  if (!sound || sound.state !== "running") return;
  const loud = new GainNode(sound);
  loud.connect(sound.destination);
  for (let n = 0; n < RINGS; n++) ring_at(loud, n * PERIOD_S);
  ringing.loud = loud;
}

function ring_at(out, after_s) {
  for (const [start, frequency] of [[0, 660], [0.22, 880], [0.6, 660], [0.82, 880]].map(([at, hz]) => [at + after_s, hz])) {
    const tone = new OscillatorNode(sound, { type: "sine", frequency });
    const loud = new GainNode(sound, { gain: 0 });
    const at = sound.currentTime + start;
    loud.gain.setValueAtTime(0, at);
    loud.gain.linearRampToValueAtTime(0.22, at + 0.02);
    loud.gain.setTargetAtTime(0, at + 0.14, 0.04);
    tone.connect(loud).connect(out);
    tone.start(at);
    tone.stop(at + 0.4);
  }
}

/** Ring for this call until stop_ringing(); saying it again only changes who is named. */
export function ring(call_id, who) {
  if (ringing?.call_id === call_id) {
    ringing.who = who || ringing.who;
    return;
  }
  stop_ringing();
  ringing = { call_id, who, notice: null, timer: 0, lit: false };
  ring_for_a_while();
  const flash = () => {
    ringing.lit = !ringing.lit;
    document.title = ringing.lit ? `● ${_("Call")} ${ringing.who}` : title;
  };
  ringing.timer = setInterval(flash, 500);
  flash();
  if (document.hidden && "Notification" in window && Notification.permission === "granted") {
    ringing.notice = new Notification(_("Call"), { body: who, tag: "call", requireInteraction: true });
    ringing.notice.onclick = () => { window.focus(); ringing?.notice?.close(); };
  }
}

export function stop_ringing() {
  if (!ringing) return;
  clearInterval(ringing.timer);
  ringing.notice?.close();
  ringing.loud?.disconnect();
  ringing = null;
  document.title = title;
}
