// The chart of a city's temperatures: the points of the API's series by hour or day, its zoom, readout and table.

import { sendRequest } from "./http.js";
import { formatCelsius, formatCount } from "./format.js";
import { formatBucket } from "./chart-times.js";
import { drawPlot } from "./chart-plot.js";
import { renderTable } from "./chart-table.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MAX_HOURLY_MS = 60 * DAY_MS;
const MAX_POINTS = 10_000; // of an answer of the API
// By bucket: its length, its name, and how many points the keys PageUp and PageDown move.
const BUCKETS = {
  hour: { length: HOUR_MS, mean: "hourly mean", page: 24 },
  day: { length: DAY_MS, mean: "daily mean", page: 7 },
};
const DARK = matchMedia("(prefers-color-scheme: dark)");

let charts = [];

/** Draw the charts of the page, also when a swap has brought or emptied them. */
export function setUpCityCharts() {
  const drawMissing = () => {
    const kept = charts.filter((chart) => chart.isOnPage);
    for (const chart of charts) if (!kept.includes(chart)) chart.stop();
    const drawn = new Set(kept.map(({ element }) => element));
    const missing = [...document.querySelectorAll("[data-city-chart]")].filter((element) => !drawn.has(element));
    charts = [...kept, ...missing.map((element) => new CityChart(element))];
  };
  drawMissing();
  document.addEventListener("htmx:after:swap", drawMissing);
}

const bucketOf = (milliseconds) => (milliseconds <= MAX_HOURLY_MS ? "hour" : "day");
const toISO = (milliseconds) => new Date(milliseconds).toISOString();

/** Say whose days they are, and which of them the period, whose bounds may be local midnights, holds only in part. */
function describeDays({ from, to }) {
  const isWithinDay = (bound) => bound && Date.parse(bound) % DAY_MS;
  const parts = [isWithinDay(from) && "the first one only from the period’s beginning", isWithinDay(to) && "the last one only to the period’s end"];
  return `${["Days are those of UTC", ...parts.filter(Boolean)].join(", ")}.`;
}

/** Return the period of the page as {from, to, start, stop, isCut}: the bounds of requests, and the times of its readings. */
function readPeriod({ first, last, from, to }) {
  const start = Date.parse(first);
  const stop = Date.parse(last);
  const newest = (Math.floor(stop / DAY_MS) + 1 - MAX_POINTS) * DAY_MS;
  return start < newest ? { from: toISO(newest), to, start: newest, stop, isCut: true } : { from, to, start, stop, isCut: false };
}

class CityChart {
  #listeners = new AbortController();
  #request = new AbortController();
  #whole; // {period, bucket, points}: the period of the page
  #shown; // the same of what is drawn
  #plot;
  #index = 0; // the point under the cursor

  constructor(element) {
    this.element = element;
    const find = (name) => element.querySelector(`[data-${name}]`);
    this.area = find("plot");
    this.readout = find("readout");
    this.problem = find("problem");
    this.zoomIn = find("zoom-in");
    this.wholePeriod = find("whole-period");
    this.note = find("note");
    this.meanKey = find("mean-key");
    this.rangeKey = find("range-key");
    this.zeroKey = find("zero-key");
    this.table = find("table");
    this.csv = element.parentElement.querySelector("[data-series-csv]");
    this.#listen();
    this.#load(readPeriod(element.dataset));
  }

  /** Whether the chart, or the empty place of it, is still on the page. */
  get isOnPage() {
    return this.element.isConnected && (!this.#plot || this.#plot.root.isConnected);
  }

  stop() {
    this.#listeners.abort();
    this.#request.abort();
    this.#plot?.destroy();
  }

  #listen() {
    const { signal } = this.#listeners;
    const redraw = () => this.#redraw();
    this.area.addEventListener("keydown", (event) => this.#press(event), { signal });
    this.zoomIn.addEventListener("click", () => this.#zoomIn(), { signal });
    this.wholePeriod.addEventListener("click", () => this.#showWhole(), { signal });
    this.problem.querySelector("button").addEventListener("click", () => this.#load(this.asked), { signal });
    this.table.addEventListener("toggle", () => this.#renderTable(), { signal });
    DARK.addEventListener("change", redraw, { signal });
    // Paper is white, and as wide as the sheet.
    const print = (isPrinting) => {
      this.area.classList.toggle("on-paper", isPrinting);
      this.#redraw();
    };
    window.addEventListener("beforeprint", () => print(true), { signal });
    window.addEventListener("afterprint", () => print(false), { signal });
    const resized = new ResizeObserver(() => {
      if (this.#plot && (this.#plot.width !== this.area.clientWidth || this.#plot.height !== this.area.clientHeight)) redraw();
    });
    resized.observe(this.area);
    signal.addEventListener("abort", () => resized.disconnect());
  }

  /** Request the points of a period; what is drawn stays until they are there. */
  async #load(period) {
    this.#request.abort();
    this.#request = new AbortController();
    this.asked = period;
    const { signal } = this.#request;
    const bucket = bucketOf(period.stop - period.start);
    const { series, client } = this.element.dataset;
    const query = this.#query(bucket, period);
    if (client) query.set("client_id", client);
    this.element.setAttribute("aria-busy", "true");
    const response = await sendRequest(`${series}?${query}`, { signal });
    if (signal.aborted) return;
    this.element.removeAttribute("aria-busy");
    if (response.ok && response.body.points?.length) this.#show({ period, bucket, points: response.body.points.map((point) => ({ ...point, start: Date.parse(point.at) })) });
    else this.#showProblem(response);
  }

  #query(bucket, { from, to }) {
    return new URLSearchParams({ bucket, ...(from && { from }), ...(to && { to }) });
  }

  #showProblem({ status, ok, body }) {
    const [sentence] = this.problem.getElementsByTagName("span");
    this.#plot?.clearSelection();
    if (ok) sentence.textContent = "There are no readings in this period any more.";
    else if (status === 0) sentence.textContent = "The chart was not loaded: the connection broke.";
    else if (status === 401) sentence.textContent = "The chart was not loaded: you are signed out. Sign in again, then try again.";
    else sentence.textContent = body.detail ? `The chart was not loaded. ${body.detail}` : "The chart was not loaded: Timba is busy.";
    this.problem.hidden = false;
  }

  #show(series) {
    const at = this.#shown?.points[this.#index]?.start ?? Infinity;
    this.#request.abort();
    this.element.removeAttribute("aria-busy");
    this.problem.hidden = true;
    this.#shown = series;
    this.#whole ??= series;
    const { points } = series;
    const next = points.findIndex(({ start }) => start >= at);
    this.#index = next < 0 ? points.length - 1 : next;
    this.#redraw();
    this.#describe();
    this.#renderTable();
  }

  #redraw() {
    if (!this.#shown) return;
    this.#plot?.destroy();
    this.#plot = drawPlot(this.area, this.#shown, {
      index: this.#index,
      onMove: (index) => this.#read(index),
      onSelect: (first, last) => this.#zoom(first, last),
      onReset: () => this.#showWhole(),
    });
    this.zeroKey.hidden = !this.#plot.hasZero;
  }

