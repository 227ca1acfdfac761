// That a call is there must be heard with the headset on the table and seen with the page behind another one:
// a ring made by WebAudio, the page's title, and a desktop notification.

import { _ } from "./texts.js";

const PERIOD_S = 3;
const RINGS = 20;
const TONE_S = 0.4;
const RINGS_WITHIN_MS = 150; // to begin costs the browser some 5 ms, and the card of the call comes first
const title = document.title;
let sound = null;
let period = null;
let ringing = null;

/** To be called from a click: browsers let no page make sound, or notify, before its user has touched it. */
export function allow_ringing() {
  sound ??= new AudioContext();
  period ??= one_ring();
  sound.resume();
}

/** Whether the browser has still to be asked if it may show a call while the page is hidden. */
export const may_be_asked = () => "Notification" in window && Notification.permission === "default";
export const allow_notices = () => Notification.requestPermission();

/** One period, made once: it rings while the card is drawn, and must cost nothing then. */
function one_ring() {
  const heard = sound.createBuffer(1, PERIOD_S * sound.sampleRate, sound.sampleRate);
  const wave = heard.getChannelData(0);
  for (const [start_s, hz] of [[0, 660], [0.22, 880], [0.6, 660], [0.82, 880]]) {
    const first = Math.round(start_s * sound.sampleRate);
    for (let n = 0; n < TONE_S * sound.sampleRate; n++) {
      const at_s = n / sound.sampleRate;
      const loud = 0.22 * Math.min(1, at_s / 0.02) * Math.exp(-Math.max(0, at_s - 0.14) / 0.04);
      wave[first + n] += loud * Math.sin(2 * Math.PI * hz * at_s);
    }
  }
  return heard;
}

/** All rings of the next minute at once: nothing has to wake for the next one. */
function ring_for_a_while() {
  if (!sound || sound.state !== "running") return;
  const loud = new AudioBufferSourceNode(sound, { buffer: period, loop: true });
  loud.connect(sound.destination);
  loud.start();
  loud.stop(sound.currentTime + RINGS * PERIOD_S);
  ringing.loud = loud;
}

/** Ring for this call until stop_ringing(), behind `first`; saying it again only changes who is named. */
export function ring(call_id, who, first = null) {
  if (ringing?.call_id === call_id) {
    ringing.who = who || ringing.who;
    return;
  }
  stop_ringing();
  const mine = ringing = { call_id, who, notice: null, timer: 0, lit: false };
  const begin = () => { if (ringing === mine && !mine.timer) be_noticed(); };
  if (document.hidden || !first) return begin(); // a hidden page's timers come late
  setTimeout(begin, RINGS_WITHIN_MS);
  first.finally(begin);
}

/** By ear, in the title, and on the desktop where the page is not seen. */
function be_noticed() {
  ring_for_a_while();
  const flash = () => {
    ringing.lit = !ringing.lit;
    document.title = ringing.lit ? `● ${_("Call")} ${ringing.who}` : title;
  };
  ringing.timer = setInterval(flash, 500);
  flash();
  if (document.hidden && "Notification" in window && Notification.permission === "granted") {
    ringing.notice = new Notification(_("Call"), { body: ringing.who, tag: "call", requireInteraction: true });
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
