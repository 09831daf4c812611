// Draws the points of a chart: a line of means, a band from lowest to highest, and 0 °C where it is in sight.

import uPlot from "uplot";

import { formatNumber } from "./format.js";
import { formatLabel } from "./chart-times.js";

const HOUR = 3600; // seconds, as in all of uPlot
const DAY = 24 * HOUR;
const HOURLY_STEPS = [1, 2, 3, 6, 12, 24, 2 * 24, 3 * 24, 5 * 24, 7 * 24, 14 * 24].map((hours) => hours * HOUR);
const DAILY_STEPS = [1, 2, 3, 5, 7, 14, 28, 56, 91, 182, 365, 730, 1825, 3650].map((days) => days * DAY);
const LONG = 300 * DAY; // from here labels have years
const MIN_SELECTION = 8; // pixels: less is a click
const MEAN = 3; // index of the line of means
const MAX_INTERVALS = 8; // between the labels of degrees
// Pixels right of the chart: half of a label, which may stand at its edge.
const LABEL_MARGIN = 24;
const LABEL_MARGIN_WITH_YEAR = 40;

/** Return the range of the scale and the distance of its labels, so that all temperatures are in sight. */
function chooseScale(lowest, highest) {
  const rough = Math.max(highest - lowest, 0.1) / MAX_INTERVALS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  let min = Math.floor(lowest / step) * step;
  let max = Math.ceil(highest / step) * step;
  if (min === max) [min, max] = [min - step, max + step];
  // The freezing point is shown when it is this close.
  if (min > 0 && min <= step) min = 0;
  if (max < 0 && max >= -step) max = 0;
  return { min, max, step, decimals: Math.max(0, -Math.floor(Math.log10(step))) };
}

/**
 * Return the indexes of the points after which the line is broken: the next one is more than twice as far as usual.
 * Usual is the median of the distances: a logger may write every two hours, or every 90 minutes. A single distance
 * is not, but that of the bucket.
 */
function findBreaks(times, bucketLength) {
  const distances = times.slice(1).map((time, index) => time - times[index]);
  const usual = distances.length === 1 ? bucketLength : distances.toSorted((a, b) => a - b)[Math.floor((distances.length - 1) / 2)];
  return distances.flatMap((distance, index) => (distance > 2 * usual ? [index] : []));
}

/** Return the points whose line is broken on both sides. */
function findSingle(length, breaks) {
  const broken = new Set([-1, ...breaks, length - 1]);
  return [...broken].filter((index) => index >= 0 && broken.has(index - 1));
}

/** Read the colours of the current scheme, which the canvas cannot take from the style sheet. */
function readColors(element) {
  const probe = document.createElement("span");
  element.append(probe);
  const read = (color) => {
    probe.style.color = color;
    return getComputedStyle(probe).color;
  };
  const colors = { mean: read("var(--accent)"), band: read("color-mix(in srgb, var(--accent) 18%, transparent)"), grid: read("var(--line)"), zero: read("var(--edge)"), label: read("var(--soft)") };
  probe.remove();
  return colors;
}

/**
 * Draw points [{start in ms, min, max, mean}] into `element`, with the cursor at the one of `index`.
 * Calls `onMove(index)` for the point under the cursor, `onSelect(first, last)` for a range that was dragged over,
 * and `onReset()` after a double click.
 */
