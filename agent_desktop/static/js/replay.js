// The replay of a call: one moment, shown by the cursor over waves and lanes, by the scrubber and in the list of steps.
// While the sound plays it moves the moment; who moves the moment moves the sound.

import { span } from "./clock.js";

const $ = (selector) => document.querySelector(selector);
const replay = $("#replay");
const tracks = $("#tracks");
const scrubber = $("#scrubber");
const list = $("#steps");
const sound = $("#sound"); // not there where nothing was recorded, or it may not be heard
const shown_ms = Number(replay.dataset.shown);
const from_ms = Number(replay.dataset.soundFrom ?? 0);
const sound_ms = Number(replay.dataset.soundLength ?? 0);
const steps = [...document.querySelectorAll("#steps .step")].map((button) => ({ button, at_ms: Number(button.dataset.at) }));
const NEAR_MS = 60; // a sound does not stand exactly where it was put

let now_ms = 0;
let chosen = null; // of several steps in one moment the one that was asked for
let silent = true; // the moment lies where there is no sound: it stays there until the sound plays
let current = null;

const within = (ms, least, most) => Math.min(Math.max(ms, least), most);

if (sound) { // the wave lies on the axis of the call
  $("#wave").style.marginLeft = `${(100 * from_ms) / shown_ms}%`;
  $("#wave").style.width = `${(100 * sound_ms) / shown_ms}%`;
}

function show(ms) {
  now_ms = within(ms, 0, shown_ms);
  $("#cursor").style.left = `${(100 * now_ms) / shown_ms}%`;
  scrubber.value = String(now_ms);
  $("#position").textContent = `${span(now_ms / 1000)} / ${span(shown_ms / 1000)}`;
  if (chosen && Math.abs(within(chosen.at_ms, 0, shown_ms) - now_ms) > NEAR_MS) chosen = null;
  mark(chosen ?? steps.findLast((step) => step.at_ms <= now_ms + NEAR_MS / 2 && visible(step)) ?? null);
  const words = current?.button.querySelector(".step-words").firstChild.textContent.trim() ?? "";
  scrubber.setAttribute("aria-valuetext", `${span(now_ms / 1000)} ${words}`);
}

const visible = (step) => step.button.offsetParent !== null;

function mark(step) {
  if (step === current) return;
  current?.button.removeAttribute("aria-current");
  current = step;
  for (const one of steps) one.button.tabIndex = one === (step ?? steps[0]) ? 0 : -1;
  if (!step) return;
  step.button.setAttribute("aria-current", "step");
  const row = step.button.parentElement; // only the list is moved, never the page
  const [top, bottom] = [row.offsetTop, row.offsetTop + row.offsetHeight];
  if (top < list.scrollTop) list.scrollTop = top;
  else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
}

function go(ms, step = null) {
  chosen = step;
  show(ms);
  if (!sound) return;
  const into_ms = now_ms - from_ms;
  silent = into_ms < 0 || into_ms > sound_ms;
  if (silent) sound.pause();
  else sound.currentTime = into_ms / 1000;
}

if (sound) {
  const follow = () => { if (!silent) show(from_ms + sound.currentTime * 1000); };
  const run = () => {
    follow();
    if (!sound.paused) requestAnimationFrame(run);
  };
  sound.addEventListener("play", () => {
    if (silent) sound.currentTime = 0; // from its beginning
    silent = false;
    run();
  });
  for (const happening of ["seeked", "pause", "timeupdate"]) sound.addEventListener(happening, follow);
}

scrubber.addEventListener("input", () => go(Number(scrubber.value)));
scrubber.addEventListener("keydown", (event) => {
  const by_ms = { ArrowLeft: -1000, ArrowDown: -1000, ArrowRight: 1000, ArrowUp: 1000, PageDown: -10_000, PageUp: 10_000 }[event.key];
  if (!by_ms) return;
  event.preventDefault();
  go(now_ms + by_ms);
});

const pointed = (event) => {
  const box = tracks.getBoundingClientRect();
  go((shown_ms * (event.clientX - box.left)) / box.width);
};
tracks.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  tracks.setPointerCapture(event.pointerId);
  pointed(event);
});
tracks.addEventListener("pointermove", (event) => { if (tracks.hasPointerCapture(event.pointerId)) pointed(event); });

for (const step of steps) step.button.addEventListener("click", () => go(step.at_ms, step));
list?.addEventListener("keydown", (event) => {
  const here = steps.findIndex((step) => step.button === event.target);
  if (here < 0) return;
  const way = { ArrowDown: steps.slice(here + 1), ArrowUp: steps.slice(0, here).reverse(), Home: steps, End: steps.toReversed() }[event.key];
  const next = way?.find(visible);
  if (!way) return;
  event.preventDefault();
  next?.button.focus();
});
const fill = () => { // down to the edge of the window, so that sound, lanes and steps are seen together
  if (list) list.style.maxHeight = `${Math.max(220, innerHeight - (list.getBoundingClientRect().top + scrollY) - 17)}px`;
};
addEventListener("resize", fill);
fill();
$("#every").addEventListener("change", () => show(now_ms));
show(0);
