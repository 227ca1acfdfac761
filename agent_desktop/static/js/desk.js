// The desk joins its parts: the seat, the phone, the cards, the live link and the keys.

import { Calling } from "./calling.js";
import "./photos.js";
import { ask } from "./ask.js";
import * as cards from "./cards.js";
import { set_zone } from "./clock.js";
import { drafted_calls, open_drafts } from "./drafts.js";
import { Kept } from "./kept.js";
import "./help.js";
import { bind, draw_map, WORDS } from "./keys.js";
import { open_knowledge } from "./knowledge.js";
import { LineCheck } from "./line_check.js";
import { live } from "./live.js";
import "./part_picker.js";
import { Phone } from "./phone.js";
import { allow_notices, allow_ringing, may_be_asked, ring, stop_ringing } from "./ring.js";
import { open_search } from "./search.js";
import { Seat } from "./seat.js";
import { Transfer } from "./transfer.js";
import { _ } from "./texts.js";
import { window_id } from "./window.js";

const WORD_WITHIN_MS = 700;
const ADOPT_AFTER_MS = 3000;
const DRAFTS_OPENED = 3; // words typed before a reload or a crash are at hand again

const $ = (selector) => document.querySelector(selector);
const first = JSON.parse($("#first").textContent);
const phone = new Phone($("#far"), { raw: new URLSearchParams(location.search).get("audio") === "raw" });
const seat = new Seat(first.state, phone);
const transfer = new Transfer(seat, phone, cards.form_of);
const kept = new Kept(seat, phone);
const calling = new Calling(seat, cards);
open_drafts(first.login, first.drafts);
open_knowledge();
set_zone(first.zone);

// --- the call at hand ---

/** A call rings here: its card first, everything else after. */
async function rings(call_id, sent = false) {
  const popped = cards.pop(call_id, { sent });
  ring(call_id, seat.now.number, popped.then(cards.settled));
  const card = await popped;
  if (card && (seat.now.state === "ringing" || phone.call?.stage === "ringing")) ring(call_id, card.title);
}

live.on("CallChanged", ({ call_id, state, agent, card = false }) => {
  if (agent === first.state.extension && state === "ringing") rings(call_id, card);
  else if (agent === first.state.extension) cards.refresh(call_id); // else it has left this desk
  if (state === "kept") seat.read();
});
live.on("Card", ({ call_id, text }) => cards.arrived(call_id, text));
live.on("AgentChanged", async () => {
  await cards.settled(); // the card comes first
  seat.read();
});
live.on("PhoneTaken", ({ window }) => { if (window !== window_id) phone.yield_to_another(); });
live.on("WindowGone", () => seat.read());
live.on("Counts", ({ queues }) => seat.queues(queues));
live.on("TicketChanged", ({ call_id }) => (cards.is_open(call_id) ? cards.refresh(call_id) : cards.read_idle()));
live.on("RecordingChanged", ({ call_id }) => cards.refresh(call_id));
live.on("snapshot", async () => {
  await seat.read();
  cards.open_calls().forEach((call_id) => cards.refresh(call_id));
});
live.on("link", (up) => {
  document.body.dataset.live = up ? "up" : "down";
  seat.notice("link", up ? null : { tone: "bad", words: _("Connection lost: this page may be out of date. Calls go on, and what you type is kept in this browser; it connects again by itself.") });
});

seat.addEventListener("change", ({ detail: before }) => follow(before));

phone.addEventListener("measured", ({ detail }) => {
  if (seat.now.call_id) ask("/desk/line", { call_id: seat.now.call_id, ...detail });
});

/** Asked in words of ours first, and only by a press of a button: a browser's own question says nothing of why. */
function ask_for_notices() {
  seat.notice("notices", may_be_asked() ? { tone: "act", words: _("A call that rings while this page is hidden can be shown by the desktop. The browser asks you for it once."), button: _("Show calls on the desktop"), action: () => allow_notices().then(ask_for_notices) } : null);
}

const check = new LineCheck(phone, $("#line-check"));
let check_due = first.line_check_due;
seat.before_ready = async () => {
  ask_for_notices();
  if (check_due && !phone.call && phone.state !== "elsewhere") check_due = !(await check.run());
};

/** The window that had the phone is gone, and not only being loaded again: this one takes it. */
const orphaned = () => phone.state === "elsewhere" && [null, window_id].includes(seat.now.phone_window) && (seat.now.status !== "offline" || seat.now.kept);
let adopting = 0;
function adopt_phone() {
  clearTimeout(adopting);
  if (orphaned()) adopting = setTimeout(async () => {
    await seat.read();
    if (orphaned()) phone.start();
  }, ADOPT_AFTER_MS);
}

/** The seat has changed: bring the card in line with it. */
function follow(before) {
  const { now } = seat;
  kept.look();
  adopt_phone();
  if (check.running && now.state !== "ringing" && !cards.is_open(now.call_id)) return; // its call rings nowhere and is no call
  if (now.call_id && now.state === "ringing") rings(now.call_id);
  else if (phone.call?.stage !== "ringing") stop_ringing();
  if (now.call_id && now.state !== "ringing" && (!cards.is_open(now.call_id) || before.state !== now.state)) at_hand(now.call_id, before);
  if (now.state === "idle" && before.state !== "idle") cards.idle();
}

