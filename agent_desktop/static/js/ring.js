// That a call is there must be heard with the headset on the table and seen with the page behind another one:
// a ring made by WebAudio, the page's title, and a desktop notification.

import { _ } from "./texts.js";

const PERIOD_S = 3;
const title = document.title;
let sound = null;
let ringing = null;

/** To be called from a click: browsers let no page make sound, or notify, before its user has touched it. */
export function allow_ringing() {
  sound ??= new AudioContext();
  sound.resume();
  if ("Notification" in window && Notification.permission === "default") Notification.requestPermission();
}

function ring_once() {
  if (!sound || sound.state !== "running") return;
  for (const [start, frequency] of [[0, 660], [0.22, 880], [0.6, 660], [0.82, 880]]) {
    const tone = new OscillatorNode(sound, { type: "sine", frequency });
    const loud = new GainNode(sound, { gain: 0 });
    const at = sound.currentTime + start;
    loud.gain.setValueAtTime(0, at);
    loud.gain.linearRampToValueAtTime(0.22, at + 0.02);
    loud.gain.setTargetAtTime(0, at + 0.14, 0.04);
    tone.connect(loud).connect(sound.destination);
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
  ring_once();
  let beat = 0;
  const flash = () => {
    ringing.lit = !ringing.lit;
    document.title = ringing.lit ? `● ${_("Call")} ${ringing.who}` : title;
    if (++beat % (PERIOD_S * 2) === 0) ring_once();
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
  ringing = null;
  document.title = title;
}
