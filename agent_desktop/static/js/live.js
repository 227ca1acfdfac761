// The live link: what changes is told here; rows stay the truth, so after every gap the state is read again.
//
//   live.on("CallChanged", (message) => …)   a message by its type, as the server sent it
//   live.on("snapshot", (state) => …)        what is true now: after each connect, and after a gap in the numbers
//   live.on("link", (up) => …)               the link broke or stands again
//
// A line that breaks is opened again and says which message it heard last: the server sends what came meanwhile, or,
// where it no longer knows, the state is read anew.
//
// The first live.on() opens the link. Each returns a function that takes the listener off again.

import { window_id } from "./window.js";

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 5000;
const ASK_MS = 4000; // so often the server is asked whether it is there
const SILENCE_MS = 10000; // after that the line is dead, though nobody closed it
const SESSION_OVER = 4401;
const START_AGAIN = 4408;

class Live {
  #listeners = new Map();
  #socket = null;
  #seq = null;
  #retry_ms = FIRST_RETRY_MS;
  #heard_at = 0;
  #life = ""; // of the wire on the server that our numbers are of
  #retry = 0;
  #end = () => {};
  up = false;

  on(type, listener) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(listener);
    if (!this.#socket) this.#open();
    return () => this.#listeners.get(type).delete(listener);
  }

  #tell(type, value) {
    for (const listener of this.#listeners.get(type) ?? []) {
      try { listener(value); } catch (fault) { console.error(`listener of ${type}`, fault); }
    }
  }

  #open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const heard = new URLSearchParams({ window: window_id, life: this.#life, seq: this.#seq ?? -1 });
    const socket = new WebSocket(`${scheme}://${location.host}/live?${heard}`);
    this.#socket = socket;
    this.#heard_at = performance.now();
    let over = false;
    const ended = (code) => {
      if (over) return;
      over = true;
      clearInterval(watch);
      this.#stand(false);
      if (code === SESSION_OVER) return location.reload(); // the server leads to the sign-in
      if (code === START_AGAIN) this.#life = "";
      this.#retry = setTimeout(() => this.#open(), this.#retry_ms * (0.7 + Math.random() * 0.6));
      this.#retry_ms = Math.min(this.#retry_ms * 2, LAST_RETRY_MS);
    };
    this.#end = () => { socket.close(); ended(0); };
    const watch = setInterval(() => {
      if (performance.now() - this.#heard_at > SILENCE_MS) this.#end();
      else if (socket.readyState === WebSocket.OPEN) socket.send("?");
    }, ASK_MS);
    socket.onopen = () => {
      this.#retry_ms = FIRST_RETRY_MS;
      this.#stand(true);
      socket.send("?");
    };
    socket.onmessage = ({ data }) => {
      if (over) return;
      this.#heard_at = performance.now();
      const message = JSON.parse(data);
      if (message.type === "Hello") {
        this.#life = message.life;
        this.#seq = null;
        this.read();
      }
      if (Number.isInteger(message.seq)) {
        if (this.#seq !== null && message.seq > this.#seq + 1) this.read(); // some were dropped: read again
        this.#seq = message.seq;
      }
      if (message.type) this.#tell(message.type, message);
    };
    socket.onclose = ({ code }) => ended(code);
  }

  /** The browser knows that its network is gone, or back: it need not be waited for. */
  network(there) {
    if (!there) this.#end();
    else if (!this.up) {
      clearTimeout(this.#retry);
      this.#retry_ms = FIRST_RETRY_MS;
      this.#end();
      clearTimeout(this.#retry);
      this.#open();
    }
  }

  #stand(up) {
    if (up === this.up) return;
    this.up = up;
    this.#tell("link", up);
  }

  /** Read what is true now, and tell it as "snapshot"; false if it cannot be had. */
  async read() {
    try {
      const answer = await fetch("/live/snapshot", { signal: AbortSignal.timeout(5000) });
      if (answer.ok) this.#tell("snapshot", await answer.json());
      return answer.ok;
    } catch {
      return false;
    }
  }
}

export const live = new Live();
addEventListener("offline", () => live.network(false));
addEventListener("online", () => live.network(true));
