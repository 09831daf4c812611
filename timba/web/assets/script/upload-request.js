// Uploads one file with progress, and retries after a broken connection: the idempotency key makes a repeated
// request safe. A large file is sent in parts, the others in one request.

import { csrfToken, parseJson, sleep, updateSessionNotice } from "./http.js";
import { deleteUpload, isSentInParts, sendInParts } from "./parts-request.js";
import { watchForStall } from "./stalls.js";

const RETRIED_STATUSES = new Set([0, 408, 409, 423, 429, 500, 502, 503, 504]);
const MAX_TRIES = 7;
const MAX_PAUSE_SECONDS = 30;
const CHANGED = "Not sent: it was changed, moved or deleted on this device meanwhile. Choose it again.";

/** Return a random key; browsers have crypto.randomUUID only over https. */
export function newIdempotencyKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function sendForm(row, target, { onProgress }) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const body = new FormData();
    for (const [name, value] of Object.entries(row.fields)) body.append(name, value);
    body.append(target.field, row.file, row.name);
    request.open("POST", target.url);
    request.setRequestHeader("X-CSRFToken", csrfToken());
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Idempotency-Key", row.key);
    request.setRequestHeader("Timba-User", target.user);
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded / Math.max(event.total, 1)));
    const finish = () => resolve({ status: request.status, body: parseJson(request.responseText), retryAfter: Number(request.getResponseHeader("Retry-After")) || 0 });
    request.addEventListener("load", finish);
    request.addEventListener("error", finish);
    let isStalled = false;
    request.addEventListener("abort", () => resolve({ status: isStalled ? 0 : -1, body: {}, retryAfter: 0 }));
    watchForStall(request, () => {
      isStalled = true;
      request.abort();
    });
    row.abort = () => request.abort();
    request.send(body);
  });
}

/**
 * Upload a row's file to `target`, the attributes of its form. Resolve to {id, task, status, duplicate} when it is
 * accepted, to {error: sentence, canSendAgain} when it is rejected, or to {isRemoved: true} when the row was removed
 * meanwhile.
 */
export async function uploadFile(row, target, { onPause, ...listeners }) {
  const send = isSentInParts(row) ? sendInParts : sendForm;
  let hasBegunAnew = false;
  for (let failures = 0; ;) {
    const response = await send(row, target, listeners);
    const { status } = response;
    if (status === -1 || row.isRemoved) return { isRemoved: true };
    if (response.hasProgressed) failures = 0;
    const isOffline = status === 0 && !navigator.onLine;
    if (!isOffline) failures += 1;
    if (failures === MAX_TRIES) return toUnsureResult(response);
    if (status === 404 && row.uploadUrl && !hasBegunAnew) {
      // It is still there where its consignment is what is not: nobody would go on with it.
      await deleteUpload(row, target);
      beginAnew(row);
      hasBegunAnew = true;
      continue;
    }
    if (!RETRIED_STATUSES.has(status)) return toResult(response);
    if (status === 0 && !(await isReadable(row.file))) return { error: CHANGED };
    const seconds = Math.min(MAX_PAUSE_SECONDS, Math.max(response.retryAfter, 2 ** (failures - 1)));
    onPause(`${status === 0 ? "The connection broke" : "Timba is busy"}. It goes on by itself ${isOffline ? "once it is back" : `in ${seconds} s`}.`);
    await (isOffline ? untilOnline() : sleep(seconds * 1000));
    if (row.isRemoved) return { isRemoved: true };
  }
}

/** Forget an upload in parts that the server has deleted, so that the next attempt begins another. */
export function beginAnew(row) {
  Object.assign(row, { uploadUrl: undefined, offset: 0, progress: 0, key: newIdempotencyKey() });
}

// Reading it fails where it is no longer as it was chosen; so does sending it, as if the connection had broken.
const isReadable = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

// A browser may be wrong about being offline, and is not asked alone.
function untilOnline() {
  const online = new Promise((resolve) => { window.addEventListener("online", resolve, { once: true }); });
  return Promise.race([online, sleep(MAX_PAUSE_SECONDS * 1000)]);
}

function toResult({ status, body }) {
  updateSessionNotice(status);
  if (status >= 200 && status < 300) {
    const file = body.files?.[0] ?? body;
    return { id: file.file_id, task: file.task_id, status: file.status, duplicate: Boolean(file.duplicate) };
  }
  if (status === 401) return { error: "Not sent: you are signed out. Sign in again, then try it again.", canSendAgain: true, isSignedOut: true };
  const [first] = Object.values(body.errors ?? {});
  const sentence = first?.error ?? first?.[0] ?? body.detail;
  return { error: sentence ?? "Timba did not take it. Try it again, or another file.", canSendAgain: status === 402 || status === 403 };
}

function toUnsureResult({ status }) {
  const reason = status === 0 ? "the connection broke several times" : "Timba was busy each time";
  return { error: `Not sure whether it was sent: ${reason}. Try it again; it is never stored twice.`, canSendAgain: true };
}
