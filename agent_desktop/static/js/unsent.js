// What was sent from a form and not taken, since the session had ended or the server could not do it, stands in the form
// again when its page is next shown in this window to the same person. What is on its way is not sent a second time.

const NAME = "unsent";
const here = location.pathname + location.search;
const user = document.body.dataset.user ?? "";
const ON_ITS_WAY_MS = 5000; // after that one may try again
const TYPED = 'textarea, select, input:not([type="hidden"], [type="file"])';

function read() {
  try { return JSON.parse(sessionStorage.getItem(NAME)); } catch { return null; }
}

function write(sent) {
  try { sessionStorage.setItem(NAME, JSON.stringify(sent)); } catch { /* no room: it is as if it had not been tried */ }
}

// At the window, where it is heard last: what a script of ours sends itself is looked after there.
addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || !user) return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "true";
  setTimeout(() => { delete form.dataset.sent; }, ON_ITS_WAY_MS);
  if (!form.querySelector(TYPED) || form.querySelector('[type="password"]')) return;
  const fields = [...new FormData(form)].filter(([name, value]) => name !== "csrf" && typeof value === "string");
  write({ page: here, action: form.getAttribute("action"), user, fields });
});

async function put_back({ action, fields }) {
  const form = [...document.forms].find((one) => one.method === "post" && one.getAttribute("action") === action);
  if (!form) return;
  for (const field of form.elements) {
    const values = fields.filter(([name]) => name === field.name).map(([, value]) => value);
    if (field.type === "checkbox" || field.type === "radio") field.checked = values.includes(field.value);
    else if (values.length && !["submit", "button", "file"].includes(field.type)) field.value = values[0];
  }
  for (let box = form.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  const { _ } = await import("./texts.js");
  const banner = document.createElement("p");
  banner.className = "banner wide";
  banner.dataset.tone = "act";
  banner.role = "status";
  banner.textContent = _("What you wrote is here again and has not been saved yet. Look it over and send it once more.");
  form.prepend(banner);
  form.scrollIntoView({ block: "center" });
  form.querySelector('button:not([type="button"])')?.focus();
}

const sent = read();
const refused = !user || document.querySelector("main [data-refused-page]"); // nobody: this is the sign-in
if (sent && refused) write({ ...sent, failed: true });
else if (sent?.failed && sent.page === here && sent.user === user) {
  sessionStorage.removeItem(NAME);
  put_back(sent);
} else if (sent && !sent.failed) sessionStorage.removeItem(NAME); // it was taken

// A page the browser kept whole, and came back to by its button, has nothing on its way.
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) for (const form of document.forms) delete form.dataset.sent;
});
