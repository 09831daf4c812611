// Summarizes the batch above its rows: a headline, a strip with a cell per file, and filters by state.

import { formatCount, formatDuration } from "./format.js";
import { listMissing } from "./unfinished.js";
import { labelOf } from "./upload-rows.js";

const ORDER = ["ok", "checking", "sending", "queued", "waiting", "failure", "refused"];

export class BatchSummary {
  #startedAt = 0;
  #frame = 0;
  #filterState = "all";

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

  /** Update at most once per frame, however many progress events arrive. */
  draw(batch) {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
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
      this.#drawChips(counts, rows.length, rows.filter(({ twin }) => twin).length);
    }
    this.#drawLead(rows, counts);
  }

  #drawStrip(counts) {
    const cells = ORDER.flatMap((state) => Array(counts[state]).fill(state));
    const shown = [...this.strip.children];
    for (let index = shown.length; index < cells.length; index += 1) this.strip.append(document.createElement("i"));
    for (const cell of shown.slice(cells.length)) cell.remove();
    for (const [index, state] of cells.entries()) {
      const cell = this.strip.children[index];
      if (cell.className !== state) cell.className = state;
    }
  }

  #drawChips(counts, total, twinCount) {
    for (const chip of this.chips.querySelectorAll("[data-only]")) {
      const { only } = chip.dataset;
      const count = only === "all" ? total : counts[only];
      chip.querySelector("b").textContent = count;
      chip.hidden = !count && only !== "all" && only !== this.#filterState;
      chip.setAttribute("aria-pressed", String(only === this.#filterState));
    }
    const retry = this.chips.querySelector("[data-retry-all]");
    retry.hidden = !counts.failure;
    retry.querySelector("span").textContent = counts.failure === 1 ? "Retry the one in FAILURE" : `Retry the ${counts.failure} in FAILURE`;
    this.chips.querySelector("[data-clear]").hidden = counts.sending + counts.queued + counts.checking > 0;
    const leaveOut = this.chips.querySelector("[data-leave-twins]");
    leaveOut.hidden = twinCount < 2;
    leaveOut.textContent = `Leave out the ${twinCount} that are here already`;
    this.#filter();
  }

  #show(only) {
    this.#filterState = only;
    for (const chip of this.chips.querySelectorAll("[data-only]")) chip.setAttribute("aria-pressed", String(chip.dataset.only === only));
    this.#filter();
  }

  #filter() {
    for (const item of this.list.children) item.hidden = this.#filterState !== "all" && item.dataset.state !== this.#filterState;
  }

  #drawLead(rows, counts) {
    const sent = counts.ok + counts.failure + counts.checking;
    const unsent = counts.sending + counts.queued;
    const waiting = counts.waiting ? `${counts.waiting} ${counts.waiting === 1 ? "waits" : "wait"} for you` : "";
    const show = (lead, rest, advice) => {
      for (const [element, text] of [[this.lead, lead], [this.rest, joined(rest)], [this.advice, advice]]) {
        // Written only when it changes: screen readers announce the headline.
        if (element.textContent !== text) element.textContent = text;
      }
    };
    if (unsent) {
      const timeLeft = formatDuration(this.#secondsLeft(rows));
      show(`${sent} of ${sent + unsent} sent`, [`${unsent} to go`, timeLeft, waiting], "Keep this page open until all are sent. Checking goes on without you, and this list is here when you come back.");
      return;
    }
    this.#startedAt = 0;
    const refused = counts.refused && `${counts.refused} refused`;
    const outcomes = ["ok", "failure"].map((state) => counts[state] && `${counts[state]} ${labelOf(state)}`);
    if (waiting) show(sent ? `${sent} of ${sent + counts.waiting} sent` : "Nothing sent yet", [waiting, ...outcomes, refused], advise(rows));
    else if (!sent) show("Nothing sent", [refused], "Each row says what is in the way.");
    else {
      const all = sent === 1 ? "Sent" : `All ${sent} sent`;
      if (counts.checking) show(all, [`${counts.checking} being checked`, refused], "This page may be closed: checking goes on without you, and this list is here when you come back.");
      else show(all, [...outcomes, refused], counts.failure ? `${formatCount(counts.failure, "file")} could not be read: the row says why. Nothing is lost.` : settled(rows));
    }
  }

  // Estimates from the bytes sent since the upload began; NaN for the first two seconds.
  #secondsLeft(rows) {
    const now = performance.now();
    // What had arrived before a reload counts from the start.
    const partial = ["queued", "sending", "waiting"];
    const sentBytes = rows.reduce((sum, { state, size, progress }) => sum + (partial.includes(state) ? size * progress : state === "refused" ? 0 : size), 0);
    const remainingBytes = rows.reduce((sum, { state, size, progress }) => sum + (state === "queued" || state === "sending" ? size * (1 - progress) : 0), 0);
    if (!this.#startedAt) {
      this.#startedAt = now;
      this.sentBytesBefore = sentBytes;
    }
    const seconds = (now - this.#startedAt) / 1000;
    return seconds < 2 ? NaN : remainingBytes / ((sentBytes - this.sentBytesBefore) / seconds);
  }
}

const joined = (texts) => texts.filter(Boolean).join(", ");

// What a person decides or does, so that the rest is sent as well.
function advise(rows) {
  const missing = listMissing(rows);
  return missing ? `Choose ${missing} again, or all of them: what is here already is not sent twice.` : "The same bytes are here already: each row asks what to do.";
}

// A text is kept, and nothing in it is counted: whoever sent readings or logs should know.
function settled(rows) {
  const texts = rows.filter((row) => row.state === "ok" && row.element?.dataset.kind === "text").length;
  return texts ? `Everything is checked. ${formatCount(texts, "file")} kept as text: nothing in ${texts === 1 ? "it" : "them"} is counted.` : "Everything is checked and counted.";
}