export function drawPlot(element, { points, bucket }, { index, onMove, onSelect, onReset }) {
  const times = points.map(({ start }) => start / 1000);
  const columns = ["max", "min", "mean"].map((name) => points.map((point) => point[name]));
  const scale = chooseScale(Math.min(...columns[1]), Math.max(...columns[0]));
  const hasZero = scale.min <= 0 && scale.max >= 0;
  const breaks = findBreaks(times, bucket === "day" ? DAY : HOUR);
  const single = findSingle(times.length, breaks);
  const colors = readColors(element);
  const { fontFamily, fontSize } = getComputedStyle(element);
  const font = `${fontSize} ${fontFamily}`;
  const width = element.clientWidth;
  const height = element.clientHeight;
  const length = times.at(-1) - times[0];
  const hasYear = length > LONG;
  const padding = length ? 0 : HOUR;

  const gaps = (plot) => breaks.map((before) => [plot.valToPos(times[before], "x", true), plot.valToPos(times[before + 1], "x", true)]);
  const labelDegrees = (degrees) => `${formatNumber(degrees, scale.decimals)}\u00a0°C`;
  const splitDegrees = () => Array.from({ length: Math.round((scale.max - scale.min) / scale.step) + 1 }, (_, label) => (Math.round(scale.min / scale.step) + label) * scale.step);
  // uPlot counts days in the reader's zone; those of the points are of UTC.
  const splitDays = (plot, axis, min, max, step) => Array.from({ length: Math.floor((max - times[0]) / step) + 1 }, (_, label) => times[0] + label * step);
  const axis = { font, stroke: colors.label, ticks: { show: false } };

  const plot = new uPlot({
    width,
    height,
    padding: [8, hasYear ? LABEL_MARGIN_WITH_YEAR : LABEL_MARGIN, 0, 0],
    legend: { show: false },
    scales: { x: { range: [times[0] - padding, times.at(-1) + padding] }, y: { range: [scale.min, scale.max] } },
    axes: [
      { ...axis, grid: { show: false }, size: 28, gap: 8, space: hasYear ? 96 : 72, incrs: bucket === "day" ? DAILY_STEPS : HOURLY_STEPS, splits: bucket === "day" ? splitDays : null, values: (_, splits) => splits.map((split) => formatLabel(split * 1000, bucket, hasYear)) },
      { ...axis, grid: { stroke: colors.grid, width: 1 }, size: (self, labels) => measureLabels(self, labels, font), gap: 8, splits: splitDegrees, values: (_, splits) => splits.map(labelDegrees) },
    ],
    series: [{}, { stroke: "transparent", points: { show: false }, gaps }, { stroke: "transparent", points: { show: false }, gaps }, { stroke: colors.mean, width: 1.75, points: { show: false }, gaps }],
    bands: [{ series: [1, 2], fill: colors.band }],
    cursor: {
      y: false,
      points: { show: false },
      // To the point that the readout tells.
      move: (self, left, top) => (left < 0 ? [left, top] : [self.valToPos(times[self.posToIdx(left)], "x"), top]),
      drag: { setScale: false },
      bind: {
        // The cursor stays where it was, unless a range is being dragged to the edge.
        mouseleave: (self, target, handle) => (event) => { if (event.buttons) handle(event); },
        dblclick: () => onReset,
      },
    },
    hooks: {
      ready: [(self) => moveTo(self, index)],
      setCursor: [({ cursor }) => { if (cursor.idx !== null) onMove(cursor.idx); }],
      setSelect: [select],
      drawAxes: [(self) => { if (hasZero) drawZero(self, colors.zero); }],
      drawSeries: [(self, series) => { if (series === MEAN) drawSingle(self, single, colors); }],
    },
  }, [times, ...columns], element);
  followFinger(plot);

  function moveTo(self, target) {
    self.setCursor({ left: self.valToPos(times[target], "x"), top: 0 });
  }

  function clearSelection() {
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  function select(self) {
    // A drag during which the chart was drawn anew ends here, too.
    if (!self.root.isConnected) return;
    const { left, width: selected } = self.select;
    if (!selected) return;
    // From the point that was told when the drag began to that at its end.
    const [first, last] = [left, left + selected].map((position) => self.posToIdx(position));
    // Later: uPlot has yet to remove its listeners of the drag, which destroying it would leave behind.
    if (selected >= MIN_SELECTION && first < last) queueMicrotask(() => onSelect(first, last));
    else clearSelection();
  }

  return { root: plot.root, width, height, hasZero, clearSelection, moveTo: (target) => moveTo(plot, target), destroy: () => plot.destroy() };
}

function measureLabels({ ctx }, labels, font) {
  if (!labels) return 0;
  ctx.save();
  ctx.font = font;
  const widest = Math.max(...labels.map((label) => ctx.measureText(label).width));
  ctx.restore();
  return Math.ceil(widest) + 10;
}

function drawZero({ ctx, bbox, valToPos }, color) {
  const y = Math.round(valToPos(0, "y", true));
  ctx.save();
  ctx.strokeStyle = color;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

/** A point without neighbours has no line: it is drawn as a bar with a dot. */
function drawSingle({ ctx, data, valToPos }, single, colors) {
  const [times, highest, lowest, means] = data;
  const width = 4 * devicePixelRatio;
  ctx.save();
  for (const index of single) {
    const x = valToPos(times[index], "x", true);
    const top = valToPos(highest[index], "y", true);
    ctx.fillStyle = colors.band;
    ctx.fillRect(x - width / 2, top, width, valToPos(lowest[index], "y", true) - top);
    ctx.fillStyle = colors.mean;
    ctx.fillRect(x - width / 2, valToPos(means[index], "y", true) - width / 2, width, width);
  }
  ctx.restore();
}

/** Let a finger move the cursor; up and down, it scrolls the page. */
function followFinger(plot) {
  const follow = ({ pointerType, clientX }) => {
    if (pointerType === "touch") plot.setCursor({ left: clientX - plot.over.getBoundingClientRect().left, top: 0 });
  };
  plot.over.addEventListener("pointerdown", follow);
  plot.over.addEventListener("pointermove", follow);
}
