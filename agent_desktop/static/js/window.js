// The name of this window: it stays through reloads and crashes, and no other window has it.

const NAME = "callcenter-window";
const named = sessionStorage.getItem(NAME);
const copied = performance.getEntriesByType("navigation")[0]?.type === "navigate" && window.opener !== null;

export const window_id = named && !copied ? named : crypto.getRandomValues(new Uint32Array(4)).reduce((text, n) => text + n.toString(36), "w");
sessionStorage.setItem(NAME, window_id);
