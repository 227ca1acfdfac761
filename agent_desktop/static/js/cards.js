// The cards: one per call, what they tell fetched from the server, each with a ticket form of its own. The one shown is
// in the page; the others are kept beside, with what is typed in them. A new call's card never takes the place of text
// that is not saved: it opens beside.

import { ask, markup } from "./ask.js";
import { count, server_now } from "./clock.js";
import { _ } from "./texts.js";
import { fresh_form, TicketForm } from "./ticket.js";

const desk = document.querySelector("#desk");
const slot = document.querySelector("#card");
const why_slot = document.querySelector("#why");
const strip = document.querySelector("#strip");
const REFRESH_AFTER_MS = 120;
const HIDDEN_MS = 250; // a hidden tab paints nothing, and must not wait for it
const SENT_WITHIN_MS = 1000; // a card that was announced and does not come is asked for

const cards = new Map(); // call_id → { call_id, title, why, parts, known, form, timer, painted }
const coming = new Map(); // call_id → the fetching of its card
const announced = new Map(); // call_id → whom to give the card that the server sends unasked
let painting = Promise.resolve();
let shown = null; // call_id of the card in the page; null: the idle page
let active = null; // call_id of the call at hand, whose "why" stands under the call controls

/**
 * Get the card of a call and show it, or put it beside one with unsaved text. `at_hand`: it is the call now.
 * `sent`: the server has said that it sends the card.
 */
export async function pop(call_id, { at_hand = true, front = true, sent = false } = {}) {
  if (at_hand) active = call_id;
  if (!cards.has(call_id)) {
    if (!coming.has(call_id)) coming.set(call_id, get_card(call_id, sent));
    const sentence = await coming.get(call_id);
    coming.delete(call_id);
    if (!cards.has(call_id)) {
      if (at_hand && sentence) failed(sentence);
      return null;
    }
  }
  const card = cards.get(call_id);
  const unsaved = shown !== null && shown !== call_id && cards.get(shown)?.form.dirty;
  const first = at_hand && !card.painted;
  if (front && !unsaved) show(call_id, { form: !first });
  else draw();
  if (first) painted(card);
  return card;
}

/** What went wrong, in words; empty if the card is there now, or never will be. */
async function get_card(call_id, sent) {
  const text = sent ? await sent_card(call_id) : "";
  if (text) {
    cards.set(call_id, await new_card(call_id, text));
    return "";
  }
  const answer = await ask(`/desk/card/${encodeURIComponent(call_id)}`);
  if (answer.ok) cards.set(call_id, await new_card(call_id, answer.text));
  return answer.ok || answer.status === 404 ? "" : answer.sentence;
}

/** The markup the server sends; empty if it does not come. */
function sent_card(call_id) {
  return new Promise((give) => {
    const late = setTimeout(give, SENT_WITHIN_MS, "");
    announced.set(call_id, (text) => { clearTimeout(late); give(text); });
  }).finally(() => announced.delete(call_id));
}

/** A card has come that was not asked for. */
export const arrived = (call_id, text) => announced.get(call_id)?.(text);

/** Resolves when no card is on its way to the screen: what is less urgent waits for it. */
export async function settled() {
  await Promise.all(coming.values());
  await painting;
}

async function new_card(call_id, text) {
  const card = { call_id, timer: 0, painted: false };
  take(card, text);
  card.form = new TicketForm(await fresh_form(card.known), call_id);
  card.form.addEventListener("changed", draw);
  card.form.addEventListener("saved", () => refresh(call_id));
  return card;
}

function take(card, text) {
  const template = markup(text).querySelector("template[data-card]");
  card.title = template.dataset.title;
  card.known = { ...template.dataset }; // what the caller has told already, for his ticket
  const parts = [...template.content.children];
  card.why = parts.find((part) => part.dataset.part === "why");
  card.parts = parts.filter((part) => part !== card.why);
}

/** Put the card in the page, in front of all others; `form`: with the place to write in, which can wait. */
export function show(call_id, { form = true } = {}) {
  const card = cards.get(call_id);
  if (shown !== call_id) {
    cards.get(shown)?.form.leaving();
    shown = call_id;
    slot.dataset.call = call_id;
    slot.replaceChildren(...card.parts);
  }
  if (form) card.form.attach(slot.querySelector('[data-part="main"]'));
  draw();
}

