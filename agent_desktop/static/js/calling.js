// Calling out, call-backs, asking for help, and how a call came out: the rest of the call panel.

import { ask } from "./ask.js";
import { live } from "./live.js";
import { _ } from "./texts.js";

const $ = (selector) => document.querySelector(selector);
const IN_MINUTES = 30;

export class Calling {
  #seat;
  #cards;

  constructor(seat, cards) {
    this.#seat = seat;
    this.#cards = cards;
    seat.addEventListener("change", () => this.draw());
    document.addEventListener("click", (event) => this.#clicked(event));
    $("#call-back").addEventListener("click", () => this.plan());
    $("#planning-form").addEventListener("submit", (event) => { event.preventDefault(); this.#planned(); });
    $("#planning-now").addEventListener("click", () => { this.#close_plan(); this.dial($("#planning-number").value); });
    $("#planning").addEventListener("keydown", (event) => { if (event.key === "Escape") this.#close_plan(); });
    $("#refused-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.dial($("#refused").dataset.number, $("#refused-reason").value);
    });
    $("#refused-close").addEventListener("click", () => { $("#refused").hidden = true; });
    $("#help").addEventListener("click", () => (this.#seat.now.help ? this.#no_help() : this.#ask_help()));
    $("#helping-form").addEventListener("submit", (event) => { event.preventDefault(); this.#ask_help(); });
    $("#disposition").addEventListener("change", () => this.#came_out());
    $("#more-time").addEventListener("click", () => this.#post("/desk/wrapup/more"));
    live.on("HelpChanged", () => seat.read());
    live.on("CallbackChanged", ({ agent, state }) => {
      cards.read_idle();
      if (agent !== seat.now.extension) return;
      const words = { missed: _("A call-back was missed; it stands on your page between calls."), not_reached: _("The customer of your call-back did not answer.") }[state];
      if (words) seat.notice("call-back", { tone: "soon", words, button: _("Seen"), action: () => seat.notice("call-back", null) });
    });
  }

  async #post(path, fields = {}) {
    const answer = await ask(path, fields);
    this.#seat.notice("refused", answer.ok ? null : { tone: "bad", words: answer.sentence });
    if (answer.ok) await this.#seat.read();
    return answer;
  }

  #clicked(event) {
    const { dial, putAway } = event.target.closest("[data-dial], #card [data-put-away]")?.dataset ?? {};
    if (dial) this.dial(dial);
    if (putAway) this.#post(`/desk/callbacks/${putAway}/cancel`).then(() => this.#cards.read_idle());
  }

  // --- a number ---

  async dial(number, override = "") {
    const answer = await ask("/desk/dial", { number, ...(override ? { override } : {}) });
    const box = $("#refused");
    box.hidden = answer.ok;
    if (answer.ok) { $("#refused-reason").value = ""; return; }
    box.dataset.number = number;
    $("#refused-number").textContent = number;
    $("#refused-why").textContent = answer.sentence;
    $("#refused-form").hidden = !answer.json?.may_override;
    (answer.json?.may_override ? $("#refused-reason") : $("#refused-close")).focus();
  }

  plan() {
    const box = $("#planning");
    if (!box.hidden) return this.#close_plan();
    box.hidden = false;
    $("#call-back").ariaExpanded = "true";
    $("#planning-error").hidden = true;
    $("#planning-number").value = this.#seat.now.number || $("#card [data-dial]")?.dataset.dial || "";
    $("#planning-due").value = in_minutes(IN_MINUTES);
    $($("#planning-number").value ? "#planning-due" : "#planning-number").focus();
  }

  /** A number that was clicked on another page: it stands ready, and Enter calls it. */
  stand_ready(number) {
    if ($("#planning").hidden) this.plan();
    $("#planning-number").value = number;
    $("#planning-now").focus();
  }

  #close_plan() {
    const had_focus = $("#planning").contains(document.activeElement);
    $("#planning").hidden = true;
    $("#call-back").ariaExpanded = "false";
    if (had_focus) $("#call-back").focus();
  }

  async #planned() {
    const fields = new URLSearchParams(new FormData($("#planning-form")));
    const call_id = this.#cards.call_shown();
    if (call_id) fields.set("call_id", call_id);
    const ticket_id = this.#cards.form_shown()?.as_handed_on().ticket_id;
    if (ticket_id) fields.set("ticket_id", ticket_id);
    const customer_id = $('#card [name="customer_id"]')?.value;
    if (customer_id) fields.set("customer_id", customer_id);
    const answer = await ask("/desk/callbacks", fields);
    const error = $("#planning-error");
    error.hidden = answer.ok;
    error.textContent = answer.sentence;
    if (!answer.ok) return;
    $("#planning-note").value = "";
    this.#close_plan();
    this.#seat.notice("call-back", { tone: "act", words: _("Call-back planned for {time}.", { time: answer.json.due }), button: _("Close"), action: () => this.#seat.notice("call-back", null) });
    this.#cards.read_idle();
  }

  // --- help ---

  #ask_help() {
    const note = $("#helping-note").value || this.#seat.now.help?.note || "";
    const ticket_id = this.#cards.form_of(this.#seat.now.call_id)?.as_handed_on().ticket_id;
    this.#post(`/desk/calls/${encodeURIComponent(this.#seat.now.call_id)}/help`, { note, ...(ticket_id ? { ticket_id } : {}) })
      .then(({ ok }) => { if (ok && !note) $("#helping-note").focus(); });
  }

  #no_help() { this.#post(`/help/${this.#seat.now.help.id}/end`); }

  // --- the outcome ---

  #came_out() {
    const code = $("#disposition").value;
    if (code && this.#seat.now.call_id) this.#post(`/desk/calls/${encodeURIComponent(this.#seat.now.call_id)}/outcome`, { code });
  }

  // --- drawing ---

  draw() {
    const { now } = this.#seat;
    const talking = now.state === "talking" && now.call_id !== null;
    const wrap_up = now.state === "wrap_up";
    const button = $("#help");
    button.disabled = !talking;
    button.ariaPressed = String(now.help !== null);
    $("#helping").hidden = now.help === null;
    if (now.help) {
      $("#helping-words").textContent = now.help.taken_by ? _("{name} is with you", { name: now.help.taken_by }) : _("Help is asked for");
      $("#helping-clock").dataset.since = now.help.since;
      if (document.activeElement !== $("#helping-note")) $("#helping-note").value = now.help.note;
    }
    $("#outcome").hidden = !(talking || wrap_up);
    $("#more-time").hidden = !wrap_up;
    if (document.activeElement !== $("#disposition")) $("#disposition").value = now.outcome;
  }
}

/** The time so many minutes from now, as the field for it is written: the centre's own, to five minutes. */
function in_minutes(minutes) {
  const at = new Date(Math.ceil((Date.now() + minutes * 60000) / 300000) * 300000);
  const zone = JSON.parse($("#first").textContent).zone;
  return at.toLocaleString("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "short" }).replace(" ", "T");
}
