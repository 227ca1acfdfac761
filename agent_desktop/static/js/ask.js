// Asking our own server. A refusal is an answer like any other: { ok, status, text, json } – and where the server
// cannot be reached, status 0 and a sentence to show.

import { _ } from "./texts.js";

const csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";

export async function ask(path, fields = null) {
  const options = { headers: { "X-CSRF": csrf, "HX-Request": "true" }, keepalive: Boolean(fields) }; // also from a page that is being left
  if (fields) {
    options.method = "POST";
    options.body = fields instanceof URLSearchParams ? fields : new URLSearchParams(fields);
  }
  try {
    const answer = await fetch(path, options);
    const text = await answer.text();
    if (answer.status === 401) location.reload();
    const json = answer.headers.get("content-type")?.includes("json") ? JSON.parse(text) : null;
    return { ok: answer.ok, status: answer.status, text, json, sentence: answer.ok ? "" : sentence(text, json) };
  } catch {
    return { ok: false, status: 0, text: "", json: null, sentence: _("The server cannot be reached. What you typed is kept here; try again.") };
  }
}

/** What the server said was wrong, in words. */
function sentence(text, json) {
  if (json) return [json.message, json.detail].filter(Boolean).join(" ");
  const page = new DOMParser().parseFromString(text, "text/html");
  const heading = page.querySelector("h2, h1")?.textContent.trim();
  return heading || _("Something went wrong; what you typed is kept here.");
}

/** Elements from the server's own markup. */
export function markup(text) {
  const holder = document.createElement("template");
  holder.innerHTML = text;
  return holder.content;
}
