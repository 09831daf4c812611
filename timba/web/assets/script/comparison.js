// Finds measures that are far from those of the other logs of a load, as `timba/consignments/comparison.py`
// does, so that the question comes before the log is sent.

import { formatMeasure } from "./measures.js";

const MEASURES = [["length", "m", 2], ["breadth", "cm", 1], ["height", "cm", 1]];

// Thousandths are whole numbers: "three times" is exact.
const toThousandths = (value) => Math.round(value * 1000);

/** Return the median, and whether all values are equal. */
function summarize(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(half)] + sorted[Math.ceil(half)]) / 2;
  return { median, areEqual: sorted[0] === sorted.at(-1) };
}

/** Return a question for each measure of `log` that is far from those of `others`, all with numbers. */
export function askAbout(log, others, factor) {
  if (!others.length) return [];
  const questions = [];
  for (const [name, unit, decimals] of MEASURES) {
    const { median, areEqual } = summarize(others.map((other) => toThousandths(other[name])));
    const value = toThousandths(log[name]);
    if (value < median * factor && value * factor > median) continue;
    const who = others.length > 1 ? "The others are" : "The other log has";
    const label = name[0].toUpperCase() + name.slice(1);
    questions.push(`${label} ${formatMeasure(value / 1000, decimals)}\u00a0${unit}? ${who} ${areEqual ? "" : "about "}${formatMeasure(median / 1000, decimals)}\u00a0${unit}.`);
  }
  return questions;
}
