// Sends new logs one after the other, in the order in which they were measured, and retries after a
// broken connection: the idempotency key makes a repeated request safe.

import { sendRequest, sleep } from "./http.js";

const RETRIED_STATUSES = new Set([0, 429, 500, 502, 503, 504]);
const MAX_TRIES = 7;
const MAX_PAUSE_SECONDS = 30;
const UNSURE = "Not sure whether it was saved: Timba could not be reached. Add it again as it is; it is never saved twice.";

const withPoint = (text) => text.trim().replace(",", ".");

export class LogQueue {
  #last = Promise.resolve();
  waiting = 0;

  /** `onChange()` is called whenever the number of logs `waiting` changes. */
  constructor(consignment, onChange) {
    this.url = `/api/consignments/${consignment}/logs/`;
    this.onChange = onChange;
  }

  /** Save a log; resolve to {log}, or to {error: sentence, fields} when it is rejected. */
  add({ barcode, length, breadth, height }, key, onPause) {
    const body = JSON.stringify({
      ...(barcode.trim() && { barcode: barcode.trim() }), length: withPoint(length), breadth: withPoint(breadth), height: withPoint(height),
    });
    return this.#enqueue(() => this.#send(body, key, onPause));
  }

  /** Delete a log; resolve to an empty string, or to a sentence on why it was not deleted. */
  remove(id) {
    return this.#enqueue(async () => {
      const { status, ok, body } = await sendRequest(`/api/logs/${id}/`, { method: "DELETE" });
      if (ok || status === 404) return "";
      return status ? sentence(body) : "The connection broke: the log may still be there. Try again.";
    });
  }

  #enqueue(action) {
    this.#count(1);
    const done = this.#last.then(action).finally(() => this.#count(-1));
    this.#last = done.catch(() => {});
    return done;
  }

  #count(by) {
    this.waiting += by;
    this.onChange();
  }

  async #send(json, key, onPause) {
    for (let attempt = 1; ; attempt += 1) {
      const { status, ok, body } = await sendRequest(this.url, {
        method: "POST", body: json, headers: { "Content-Type": "application/json", "Idempotency-Key": key },
      });
      if (ok) return { log: body };
      if (!RETRIED_STATUSES.has(status)) return toRejection(status, body);
      if (attempt === MAX_TRIES) return { error: UNSURE, fields: {} };
      const seconds = Math.min(MAX_PAUSE_SECONDS, 2 ** (attempt - 1));
      onPause(`${status ? "Timba is busy" : "The connection broke"}. It goes on by itself in ${seconds} s.`);
      await sleep(seconds * 1000);
    }
  }
}

function toRejection(status, body) {
  if (status === 401) return { error: "Not saved: you are signed out. Sign in again, then add it again.", fields: {} };
  const { errors = {} } = body;
  return { error: Object.values(errors).flat()[0] ?? sentence(body), fields: errors };
}

const sentence = ({ detail }) => detail ?? "Timba did not take it. Try it again.";
