// Server-rendered pages stay true without reloading: bars move, and what is settled is drawn anew.

import { percent } from "./figures.js";
import { watch } from "./watch.js";

const TOGETHER = 400; // settled files that end close to each other cause one redraw

let redrawing = 0;

/** Draw the page's live parts anew: they may show something else by now. */
export function redraw() {
  clearTimeout(redrawing);
  redrawing = setTimeout(async () => {
    const [target, ...others] = [...document.querySelectorAll("[data-live]")].map(({ id }) => `#${id}`);
    if (!target) return;
    const selectOOB = others.map((other) => `${other}:outerMorph`).join();
    await window.htmx.ajax("GET", location.href, { target, select: target, swap: "outerMorph", selectOOB });
  }, TOGETHER);
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
