// The first row of a consignment's table of logs, where logs are typed at a keyboard.

import { recordLocalChange } from "./live-updates.js";
import { computeLitres, formatMeasure, formatVolume } from "./measures.js";
import { Totals } from "./totals.js";
import { KEPT_MEASURE, LogForm, MEASURES } from "./log-form.js";

/** Set up the entry row of the page, if it has one. */
export function setUpLogEntry() {
  const form = document.querySelector("form[data-entry]");
  if (form) new LogEntryRow(form);
}

class LogEntryRow extends LogForm {
  constructor(form) {
    super(form, form.dataset.consignment);
    this.totals = new Totals(document.getElementById("totals"));
    this.waiting = document.querySelector("[data-waiting]");
    this.rows = document.getElementById("rows");
    // The page suggests the previous measures; with a script only the length is kept from log to log.
    if (!this.errors.childElementCount) this.clearInputs();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#handleEnter();
    });
    for (const input of Object.values(this.inputs)) {
      input.addEventListener("keydown", (event) => this.#handleKey(event));
      input.addEventListener("focus", () => input.select());
    }
    this.update();
  }

  /** Where the next log begins: at the barcode for those who scan or type one, else at the measures. */
  get firstInput() {
    if (this.hadBarcode) return this.inputs.barcode;
    return this.inputs[MEASURES.find((name) => !this.inputs[name].value)] ?? this.inputs.breadth;
  }

  clearInputs() {
    this.hadBarcode = Boolean(this.inputs.barcode.value.trim());
    for (const [name, input] of Object.entries(this.inputs)) if (name !== KEPT_MEASURE) input.value = "";
  }

  showVolume(volume) {
    this.volumeHint.textContent = volume ? formatVolume(volume) : "";
  }

  addWaitingRow(values) {
    const row = this.#createRow();
    row.removeAttribute("id");
    row.className = "saving";
    const [number, code, ...cells] = row.children;
    number.textContent = "";
    code.textContent = values.barcode.trim() || "Saving";
    const { length, breadth, height } = values;
    const measures = [length, breadth, height].map((text) => text.trim().replace(",", "."));
    for (const [index, text] of [...measures, formatVolume(computeLitres(length, breadth, height))].entries()) cells[index].textContent = text;
    this.waiting.prepend(row);
    document.querySelector("[data-empty]")?.setAttribute("hidden", "");
    return row;
  }

  showSaved(waiting, log) {
    waiting.remove();
    // A refresh may have added the row, and counted it, already.
    const isListed = document.getElementById(`log-${log.id}`);
    const number = isListed ? this.totals.count : this.totals.add(log);
    document.querySelector("[data-next]").textContent = (number + 1).toLocaleString("en-GB");
    if (!isListed) this.#addRow(log, number);
    recordLocalChange();
  }

  #handleKey(event) {
    if (event.key !== "Escape") return;
    this.clearInputs();
    this.inputs[KEPT_MEASURE].value = "";
    this.showError("");
    this.update();
    this.firstInput.focus();
  }

  // A barcode scanner sends Enter after each code: Enter moves on to the first missing measure.
  #handleEnter() {
    if (this.hasWrongMeasure()) return;
    const missing = MEASURES.find((name) => !this.inputs[name].value.trim());
    if (missing) this.inputs[missing].focus();
    else this.add();
  }

  #createRow() {
    return document.getElementById("log-row").content.firstElementChild.cloneNode(true);
  }

  #addRow(log, number) {
    const row = this.#createRow();
    row.id = `log-${log.id}`;
    const [numberCell, code, ...cells] = row.children;
    numberCell.textContent = number.toLocaleString("en-GB");
    const link = code.querySelector("a");
    link.textContent = log.barcode;
    for (const name of ["href", "hx-get", "hx-target", "hx-select"]) {
      link.setAttribute(name, link.getAttribute(name).replace("/logs/0/", `/logs/${log.id}/`).replace("#log-0", `#log-${log.id}`).replace("number=0", `number=${number}`));
    }
    const texts = [formatMeasure(log.length, 2), formatMeasure(log.breadth, 1), formatMeasure(log.height, 1), formatVolume(Math.round(log.volume * 1000))];
    for (const [index, text] of texts.entries()) cells[index].textContent = text;
    this.rows.prepend(row);
    window.htmx.process(row);
  }
}
