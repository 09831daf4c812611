// Sends new logs one after the other, in the order they were measured, and goes on by itself after a
// broken connection: the same idempotency key each time makes a repeated request safe.

import { ask, pause } from "./http.js";

const BUSY = new Set([0, 429, 500, 502, 503, 504]);
const TRIES = 7;
const SLOWEST = 30;
const UNSURE = "Not sure whether it was saved: Timba could not be reached. Add it again as it is; it is never saved twice.";

const point = (typed) => typed.trim().replace(",", ".");

export class LogQueue {
  #before = Promise.resolve();
  waiting = 0;

  /** `onChange()` is called whenever another number of logs is `waiting`. */
  constructor(consignment, onChange) {
    this.url = `/api/consignments/${consignment}/logs/`;
    this.onChange = onChange;
  }

  /** Save a log under a key of its own: resolves to {log}, or to {refused: sentence, fields} where it cannot be. */
  add({ barcode, length, breadth, height }, key, onPause) {
    const body = JSON.stringify({
      ...(barcode.trim() && { barcode: barcode.trim() }), length: point(length), breadth: point(breadth), height: point(height),
    });
    return this.#inTurn(() => this.#send(body, key, onPause));
  }

  /** Take a log back; resolves to a sentence where that is refused. */
  remove(id) {
    return this.#inTurn(async () => {
      const { status, ok, body } = await ask(`/api/logs/${id}/`, { method: "DELETE" });
      if (ok || status === 404) return "";
      return status ? sentence(body) : "The connection broke: the log may still be there. Try again.";
    });
  }

  #inTurn(act) {
    this.#count(1);
    const done = this.#before.then(act).finally(() => this.#count(-1));
    this.#before = done.catch(() => {});
    return done;
  }

  #count(by) {
    this.waiting += by;
    this.onChange();
  }

  async #send(json, key, onPause) {
    for (let tried = 1; ; tried += 1) {
      const { status, ok, body } = await ask(this.url, {
        method: "POST", body: json, headers: { "Content-Type": "application/json", "Idempotency-Key": key },
      });
      if (ok) return { log: body };
      if (!BUSY.has(status)) return refusal(status, body);
      if (tried === TRIES) return { refused: UNSURE, fields: {} };
      const seconds = Math.min(SLOWEST, 2 ** (tried - 1));
      onPause(`${status ? "Timba is busy" : "The connection broke"}. It goes on by itself in ${seconds} s.`);
      await pause(seconds * 1000);
    }
  }
}

function refusal(status, body) {
  if (status === 401) return { refused: "Not saved: you are signed out. Sign in again, then add it again.", fields: {} };
  const { errors = {} } = body;
  return { refused: Object.values(errors).flat()[0] ?? sentence(body), fields: errors };
}

const sentence = ({ detail }) => detail ?? "Timba did not take it. Try it again.";
