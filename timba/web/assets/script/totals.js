// A consignment's totals as its page shows them, kept right to the litre while logs come and go.

import { cubic } from "./measures.js";

export class Totals {
  /** `holder` says in litres what the page began with; a page drawn anew says it again. */
  constructor(holder) {
    this.holder = holder;
  }

  get count() {
    return Number(document.querySelector("[data-log-count]").textContent.replaceAll(",", ""));
  }

  /** Count a log in, and return its number. */
  add(volume) {
    return this.#change(1, Math.round(volume * 1000));
  }

  /** Count a log out, and return how many are left. */
  take(litres) {
    return this.#change(-1, -litres);
  }

  #change(logs, litres) {
    const count = this.count + logs;
    const volume = Number(this.holder.dataset.litres) + litres;
    this.holder.dataset.litres = volume;
    for (const element of document.querySelectorAll("[data-volume]")) element.textContent = cubic(volume);
    for (const element of document.querySelectorAll("[data-log-count]")) element.textContent = count.toLocaleString("en-GB");
    for (const element of document.querySelectorAll("[data-log-word]")) element.textContent = count === 1 ? "log" : "logs";
    return count;
  }
}
