// The recording of a call: two waves, the caller above and the agent below, played in the page.

import WaveSurfer from "../vendor/wavesurfer.js";
import { colour } from "./colour.js";
import { _ } from "./texts.js";

const $ = (selector) => document.querySelector(selector);
const sound = $("#sound");

const wave = WaveSurfer.create({
  container: $("#wave"),
  media: sound,
  height: 36,
  interact: false, // replay.js moves the moment
  cursorWidth: 0,
  normalize: false,
  barWidth: 2,
  barGap: 1,
  splitChannels: [
    { waveColor: colour("line-strong"), progressColor: colour("act") },
    { waveColor: colour("line-strong"), progressColor: colour("good") },
  ],
  cspNonce: $("#player").dataset.nonce,
});

const play = $("#play");
const show = () => {
  play.firstChild.textContent = sound.paused ? "▶ " : "❚❚ ";
  play.querySelector("span").textContent = sound.paused ? _("Play") : _("Pause");
};
for (const happening of ["play", "pause", "ended"]) sound.addEventListener(happening, show);

const fault = (words) => {
  $("#player-error").textContent = words;
  $("#player-error").hidden = false;
};
sound.addEventListener("error", () => fault(_("The recording cannot be played: the server did not give it, or it is no sound.")));
wave.on("error", () => fault(_("The wave cannot be drawn; the sound may play all the same.")));

play.addEventListener("click", () => (sound.paused ? sound.play() : sound.pause()));
$("#speed").addEventListener("change", (event) => { sound.playbackRate = Number(event.target.value); });
addEventListener("keydown", (event) => {
  if (event.key !== " " || event.target.closest("button, input, select, textarea, a, summary")) return;
  event.preventDefault();
  play.click();
});
