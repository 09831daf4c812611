// Asks again and again how files stand, in as few requests as possible, until each is settled.

import { ask } from "./http.js";

const AT_ONCE = 300;
const EVERY = 1000;
const WHILE_HIDDEN = 15_000;
const AT_MOST = 100; // ids in one request
const SLOWEST = 30_000;

const watched = new Map(); // task id → those who want to know
let timer = 0;
let misses = 0;

/** Tell `listener({status, progress})` each time the file of `task` is asked about, until it is settled. */
export function watch(task, listener) {
  if (!watched.has(task)) watched.set(task, new Set());
  watched.get(task).add(listener);
  schedule(AT_ONCE);
}

export function unwatch(task) {
  watched.delete(task);
}

function schedule(milliseconds) {
  if (timer || !watched.size) return;
  timer = setTimeout(look, milliseconds);
}

function nextPause() {
  if (misses) return Math.min(SLOWEST, EVERY * 2 ** misses);
  return document.hidden ? WHILE_HIDDEN : EVERY;
}

async function look() {
  const tasks = [...watched.keys()];
  let reached = true;
  for (let from = 0; from < tasks.length && reached; from += AT_MOST) {
    reached = await lookAt(tasks.slice(from, from + AT_MOST));
  }
  misses = reached ? 0 : misses + 1;
  timer = 0;
  schedule(nextPause());
}

async function lookAt(tasks) {
  const query = new URLSearchParams(tasks.map((task) => ["task_id", task]));
  const { status, ok, body } = await ask(`/api/task-status/?${query}`);
  if (status === 404) {
    tell({ task_id: tasks[0], status: "UNKNOWN" });
    return true;
  }
  if (!ok) return false;
  for (const state of body.tasks ?? [body]) tell(state);
  return true;
}

function tell(state) {
  const listeners = watched.get(state.task_id) ?? [];
  if (state.status !== "PENDING") watched.delete(state.task_id);
  for (const listener of listeners) listener(state);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden || !watched.size) return;
  clearTimeout(timer);
  timer = 0;
  schedule(0);
});
