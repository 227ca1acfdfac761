// The caller whose agent's phone went away (a reload, a crash, the network) hears music; this page has him back as soon
// as its phone is ready. A page that died without a word left its leg on the switch: that is let go of first, and who
// rang there rings here.

import { ask } from "./ask.js";
import { _ } from "./texts.js";

const DEAD_AFTER_MS = 1500; // the switch's word that a talk is over may be late, its leg is not dead for that
const AGAIN_MS = 4000;

export class Kept {
  #seat;
  #phone;
  #asked = "";
  #timer = 0;

  constructor(seat, phone) {
    this.#seat = seat;
    this.#phone = phone;
  }

  /** To be called whenever seat or phone have changed. */
  look() {
    const { kept } = this.#seat.now;
    this.#seat.notice("kept", kept?.room ? { tone: "soon", words: _("Your line broke, but the others are still talking: you are with them again as soon as the phone in this window is ready.") } : kept ? { tone: "soon", words: _("The line to your caller broke, but the caller is still there and hears music: you are connected again as soon as the phone in this window is ready.") } : null);
    clearTimeout(this.#timer);
    if (this.#seat.now.desk_phone || this.#phone.state !== "ready") return;
    if (kept) this.#take_back(kept);
    else if (this.#dead) this.#timer = setTimeout(() => this.#let_go(), DEAD_AFTER_MS);
  }

  async #take_back({ call_id, until, room }) {
    const this_time = `${call_id} ${until}`;
    if (this.#asked === this_time) return;
    this.#asked = this_time;
    this.#phone.expect(call_id);
    const answer = await ask("/desk/kept/back", { call_id });
    if (!answer.ok || room) setTimeout(() => { this.#asked = ""; this.look(); }, AGAIN_MS);
  }

  /** The switch says that this agent talks, or is rung, but the phone here knows of no call. */
  get #dead() {
    const { state, call_id } = this.#seat.now;
    return (state === "talking" || state === "ringing") && Boolean(call_id) && !this.#phone.call && !this.#phone.checking;
  }

  async #let_go() {
    if (!this.#dead || this.#phone.state !== "ready") return;
    await ask("/desk/kept/back", { call_id: this.#seat.now.call_id });
    this.#timer = setTimeout(() => this.look(), AGAIN_MS);
  }
}
