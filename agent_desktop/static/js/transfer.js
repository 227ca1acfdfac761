// Handing a customer on: to whom, what must be known, and what becomes of it; parking him and fetching him again.
// Everything is asked of the server, which has the switch do it; this draws what the seat says, and what was refused.

import { ask, markup } from "./ask.js";
import { count } from "./clock.js";
import { live } from "./live.js";
import { _ } from "./texts.js";

const $ = (selector) => document.querySelector(selector);
const SEARCH_AFTER_MS = 120;
const OWN = new Set(["dial", "fetch", "hear"]); // what rings here because one asked for it
const COMES_WITHIN_MS = 10000; // a call that was fetched is answered by itself when it rings

export class Transfer {
  #seat;
  #phone;
  #form_of;
  #timer = 0;
  #asked_for = 0; // the newest search; older answers are thrown away
  #expects_until = 0;

  /** `form_of` gives the ticket form of a call's card, or null. */
  constructor(seat, phone, form_of) {
    this.#seat = seat;
    this.#phone = phone;
    this.#form_of = form_of;
    seat.addEventListener("change", () => this.draw());
    phone.addEventListener("change", () => this.#answer_expected());
    $("#handing").addEventListener("click", () => this.toggle());
    $("#transfer-ask").addEventListener("click", () => this.#hand("ask"));
    $("#transfer-send").addEventListener("click", () => this.#hand("send"));
    $("#transfer-to").addEventListener("input", () => this.#search());
    $("#transfer").addEventListener("keydown", (event) => this.#key(event));
    $("#transfer-list").addEventListener("click", (event) => this.#select(event.target.closest("[role=option]")));
    $("#asking-over").addEventListener("click", () => this.#decide("hand_over"));
    $("#asking-back").addEventListener("click", () => this.#decide("back"));
    $("#asking-meet").addEventListener("click", () => this.#decide("meet"));
    $("#park").addEventListener("click", () => this.#wish(`/desk/calls/${this.#call}/park`));
    $("#parked-list").addEventListener("click", (event) => this.#fetch(event.target.closest("[data-fetch]")?.dataset.fetch));
    live.on("CallChanged", ({ call_id, state }) => {
      const ours = call_id === seat.now.call_id && state === "talking";
      if (ours || state === "parked" || seat.now.parked.some((one) => one.call_id === call_id)) seat.read();
    });
    live.on("Counts", () => { if (this.open) this.#search(SEARCH_AFTER_MS, true); });
    live.on("WishSettled", ({ kind, fault, detail }) => {
      this.#settled(fault, detail);
      if (!fault && OWN.has(kind)) this.#expect();
    });
  }

  get #call() { return encodeURIComponent(this.#seat.now.call_id ?? ""); }
  get open() { return !$("#transfer").hidden; }
  get asking() { return this.#seat.now.asked !== null && this.#seat.now.asked.state !== "meeting"; }
  get may_hand() { return this.#seat.now.may_hand_on; }

  // --- the panel ---

  toggle() {
    if (this.open) return this.close();
    if (!this.may_hand) return;
    $("#transfer").hidden = false;
    $("#handing").ariaExpanded = "true";
    $("#transfer-to").value = "";
    this.#error("");
    const form = this.#form_of(this.#seat.now.call_id);
    $("#transfer-with").textContent = form?.number ? _("{number} goes with it.", { number: form.number })
      : form?.dirty ? _("What you have written goes with it.") : "";
    this.#search(0);
    $("#transfer-to").focus();
  }

  close() {
    if (!this.open) return;
    const had_focus = $("#transfer").contains(document.activeElement);
    $("#transfer").hidden = true;
    $("#handing").ariaExpanded = "false";
    if (had_focus) $("#handing").focus();
  }

  /** `again`: the same words, since somebody may have become free; who was chosen stays so. */
  #search(after_ms = SEARCH_AFTER_MS, again = false) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      const nth = ++this.#asked_for;
      const answer = await ask(`/desk/targets?q=${encodeURIComponent($("#transfer-to").value)}`);
      if (nth !== this.#asked_for) return;
      if (!answer.ok) return this.#error(answer.sentence);
      const meant = again && this.#chosen?.dataset.to;
      $("#transfer-list").replaceChildren(markup(answer.text));
      this.#select(this.#options.find((one) => one.dataset.to === meant) ?? this.#chosen ?? this.#options[0]);
      count();
    }, after_ms);
  }

  get #options() { return [...$("#transfer-list").querySelectorAll("[role=option]:not([aria-disabled])")]; }
  get #chosen() { return $("#transfer-list").querySelector("[aria-selected=true]"); }

  #select(option) {
    if (!option || option.ariaDisabled === "true") return;
    for (const one of $("#transfer-list").children) one.ariaSelected = String(one === option);
    $("#transfer-to").setAttribute("aria-activedescendant", option.id);
    $("#transfer-ask").disabled = option.dataset.kind === "queue"; // one asks a person; to a queue a customer is sent
    option.scrollIntoView({ block: "nearest" });
  }

  #key(event) {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && event.target.id === "transfer-to") {
      event.preventDefault();
      const options = this.#options;
      this.#select(options[Math.max(0, Math.min(options.length - 1, options.indexOf(this.#chosen) + step))]);
    } else if (event.key === "Enter" && (event.target.id === "transfer-to" || event.ctrlKey || event.shiftKey)) {
      event.preventDefault();
      event.stopPropagation(); // Ctrl Enter saves a ticket elsewhere
      const queue = this.#chosen?.dataset.kind === "queue";
      this.#hand(event.shiftKey || queue ? "send" : "ask");
    } else if (event.key === "Escape") {
      event.stopPropagation();
      this.close();
    }
  }

  async #hand(how) {
    const goal = this.#chosen;
    if (!goal) return this.#error(_("Choose first who shall have the customer."));
    const { ticket_id = "", draft = "" } = this.#form_of(this.#seat.now.call_id)?.as_handed_on() ?? {};
    const fields = { to: goal.dataset.to, note: $("#transfer-note").value, draft, ...(ticket_id ? { ticket_id } : {}) };
    const answer = await ask(`/desk/calls/${this.#call}/${how}`, fields);
    if (!answer.ok) return this.#error(answer.sentence);
    $("#transfer-note").value = "";
    this.close();
  }

  #error(words) {
    const line = $("#transfer-error");
    line.textContent = words;
    line.hidden = !words;
  }

  // --- what the switch does ---

  /** Of one who is being asked: "hand_over", "back" or "meet". */
  #decide(what) { this.#wish(`/desk/calls/${this.#call}/asked`, { what }); }

  async #wish(path, fields = {}) {
    this.#settled("", "");
    const answer = await ask(path, fields);
    if (!answer.ok) this.#seat.notice("wish", { tone: "bad", words: answer.sentence });
    return answer.ok;
  }

  #settled(fault, detail) {
    const words = fault === "CallMoved" ? _("The call was no longer as it was; nothing was done.") : _("The switch did not do it: {why}", { why: detail || fault });
    this.#seat.notice("wish", fault ? { tone: "bad", words } : null);
  }

  #fetch(call_id) {
    if (call_id) this.#wish(`/desk/calls/${encodeURIComponent(call_id)}/fetch`);
  }

  #expect() {
    this.#expects_until = Date.now() + COMES_WITHIN_MS;
    this.#answer_expected();
  }

  /** The call one has asked for oneself needs no second key. */
  #answer_expected() {
    if (this.#phone.call?.stage !== "ringing" || Date.now() > this.#expects_until) return;
    this.#expects_until = 0;
    this.#phone.answer();
  }

  /** Park the customer at hand; with none at hand, fetch the one who is parked longest. */
  park_or_fetch() {
    if (this.may_hand) $("#park").click();
    else $("#parked-list [data-fetch]:not([disabled])")?.click();
  }

  // --- drawing ---

  draw() {
    const { now } = this.#seat;
    if (!this.may_hand) this.close();
    $("#handing").disabled = $("#park").disabled = !this.may_hand;
    $("#asking").hidden = now.asked === null;
    if (now.asked) this.#draw_asked(now.asked);
    this.#draw_parked(now);
  }

  #draw_asked({ name, state, since }) {
    $("#asking-who").textContent = name;
    const chip = $("#asking-state");
    chip.dataset.tone = state === "ringing" ? "soon" : "good";
    chip.textContent = { ringing: _("Ringing"), talking: _("Talking"), meeting: _("All together") }[state];
    $("#asking-clock").dataset.since = since;
    $("#asking-words").textContent = {
      ringing: _("The customer hears music. Back returns to him; if nobody answers, that happens by itself."),
      talking: _("The customer hears music. Hanging up hands him over, too."),
      meeting: _("Who hangs up leaves the others talking."),
    }[state];
    $("#asking-keys").hidden = state === "meeting";
    $("#asking-over").disabled = $("#asking-meet").disabled = state !== "talking";
    count();
  }

  #draw_parked({ parked, state, call_id }) {
    $("#parked").hidden = !parked.length;
    const free = (state === "idle" || state === "wrap_up") && !this.#phone.call;
    $("#parked-list").replaceChildren(...parked.map((one, place) => {
      const line = document.createElement("li");
      line.className = "row small";
      const who = document.createElement("span");
      who.className = "grow cut";
      who.textContent = one.title;
      who.title = one.by ? _("Parked by {name}", { name: one.by }) : "";
      const time = document.createElement("time");
      time.className = "num";
      time.dataset.since = one.since;
      time.dataset.lateAfter = 120;
      const take = document.createElement("button");
      take.type = "button";
      take.className = "btn";
      take.dataset.fetch = one.call_id;
      take.disabled = !free;
      take.textContent = _("Take");
      if (place === 0) {
        const key = document.createElement("kbd");
        key.textContent = "Alt P";
        take.append(" ", key);
      }
      line.append(who, time, take);
      return line;
    }));
    count();
  }
}
