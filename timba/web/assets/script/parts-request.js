// Sends one large file in parts by tus 1.0.0. Every attempt asks the server how much has arrived, and goes on there.

import { csrfToken, parseJson, sendRequest, sleep } from "./http.js";
import { STALL_MS, storingTime, watchForStall } from "./stalls.js";

// What arrived of a part counts too when the connection breaks, unless a proxy holds bodies back: then it is lost.
const PART_BYTES = 5 * 1024 * 1024;
const PROTOCOL = { "Tus-Resumable": "1.0.0" };

let attempts = 0;

export const isSentInParts = ({ size }) => size > PART_BYTES;

/**
 * Make one attempt to send a row's file, or the rest of it. Resolve to {status, body, retryAfter, hasProgressed},
 * with status 0 for a connection that failed and -1 after `row.abort()`. `row.uploadUrl` and `row.offset` say how
 * far it has come; `onBegun()` is called once the upload has an address.
 */
export async function sendInParts(row, target, { onProgress, onBegun }) {
  const Upload = await loadClient(target.script);
  if (!Upload) return { status: 0, body: {}, retryAfter: 0 };
  if (row.isRemoved) return { status: -1, body: {}, retryAfter: 0 };
  let hasProgressed = false;
  return new Promise((resolve) => {
    const finish = (status, response, body) => resolve({
      status, body, retryAfter: Number(response?.getHeader("Retry-After")) || 0, hasProgressed,
    });
    const upload = new Upload(row.file, {
      // Without an endpoint, an upload that cannot be asked for its offset just now is not begun anew.
      endpoint: row.uploadUrl ? null : target.partsUrl,
      uploadUrl: row.uploadUrl ?? null,
      chunkSize: PART_BYTES,
      retryDelays: null,
      storeFingerprintForResuming: false,
      metadata: metadataOf(row, target),
      onBeforeRequest: (request) => {
        // Read anew for each: signing in again replaces the token.
        const headers = { Accept: "application/json", "X-CSRFToken": csrfToken(), "Timba-User": target.user };
        if (request.getMethod() === "POST") headers["Idempotency-Key"] = row.key;
        for (const [name, value] of Object.entries(headers)) request.setHeader(name, value);
        const isLast = row.size - (row.offset ?? 0) <= PART_BYTES;
        watchForStall(request.getUnderlyingObject(), () => stop(0), isLast ? storingTime(row.size) : STALL_MS);
      },
      onAfterResponse: (request, response) => {
        const offset = Number(response.getHeader("Upload-Offset"));
        if (!(offset > (row.offset ?? 0))) return;
        row.offset = offset;
        hasProgressed = true;
      },
      onUploadUrlAvailable: () => {
        // The path alone: behind a proxy the server may not know by which name it was called.
        upload.url = new URL(upload.url, location.href).pathname;
        row.uploadUrl = upload.url;
        onBegun();
      },
      onProgress: (sent, total) => onProgress(sent / total),
      onSuccess: ({ lastResponse }) => finish(200, lastResponse, outcomeIn((name) => lastResponse.getHeader(name))),
      onError: ({ originalResponse: response }) => finish(response?.getStatus() ?? 0, response, parseJson(response?.getBody() ?? "")),
    });
    const stop = (status) => {
      upload.abort();
      finish(status, null, {});
    };
    row.abort = () => stop(-1);
    upload.start();
  });
}

/**
 * Ask how much of a row's file has arrived. Resolve to {status, offset, outcome}; `outcome` has the file's
 * ids where all of it had.
 */
export async function askOffset(row, target) {
  const { status, ok, headers } = await sendAbout("HEAD", row, target);
  const outcome = ok && headers.has("Timba-File-Id") ? outcomeIn((name) => headers.get(name)) : undefined;
  return { status, offset: Number(headers?.get("Upload-Offset")), outcome };
}

/** Delete what has arrived of a row's file; resolve to whether nothing is left of it. */
export async function deleteUpload(row, target) {
  const { status, ok } = await sendAbout("DELETE", row, target);
  return ok || status === 404;
}

const sendAbout = (method, { uploadUrl }, { user }) => sendRequest(uploadUrl, {
  method, headers: { ...PROTOCOL, "Timba-User": user }, signal: AbortSignal.timeout(STALL_MS),
});

// Resolves to undefined when it cannot be loaded, or not in time; some browsers never load again what failed once.
async function loadClient(script) {
  try {
    const loading = import(attempts ? `${script}?${attempts}` : script);
    const { Upload } = await Promise.race([loading, sleep(STALL_MS).then(() => Promise.reject())]);
    return Upload;
  } catch {
    attempts += 1;
    return undefined;
  }
}

// As the form: a dry run is for tallies alone, whatever else the file may be.
function metadataOf({ name, fields }, { kind }) {
  const { dry_run: dryRun, ...others } = fields;
  return { ...(kind && { kind }), ...others, ...(dryRun && { tally_dry_run: dryRun }), filename: name };
}

const outcomeIn = (header) => ({
  file_id: header("Timba-File-Id"), task_id: header("Timba-Task-Id"), duplicate: header("Timba-Duplicate") === "true",
});
