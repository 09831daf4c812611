// The points of a chart as a table.

import { formatNumber } from "./format.js";
import { formatBucket } from "./chart-times.js";

const HEADINGS = ["Readings", "Mean °C", "Lowest °C", "Highest °C"];

function createCell(name, text, attributes = {}) {
  const cell = document.createElement(name);
  cell.append(text);
  for (const [attribute, value] of Object.entries(attributes)) cell.setAttribute(attribute, value);
  return cell;
}

function createTime({ at, start }, bucket) {
  const time = document.createElement("time");
  time.dateTime = at;
  time.textContent = formatBucket(start, bucket);
  return time;
}

/** Replace the content of `place` by a table of the points. */
export function renderTable(place, { points, bucket, title }) {
  const table = document.createElement("table");
  table.createCaption().textContent = title;
  const heading = createCell("th", bucket === "day" ? "Day (UTC)" : "Hour", { scope: "col" });
  table.createTHead().insertRow().append(heading, ...HEADINGS.map((text) => createCell("th", text, { scope: "col", class: "num" })));
  const body = table.createTBody();
  for (const point of points) {
    const figures = [point.count.toLocaleString("en"), ...[point.mean, point.min, point.max].map((degrees) => formatNumber(degrees))];
    body.insertRow().append(createCell("th", createTime(point, bucket), { scope: "row" }), ...figures.map((text) => createCell("td", text, { class: "num" })));
  }
  place.replaceChildren(table);
}
