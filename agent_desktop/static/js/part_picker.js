// Parts of a repair, one a line: what is typed in a line is looked up in the catalogue, and one that is chosen stands
// there with its name. Arrows walk, Enter takes, Esc closes; "×2" behind the number stays. What is typed without
// choosing stays as it is.
//
// Listens at the document, so it serves every field of the shape, also of forms that come later.

import { ask } from "./ask.js";
import { _ } from "./texts.js";

const ASK_AFTER_MS = 150;
const SHORTEST = 2;
const COUNT = /\s*[x×*＊]\s*\d{1,4}\s*$/i;
const fields = new WeakMap();
let numbered = 0;

const field_of = (target) => target.closest?.('textarea[data-shape="parts"]') ?? null;

/** The line the caret stands in: from where to where, and what is in it. */
function line_of(field) {
  const { value, selectionStart: at } = field;
  const from = value.lastIndexOf("\n", at - 1) + 1;
  const end = value.indexOf("\n", at);
  const to = end < 0 ? value.length : end;
  return { from, to, text: value.slice(from, to) };
}

class Picker {
  #field;
  #list = document.createElement("ul");
  #said = document.createElement("p");
  #timer = 0;
  #asked = ""; // the words of the newest question; older answers are thrown away

  constructor(field) {
    this.#field = field;
    const id = `parts-${++numbered}`;
    Object.assign(this.#list, { id, role: "listbox", className: "part-list menu-list", hidden: true, ariaLabel: _("Parts catalogue") });
    Object.assign(this.#said, { role: "status", className: "sr" });
    this.#list.addEventListener("mousedown", (event) => {
      event.preventDefault(); // the caret stays in its line
      this.#take(event.target.closest("[role=option]"));
    });
    field.after(this.#list, this.#said);
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-haspopup", "listbox");
    field.setAttribute("aria-controls", id);
  }

  get open() { return !this.#list.hidden; }
  get #chosen() { return this.#list.querySelector("[aria-selected=true]"); }

  typed() {
    clearTimeout(this.#timer);
    const words = line_of(this.#field).text.replace(COUNT, "").trim();
    this.#asked = words;
    if (words.length < SHORTEST || words.includes(" · ")) return this.close();
    this.#timer = setTimeout(() => this.#look(words), ASK_AFTER_MS);
  }

  async #look(words) {
    const model = this.#field.dataset.model ?? "";
    const answer = await ask(`/parts/offered?${new URLSearchParams({ q: words, model })}`);
    if (this.#asked !== words || document.activeElement !== this.#field) return; // something else has been typed since
    if (!answer.ok) return this.close();
    this.#list.replaceChildren(...answer.json.map((part, place) => this.#option(part, place)));
    this.#list.hidden = !answer.json.length;
    this.#said.textContent = answer.json.length
      ? _("Parts found: {n}. Arrows choose, Enter takes, Esc closes.", { n: answer.json.length })
      : _("No such part is in the catalogue.");
    if (this.open) this.#choose(this.#list.firstElementChild);
    else this.#field.removeAttribute("aria-activedescendant");
  }

  #option({ number, name, fits, note }, place) {
    const option = document.createElement("li");
    Object.assign(option, { role: "option", id: `${this.#list.id}-${place}`, ariaSelected: "false" });
    Object.assign(option.dataset, { number, name });
    for (const [words, look] of [[number, "num"], [name, "cut"], [[note, fits].filter(Boolean).join(" · "), "end small muted cut"]]) {
      const part = document.createElement("span");
      part.className = look;
      part.textContent = words;
      option.append(part, " ");
    }
    return option;
  }

  #choose(option) {
    for (const one of this.#list.children) one.ariaSelected = String(one === option);
    this.#field.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  /** Whether the key was for the list. */
  key({ key, shiftKey, ctrlKey, altKey, metaKey }) {
    if (!this.open || shiftKey || ctrlKey || altKey || metaKey) return false;
    const options = [...this.#list.children];
    const step = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (step) this.#choose(options.at((options.indexOf(this.#chosen) + step) % options.length));
    else if (key === "Enter") this.#take(this.#chosen);
    else if (key === "Escape") this.close();
    else return false;
    return true;
  }

  /** The part stands in the caret's line, and the form is told as of something typed. */
  #take(option) {
    if (!option) return;
    const { from, to, text } = line_of(this.#field);
    const count = COUNT.exec(text)?.[0].replace(/\D/g, "");
    this.#field.setRangeText(`${option.dataset.number} · ${option.dataset.name}${count ? ` ×${count}` : ""}`, from, to, "end");
    this.#said.textContent = _("{number} taken.", { number: option.dataset.number });
    this.close();
    this.#field.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }

  close() {
    this.#asked = "";
    clearTimeout(this.#timer);
    this.#list.hidden = true;
    this.#field.removeAttribute("aria-activedescendant");
  }
}

function typed(event) {
  const field = field_of(event.target);
  if (!field || event.isComposing) return; // a Chinese input method is at work
  if (!fields.has(field)) fields.set(field, new Picker(field));
  fields.get(field).typed();
}

document.addEventListener("input", typed);
document.addEventListener("compositionend", typed);
document.addEventListener("keydown", (event) => {
  if (event.isComposing || !fields.get(field_of(event.target))?.key(event)) return;
  event.preventDefault();
  event.stopPropagation(); // Esc closes other things, too
});
document.addEventListener("focusout", (event) => fields.get(field_of(event.target))?.close());
