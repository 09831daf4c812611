// Shows the times of the page, which the server sends in UTC, in the time zone of the browser.

const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const time = new Intl.DateTimeFormat("en-GB", clock);
const dayOfYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const full = new Intl.DateTimeFormat("en-GB", {
  ...clock, day: "numeric", month: "short", year: "numeric", second: "2-digit", timeZoneName: "short",
});

function formatShort(at, now = new Date()) {
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
  const text = format(at);
  // Compared first: writing triggers the observer again.
  if (element.textContent !== text) element.textContent = text;
  const fullText = full.format(at);
  if (element.title !== fullText) element.title = fullText;
}

function localizeAll(root) {
  if (root.matches?.("time[data-time]")) localize(root);
  for (const element of root.querySelectorAll("time[data-time]")) localize(element);
}

/** Show all times in the local time zone, also those that are inserted later. */
export function setUpLocalTimes() {
  localizeAll(document);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
  const city = zone.split("/").at(-1).replaceAll("_", " ");
  const showZone = () => {
    for (const element of document.querySelectorAll("[data-zone]")) {
      if (element.textContent !== city) element.textContent = city;
    }
  };
  showZone();
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "attributes") localize(change.target);
      for (const node of change.addedNodes) if (node.nodeType === Node.ELEMENT_NODE) localizeAll(node);
      const parent = change.target.closest?.("time[data-time]");
      if (parent) localize(parent);
    }
    showZone();
  }).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["datetime"] });
}
