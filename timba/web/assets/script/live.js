// Server-rendered pages stay true without reloading: bars move, and what is settled is drawn anew.

import { ask } from "./http.js";
import { percent } from "./format.js";
import { watch } from "./watch.js";

// A part that is typed in stays as it is: the page that follows on saving, or leaving it, is drawn anew.
const LIVE = "[data-live]:not(:has(.typing))";
const TOGETHER = 400; // settled files that end close to each other cause one redraw
const AGAIN = 2000;
const SLOWEST = 30_000;

let due = 0;
let drawing = false;
let misses = 0;
let changes = 0;

/** Draw the page's live parts anew: they may show something else by now. */
export function redraw(after = TOGETHER) {
  clearTimeout(due);
  due = setTimeout(draw, after);
}

/** Say that the page has changed a live part itself: an answer that is on its way may not know of it. */
export function tellChange() {
  changes += 1;
}

async function draw() {
  // One at a time: of two answers on their way, the older could come last.
  if (drawing) redraw();
  else {
    drawing = true;
    const isDrawn = await drawAnew().finally(() => { drawing = false; });
    misses = isDrawn ? 0 : misses + 1;
    if (misses) redraw(Math.min(SLOWEST, AGAIN * 2 ** (misses - 1)));
  }
}

async function drawAnew() {
  if (!document.querySelector(LIVE)) return true;
  const before = changes;
  const answer = await ask(location.href, { headers: { Accept: "text/html" } });
  if (answer.status === 404) return true; // it is gone: what was known of it stays to be read
  if (!answer.ok) return false;
  if (changes !== before) {
    redraw();
    return true;
  }
  const [first, ...others] = document.querySelectorAll(LIVE);
  const selectOOB = others.map(({ id }) => `#${id}:outerMorph`).join();
  await window.htmx.swap({ sourceElement: first, target: first, select: `#${first.id}`, swap: "outerMorph", selectOOB, text: answer.text });
  return true;
}

function move(task, progress) {
  for (const bar of document.querySelectorAll(`[data-task="${CSS.escape(task)}"] progress`)) {
    bar.value = progress;
    const figure = bar.parentElement.querySelector("[data-percent]");
    if (figure) figure.textContent = percent(progress);
  }
}

function watchPending() {
  for (const element of document.querySelectorAll('[data-live] [data-status="PENDING"]:not([data-watched])')) {
    const { task } = element.dataset;
    element.dataset.watched = "";
    watch(task, ({ status, progress }) => {
      if (status === "PENDING") move(task, progress);
      else redraw();
    });
  }
}

/** Follow every pending file of the page's live part. */
export function keepLive() {
  watchPending();
  document.addEventListener("htmx:after:swap", watchPending);
}
