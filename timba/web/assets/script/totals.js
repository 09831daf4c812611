// Updates the totals of a consignment on its page while logs are added and deleted.

import { formatVolume } from "./measures.js";

export class Totals {
  /** `holder` has the total volume in `data-litres`, and after a refresh the new one. */
  constructor(holder) {
    this.holder = holder;
  }

  get count() {
    return Number(document.querySelector("[data-log-count]").textContent.replaceAll(",", ""));
  }

  /** Add a log of this volume in cubic metres; return its number. */
  add(volume) {
    return this.#change(1, Math.round(volume * 1000));
  }

  /** Subtract a log; return the number of logs left. */
  subtract(litres) {
    return this.#change(-1, -litres);
  }

  #change(logs, litres) {
    const count = this.count + logs;
    const volume = Number(this.holder.dataset.litres) + litres;
    this.holder.dataset.litres = volume;
    for (const element of document.querySelectorAll("[data-volume]")) element.textContent = formatVolume(volume);
    for (const element of document.querySelectorAll("[data-log-count]")) element.textContent = count.toLocaleString("en-GB");
    for (const element of document.querySelectorAll("[data-log-word]")) element.textContent = count === 1 ? "log" : "logs";
    return count;
  }
}
