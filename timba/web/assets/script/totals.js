// Updates the totals of a consignment, and the logs that new ones are compared with, on its page while
// logs are added and deleted.

import { formatVolume } from "./measures.js";

export class Totals {
  /** `holder` has the total volume in `data-litres` and the newest logs in `data-comparison`, also after a refresh. */
  constructor(holder) {
    this.holder = holder;
  }

  get count() {
    return Number(document.querySelector("[data-log-count]").textContent.replaceAll(",", ""));
  }

  /** What new logs are compared with: {factor, most, logs}, the logs newest first. */
  get comparison() {
    return JSON.parse(this.holder.dataset.comparison);
  }

  /** Add a log as the API answers it; return its number. */
  add({ id, length, breadth, height, volume }) {
    this.#compareWith((logs) => [{ id, length, breadth, height }, ...logs]);
    return this.#change(1, Math.round(volume * 1000));
  }

  /** Subtract a log; return the number of logs left. */
  subtract(deletedId, litres) {
    this.#compareWith((logs) => logs.filter(({ id }) => id !== deletedId));
    return this.#change(-1, -litres);
  }

  #compareWith(change) {
    const { logs, ...rule } = this.comparison;
    this.holder.dataset.comparison = JSON.stringify({ ...rule, logs: change(logs).slice(0, rule.most) });
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
