// The customer's page: each photo is sent by itself as soon as it is chosen, and what became of it is said beside it.
// Without this script the form still works, with its own button.

import { _ } from "./texts.js";

const form = document.querySelector("#upload");
const input = document.querySelector("#u-file");
const list = document.querySelector("#u-list");

async function send(file) {
  const line = document.createElement("li");
  line.textContent = `… ${file.name}`;
  list.append(line);
  const body = new FormData();
  body.append("file", file, file.name);
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
    const said = answer.headers.get("content-type")?.includes("json") ? await answer.json() : {};
    line.textContent = answer.ok ? `✓ ${file.name}` : `✕ ${file.name} – ${said.message || _("This photo was not taken.")}`;
    line.dataset.tone = answer.ok ? "good" : "bad";
  } catch {
    line.textContent = `✕ ${file.name} – ${_("No connection; choose it once more.")}`;
    line.dataset.tone = "bad";
  }
}

if (form) {
  document.querySelector("#u-send").hidden = true;
  input.classList.add("sr"); // its label is the button
  input.addEventListener("change", async () => {
    for (const file of [...input.files]) await send(file); // one after the other: phones have little room
    input.value = "";
  });
}
