// The live link: what changes is told here; rows stay the truth, so after every gap the state is read again.
//
//   live.on("CallChanged", (message) => …)   a message by its type, as the server sent it
//   live.on("snapshot", (state) => …)        what is true now: after each connect, and after a gap in the numbers
//   live.on("link", (up) => …)               the link broke or stands again
//
// The first live.on() opens the link. Each returns a function that takes the listener off again.

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 5000;
const SILENCE_MS = 30000; // then the server is asked: a dead line is not always closed
const SESSION_OVER = 4401;

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
      if (performance.now() - this.#heard_at < SILENCE_MS) return;
      this.#heard_at = performance.now();
      this.read().then((well) => well || socket.close());
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
      if (code === SESSION_OVER) return location.reload(); // the server leads to the sign-in
      setTimeout(() => this.#open(), this.#retry_ms * (0.7 + Math.random() * 0.6));
      this.#retry_ms = Math.min(this.#retry_ms * 2, LAST_RETRY_MS);
    };
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
