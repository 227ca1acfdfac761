// Who waits for help, for those who lead: who asks and why, and listening, whispering, joining by one's own phone.

import { ask, markup } from "./ask.js";
import { count } from "./clock.js";
import { live } from "./live.js";

const place = document.querySelector("#help-now");

async function read() {
  const answer = await ask("/help/now");
  if (!answer.ok) return;
  const waited = new Set([...place.querySelectorAll("[data-call]")].map((one) => one.dataset.call));
  place.replaceChildren(markup(answer.text));
  for (const one of place.querySelectorAll("[data-call]")) if (!waited.has(one.dataset.call)) one.classList.add("flash");
  count();
}

if (place) {
  for (const type of ["HelpChanged", "CallbackChanged", "snapshot"]) live.on(type, read);
  live.on("CallChanged", ({ call_id, state }) => {
    if (state === "ended" && place.querySelector(`[data-call="${CSS.escape(call_id)}"]`)) read();
  });
  place.addEventListener("click", async (event) => {
    const { hear, mode, helped, putAway } = event.target.closest("button")?.dataset ?? {};
    const answer = hear ? await ask(`/help/hear/${encodeURIComponent(hear)}`, { mode })
      : helped ? await ask(`/help/${helped}/end`, {}) : putAway ? await ask(`/desk/callbacks/${putAway}/cancel`, {}) : null;
    if (!answer) return;
    if (answer.ok) return read();
    const line = document.createElement("p");
    line.className = "error";
    line.textContent = answer.sentence;
    event.target.closest(".help-line").append(line);
  });
  read();
}