/** Nothing is at hand: the idle page, unless words are waiting to be saved. */
export async function idle() {
  active = null;
  why_slot.replaceChildren();
  const card = cards.get(shown);
  if (card?.form.dirty) return draw();
  if (card) {
    card.form.leaving();
    cards.delete(shown);
  }
  shown = null;
  delete slot.dataset.call;
  draw();
  await read_idle();
}

let again = 0;

/** A promise that is not kept breaks when its time has passed: then the list is read anew. */
function look_again() {
  clearTimeout(again);
  const at = Number(slot.querySelector("[data-look-again]")?.dataset.lookAgain);
  const ms = (at - server_now() + 1) * 1000;
  if (ms > 0 && ms < 86_400_000) again = setTimeout(read_idle, ms);
}

export async function read_idle() {
  if (shown !== null) return;
  const answer = await ask("/desk/idle");
  if (answer.ok && shown === null) {
    slot.replaceChildren(markup(answer.text));
    count();
    look_again();
  }
}

/** What the server knows has changed: everything but the form, which belongs to the agent, is taken anew. */
export function refresh(call_id, fresh_text = null) {
  const card = cards.get(call_id);
  if (!card) return;
  clearTimeout(card.timer);
  card.timer = setTimeout(async () => {
    const text = fresh_text ?? (await ask(`/desk/card/${encodeURIComponent(call_id)}`)).text;
    if (text.includes("data-card=")) renew(card, text, fresh_text !== null);
  }, fresh_text === null ? REFRESH_AFTER_MS : 0);
}

function renew(card, text, whole) {
  const focused = slot.contains(document.activeElement) ? document.activeElement : null;
  const old = Object.fromEntries(card.parts.flatMap((part) => [[part.dataset.part, part], ...[...part.querySelectorAll("[data-part]")].map((inner) => [inner.dataset.part, inner])]));
  const fresh = { parts: [] };
  take(fresh, text);
  card.title = fresh.title;
  card.why = fresh.why;
  const main = fresh.parts.find((part) => part.dataset.part === "main");
  const side = fresh.parts.find((part) => part.dataset.part === "side");
  side.querySelector('[data-part="knowledge"]')?.replaceWith(old.knowledge); // it follows what is typed, not the card
  old.side.replaceChildren(...side.childNodes);
  const being_typed = [...old.head.querySelectorAll("input:not([type=hidden])")].some((input) => input.value !== input.defaultValue);
  if (whole || !being_typed) old.head.replaceChildren(...main.querySelector('[data-part="head"]').childNodes);
  const chosen = old.engines.querySelector("input:checked")?.value;
  const filter = old.engines.querySelector("[data-filter]")?.value;
  const top = old.engines.querySelector(".engines")?.scrollTop;
  old.engines.replaceChildren(...main.querySelector('[data-part="engines"]').childNodes);
  const same = chosen && old.engines.querySelector(`input[value="${CSS.escape(chosen)}"]`);
  if (same) same.checked = true;
  if (filter) {
    old.engines.querySelector("[data-filter]").value = filter;
    filter_engines(old.engines);
  }
  if (top) old.engines.querySelector(".engines").scrollTop = top;
  if (focused && !focused.isConnected) (same_as(focused) ?? slot.querySelector("#f-subject"))?.focus({ preventScroll: true });
  draw();
}

/** What now stands in the place of something that was taken anew, so that one who works by keys stays where he was. */
function same_as({ id, name, value, href }) {
  if (id) return slot.querySelector(`#${CSS.escape(id)}`);
  if (name) return slot.querySelector(`[name="${CSS.escape(name)}"][value="${CSS.escape(value)}"]`);
  return href ? [...slot.querySelectorAll("a")].find((link) => link.href === href) : null;
}

