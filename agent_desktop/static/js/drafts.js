// Drafts: what is typed into a ticket and not yet saved, kept on the server for each window, and in this browser as a
// second net for when the network is away. Neither a reload, a crash nor another computer loses a word.

import { ask } from "./ask.js";
import { window_id } from "./window.js";

const KEEP_MS = 7 * 24 * 3600 * 1000;
const AGAIN_MS = 5000;
let login = "";
const known = new Map(); // call_id → the drafts of it that the server had when the page was loaded, the newest first
const sending = new Map(); // call_id → { values, said, here, on_way }: what has still to be sent, and what is on its way

const name_of = (call_id) => `draft:${login}:${call_id}`;

/** Whose drafts these are, and those the server has; old ones of this browser are thrown away. */
export function open_drafts(user, of_server) {
  login = user;
  for (const draft of of_server) known.set(draft.call_id, [...(known.get(draft.call_id) ?? []), { ...draft, at: draft.at * 1000 }]);
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

/** All drafts of this call, the newest first: [{ at, values, mine }]; alike ones are one. */
export function drafts_of(call_id) {
  const here = read(name_of(call_id));
  const found = (known.get(call_id) ?? []).map(({ at, values, window }) => ({ at, values, mine: window === window_id }));
  if (here && !found.some(({ values }) => same(values, here.values))) found.push({ ...here, mine: true });
  return found.sort((a, b) => b.at - a.at).filter(({ values }, n, all) => !all.slice(0, n).some((newer) => same(newer.values, values)));
}

const same = (one, other) => Object.keys({ ...one, ...other }).every((name) => (one[name] ?? "") === (other[name] ?? ""));

/** Keep the values here and on the server. `said` hears "server", "browser" or "nowhere", whichever has them. */
export function keep_draft(call_id, values, said) {
  let here = true;
  try {
    localStorage.setItem(name_of(call_id), JSON.stringify({ at: Date.now(), values }));
  } catch {
    here = false;
  }
  const before = sending.get(call_id);
  sending.set(call_id, { values, said, here, on_way: before?.on_way ?? null });
  if (!before?.on_way) send(call_id);
}

async function send(call_id) {
  const what = sending.get(call_id);
  if (!what) return;
  what.on_way = ask("/desk/drafts", { call_id, window: window_id, values: JSON.stringify(what.values) });
  const answer = await what.on_way;
  const now = sending.get(call_id);
  if (!now) return; // dropped meanwhile
  now.on_way = null;
  if (now.values !== what.values) return send(call_id);
  what.said(answer.ok ? "server" : what.here ? "browser" : "nowhere");
  if (answer.ok) sending.delete(call_id);
  else if (answer.status === 0 || answer.status >= 500) setTimeout(send, AGAIN_MS, call_id);
}

/** Resolves when the server has what was on its way: a draft that came in after its ticket would open a second one. */
export async function drafts_sent(call_id) {
  while (sending.get(call_id)?.on_way) await sending.get(call_id).on_way;
}

/** A draft of another window stands beside this one from now on, also after the next reload. */
export function keep_beside(call_id, values) {
  return ask("/desk/drafts", { call_id, window: `${window_id.slice(0, 20)}-${Date.now().toString(36)}`, values: JSON.stringify(values) });
}

/** The calls that have drafts, the latest first. */
export function drafted_calls() {
  const prefix = name_of("");
  const here = Object.keys(localStorage).filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  return [...new Set([...known.keys(), ...here])].sort((a, b) => (drafts_of(b)[0]?.at ?? 0) - (drafts_of(a)[0]?.at ?? 0));
}

const saved_name = (call_id) => `saved:${login}:${call_id}`;

/** The ticket this window saved from a call, so that it stands in the form again when the page is loaded anew; null: none. */
export function keep_saved(call_id, ticket) {
  try {
    if (ticket) sessionStorage.setItem(saved_name(call_id), JSON.stringify(ticket));
    else sessionStorage.removeItem(saved_name(call_id));
  } catch {
    // no room: after a reload the form is blank, and the ticket is in the time line
  }
}

export const saved_of = (call_id) => JSON.parse(sessionStorage.getItem(saved_name(call_id)));

/** The words are saved: the server has dropped its drafts of them already. */
export function drop_draft(call_id) {
  localStorage.removeItem(name_of(call_id));
  known.delete(call_id);
  sending.delete(call_id);
}
