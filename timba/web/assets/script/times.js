// Times are served in UTC and shown in the reader's own zone, which only the browser knows.

const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const time = new Intl.DateTimeFormat("en-GB", clock);
const dayOfYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const full = new Intl.DateTimeFormat("en-GB", {
  ...clock, day: "numeric", month: "short", year: "numeric", second: "2-digit", timeZoneName: "short",
});

export function shortly(at, now = new Date()) {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  const days = Math.round((new Date(at.getFullYear(), at.getMonth(), at.getDate()) - midnight) / 864e5);
  if (days === 0) return `today ${time.format(at)}`;
  if (days === -1) return `yesterday ${time.format(at)}`;
  if (at.getFullYear() === now.getFullYear()) return `${dayOfYear.format(at)} ${time.format(at)}`;
  return day.format(at);
}

const shapes = { short: shortly, day: (at) => day.format(at), full: (at) => full.format(at) };

function tell(element) {
  const at = new Date(element.dateTime);
  const shape = shapes[element.dataset.time];
  if (!shape || Number.isNaN(at.getTime())) return;
  const said = shape(at);
  // Compared first: writing wakes the observer again.
  if (element.textContent !== said) element.textContent = said;
  const whole = full.format(at);
  if (element.title !== whole) element.title = whole;
}

function tellAll(root) {
  if (root.matches?.("time[data-time]")) tell(root);
  for (const element of root.querySelectorAll("time[data-time]")) tell(element);
}

/** Tell every time on the page, and those that arrive later, in the reader's zone. */
export function tellLocalTimes() {
  tellAll(document);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
  const place = zone.split("/").at(-1).replaceAll("_", " ");
  const nameZone = () => {
    for (const element of document.querySelectorAll("[data-zone]")) {
      if (element.textContent !== place) element.textContent = place;
    }
  };
  nameZone();
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "attributes") tell(change.target);
      for (const node of change.addedNodes) if (node.nodeType === Node.ELEMENT_NODE) tellAll(node);
      const around = change.target.closest?.("time[data-time]");
      if (around) tell(around);
    }
    nameZone();
  }).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["datetime"] });
}
