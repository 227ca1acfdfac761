// What is known, beside the ticket: found by the fault chosen and the words typed; "this solved it"; guides step by step.

import { ask, markup } from "./ask.js";

const AFTER_MS = 400;
const slot = document.querySelector("#card");
const timers = new WeakMap();

/** Follow every card that comes into the page. */
export function open_knowledge() {
  new MutationObserver(() => {
    const panel = slot.querySelector("[data-part=knowledge]:not([data-ready])");
    if (panel) {
      panel.dataset.ready = "";
      look(panel);
    }
  }).observe(slot, { childList: true, subtree: true });
  slot.addEventListener("input", (event) => {
    const panel = slot.querySelector("[data-part=knowledge]");
    if (!panel || !event.target.closest("#ticket-form, [data-part=knowledge]")) return;
    clearTimeout(timers.get(panel));
    timers.set(panel, setTimeout(look, AFTER_MS, panel));
  });
  slot.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-solved], [data-way]");
    if (button?.dataset.solved) solved(button);
    else if (button) answer(button);
  });
  slot.addEventListener("toggle", ({ target }) => {
    if (target.open && target.dataset?.guide && !target.querySelector("[data-step]").hasChildNodes()) begin(target);
  }, true);
}

const form = () => slot.querySelector("#ticket-form");

/** The call, and the ticket once it has its number. */
const about = () => ({ call_id: form()?.elements.call_id.value ?? "", ticket_id: form()?.elements.id.value || "0" });

async function look(panel) {
  const words = panel.querySelector("input[type=search]").value;
  const shown = [...(form()?.elements ?? [])].filter((one) => !one.closest("fieldset[hidden]"));
  const fault = shown.find((one) => one.name === "field.fault")?.value ?? "";
  const typed = words || (form()?.elements.subject.value ?? "");
  const asked = new URLSearchParams({ q: typed.slice(0, 200), fault, call_id: about().call_id });
  if (panel.dataset.asked === asked.toString()) return;
  panel.dataset.asked = asked.toString();
  const found = await ask(`/desk/knowledge?${asked}`);
  if (!found.ok || panel.dataset.asked !== asked.toString()) return;
  const open = new Set([...panel.querySelectorAll("details[open]")].map(name_of));
  const steps = new Map([...panel.querySelectorAll("[data-guide]")].map((one) => [name_of(one), [...one.querySelector("[data-step]").childNodes]]));
  const place = panel.querySelector("[data-found]");
  place.replaceChildren(markup(found.text));
  for (const one of place.querySelectorAll("details")) {
    if (steps.get(name_of(one))?.length) one.querySelector("[data-step]").replaceChildren(...steps.get(name_of(one)));
    one.open = open.has(name_of(one));
  }
}

const name_of = (one) => one.dataset.article ?? `guide ${one.dataset.guide}`;

async function solved(button) {
  const said = await ask(`/desk/knowledge/${button.dataset.solved}/solved`, about());
  if (!said.ok) return refused(button, said.sentence);
  const field = [...(form()?.elements ?? [])].find((one) => one.name === "field.article" && !one.closest("fieldset[hidden]"));
  if (field && !field.value) {
    field.value = button.dataset.solved;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  button.replaceWith(markup(said.text));
}

async function begin(guide) {
  const first = await ask(`/desk/guides/${guide.dataset.guide}`);
  if (first.ok) guide.querySelector("[data-step]").replaceChildren(markup(first.text));
}

async function answer(button) {
  const guide = button.closest("[data-guide]");
  const said = await ask(`/desk/guides/${guide.dataset.guide}`, { ...about(), step: button.dataset.of, way: button.dataset.way });
  if (!said.ok) return refused(button, said.sentence);
  const given = document.createElement("p");
  given.className = "small muted";
  given.textContent = `${button.closest("[role=group]").getAttribute("aria-label")} ${button.textContent}`;
  const place = guide.querySelector("[data-step]");
  place.querySelectorAll(":scope > :not(.muted)").forEach((one) => one.remove());
  place.append(given, markup(said.text));
  place.querySelector("button")?.focus();
}

function refused(button, sentence) {
  const words = document.createElement("p");
  words.className = "error";
  words.role = "alert";
  words.textContent = sentence;
  button.closest("p").after(words);
}
