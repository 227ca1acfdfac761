// The one search box: asked while one types, walked by arrows, closed by Esc with the words left standing.

import { ask, markup } from "./ask.js";
import { call_shown } from "./cards.js";

const ASK_AFTER_MS = 120;
const input = document.querySelector("#search");
const found = document.querySelector("#found");
let timer = 0;
let asked = "";

input.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(look, ASK_AFTER_MS);
});
input.addEventListener("focus", () => { found.hidden = !found.children.length; });

async function look() {
  const text = input.value.trim();
  asked = text;
  if (!text) {
    found.replaceChildren();
    found.hidden = true;
    return;
  }
  const answer = await ask(`/desk/search?q=${encodeURIComponent(text)}`);
  if (asked !== text) return; // something else has been typed since
  found.replaceChildren(markup(answer.ok ? answer.text : `<p class="error"></p>`));
  if (!answer.ok) found.querySelector(".error").textContent = answer.sentence;
  for (const button of found.querySelectorAll(".needs-card")) button.hidden = call_shown() === null;
  found.hidden = false;
}

input.parentElement.addEventListener("keydown", (event) => {
  if (!["ArrowDown", "ArrowUp", "Escape"].includes(event.key)) return;
  if (event.key === "Escape") {
    found.hidden = true;
    return;
  }
  event.preventDefault();
  const lines = [input, ...found.querySelectorAll("a")];
  const at = lines.indexOf(document.activeElement.closest(".found-line")?.querySelector("a") ?? input);
  lines.at((at + (event.key === "ArrowDown" ? 1 : -1) + lines.length) % lines.length).focus();
});

found.addEventListener("click", (event) => { if (event.target.closest("[data-bind], a")) found.hidden = true; });
document.addEventListener("click", (event) => { if (!event.target.closest(".top-search")) found.hidden = true; });

export function open_search() {
  input.focus();
  input.select();
}
