// The board is read again after a change, at most once a second; its times count by themselves in between.
import { count } from "./clock.js";
import { live } from "./live.js";

const EVERY_MS = 1000;
const board = document.getElementById("board");
const link = document.getElementById("link");
let due = false;
let resting = false;

async function read() {
  if (resting) { due = true; return; }
  due = false;
  resting = true;
  setTimeout(() => { resting = false; if (due) read(); }, EVERY_MS);
  try {
    const answer = await fetch("/board/now", { headers: { Accept: "text/html" } });
    if (answer.ok) { board.innerHTML = await answer.text(); count(); }
  } catch { /* the link is down and says so */ }
}

for (const type of ["CallChanged", "AgentChanged", "Counts", "SwitchChanged", "snapshot"]) live.on(type, read);
live.on("link", (up) => { link.hidden = up; });
setInterval(read, 30000); // figures of the day and lateness move without any message
