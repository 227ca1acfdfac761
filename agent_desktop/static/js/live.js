// The live link: what changes is told here; rows stay the truth, so after every gap the state is read again.
//
//   live.on("CallChanged", (message) => …)   a message by its type, as the server sent it
//   live.on("snapshot", (state) => …)        what is true now: after each connect, and after a gap in the numbers
//   live.on("link", (up) => …)               the link broke or stands again
//
// The first live.on() opens the link. Each returns a function that takes the listener off again.

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 5000;
const SILENCE_MS = 45000; // the server says something every 20 s; longer silence is a dead line nobody has closed

class Live {
  #listeners = new Map();
  #socket = null;
  #seq = null;
  #retry_ms = FIRST_RETRY_MS;
  #heard_at = 0;
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
    const socket = new WebSocket(`${scheme}://${location.host}/live`);
    this.#socket = socket;
    this.#seq = null;
    this.#heard_at = performance.now();
    const watch = setInterval(() => {
      if (performance.now() - this.#heard_at > SILENCE_MS) socket.close();
    }, 5000);
    socket.onopen = () => {
      this.#retry_ms = FIRST_RETRY_MS;
      this.#stand(true);
      this.read();
    };
    socket.onmessage = ({ data }) => {
      this.#heard_at = performance.now();
      const message = JSON.parse(data);
      if (Number.isInteger(message.seq)) {
        if (this.#seq !== null && message.seq > this.#seq + 1) this.read(); // some were dropped: read again
        this.#seq = message.seq;
      }
      if (message.type) this.#tell(message.type, message);
    };
    socket.onclose = ({ code }) => {
      clearInterval(watch);
      this.#stand(false);
      if (code === 4401 || code === 1008) return location.reload(); // the session is over: the server leads to the log-in
      setTimeout(() => this.#open(), this.#retry_ms * (0.7 + Math.random() * 0.6));
      this.#retry_ms = Math.min(this.#retry_ms * 2, LAST_RETRY_MS);
    };
  }

  #stand(up) {
    if (up === this.up) return;
    this.up = up;
    this.#tell("link", up);
  }

  /** Read what is true now, and tell it as "snapshot". */
  async read() {
    try {
      const answer = await fetch("/live/snapshot", { headers: { Accept: "application/json" } });
      if (answer.ok) this.#tell("snapshot", await answer.json());
    } catch { /* the link is down: it is read again when it stands */ }
  }
}

export const live = new Live();
