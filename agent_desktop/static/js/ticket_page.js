// A ticket's own page: Ctrl+Enter saves the form one is in, and what a colleague made of a field can be taken over.

import "./clock.js";
import "./part_picker.js";

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const form = event.target.closest?.("form") ?? document.querySelector("form[data-keys]");
  if (!form) return;
  event.preventDefault();
  form.requestSubmit();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-take]");
  if (!button) return;
  const input = button.closest(".field").querySelector("input, select, textarea");
  if (input.type === "checkbox") input.checked = button.dataset.take !== "";
  else input.value = button.dataset.take;
  input.focus();
  button.closest(".error")?.remove();
});
