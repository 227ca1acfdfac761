// Calls and service level over the time. Colours are the page's own, so they follow its light and dark.
import uPlot from "../vendor/uplot.js";
import { colour } from "./colour.js";

const place = document.getElementById("chart");
const HEIGHT = 280;
const DAY_S = 86400;
const TIME_STEPS_S = [900, 1800, 3600, 7200, 10800, 21600, 43200, DAY_S, 2 * DAY_S, 7 * DAY_S, 14 * DAY_S, 28 * DAY_S, 91 * DAY_S, 364 * DAY_S];

function draw(told) {
  place.replaceChildren();
  const words = place.dataset;
  const ink = colour("ink-2"), line = colour("line");
  const strokes = { offered: colour("line-strong"), answered: colour("good"), abandoned: colour("bad") };
  const format = (options) => new Intl.DateTimeFormat(document.documentElement.lang, { timeZone: told.zone, hourCycle: "h23", ...options });
  const day = format({ month: "2-digit", day: "2-digit" }), hour = format({ hour: "2-digit", minute: "2-digit" });
  const moment = (at, incr_s) => {
    const time = hour.format(at * 1000);
    return incr_s >= DAY_S || time === "00:00" ? day.format(at * 1000) : time;
  };
  const percent = (share) => (share == null ? "–" : `${(share * 100).toFixed(1)}%`);
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const series = [{ label: words.time }];
  const data = [told.at];
  for (const { name, title, values } of told.counts) {
    const bars = name === "offered" ? { paths: uPlot.paths.bars({ size: [0.6, 40] }), fill: line } : {};
    series.push({ label: title, scale: "calls", stroke: strokes[name], width: 2, points: { size: 5 }, ...bars });
    data.push(values);
  }
  series.push({
    label: words.level, scale: "share", stroke: colour("act"), width: 2, points: { size: 5 }, spanGaps: true,
    value: (_, share) => percent(share),
  });
  data.push(told.level);
  if (told.target != null) {
    series.push({
      label: words.target, scale: "share", stroke: colour("soon"), width: 1, dash: [6, 4], points: { show: false },
      value: (_, share) => percent(share),
    });
    data.push(told.at.map(() => told.target));
  }
  const step_s = Math.min(DAY_S, ...told.at.slice(1).map((at, n) => at - told.at[n]));
  return new uPlot({
    width: place.clientWidth - 24,
    height: HEIGHT,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), told.zone),
    scales: { calls: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] }, share: { range: [0, 1.02] } },
    axes: [
      { ...axis, label: words.time, space: 72, incrs: TIME_STEPS_S.filter((incr) => incr >= step_s), values: (_, at, __, ___, incr) => at.map((one) => moment(one, incr)) },
      { ...axis, scale: "calls", label: words.calls, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5] },
      { ...axis, scale: "share", side: 1, label: words.level, grid: { show: false }, values: (_, at) => at.map((share) => `${Math.round(share * 100)}%`) },
    ],
    series,
  }, data, place);
}

if (place) {
  const told = JSON.parse(place.dataset.chart);
  let plot = draw(told);
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth - 24, height: HEIGHT })).observe(place);
  const again = () => { plot.destroy(); plot = draw(told); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}
