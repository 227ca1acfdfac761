// The agent's seat: status and state in the top bar, the call and its buttons on the left, notices above all.
// It draws what the server says (`read`) together with what the phone says, and holds no truth of its own.

import { ask } from "./ask.js";
import { count, set_clock } from "./clock.js";
import { mos } from "./quality.js";
import { allow_ringing } from "./ring.js";
import { _ } from "./texts.js";

const $ = (selector) => document.querySelector(selector);

export class Seat extends EventTarget {
  now;
  #phone;
  #notices = new Map();
  #reading = null;
  #again = false;

  constructor(first, phone) {
    super();
    this.now = first;
    this.#phone = phone;
    phone.addEventListener("change", () => this.draw());
    for (const button of document.querySelectorAll("#status button[data-status]")) {
      button.addEventListener("click", () => {
        $("#status").open = false;
        this.choose(button.dataset.status, button.dataset.reason ?? "");
      });
    }
    $("#ready").addEventListener("click", () => this.choose("available"));
    $("#break").addEventListener("click", () => (this.#busy && this.now.status === "on_break" ? this.choose("available") : this.choose("on_break", "short")));
    $("#finish").addEventListener("click", () => this.finish());
  }

  /** Ask the server; nudges that come while it is being asked lead to one more asking. */
  async read() {
    if (this.#reading) {
      this.#again = true;
      return this.#reading;
    }
    this.#reading = ask("/desk/now");
    const answer = await this.#reading;
    this.#reading = null;
    if (answer.ok) this.#take(answer.json);
    if (this.#again) {
      this.#again = false;
      await this.read();
    }
  }

  #take(now) {
    const before = this.now;
    this.now = now;
    set_clock(now.now);
    this.draw();
    this.dispatchEvent(new CustomEvent("change", { detail: before }));
  }

  async #post(path, fields) {
    const answer = await ask(path, fields);
    if (answer.ok) this.#take(answer.json);
    this.notice("refused", answer.ok ? null : { tone: "bad", words: answer.sentence });
    return answer.ok;
  }

