// On a card: an address for the caller's own phone, as a code to scan or to read out, bound to the call at hand.

import { ask } from "./ask.js";
import { _ } from "./texts.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-photo-link]");
  if (!button) return;
  button.disabled = true;
  const answer = await ask(`/desk/calls/${encodeURIComponent(button.form.elements.call_id.value)}/upload-link`, {});
  button.disabled = false;
  const place = button.parentElement.querySelector(".photo-link");
  place.hidden = false;
  if (!answer.ok) { place.textContent = answer.sentence; return; }
  const image = document.createElement("img");
  image.src = answer.json.code;
  image.alt = _("Code to scan");
  const address = document.createElement("input");
  address.readOnly = true;
  address.value = answer.json.address;
  address.setAttribute("aria-label", _("Address for the customer's phone"));
  const until = document.createElement("span");
  until.className = "small muted";
  until.textContent = _("good until {time}", { time: answer.json.until });
  place.replaceChildren(image, address, until);
  address.select();
});
