// Polls the states of files, in as few requests as possible, until each has been processed.

import { sendRequest } from "./http.js";

const FIRST_POLL_MS = 300;
const POLL_MS = 1000;
const HIDDEN_POLL_MS = 15_000; // while the tab is in the background
const MAX_RETRY_MS = 30_000;
const MAX_IDS_PER_REQUEST = 100;

const listenersByTask = new Map();
let timer = 0;
let failures = 0;

/** Call `listener({status, progress, rows_read})` after each poll of the task, until it has been processed. */
export function watchTask(task, listener) {
  if (!listenersByTask.has(task)) listenersByTask.set(task, new Set());
  listenersByTask.get(task).add(listener);
  schedule(FIRST_POLL_MS);
}

export function unwatchTask(task) {
  listenersByTask.delete(task);
}

function schedule(milliseconds) {
  if (timer || !listenersByTask.size) return;
  timer = setTimeout(poll, milliseconds);
}

function nextPause() {
  if (failures) return Math.min(MAX_RETRY_MS, POLL_MS * 2 ** failures);
  return document.hidden ? HIDDEN_POLL_MS : POLL_MS;
}

async function poll() {
  const tasks = [...listenersByTask.keys()];
  let isReached = true;
  for (let from = 0; from < tasks.length && isReached; from += MAX_IDS_PER_REQUEST) {
    isReached = await pollTasks(tasks.slice(from, from + MAX_IDS_PER_REQUEST));
  }
  failures = isReached ? 0 : failures + 1;
  timer = 0;
  schedule(nextPause());
}

async function pollTasks(tasks) {
  const query = new URLSearchParams(tasks.map((task) => ["task_id", task]));
  const { status, ok, body } = await sendRequest(`/api/task-status/?${query}`);
  if (status === 404) {
    notify({ task_id: tasks[0], status: "UNKNOWN" });
    return true;
  }
  if (!ok) return false;
  for (const state of body.tasks ?? [body]) notify(state);
  return true;
}

function notify(state) {
  const listeners = listenersByTask.get(state.task_id) ?? [];
  if (state.status !== "PENDING") listenersByTask.delete(state.task_id);
  for (const listener of listeners) listener(state);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden || !listenersByTask.size) return;
  clearTimeout(timer);
  timer = 0;
  schedule(0);
});