  /** Choose a status. To be available takes a phone that rings, so the microphone is asked for first. */
  async choose(status, reason = "") {
    allow_ringing();
    if (status === "available" && !this.now.desk_phone && this.now.state === "idle") await this.before_ready();
    if (status === "available" && !this.now.desk_phone) {
      await this.#phone.start();
      if (this.now.status === "available" || (this.#phone.state === "failed" && !this.now.reachable)) return;
    }
    const done = await this.#post("/desk/status", { status, reason });
    if (done && status === "offline" && !this.#phone.call) this.#phone.stop();
  }

  /** He is in a call or writes: what he chooses begins when that is over. */
  get #busy() { return this.now.state !== "idle"; }

  /** What is done before the agent is available; the desk puts the line check here. */
  before_ready = async () => {};

  async finish() {
    if (this.now.state === "wrap_up") await this.#post("/desk/wrapup/finish", {});
  }

  /** Show a notice above the page under this name, or take it away (null). */
  notice(name, said) {
    if (said) this.#notices.set(name, said);
    else if (!this.#notices.delete(name)) return;
    $("#notices").replaceChildren(...[...this.#notices].map(([key, { tone, words, button, action }]) => {
      const banner = document.createElement("div");
      banner.className = "banner";
      banner.id = `notice-${key}`;
      banner.dataset.tone = tone;
      banner.role = tone === "bad" ? "alert" : "status";
      const text = document.createElement("span");
      text.textContent = `${tone === "bad" ? "⚠ " : ""}${words}`;
      banner.append(text);
      if (button) {
        const press = document.createElement("button");
        press.type = "button";
        press.className = "btn";
        press.textContent = button;
        press.addEventListener("click", action);
        banner.append(press);
      }
      return banner;
    }));
  }

  queues(counts) {
    for (const line of this.now.queues) {
      const said = counts[line.queue];
      line.waiting = said?.waiting ?? 0;
      line.since = said?.since ? said.since / 1e6 : null;
    }
    this.#draw_queues();
  }

  draw() {
    const { now } = this;
    const state = $("#state");
    Object.assign(state.dataset, { tone: now.tone, status: now.status, state: now.state, phone: this.#phone.state });
    $("#state-words").textContent = now.state === "idle" && now.reason ? `${now.words}: ${now.reason}` : now.words;
    clock($("#state-clock"), now.since);
    this.#draw_line();
    this.#draw_notices();
    this.#draw_queues();
    count();
  }

  #draw_line() {
    const { now } = this;
    const { call, fault } = this.#phone;
    const talking = call?.stage === "talking" || now.state === "talking";
    const ringing = call?.stage === "ringing" || now.state === "ringing";
    const wrap_up = now.state === "wrap_up" && !call;
    $("#line-state").textContent = !call && now.state === "idle" ? _("No call") : call?.held ? _("On hold")
      : talking ? _("Talking") : ringing ? _("Ringing") : wrap_up ? _("Wrap-up") : call ? _("Calling") : now.words;
    const line_clock = $("#line-clock");
    if (wrap_up && now.wrap_up_until) clock(line_clock, now.wrap_up_until, "until");
    else clock(line_clock, talking ? now.answered_at ?? now.since : ringing || wrap_up ? now.since : null);
    const quality = line_quality(this.#phone.quality);
    $("#line-quality").textContent = quality;
    $("#line-note").textContent = [now.state !== "idle" && now.queue, now.number || call?.number].filter(Boolean).join(" · ");
    $("#line").classList.toggle("ringing", ringing);
    $("#line").dataset.stage = call?.held ? "held" : talking ? "talking" : ringing ? "ringing" : wrap_up ? "wrap_up" : "idle";

    const answer = $("#answer");
    answer.disabled = call?.stage !== "ringing";
    tone(answer, answer.disabled ? "" : "good");
    const hangup = $("#hangup");
    hangup.disabled = !call;
    hangup.firstElementChild.textContent = call?.stage === "ringing" ? _("Refuse") : _("End");
    tone(hangup, call?.stage === "talking" ? "bad" : "");
    press($("#hold"), call?.stage === "talking", call?.held);
    press($("#mute"), call?.stage === "talking", call?.muted);
    for (const key of document.querySelectorAll("[data-key]")) key.disabled = call?.stage !== "talking";

    const ready = $("#ready");
    ready.hidden = wrap_up;
    $("#finish").hidden = !wrap_up;
    ready.ariaPressed = String(now.status === "available");
    $("#break").ariaPressed = String(now.status === "on_break");
    tone(ready, now.status === "available" ? "" : "good");
    ready.disabled = this.#phone.state === "starting";
    this.notice("phone-fault", fault ? { tone: "bad", words: fault } : null);
  }

  #draw_notices() {
    const { now } = this;
    const { state, call } = this.#phone;
    this.notice("missed", now.missed ? { tone: "soon", words: _("A call rang here and was not answered, so you were put on a break. Press Ready to go on."), button: _("Ready"), action: () => this.choose("available") } : null);
    const after = now.after && !now.missed;
    this.notice("after", after ? { tone: "quiet", words: now.state === "wrap_up" ? _("After this wrap-up: {next}.", { next: now.after }) : _("After this call: {next}.", { next: now.after }) } : null);
    this.notice("elsewhere", state === "elsewhere" ? { tone: "act", words: _("The phone is in another window, here or on another computer: calls ring there. This window shows the cards."), button: _("Use the phone here"), action: () => this.#phone.start({ take: true }) } : null);
    const deaf = now.status === "available" && !now.desk_phone && state === "off" && !call;
    this.notice("deaf", deaf ? { tone: "soon", words: _("You are available, but the phone in this window is not on: calls cannot ring here."), button: _("Turn the phone on"), action: () => this.choose("available") } : null);
  }

  #draw_queues() {
    for (const line of this.now.queues) draw_own(document.querySelector(`#own-queues [data-queue="${CSS.escape(line.queue)}"]`), line);
    const busy = this.now.queues.filter((line) => line.waiting).sort((a, b) => (a.since ?? 0) - (b.since ?? 0));
    const place = $("#queues");
    if (!busy.length) {
      place.textContent = this.now.queues.length ? _("nobody waits") : "";
      place.classList.add("muted");
      return;
    }
    place.classList.remove("muted");
    place.replaceChildren(...busy.slice(0, 3).map((line) => {
      const one = document.createElement("span");
      const [number, time] = who_waits(line);
      one.append(`${line.title} `, number, " · ", time);
      return one;
    }));
    count();
  }
}

/** How many wait in a queue, and since when. */
function who_waits({ waiting, since, target_s }) {
  const number = document.createElement("b");
  number.className = "num";
  number.textContent = waiting;
  const time = document.createElement("time");
  time.className = "num";
  if (since) time.dataset.since = since;
  time.dataset.lateAfter = target_s;
  return [number, time];
}

/** The line of one's queue on the idle page, which says the same as the top bar. */
function draw_own(row, line) {
  if (!row) return;
  const nobody = document.createElement("span");
  nobody.className = "muted";
  nobody.textContent = _("nobody waits");
  row.replaceChildren(row.firstElementChild, ...(line.waiting ? who_waits(line) : [nobody]));
}

function clock(time, seconds, way = "since") {
  time.hidden = seconds === null || seconds === undefined;
  delete time.dataset.since;
  delete time.dataset.until;
  if (!time.hidden) time.dataset[way] = seconds;
}

function tone(button, name) {
  if (name) button.dataset.tone = name;
  else delete button.dataset.tone;
}

function press(button, enabled, pressed) {
  button.disabled = !enabled;
  button.ariaPressed = String(Boolean(enabled && pressed));
}

/** Words for the line: its score, and what is wrong with it. */
function line_quality(quality) {
  if (!quality) return "";
  const score = mos(quality.loss, quality.jitter_ms, quality.rtt_ms).toFixed(1);
  if (quality.loss > 0.05 || quality.jitter_ms > 60) return _("line bad: {loss} % lost", { loss: Math.round(quality.loss * 100) });
  if (quality.loss > 0.01 || quality.jitter_ms > 30) return _("line weak");
  return _("line {mos} MOS", { mos: score });
}
