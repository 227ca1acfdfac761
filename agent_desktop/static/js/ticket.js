// The ticket form of one card: its kind, its draft, saving it, and errors beside the fields they belong to.
// Tells "changed" when something was typed, "saved" when the server has it.

import { ask, markup } from "./ask.js";
import { time_of_day } from "./clock.js";
import { drafts_of, drafts_sent, drop_draft, keep_beside, keep_draft, keep_saved, saved_of } from "./drafts.js";
import { _ } from "./texts.js";

const DRAFT_AFTER_MS = 300;
const NOT_TYPED = new Set(["call_id", "customer_id"]);

let blank = document.querySelector("#blank-form");

/** A form for a call, with what is known of it: the kind its caller wants, and where he can be reached. */
export async function fresh_form({ card, form, kind, serial, contact }) {
  if (blank.dataset.version !== form) { // the kinds of tickets have been changed since this page was loaded
    const answer = await ask("/desk/form");
    if (answer.ok) blank = markup(answer.text).querySelector("template");
  }
  const fresh = blank.content.firstElementChild.cloneNode(true);
  fresh.elements.call_id.value = card;
  for (const radio of fresh.elements.kind) radio.defaultChecked = radio.value === kind;
  for (const [name, value] of [["serial", serial], ["contact", contact]]) {
    for (const field of fresh.querySelectorAll(`[name="field.${name}"]`)) field.defaultValue = value;
  }
  return fresh;
}

function paragraph(words) {
  const line = document.createElement("p");
  line.textContent = words;
  return line;
}

/** The name a field's value is kept under: two kinds may both ask for an engine's hours. */
function kept_as(field) {
  const kind = field.closest("fieldset")?.dataset.kind;
  return kind ? `${kind}/${field.name}` : field.name;
}

export class TicketForm extends EventTarget {
  #form;
  #call_id;
  #saved = "";
  #timer = 0;
  #busy = false;

