// Sends new logs one after the other, in the order they were measured, and goes on by itself after a
// broken connection: the same idempotency key each time makes a repeated request safe.

import { ask, pause } from "./ask.js";
import { newKey } from "./send.js";

const BUSY = new Set([0, 429, 500, 502, 503, 504]);
const TRIES = 7;
const SLOWEST = 30;

const point = (typed) => typed.trim().replace(",", ".");

export class LogQueue {
  #before = Promise.resolve();
  #waiting = 0;

  /** `onChange(waiting)` hears how many logs are not saved yet. */
  constructor(consignment, onChange = () => {}) {
    this.url = `/api/consignments/${consignment}/logs/`;
    this.onChange = onChange;
    window.addEventListener("beforeunload", (event) => {
      if (this.#waiting) event.preventDefault();
    });
  }

  /** Save a log: resolves to {log}, or to {refused: sentence, fields} where it cannot be. */
  add({ barcode, length, breadth, height }, onPause = () => {}) {
    const body = JSON.stringify({
      ...(barcode.trim() && { barcode: barcode.trim() }), length: point(length), breadth: point(breadth), height: point(height),
    });
    return this.#inTurn(() => this.#send(body, newKey(), onPause));
  }

  /** Take a log back; resolves to a sentence where that is refused. */
  remove(id) {
    return this.#inTurn(async () => {
      const response = await ask(`/api/logs/${id}/`, { method: "DELETE" });
      if (response.ok || response.status === 404) return "";
      return response.status ? (await response.json()).detail : "The connection broke: the log is still there. Try again.";
    });
  }

  #inTurn(act) {
    this.onChange((this.#waiting += 1));
    const done = this.#before.then(act).finally(() => this.onChange((this.#waiting -= 1)));
    this.#before = done.catch(() => {});
    return done;
  }

  async #send(body, key, onPause) {
    for (let tried = 1; ; tried += 1) {
      const response = await ask(this.url, {
        method: "POST", body, headers: { "Content-Type": "application/json", "Idempotency-Key": key },
      });
      if (response.ok) return { log: await response.json() };
      if (!BUSY.has(response.status)) return refusal(response);
      if (tried === TRIES) return { refused: "Not saved: Timba could not be reached. Nothing is lost; try again.", fields: {} };
      const seconds = Math.min(SLOWEST, 2 ** (tried - 1));
      onPause(`${response.status ? "Timba is busy" : "The connection broke"}. It goes on by itself in ${seconds} s.`);
      await pause(seconds * 1000);
    }
  }
}

async function refusal(response) {
  if (response.status === 401) return { refused: "Not saved: you are signed out. Sign in again, then add it again.", fields: {} };
  const { detail, errors = {} } = await response.json();
  return { refused: Object.values(errors).flat()[0] ?? detail, fields: errors };
}
