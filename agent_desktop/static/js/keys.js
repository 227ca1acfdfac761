// Keys: one table of what they do, from which the map under "?" is drawn. A key works in text fields too, unless it
// would write something there.

import { _ } from "./texts.js";

const bindings = new Map();

/** `key` as written on the button: "F4", "Ctrl Enter", "Alt 1", "/", "?", "Esc", "1". Nothing is done while `when` is false. */
export function bind(key, words, action, when = () => true) {
  bindings.set(key.toLowerCase(), { key, words, action, when });
}

function name_of(event) {
  const parts = [];
  if (event.ctrlKey || event.metaKey) parts.push("ctrl");
  if (event.altKey) parts.push("alt");
  const digit = /^Digit(\d)$/.exec(event.code);
  const letter = /^Key([A-Z])$/.exec(event.code); // with Alt, some keyboards write another sign
  const key = event.key === "Escape" ? "esc" : event.altKey && digit ? digit[1] : event.altKey && letter ? letter[1].toLowerCase() : event.key.toLowerCase();
  return [...parts, key].join(" ");
}

const writes = (target) => target.closest?.("input:not([type=radio], [type=checkbox], [type=button]), textarea, select, [contenteditable]");

addEventListener("keydown", (event) => {
  if (event.isComposing) return; // a Chinese input method is at work: Enter and digits belong to it
  const name = name_of(event);
  const bound = bindings.get(name);
  if (!bound || (name.length === 1 && writes(event.target))) return;
  if (/^f\d/.test(name) || name.length === 1 || name.includes(" ")) if (bound.when() || /^f\d/.test(name)) event.preventDefault();
  if (!event.repeat && bound.when()) bound.action(event);
});

/** The map as it is shown. */
export function draw_map(list) {
  list.replaceChildren();
  for (const { key, words } of bindings.values()) {
    if (!words) continue;
    const term = document.createElement("dt");
    for (const part of key.split(" ")) {
      const cap = document.createElement("kbd");
      cap.textContent = part === "Enter" ? "⏎" : part;
      term.append(cap, " ");
    }
    const meaning = document.createElement("dd");
    meaning.textContent = words;
    list.append(term, meaning);
  }
}

/** What is on the screen's map, in the reader's language. */
export const WORDS = {
  ready: _("Ready"),
  break: _("Short break"),
  answer: _("Answer"),
  hangup: _("End the call"),
  hold: _("Hold, and back"),
  mute: _("Mute, and back"),
  transfer: _("Transfer; while you ask somebody: hand over"),
  meet: _("All three together"),
  park: _("Park the customer; with none at hand: take the one parked longest"),
  take_over: _("Take over what a colleague has written"),
  help: _("Ask the supervisor for help, and take it back"),
  call_back: _("Plan a call-back"),
  outcome: _("How the call came out"),
  more_time: _("One more minute of wrap-up"),
  keypad: _("Keypad"),
  finish: _("Finish wrap-up"),
  save: _("Save the ticket"),
  search: _("Search"),
  map: _("This map"),
  close: _("Close what is open; nothing typed is lost"),
  kinds: _("Kind of ticket"),
};
