// Keeps server-rendered parts of a page current: progress bars move, and processed files refresh the page.

import { sendRequest } from "./http.js";
import { formatPercent, formatRows } from "./format.js";
import { watchTask } from "./polling.js";

// A part with a form being edited is left alone: saving or closing the form loads it anew.
const LIVE = "[data-live]:not(:has(.editing))";
const REFRESH_DELAY_MS = 400; // files that finish close to each other cause one refresh
const FIRST_RETRY_MS = 2000;
const MAX_RETRY_MS = 30_000;
const BEING_READ = "[data-live] [data-being-read]";

let timer = 0;
let isRefreshing = false;
let failures = 0;
let localChanges = 0;
let isFollowing = false;
let list = ""; // id of the list that "Show more" appends to

/** Load the live parts of the page again after a delay; further calls restart the delay. */
export function scheduleRefresh(delay = REFRESH_DELAY_MS) {
  clearTimeout(timer);
  timer = setTimeout(refresh, delay);
}

/** Record that the script changed a live part: a response on its way may be older than the change. */
export function recordLocalChange() {
  localChanges += 1;
}

async function refresh() {
  // One at a time: of two responses on their way, the older could arrive last.
  if (isRefreshing) {
    scheduleRefresh();
    return;
  }
  isRefreshing = true;
  const isDone = await loadLiveParts().finally(() => { isRefreshing = false; });
  failures = isDone ? 0 : failures + 1;
  if (failures) scheduleRefresh(Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1)));
}

/** Return the address of the page, with as many rows of its list as are shown: "Show more" appends some. */
export function currentUrl() {
  // While the viewer is open, the address is that of a file.
  const url = new URL(document.querySelector("[data-page-behind]")?.dataset.pageBehind ?? location.href);
  // Once all rows are shown, there is nothing more; another refresh must show as many.
  list = document.getElementById("more")?.dataset.list ?? list;
  const rows = document.getElementById(list);
  if (rows) url.searchParams.set("limit", rows.childElementCount);
  return url;
}

const requestPage = () => sendRequest(currentUrl(), { headers: { Accept: "text/html", "Timba-Live-Update": "true" } });

async function loadLiveParts() {
  if (!document.querySelector(LIVE)) return true;
  const changesBefore = localChanges;
  const response = await requestPage();
  if (response.status === 404) return true; // the row was deleted: the page keeps its last state
  if (!response.ok) return false;
  if (localChanges !== changesBefore) {
    scheduleRefresh();
    return true;
  }
  await showLiveParts(response.text);
  return true;
}

/** Show the live parts of the page as they are in `text`, and `others`: selectors, each with how it is swapped. */
export async function showLiveParts(text, ...others) {
  const [first, ...rest] = document.querySelectorAll(LIVE);
  const selectOOB = [...rest.map(({ id }) => `#${id}:outerMorph`), ...others].join();
  await window.htmx.swap({ sourceElement: first, target: first, select: `#${first.id}`, swap: "outerMorph", selectOOB, text });
}

function showProgress(task, progress, rows) {
  for (const bar of document.querySelectorAll(`[data-task="${CSS.escape(task)}"] progress`)) {
    bar.value = progress;
    const label = bar.parentElement.querySelector("[data-percent]");
    if (label) label.textContent = formatPercent(progress);
    const rowsRead = bar.parentElement.querySelector("[data-rows-read]");
    if (rowsRead) rowsRead.textContent = formatRows(rows);
  }
}

function watchPending() {
  for (const element of document.querySelectorAll('[data-live] [data-status="PENDING"]:not([data-watched])')) {
    const { task } = element.dataset;
    element.dataset.watched = "";
    watchTask(task, ({ status, progress, rows_read: rows }) => {
      if (status === "PENDING") showProgress(task, progress, rows);
      else scheduleRefresh();
    });
  }
}

const isBeingRead = (page = document) => Boolean(page.querySelector(BEING_READ));

/** Ask less and less often whether the text in the file's pictures has been read, which no task tells; then show it. */
async function followReading() {
  if (isFollowing) return;
  isFollowing = true;
  for (let pause = FIRST_RETRY_MS; isBeingRead(); pause = Math.min(MAX_RETRY_MS, pause * 1.5)) {
    const milliseconds = document.hidden ? MAX_RETRY_MS : pause;
    await new Promise((resolve) => { setTimeout(resolve, milliseconds); });
    const { status, ok, text } = await requestPage();
    if (status === 404) break; // it was deleted
    if (ok && !isBeingRead(new DOMParser().parseFromString(text, "text/html"))) await refresh();
  }
  isFollowing = false;
}

function watch() {
  watchPending();
  followReading();
}

/** Poll every pending file in the live parts of the page. */
export function setUpLiveUpdates() {
  watch();
  document.addEventListener("htmx:after:swap", watch);
}
