// Times that count in place: <time data-since="1764123456.5"> shows mm:ss since then, <time data-until="…"> what is
// left (with a minus when it is over). Seconds since 1970 by the server's clock: <meta name="now"> says what it read
// when the page was made, so a wrong clock in the browser moves nothing.

let offset_s = 0;

/** The server's time now, in seconds since 1970. */
export const server_now = () => Date.now() / 1000 - offset_s;

/** Set the clock by a server's stamp that has just arrived. */
export function set_clock(server_s) {
  offset_s = Date.now() / 1000 - server_s;
}

/** mm:ss, from an hour on h:mm:ss. */
export function span(seconds) {
  const whole = Math.floor(Math.abs(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return (seconds <= -1 ? "−" : "") + (h ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`);
}

/** Show them all; called every half second, and at once for what has just come into the page. */
export function count() {
  const now = server_now();
  for (const time of document.querySelectorAll("time[data-since]")) show(time, Math.max(0, now - Number(time.dataset.since)));
  for (const time of document.querySelectorAll("time[data-until]")) show(time, Number(time.dataset.until) - now);
}

let zone;

/** Times of day are shown where the centre is, wherever the browser thinks it is. */
export function set_zone(name) {
  zone = name;
}

export function time_of_day(date = new Date()) {
  return date.toLocaleTimeString("en-GB", { timeZone: zone });
}

function show(time, seconds) {
  const text = span(seconds);
  if (time.textContent !== text) time.textContent = text;
  const late = time.dataset.lateAfter ? seconds > Number(time.dataset.lateAfter) : false;
  if (late !== time.hasAttribute("data-late")) time.toggleAttribute("data-late", late);
}

const said = Number(document.querySelector('meta[name="now"]')?.content);
if (said) set_clock(said);
setInterval(count, 500);
count();
