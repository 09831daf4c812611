// Uploads one file in one request with progress, and retries after a broken connection:
// the idempotency key makes a repeated request safe.

import { csrfToken, parseJson, sleep, updateSessionNotice } from "./http.js";

const RETRIED_STATUSES = new Set([0, 409, 429, 500, 502, 503, 504]);
const MAX_TRIES = 7;
const MAX_PAUSE_SECONDS = 30;

/** Return a random key; browsers have crypto.randomUUID only over https. */
export function newIdempotencyKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function sendOnce(row, target, onProgress) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const body = new FormData();
    for (const [name, value] of Object.entries(row.fields)) body.append(name, value);
    body.append(target.field, row.file, row.name);
    request.open("POST", target.url);
    request.setRequestHeader("X-CSRFToken", csrfToken());
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Idempotency-Key", row.key);
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded / Math.max(event.total, 1)));
    const finish = () => resolve({ status: request.status, body: parseJson(request.responseText), retryAfter: Number(request.getResponseHeader("Retry-After")) || 0 });
    request.addEventListener("load", finish);
    request.addEventListener("error", finish);
    request.addEventListener("abort", () => resolve({ status: -1, body: {}, retryAfter: 0 }));
    row.abort = () => request.abort();
    request.send(body);
  });
}

/**
 * Upload a row's file to `target` {url, field}. Resolve to {id, task, status, duplicate} when it is accepted,
 * to {error: sentence, canSendAgain} when it is rejected, or to {isRemoved: true} when the row was removed meanwhile.
 */
export async function uploadFile(row, target, { onProgress, onPause }) {
  for (let attempt = 1; ; attempt += 1) {
    const response = await sendOnce(row, target, onProgress);
    if (response.status === -1 || row.isRemoved) return { isRemoved: true };
    if (!RETRIED_STATUSES.has(response.status)) return toResult(response);
    if (attempt === MAX_TRIES) return toUnsureResult(response);
    const seconds = Math.min(MAX_PAUSE_SECONDS, Math.max(response.retryAfter, 2 ** (attempt - 1)));
    onPause(response.status === 0 ? "The connection broke" : "Timba is busy", seconds);
    await Promise.race([sleep(seconds * 1000), untilOnline(response.status)]);
    if (row.isRemoved) return { isRemoved: true };
  }
}

// Ends the pause early when the network is back.
function untilOnline(status) {
  return new Promise((resolve) => {
    if (status === 0 && !navigator.onLine) window.addEventListener("online", resolve, { once: true });
  });
}

function toResult({ status, body }) {
  updateSessionNotice(status);
  if (status >= 200 && status < 300) {
    const file = body.files?.[0] ?? body;
    return { id: file.file_id, task: file.task_id, status: file.status, duplicate: Boolean(file.duplicate) };
  }
  if (status === 401) return { error: "Not sent: you are signed out. Sign in again, then try it again.", canSendAgain: true };
  const [first] = Object.values(body.errors ?? {});
  const sentence = first?.error ?? first?.[0] ?? body.detail;
  return { error: sentence ?? "Timba did not take it. Try it again, or another file.", canSendAgain: status === 402 || status === 403 };
}

function toUnsureResult({ status }) {
  const reason = status === 0 ? "the connection broke several times" : "Timba was busy each time";
  return { error: `Not sure whether it was sent: ${reason}. Try it again; it is never stored twice.`, canSendAgain: true };
}