  constructor(form, call_id) {
    super();
    this.#form = form;
    this.#call_id = call_id;
    this.#was_dirty = drafts_of(call_id).length > 0; // until it is shown and takes them up
    form.addEventListener("submit", (event) => { event.preventDefault(); this.save(); });
    form.addEventListener("input", (event) => this.#typed(event));
    this.#field("#another").addEventListener("click", () => this.another());
    addEventListener("pagehide", () => this.#keep());
  }

  #field(selector) { return this.#form.querySelector(selector); }

  /** Put the form in the page; the first time, a draft of it is taken up. */
  attach(place) {
    if (this.#form.isConnected) return;
    place.append(this.#form);
    this.#show_kind();
    if (this.#saved) return;
    this.#saved = this.#words();
    this.#take_up_saved(saved_of(this.#call_id));
    const [draft, ...others] = drafts_of(this.#call_id);
    if (!draft) return;
    this.#fill(draft.values);
    this.#say(_("Draft of {time} taken up, not saved yet", { time: time_of_day(new Date(draft.at)) }));
    this.#offer(others);
  }

  /** The ticket of this call that was saved before the page was loaded again: one goes on with it, and opens no second. */
  #take_up_saved(before) {
    if (!before) return;
    this.#fill(before.values);
    this.number = before.number;
    this.#field("#saved-notes").replaceChildren(...before.notes.map(paragraph));
    this.#field("#save").disabled = before.closed;
    this.#saved = this.#words();
    this.#say(before.said);
  }

  /** Drafts of other windows that say something else: none is written over, each can be had. */
  #offer(others) {
    this.#form.querySelector(".other-drafts")?.remove();
    if (!others.length) return;
    const place = document.createElement("p");
    place.className = "other-drafts small";
    place.append(_("Also typed, in another window:"));
    for (const other of others.slice(0, 3)) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "btn";
      button.textContent = _("Draft of {time}", { time: time_of_day(new Date(other.at)) });
      button.title = [other.values.subject, other.values.notes].filter(Boolean).join(" · ").slice(0, 300);
      button.addEventListener("click", () => this.#exchange(other, others));
      place.append(" ", button);
    }
    this.#field("#saved").before(place);
  }

  async #exchange(wanted, others) {
    const mine = this.#values();
    await keep_beside(this.#call_id, mine);
    this.#fill(wanted.values);
    this.#keep();
    this.#offer([{ at: Date.now(), values: mine }, ...others.filter((one) => one !== wanted)]);
    this.dispatchEvent(new Event("changed"));
  }

  get dirty() {
    return this.#saved !== "" && this.#form.isConnected ? this.#words() !== this.#saved : this.#was_dirty;
  }

  #was_dirty = false;

  /** The number of the ticket that was saved from here; empty before. */
  number = "";

  /** What goes with the customer to somebody else: the ticket, and the words that are not saved. */
  as_handed_on() {
    const ticket_id = this.#form.elements.id.value;
    return { ticket_id, draft: ticket_id || this.dirty ? JSON.stringify({ ...this.#values(), unsaved: this.dirty }) : "" };
  }

  /** Go on with what a colleague has written; where something stands here already, his words are put behind it. */
  take_over(values) {
    const { subject, notes } = this.#form.elements;
    const joined = (mine, his) => (mine && his && mine !== his ? `${mine} ${his}` : mine || his || "");
    this.#fill({ ...values, subject: joined(subject.value, values.subject), notes: joined(notes.value, values.notes) });
    this.#keep();
    this.dispatchEvent(new Event("changed"));
  }

  /** To be called before the form leaves the page: fields outside it are part of it only while both are there. */
  leaving() {
    this.#was_dirty = this.dirty;
    this.#keep();
  }

  /** Everything that can be typed, of all kinds; fields of kinds not shown are kept too. */
  #values() {
    const values = {};
    for (const field of this.#form.elements) {
      if (!field.name || NOT_TYPED.has(field.name)) continue;
      if (field.type === "radio") { if (field.checked) values[kept_as(field)] = field.value; }
      else values[kept_as(field)] = field.type === "checkbox" ? field.checked : field.value;
    }
    return values;
  }

  /** The same as text, to see whether something was typed; the engine is also chosen by the server, so it does not count. */
  #words() { return JSON.stringify({ ...this.#values(), engine_id: undefined, id: undefined, version: undefined }); }

  #fill(values) {
    for (const field of this.#form.elements) {
      if (!field.name || NOT_TYPED.has(field.name)) continue;
      const value = values[kept_as(field)];
      if (value === undefined) continue;
      if (field.type === "radio") field.checked = field.value === value;
      else if (field.type === "checkbox") field.checked = value;
      else field.value = value;
    }
    this.#show_kind();
    this.#lock();
  }

  #typed(event) {
    if (event.target.name === "kind") this.#show_kind();
    this.#clear_error(event.target.closest("[data-field]"));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => { this.#keep(); this.dispatchEvent(new Event("changed")); }, DRAFT_AFTER_MS);
  }

  #keep() {
    if (!this.#form.isConnected || !this.#saved || !this.dirty) return;
    keep_draft(this.#call_id, this.#values(), (where) => {
      if (!this.dirty) return; // saved meanwhile
      const time = time_of_day();
      this.#say(where === "server" ? _("Draft saved {time}", { time })
        : where === "browser" ? _("Draft kept in this browser only {time}: the server cannot be reached", { time })
        : _("This browser has no room for drafts: save before you leave"));
    });
  }

  #say(words) { this.#field("#saved").textContent = words; }

  choose_kind(number) {
    const radio = this.#form.querySelectorAll('input[name="kind"]')[number - 1];
    if (!radio || radio.disabled) return;
    radio.checked = true;
    radio.dispatchEvent(new Event("input", { bubbles: true }));
  }

  #show_kind() {
    const kind = this.#field('input[name="kind"]:checked')?.value;
    for (const fields of this.#form.querySelectorAll("fieldset[data-kind]")) {
      fields.hidden = fields.disabled = fields.dataset.kind !== kind;
    }
  }

  /** A ticket that has its number keeps its kind. */
  #lock() {
    const has_number = this.#form.elements.id.value !== "";
    for (const radio of this.#form.querySelectorAll('input[name="kind"]')) radio.disabled = has_number && !radio.checked;
    this.#field("#another").hidden = !has_number;
    this.#field('label[for="f-notes"]').textContent = has_number ? _("Add a note") : _("Notes");
  }

  async save() {
    if (this.#busy) return;
    const button = this.#field("#save");
    this.#busy = true;
    button.disabled = true;
    clearTimeout(this.#timer);
    await drafts_sent(this.#call_id);
    const sent = this.#words();
    const answer = await ask("/desk/tickets", new URLSearchParams(new FormData(this.#form)));
    this.#busy = false;
    button.disabled = false;
    for (const field of this.#form.querySelectorAll("[data-field]")) this.#clear_error(field);
    this.#error("");
    if (!answer.ok) {
      this.#refused(answer);
      this.#keep();
      return;
    }
    this.#taken(answer.json, sent);
    this.dispatchEvent(new CustomEvent("saved", { detail: answer.json }));
  }

  #taken(saved, sent) {
    const { id, version, notes } = this.#form.elements;
    const typed_meanwhile = this.#words() !== sent;
    id.value = saved.id;
    this.number = saved.number;
    version.value = saved.version;
    const words = JSON.parse(sent).notes;
    if (words) {
      this.#field("#saved-notes").append(paragraph(words));
      if (notes.value === words) notes.value = "";
    }
    this.#lock();
    const closed = saved.state === "closed";
    if (closed) this.#field("#save").disabled = true;
    const said = closed ? _("{number} saved and closed {time}", { number: saved.number, time: saved.at }) : _("{number} saved {time}", { number: saved.number, time: saved.at });
    const told = [...this.#field("#saved-notes").children].map((note) => note.textContent);
    const values = { ...this.#values(), ...JSON.parse(sent), notes: "" }; // not what was typed while it was being saved
    keep_saved(this.#call_id, { number: saved.number, values, notes: told, closed, said });
    if (typed_meanwhile) this.#keep();
    else {
      this.#saved = this.#words();
      drop_draft(this.#call_id);
      this.#offer([]);
    }
    this.#say(said);
  }

  #refused({ sentence, json }) {
    const faults = { ...json?.faults };
    if (json?.version) this.#form.elements.version.value = json.version;
    this.#take_theirs(json?.theirs ?? {});
    for (const [name, words] of Object.entries(faults)) {
      const place = [...this.#form.querySelectorAll(`[data-field="${CSS.escape(name)}"]`)].find((one) => !one.closest("fieldset[hidden]"));
      if (place) {
        const error = place.querySelector(".error");
        const input = place.querySelector("input, select, textarea");
        error.textContent = words;
        error.hidden = false;
        error.id ||= `e-${name}`;
        input?.setAttribute("aria-invalid", "true");
        input?.setAttribute("aria-describedby", error.id);
        delete faults[name];
      }
    }
    this.#error([sentence, ...Object.values(faults)].join(" "));
    this.#form.querySelector(":enabled[aria-invalid]")?.focus();
  }

  /** What only a colleague changed meanwhile is taken over; what both changed stays as typed, with his beside it. */
  #take_theirs(theirs) {
    const saved = this.#saved ? JSON.parse(this.#saved) : {};
    for (const [name, value] of Object.entries(theirs)) {
      const field = [...this.#form.elements].find((one) => one.name === name && !one.closest("fieldset[hidden]"));
      if (!field) continue;
      const tick = field.type === "checkbox";
      if ((tick ? field.checked : field.value) !== saved[kept_as(field)]) continue;
      if (tick) field.checked = Boolean(value);
      else field.value = value ?? "";
    }
  }

  #clear_error(place) {
    const error = place?.querySelector(".error");
    if (!error) return;
    error.hidden = true;
    place.querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
  }

  #error(words) {
    const line = this.#field("#save-error");
    line.textContent = words;
    line.hidden = !words;
    this.#field("#saved").hidden = Boolean(words);
  }

  /** The one at hand is saved; begin the next of the same call. */
  another() {
    if (this.dirty) { this.save(); return; }
    keep_saved(this.#call_id, null);
    this.number = "";
    this.#form.reset();
    for (const name of ["id", "version"]) this.#form.elements[name].value = "";
    this.#field("#saved-notes").replaceChildren();
    this.#field("#save").disabled = false;
    this.#lock();
    this.#show_kind();
    this.#error("");
    this.#say("");
    this.#saved = this.#words();
    this.#form.elements.subject.focus();
  }
}