  #read(index) {
    const { points, bucket } = this.#shown;
    const { start, count, mean, min, max } = points[index];
    this.#index = index;
    const values = [[formatBucket(start, bucket)], [formatCount(count, "reading"), false], [formatCelsius(mean), "mean"], [formatCelsius(min), "lowest"], [formatCelsius(max), "highest"]];
    this.readout.replaceChildren(...values.map(([value, name]) => {
      const item = document.createElement("span");
      if (name === false) {
        item.textContent = value;
        return item;
      }
      const figure = document.createElement("b");
      figure.textContent = value;
      item.append(...(name ? [`${name} `, figure] : [figure]));
      return item;
    }));
  }

  #describe() {
    const { points, bucket, period } = this.#shown;
    const lowest = Math.min(...points.map(({ min }) => min));
    const highest = Math.max(...points.map(({ max }) => max));
    const first = formatBucket(points[0].start, bucket);
    const last = formatBucket(points.at(-1).start, bucket);
    const title = `Temperatures of ${this.element.dataset.name} by ${bucket}, ${first} to ${last}`;
    this.area.setAttribute("aria-label", `${title}, from ${formatCelsius(lowest)} to ${formatCelsius(highest)}. Left and right arrow keys move from ${bucket} to ${bucket}, plus zooms in, minus shows the whole period.`);
    this.meanKey.textContent = BUCKETS[bucket].mean;
    this.rangeKey.textContent = `lowest to highest of the ${bucket}`;
    this.wholePeriod.hidden = this.#shown === this.#whole;
    this.zoomIn.setAttribute("aria-disabled", String(points.length <= 2));
    this.note.textContent = [bucket === "day" && describeDays(period), period.isCut && `The chart and the CSV begin ${MAX_POINTS.toLocaleString("en")} days before their end.`].filter(Boolean).join(" ");
    this.table.querySelector("summary").textContent = points.length > 1 ? `Show these ${formatCount(points.length, bucket)} as a table` : `Show this ${bucket} as a table`;
    if (this.csv) this.csv.search = this.#query(bucket, period);
    this.title = title;
  }

  #renderTable() {
    const place = this.table.querySelector(".tabled");
    if (this.table.open && this.#shown) renderTable(place, { ...this.#shown, title: this.title });
    else place.replaceChildren();
  }

  #press(event) {
    if (!this.#shown || event.ctrlKey || event.metaKey || event.altKey) return;
    const { points, bucket } = this.#shown;
    const { page } = BUCKETS[bucket];
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageDown: -page, PageUp: page, Home: -Infinity, End: Infinity };
    if (event.key in steps) this.#plot.moveTo(Math.min(Math.max(this.#index + steps[event.key], 0), points.length - 1));
    else if (event.key === "+") this.#zoomIn();
    else if (event.key === "-") this.#showWhole();
    else return;
    event.preventDefault();
  }

  /** Show half of the points, around that under the cursor. */
  #zoomIn() {
    if (!this.#shown || this.#shown.points.length <= 2) return;
    const { length } = this.#shown.points;
    const kept = Math.max(2, Math.ceil(length / 2));
    const first = Math.min(Math.max(this.#index - Math.floor(kept / 2), 0), length - kept);
    this.#zoom(first, first + kept - 1);
  }

  /** Show the points from `first` to `last`: whole hours or days, so that those of a finer bucket add up to them. */
  #zoom(first, last) {
    const { points, period, bucket } = this.#shown;
    const part = { ...period };
    if (first > 0) {
      part.start = points[first].start;
      part.from = toISO(part.start);
      part.isCut = false;
    }
    if (last < points.length - 1) {
      part.stop = points[last].start + BUCKETS[bucket].length;
      part.to = toISO(part.stop);
    }
    if (bucketOf(part.stop - part.start) === bucket) this.#show({ period: part, bucket, points: points.slice(first, last + 1) });
    else this.#load(part);
  }

  #showWhole() {
    if (!this.#whole) return;
    if (document.activeElement === this.wholePeriod) this.area.focus();
    this.#show(this.#whole);
  }
}
