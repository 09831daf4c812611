// Sends one file in one request with progress, and goes on by itself after a broken connection:
// the same idempotency key each time makes a repeated request safe.

import { csrfToken, parsed, pause, tellSession } from "./http.js";

const BUSY = new Set([0, 409, 429, 500, 502, 503, 504]);
const TRIES = 7;
const SLOWEST = 30;

/** A random key; crypto.randomUUID is missing where Timba is reached without https. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function once(row, target, onProgress) {
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    const body = new FormData();
    for (const [name, value] of Object.entries(row.fields)) body.append(name, value);
    body.append(target.field, row.file, row.name);
    request.open("POST", target.url);
    request.setRequestHeader("X-CSRFToken", csrfToken());
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Idempotency-Key", row.key);
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded / Math.max(event.total, 1)));
    const finish = () => done({ status: request.status, body: parsed(request.responseText), wait: Number(request.getResponseHeader("Retry-After")) || 0 });
    request.addEventListener("load", finish);
    request.addEventListener("error", finish);
    request.addEventListener("abort", () => done({ status: -1, body: {}, wait: 0 }));
    row.abort = () => request.abort();
    request.send(body);
  });
}

/**
 * Send a row's file to `target` {url, field}. Resolves to {id, task, status, duplicate} when it was taken,
 * {refused: sentence, again} when not, or {left: true} when it was left out meanwhile.
 */
export async function send(row, target, { onProgress, onPause }) {
  for (let tried = 1; ; tried += 1) {
    const answer = await once(row, target, onProgress);
    if (answer.status === -1 || row.left) return { left: true };
    if (!BUSY.has(answer.status)) return outcome(answer);
    if (tried === TRIES) return gaveUp(answer);
    const seconds = Math.min(SLOWEST, Math.max(answer.wait, 2 ** (tried - 1)));
    onPause(answer.status === 0 ? "The connection broke" : "Timba is busy", seconds);
    await Promise.race([pause(seconds * 1000), backOnline(answer.status)]);
    if (row.left) return { left: true };
  }
}

// Nothing is gained by waiting longer once the network is back.
function backOnline(status) {
  return new Promise((done) => {
    if (status === 0 && !navigator.onLine) window.addEventListener("online", done, { once: true });
  });
}

function outcome({ status, body }) {
  tellSession(status);
  if (status >= 200 && status < 300) {
    const taken = body.files?.[0] ?? body;
    return { id: taken.file_id, task: taken.task_id, status: taken.status, duplicate: Boolean(taken.duplicate) };
  }
  if (status === 401) return { refused: "Not sent: you are signed out. Sign in again, then try it again.", again: true };
  const [first] = Object.values(body.errors ?? {});
  const said = first?.error ?? first?.[0] ?? body.detail;
  return { refused: said ?? "Timba did not take it. Try it again, or another file.", again: status === 402 || status === 403 };
}

function gaveUp({ status }) {
  const fact = status === 0 ? "the connection broke several times" : "Timba was busy each time";
  return { refused: `Not sure whether it was sent: ${fact}. Try it again; it is never stored twice.`, again: true };
}
