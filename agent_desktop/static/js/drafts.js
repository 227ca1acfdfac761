// Drafts: what is typed into a ticket and not yet saved, kept in this browser per call and per login, so that neither
// a reload nor a crash loses a word.

const KEEP_MS = 7 * 24 * 3600 * 1000;
let login = "";

const name_of = (call_id) => `draft:${login}:${call_id}`;

/** Whose drafts these are; old ones are thrown away. */
export function open_drafts(user) {
  login = user;
  for (let i = localStorage.length - 1; i >= 0; i--) {
    const name = localStorage.key(i);
    if (!name?.startsWith("draft:")) continue;
    const draft = read(name);
    if (!draft || Date.now() - draft.at > KEEP_MS) localStorage.removeItem(name);
  }
}

function read(name) {
  try { return JSON.parse(localStorage.getItem(name)); } catch { return null; }
}

/** { at, values } or null. */
export const draft_of = (call_id) => read(name_of(call_id));

/** Keep the values; false if the browser has no room, which must then be said. */
export function keep_draft(call_id, values) {
  try {
    localStorage.setItem(name_of(call_id), JSON.stringify({ at: Date.now(), values }));
    return true;
  } catch {
    return false;
  }
}

/** The calls that have drafts, the latest first. */
export function drafted_calls() {
  const prefix = name_of("");
  const names = Object.keys(localStorage).filter((name) => name.startsWith(prefix));
  return names.map((name) => ({ call_id: name.slice(prefix.length), at: read(name)?.at ?? 0 })).sort((a, b) => b.at - a.at).map(({ call_id }) => call_id);
}

export function drop_draft(call_id) {
  localStorage.removeItem(name_of(call_id));
}