/** The agent took the call: now its card comes to the front even beside unsaved text, which stays in its own tab. */
async function at_hand(call_id, before) {
  await cards.pop(call_id);
  if (seat.now.state !== "talking" || (before.state === "talking" && before.call_id === call_id)) return;
  cards.show(call_id);
  if (document.activeElement === document.body) $("#f-subject")?.focus();
}

phone.addEventListener("change", () => {
  kept.look();
  if (phone.call?.stage === "ringing") {
    // The phone is faster than the switch's word; only if that stays away is it asked for.
    setTimeout(() => { if (phone.call?.stage === "ringing" && seat.now.state !== "ringing") seat.read(); }, WORD_WITHIN_MS);
  } else if (seat.now.state !== "ringing" || phone.call) stop_ringing();
});

// --- buttons and keys ---

$("#answer").addEventListener("click", () => phone.answer());
$("#hangup").addEventListener("click", () => phone.hang_up());
$("#hold").addEventListener("click", () => phone.hold());
$("#mute").addEventListener("click", () => phone.mute());
$("#keypad").addEventListener("click", (event) => {
  const key = event.target.closest("[data-key]");
  if (key) phone.press(key.dataset.key);
});
$("#keypad").addEventListener("keydown", (event) => {
  if (/^[0-9*#]$/.test(event.key)) phone.press(event.key);
});
document.addEventListener("click", (event) => {
  const written = event.target.closest("[data-take-over]");
  if (written) {
    cards.show(seat.now.call_id);
    cards.form_of(seat.now.call_id)?.take_over(JSON.parse(written.dataset.takeOver));
  }
  close_menus(event.target);
});

/** Every open menu but the one somebody is in. */
function close_menus(pressed = null) {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(pressed)) menu.open = false;
}

const press = (selector) => () => $(selector).click();
const ready = (selector) => () => !$(selector).disabled && !$(selector).hidden;
bind("F2", WORDS.answer, press("#answer"), ready("#answer"));
bind("F3", WORDS.break, press("#break"), ready("#break"));
bind("F4", WORDS.ready, press("#ready"), ready("#ready"));
bind("F6", WORDS.hold, () => $(transfer.asking ? "#asking-back" : "#hold").click(), () => transfer.asking || ready("#hold")());
bind("F7", WORDS.mute, press("#mute"), ready("#mute"));
bind("F8", WORDS.transfer, () => (transfer.asking ? $("#asking-over").click() : transfer.toggle()), () => transfer.asking || transfer.may_hand);
bind("Alt C", WORDS.meet, press("#asking-meet"), ready("#asking-meet"));
bind("Alt P", WORDS.park, () => transfer.park_or_fetch());
bind("Alt O", WORDS.take_over, () => $("#why [data-take-over]")?.click(), () => $("#why [data-take-over]") !== null);
bind("Alt H", WORDS.help, press("#help"), ready("#help"));
bind("Alt B", WORDS.call_back, () => calling.plan());
bind("Alt D", WORDS.outcome, () => $("#disposition").focus(), () => !$("#outcome").hidden);
bind("Alt W", WORDS.more_time, press("#more-time"), ready("#more-time"));
bind("Alt K", WORDS.keypad, () => {
  const keypad = $("#keypad");
  keypad.open = !keypad.open;
  if (keypad.open) keypad.querySelector("[data-key]").focus();
});
bind("F9", WORDS.hangup, press("#hangup"), ready("#hangup"));
bind("F10", WORDS.finish, press("#finish"), ready("#finish"));
bind("Ctrl Enter", WORDS.save, () => cards.form_shown()?.save(), () => cards.form_shown() !== null);
for (let n = 1; n <= 5; n++) bind(`Alt ${n}`, n === 1 ? `1–5 ${WORDS.kinds}` : "", () => cards.form_shown()?.choose_kind(n), () => cards.form_shown() !== null);
for (let n = 1; n <= 9; n++) bind(String(n), "", () => cards.choose(n));
bind("/", WORDS.search, open_search);
bind("?", WORDS.map, () => $("#keys-map").togglePopover());
bind("Esc", WORDS.close, () => {
  if ($("#keys-map").matches(":popover-open")) $("#keys-map").hidePopover();
  close_menus();
  transfer.close();
});
$("#keys-close").addEventListener("click", () => $("#keys-map").hidePopover());
draw_map($("#keys-list"));

// Another page in this window would take the phone with it.
for (const link of document.querySelectorAll(".top a[href]")) link.target = "_blank";

// --- begin ---

seat.draw();
transfer.draw();
calling.draw();
kept.look();
if ((seat.now.status !== "offline" || seat.now.kept) && !seat.now.desk_phone) {
  const another = seat.now.phone_window && seat.now.phone_window !== window_id;
  if (another) phone.leave_to_another();
  else phone.start();
}
addEventListener("pointerdown", allow_ringing, { once: true });
if (seat.now.call_id) {
  if (seat.now.state === "ringing") rings(seat.now.call_id);
  else cards.pop(seat.now.call_id);
}
const asked = new URLSearchParams(location.search);
for (const call_id of drafted_calls().slice(0, DRAFTS_OPENED)) cards.pop(call_id, { at_hand: false, front: false });
if (asked.has("call")) cards.pop(asked.get("call"), { at_hand: false });
if (asked.has("dial")) {
  history.replaceState(null, "", "/desk"); // loaded again, it is not asked again
  calling.stand_ready(asked.get("dial"));
}
