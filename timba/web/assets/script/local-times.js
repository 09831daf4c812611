// Shows the times of the page, which the server sends in UTC, in the time zone of the browser, and names
// that zone. Paper has the zone of the company instead: the server renders it, and it stays as it is.

const TIME = "time[data-time]";
const REFRESH_MS = 60_000; // "today" becomes "yesterday" on a page that stays open

const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const date = { day: "numeric", month: "short", year: "numeric" };
const time = new Intl.DateTimeFormat("en-GB", clock);
const dayOfYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const day = new Intl.DateTimeFormat("en-GB", date);
const minute = new Intl.DateTimeFormat("en-GB", { ...clock, ...date, timeZoneName: "short" });
const full = new Intl.DateTimeFormat("en-GB", { ...clock, ...date, second: "2-digit", timeZoneName: "short" });

/** Format a time with its date and zone, to the minute. */
export const formatMinute = (at) => minute.format(at);

let isPrinting = false;

function formatShort(at, now = new Date()) {
  if (isPrinting) return minute.format(at);
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  const days = Math.round((new Date(at.getFullYear(), at.getMonth(), at.getDate()) - midnight) / 864e5);
  if (days === 0) return `today ${time.format(at)}`;
  if (days === -1) return `yesterday ${time.format(at)}`;
  if (at.getFullYear() === now.getFullYear()) return `${dayOfYear.format(at)} ${time.format(at)}`;
  return day.format(at);
}

const formats = { short: formatShort, day: (at) => day.format(at), full: (at) => full.format(at) };

function localize(element) {
  const at = new Date(element.dateTime);
  const format = formats[element.dataset.time];
  if (!format || Number.isNaN(at.getTime())) return;
  // Compared first: writing triggers the observer again.
  const text = format(at);
  if (element.textContent !== text) element.textContent = text;
  const title = full.format(at);
  if (element.title !== title) element.title = title;
}

function localizeAll(root = document.body) {
  for (const element of root.querySelectorAll(TIME)) localize(element);
}

function showZone() {
  const { timeZone = "UTC" } = Intl.DateTimeFormat().resolvedOptions();
  for (const element of document.querySelectorAll("[data-zone]")) {
    if (element.textContent !== timeZone) element.textContent = timeZone;
  }
}

function handleChange({ target, addedNodes }) {
  // A morph replaces the text inside an element that stays.
  const changed = target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement;
  const element = changed?.closest(TIME);
  if (element) localize(element);
  for (const node of addedNodes) {
    if (node.nodeType !== Node.ELEMENT_NODE) continue;
    if (node.matches(TIME)) localize(node);
    else localizeAll(node);
  }
}

function setPrinting(value) {
  isPrinting = value;
  localizeAll();
}

/** Show all times in the local time zone, also those that are inserted or changed later. */
export function setUpLocalTimes() {
  if (document.body.matches("[data-fixed-zone]")) return;
  localizeAll();
  showZone();
  new MutationObserver((changes) => {
    changes.forEach(handleChange);
    showZone();
  }).observe(document.body, {
    childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ["datetime", "data-time", "title"],
  });
  setInterval(() => localizeAll(), REFRESH_MS);
  // Paper is read on another day.
  window.addEventListener("beforeprint", () => setPrinting(true));
  window.addEventListener("afterprint", () => setPrinting(false));
}