/** Draw the strip of cards and the reason of the call at hand. */
function draw() {
  const why = cards.get(active)?.why;
  if (why && why_slot.firstElementChild !== why) why_slot.replaceChildren(why);
  desk.toggleAttribute("data-beside", active !== null && shown !== active && cards.has(active));
  document.body.classList.toggle("has-card", shown !== null);
  const tabs = cards.size > 1 || (cards.size === 1 && shown === null) ? [...cards.values()].map(tab) : [];
  strip.replaceChildren(...tabs);
  count();
}

function tab(card) {
  const button = document.createElement("button");
  button.type = "button";
  button.role = "tab";
  button.dataset.tab = card.call_id;
  button.ariaSelected = String(card.call_id === shown);
  button.className = "cut";
  const name = document.createElement("span");
  name.className = "cut";
  name.textContent = card.title;
  button.append(name);
  if (card.call_id === active) button.append(chip("soon", _("call")));
  if (card.form.dirty) button.append(chip("act", _("draft")));
  return button;
}

function chip(tone, words) {
  const mark = document.createElement("span");
  mark.className = "chip";
  mark.dataset.tone = tone;
  mark.textContent = words;
  return mark;
}

function failed(sentence) {
  const note = document.createElement("p");
  note.className = "error";
  note.textContent = _("The card of this call cannot be shown: {why}", { why: sentence });
  why_slot.replaceChildren(note);
}

/** Who is calling is painted first, then where to write; when each was, is said for whoever measures it. */
function painted(card) {
  card.painted = true;
  const { dataset } = document.body;
  painting = on_screen().then(async () => {
    dataset.cardCall = card.call_id;
    dataset.cardAt = String(performance.timeOrigin + performance.now());
    if (shown === card.call_id) show(card.call_id);
    await on_screen();
    dataset.formAt = String(performance.timeOrigin + performance.now());
  });
}

/** What is in the page now has been painted: two frames later it has. */
const on_screen = () => Promise.race([
  new Promise((give) => { setTimeout(give, HIDDEN_MS); }),
  new Promise((give) => { requestAnimationFrame(() => requestAnimationFrame(give)); }),
]);

export const is_open = (call_id) => cards.has(call_id);
export const form_shown = () => cards.get(shown)?.form ?? null;
export const form_of = (call_id) => cards.get(call_id)?.form ?? null;
export const call_shown = () => shown;
export const open_calls = () => [...cards.keys()];

// --- what is done on a card ---

async function bind_customer(customer_id) {
  const call_id = shown;
  const answer = await ask(`/desk/calls/${encodeURIComponent(call_id)}/customer`, { customer_id });
  if (answer.ok) refresh(call_id, answer.text);
  else say_in_head(answer.sentence);
}

function say_in_head(words) {
  const line = document.createElement("p");
  line.className = "error";
  line.textContent = words;
  slot.querySelector('[data-part="head"]')?.append(line);
}

/** The n-th of the customers offered; false if none is. */
export function choose(n) {
  const button = slot.querySelectorAll("[data-choice] [data-bind]")[n - 1];
  if (!button?.checkVisibility()) return false;
  button.click();
  return true;
}

function filter_engines(box) {
  const words = box.querySelector("[data-filter]").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const engine of box.querySelectorAll(".engine")) {
    engine.hidden = !words.every((word) => engine.dataset.text.includes(word)) && !engine.querySelector("input").checked;
  }
}

document.addEventListener("click", (event) => {
  const bind = event.target.closest("[data-bind]");
  if (bind && shown !== null) bind_customer(bind.dataset.bind);
  const again = event.target.closest("[data-open-call]");
  if (again) pop(again.dataset.openCall, { at_hand: false });
  const chosen = event.target.closest("[data-tab]");
  if (chosen) show(chosen.dataset.tab);
});

slot.addEventListener("input", (event) => {
  if (event.target.dataset.filter === "engines") filter_engines(event.target.closest("[data-part]"));
});

slot.addEventListener("submit", async (event) => {
  if (event.target.id !== "new-customer") return;
  event.preventDefault();
  const call_id = shown;
  const form = event.target;
  const answer = await ask("/desk/customers", new URLSearchParams(new FormData(form)));
  if (answer.ok) return refresh(call_id, answer.text);
  const error = form.querySelector(".error");
  error.textContent = answer.sentence;
  error.hidden = false;
});
