// How the batch stands as a whole: the lead, the tally strip, the chips.

import { about, many } from "./format.js";
import { wordOf } from "./rows.js";

const ORDER = ["ok", "checking", "sending", "queued", "failure", "refused"];

export class Summary {
  #started = 0;
  #drawing = 0;
  #shown = "all";

  constructor(page) {
    this.lead = page.querySelector("[data-lead]");
    this.rest = page.querySelector("[data-rest]");
    this.advice = page.querySelector("[data-advice]");
    this.idle = page.querySelector("[data-idle]");
    this.going = page.querySelector("[data-going]");
    this.strip = page.querySelector("[data-strip]");
    this.chips = page.querySelector("[data-chips]");
    this.list = page.querySelector("[data-batch]");
    this.chips?.addEventListener("click", (event) => {
      const chip = event.target.closest("[data-only]");
      if (chip) this.#show(chip.dataset.only);
    });
  }

  /** Redraw at most once a frame, however many progress events arrive. */
  draw(batch) {
    if (this.#drawing) return;
    this.#drawing = requestAnimationFrame(() => {
      this.#drawing = 0;
      this.#draw(batch.rows);
    });
  }

  #draw(rows) {
    const counts = Object.fromEntries(ORDER.map((state) => [state, 0]));
    for (const { state } of rows) counts[state] += 1;
    if (this.idle) this.idle.hidden = rows.length > 0;
    this.going.hidden = rows.length === 0;
    if (this.chips) {
      this.chips.hidden = rows.length === 0;
      this.#drawStrip(counts);
      this.#drawChips(counts, rows.length);
    }
    this.#drawLead(rows, counts);
  }

  #drawStrip(counts) {
    const cells = ORDER.flatMap((state) => Array(counts[state]).fill(state));
    const shown = [...this.strip.children];
    for (let at = shown.length; at < cells.length; at += 1) this.strip.append(document.createElement("i"));
    for (const cell of shown.slice(cells.length)) cell.remove();
    for (const [at, state] of cells.entries()) {
      const cell = this.strip.children[at];
      if (cell.className !== state) cell.className = state;
    }
  }

  #drawChips(counts, total) {
    for (const chip of this.chips.querySelectorAll("[data-only]")) {
      const { only } = chip.dataset;
      const count = only === "all" ? total : counts[only];
      chip.querySelector("b").textContent = count;
      chip.hidden = !count && only !== "all" && only !== this.#shown;
      chip.setAttribute("aria-pressed", String(only === this.#shown));
    }
    const retry = this.chips.querySelector("[data-retry-all]");
    retry.hidden = !counts.failure;
    retry.querySelector("span").textContent = counts.failure === 1 ? "Retry the one in FAILURE" : `Retry the ${counts.failure} in FAILURE`;
    this.chips.querySelector("[data-clear]").hidden = counts.sending + counts.queued + counts.checking > 0;
    this.#filter();
  }

  #show(only) {
    this.#shown = only;
    for (const chip of this.chips.querySelectorAll("[data-only]")) chip.setAttribute("aria-pressed", String(chip.dataset.only === only));
    this.#filter();
  }

  #filter() {
    for (const item of this.list.children) item.hidden = this.#shown !== "all" && item.dataset.state !== this.#shown;
  }

  #drawLead(rows, counts) {
    const sent = counts.ok + counts.failure + counts.checking;
    const toGo = counts.sending + counts.queued;
    const say = (lead, rest, advice) => {
      for (const [element, words] of [[this.lead, lead], [this.rest, rest], [this.advice, advice]]) {
        // Written only when it changes: the lead is read aloud.
        if (element.textContent !== words) element.textContent = words;
      }
    };
    if (toGo) {
      const left = about(this.#secondsLeft(rows));
      say(`${sent} of ${sent + toGo} sent`, `${toGo} to go${left && `, ${left}`}`, "Keep this page open until all are sent. Checking goes on without you, and this list is here when you come back.");
      return;
    }
    this.#started = 0;
    const all = sent === 1 ? "Sent" : `All ${sent} sent`;
    const refused = counts.refused ? `${counts.refused} refused` : "";
    if (!sent) say("Nothing sent", refused, "Each row says what is in the way.");
    else if (counts.checking) say(all, [`${counts.checking} being checked`, refused].filter(Boolean).join(", "), "This page may be closed: checking goes on without you, and this list is here when you come back.");
    else say(all, [counts.ok && `${counts.ok} ${wordOf("ok")}`, counts.failure && `${counts.failure} ${wordOf("failure")}`, refused].filter(Boolean).join(", "), counts.failure ? `${many(counts.failure, "file")} could not be read: the row says why. Nothing is lost.` : "Everything is checked and counted.");
  }

  // By bytes since the first one of this run, and silent for the first seconds.
  #secondsLeft(rows) {
    const now = performance.now();
    const moved = rows.reduce((sum, row) => sum + (row.state === "sending" ? row.size * row.progress : row.state === "queued" || row.state === "refused" ? 0 : row.size), 0);
    const left = rows.reduce((sum, row) => sum + (row.state === "sending" ? row.size * (1 - row.progress) : row.state === "queued" ? row.size : 0), 0);
    if (!this.#started) {
      this.#started = now;
      this.movedBefore = moved;
    }
    const seconds = (now - this.#started) / 1000;
    return seconds < 2 ? NaN : left / ((moved - this.movedBefore) / seconds);
  }
}
