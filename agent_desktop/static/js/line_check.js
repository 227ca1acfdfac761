// The check of the line before one is ready: address, microphone, phone, and the sound to the switch and back, within
// five seconds, in plain words. What is wrong stops nobody: one may go on, and the check comes again next time.

import { ask } from "./ask.js";
import { mos } from "./quality.js";
import { _ } from "./texts.js";

const LISTEN_MS = 900;
const ECHO_MS = 2400;
const REGISTER_MS = 2500;
const LATE_MS = 1000; // the server's word of the check's own call may come so late
const QUIET = 0.004; // of full scale: nobody and nothing is heard

const STEPS = {
  secure: () => _("Connection"),
  microphone: () => _("Microphone"),
  phone: () => _("Phone"),
  sound: () => _("Sound there and back"),
};

export class LineCheck {
  running = false;
  #phone;
  #place;
  #found = {};
  #words = {};
  #skip = () => {};
  #busy = false;

  constructor(phone, place) {
    this.#phone = phone;
    this.#place = place;
  }

  /** Runs through every step; true if nothing is bad. */
  async run() {
    this.running = this.#busy = true;
    this.#found = {};
    this.#words = {};
    const skipped = new Promise((give) => { this.#skip = () => give("skipped"); });
    this.#draw("secure");
    const done = await Promise.race([this.#steps(), skipped]);
    if (done === "skipped") for (const step of Object.keys(STEPS)) this.#found[step] ??= "skipped";
    this.#busy = false;
    this.#phone.hang_up_check();
    setTimeout(() => { this.running = this.#busy; }, LATE_MS);
    const good = !Object.values(this.#found).includes("bad");
    this.#draw(null);
    ask("/desk/line-check", { found: JSON.stringify(this.#found) });
    return good;
  }

  async #steps() {
    this.#say("secure", window.isSecureContext ? "good" : "bad", window.isSecureContext ? "" : _("This address is not secure, so the browser gives no microphone. Use https, or 127.0.0.1 on this machine."));
    if (!window.isSecureContext) return "done";
    this.#draw("microphone");
    await this.#microphone();
    if (this.#found.microphone === "bad") return "done";
    this.#draw("phone");
    const ready = await this.#registered();
    this.#say("phone", ready ? "good" : "bad", ready ? "" : this.#phone.fault || _("The switch does not answer this phone. Load the page again; if that does not help, tell your supervisor."));
    if (!ready) return "done";
    this.#draw("sound");
    await this.#sound();
    return "done";
  }

  async #microphone() {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const audio = new AudioContext();
      const ear = audio.createAnalyser();
      audio.createMediaStreamSource(stream).connect(ear);
      const wave = new Float32Array(ear.fftSize);
      let loudest = 0;
      const end = performance.now() + LISTEN_MS;
      while (performance.now() < end) {
        await new Promise((give) => { setTimeout(give, 60); });
        ear.getFloatTimeDomainData(wave);
        loudest = Math.max(loudest, Math.hypot(...wave) / Math.sqrt(wave.length));
        this.#level(loudest);
      }
      const muted = stream.getAudioTracks().some((track) => track.muted);
      for (const track of stream.getTracks()) track.stop();
      audio.close();
      if (loudest >= QUIET && !muted) this.#say("microphone", "good");
      else this.#say("microphone", "weak", _("The microphone hears nothing. Is the headset's mute switch on? Say a word and check again."));
    } catch (fault) {
      this.#say("microphone", "bad", this.#phone.no_microphone(fault));
    }
  }

  #registered() {
    return new Promise((give) => {
      const look = () => {
        if (!["starting", "lost", "off"].includes(this.#phone.state)) done();
      };
      const late = setTimeout(() => done(), REGISTER_MS);
      const done = () => {
        clearTimeout(late);
        this.#phone.removeEventListener("change", look);
        give(this.#phone.state === "ready");
      };
      this.#phone.addEventListener("change", look);
      this.#phone.start();
      look();
    });
  }

  async #sound() {
    const heard = await this.#phone.check_call(ECHO_MS);
    if (!heard || !heard.packets) {
      this.#say("sound", "bad", _("No sound comes through. A firewall between here and the switch may hold it back: tell your supervisor."));
      return;
    }
    const loss = heard.lost / (heard.packets + heard.lost);
    const score = mos(loss, heard.jitter_ms, heard.rtt_ms);
    const figures = { mos: score.toFixed(1), loss: (loss * 100).toFixed(1) };
    if (score >= 3.8) this.#say("sound", "good", _("{mos} MOS, {loss} % lost", figures));
    else this.#say("sound", score >= 3.1 ? "weak" : "bad", _("{mos} MOS, {loss} % lost: the network is busy or the wireless is weak. Use a cable, or close what else loads.", figures));
  }

  #say(step, state, words = "") {
    this.#found[step] = state;
    this.#words[step] = words;
  }

  #level(level) {
    const meter = this.#place.querySelector("meter");
    if (meter) meter.value = Math.min(1, level * 6);
  }

  #draw(step) {
    const list = document.createElement("ul");
    list.className = "lines";
    for (const [name, title] of Object.entries(STEPS)) {
      const state = this.#found[name] ?? "";
      const item = document.createElement("li");
      item.dataset.step = name;
      item.dataset.found = state || (name === step ? "now" : "");
      const mark = document.createElement("b");
      mark.textContent = { good: "✓", weak: "!", bad: "⚠", skipped: "–" }[state] ?? (name === step ? "…" : "·");
      item.append(mark, ` ${title()} `);
      if (name === "microphone" && name === step) item.append(Object.assign(document.createElement("meter"), { min: 0, max: 1, ariaLabel: _("Microphone") }));
      if (this.#words[name]) item.append(Object.assign(document.createElement("span"), { className: "small", textContent: this.#words[name] }));
      list.append(item);
    }
    const head = document.createElement("h2");
    head.textContent = _("Line check");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn quiet";
    button.textContent = step ? _("Skip") : _("Close");
    button.addEventListener("click", () => (this.#busy ? this.#skip() : (this.#place.hidden = true)));
    this.#place.replaceChildren(head, list, button);
    this.#place.hidden = step === null && Object.values(this.#found).every((state) => state === "good");
  }
}
