// The page for adding logs on a phone: its number keys type into the measure that was focused last.

import { iconOf } from "./upload-rows.js";
import { formatMeasure, formatVolume } from "./measures.js";
import { Totals } from "./totals.js";
import { KEPT_MEASURE, LogForm, MEASURES } from "./log-form.js";

const MAX_CHARACTERS = 8;
const MAX_ROWS = 8;

/** Set up the number keys of the page, if it has them. */
export function setUpGatePage() {
  const page = document.querySelector("[data-gate]");
  if (page?.querySelector("[data-keys]")) new GatePage(page);
}

class GatePage extends LogForm {
  constructor(page) {
    const form = page.querySelector("#log");
    super(form, page.dataset.consignment);
    this.form = form;
    this.measureInputs = MEASURES.map((name) => this.inputs[name]);
    this.firstInput = this.inputs.breadth;
    this.totals = new Totals(page);
    this.saveState = page.querySelector("[data-save-state]");
    this.addButton = page.querySelector("[data-go]");
    this.rows = page.querySelector("[data-rows]");
    this.keys = page.querySelector("[data-keys]");
    this.keys.hidden = false;
    for (const input of this.measureInputs) {
      input.inputMode = "none";
      input.addEventListener("focus", () => {
        this.input = input;
        input.select();
      });
    }
    // The previous measures become placeholders; the length is kept, since it rarely changes.
    if (!this.errors.childElementCount) this.clearInputs();
    this.#listen();
    this.update();
    this.measureInputs[this.measureInputs[0].value ? 1 : 0].focus();
  }

  clearInputs() {
    this.inputs.barcode.value = "";
    for (const input of this.measureInputs) if (input.name !== KEPT_MEASURE) this.#suggest(input);
  }

  // The largest key moves on to the next measure until the log is complete, then adds it.
  showVolume(volume) {
    this.volumeHint.textContent = volume ? `= ${formatVolume(volume)} m³` : "– m³";
    this.addButton.textContent = volume ? "Add log" : "Next";
    this.addButton.classList.toggle("next", !volume);
    this.volume = volume;
  }

  showStatus() {
    const { queue: { waiting }, unsavedCount, saveState } = this;
    const [state, text] = waiting ? ["sending", `Saving ${waiting}`] : unsavedCount ? ["refused", `${unsavedCount} not saved`] : ["ok", "All saved"];
    // A log that went back into the inputs has its own error, and is not saved either.
    saveState.hidden = state === "ok" && this.errors.childElementCount > 0;
    saveState.className = `state ${state}`;
    saveState.replaceChildren(createIcon(state), text);
    this.#updateUndo();
  }

  addWaitingRow(values) {
    const row = this.#createRow({ ...values, volume: this.volume / 1000 });
    row.classList.add("saving");
    this.rows.prepend(row);
    return row;
  }

  showSaved(waiting, log) {
    const row = this.#createRow(log);
    row.dataset.log = log.id;
    row.querySelector("[data-number]").textContent = this.totals.add(log).toLocaleString("en-GB");
    waiting.replaceWith(row);
  }

  #listen() {
    // The input keeps the focus while keys are pressed.
    this.keys.addEventListener("pointerdown", (event) => event.preventDefault());
    this.keys.addEventListener("click", (event) => {
      const key = event.target.closest("button");
      if (key && key !== this.addButton) this.#press(key);
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.rows.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#undo(event.target.closest("tr"));
    });
  }

  #press(key) {
    const { input } = this;
    const action = key.dataset.key;
    const hasSelection = input.selectionEnd > input.selectionStart;
    if (action === "back") {
      this.#moveFocus(-1);
      return;
    }
    if (action === "clear") input.value = "";
    else if (action === "erase") input.value = hasSelection ? "" : input.value.slice(0, -1);
    else {
      const character = key.textContent.trim();
      const text = hasSelection ? "" : input.value;
      if (character !== "." || !/[.,]/.test(text)) input.value = (text + character).slice(0, MAX_CHARACTERS);
    }
    input.setSelectionRange(input.value.length, input.value.length);
    input.removeAttribute("aria-invalid");
    this.update();
  }

  #suggest(input) {
    input.placeholder = input.value;
    input.value = "";
  }

  #moveFocus(step) {
    const index = this.measureInputs.indexOf(this.input);
    this.measureInputs[(index + step + MEASURES.length) % MEASURES.length].focus();
  }

  // Moving on accepts a suggested measure: the complete log is visible before the press that adds it.
  #submit() {
    if (this.hasWrongMeasure()) return;
    const { input } = this;
    // The Enter of a scanner only moves on.
    const acceptsSuggestion = !input.value && input.placeholder && document.activeElement !== this.inputs.barcode;
    if (acceptsSuggestion) input.value = input.placeholder;
    this.update();
    const index = this.measureInputs.indexOf(input);
    const missing = [...this.measureInputs.slice(index), ...this.measureInputs].find(({ value }) => !value);
    if (missing) missing.focus();
    else if (!acceptsSuggestion) this.add();
  }

  #createRow({ length, breadth, height, volume }) {
    const row = document.getElementById("gate-row").content.firstElementChild.cloneNode(true);
    const measures = [formatMeasure(withPoint(length), 2), formatMeasure(withPoint(breadth), 1), formatMeasure(withPoint(height), 1)];
    row.querySelector("[data-number]").textContent = "";
    row.querySelector("[data-measures]").textContent = measures.join(" × ");
    row.querySelector("[data-cubic]").textContent = formatVolume(Math.round(volume * 1000));
    row.querySelector("[data-undo]").hidden = true;
    return row;
  }

  async #undo(row) {
    const button = row.querySelector("[data-undo] button");
    button.disabled = true;
    const error = await this.queue.remove(row.dataset.log);
    button.disabled = false;
    if (error) this.showError(error);
    else {
      this.totals.subtract(Number(row.dataset.log), Math.round(Number(row.querySelector("[data-cubic]").textContent.replaceAll(",", "")) * 1000));
      row.remove();
    }
    this.showStatus();
  }

  // Only the newest saved log can be undone here.
  #updateUndo() {
    const savedRows = [...this.rows.querySelectorAll("tr:not(.saving, .unsaved)")];
    for (const old of savedRows.splice(MAX_ROWS)) old.remove();
    for (const [index, row] of savedRows.entries()) {
      const form = row.querySelector("[data-undo]");
      row.classList.toggle("fresh", index === 0);
      form.hidden = index > 0;
      form.querySelector("button").setAttribute("aria-label", `Undo log ${row.querySelector("[data-number]").textContent}`);
    }
  }
}

function createIcon(state) {
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("class", "ico");
  icon.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${iconOf(state)}`);
  icon.append(use);
  return icon;
}

const withPoint = (text) => String(text).trim().replace(",", ".");
