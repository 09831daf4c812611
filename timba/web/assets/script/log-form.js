// The form of a new log, for the table of a consignment and for the gate page. It asks before it takes a
// measure that is far from the others. A log that is rejected goes back into the inputs, or waits in its
// row where that could mix it with the next one.

import { LogQueue } from "./log-queue.js";
import { askAbout } from "./comparison.js";
import { computeLitres, parseMeasure } from "./measures.js";
import { newIdempotencyKey } from "./upload-request.js";

export const MEASURES = ["length", "breadth", "height"];
export const KEPT_MEASURE = "length";

export class LogForm {
  // The key of the log that went back into the inputs. It is reused while they are unchanged, because
  // the server may have saved the log already.
  #returned = {};
  // The values that the question on the page is about: adding them once more is the answer.
  #questioned = "";
  // The logs that are on their way; new ones are compared with them too.
  #sending = new Set();

  constructor(form, consignment) {
    this.inputs = Object.fromEntries(["barcode", ...MEASURES].map((name) => [name, form.elements.namedItem(name)]));
    this.errors = document.querySelector("[data-errors]");
    this.volumeHint = document.querySelector("[data-volume-hint]");
    this.queue = new LogQueue(consignment, () => this.showStatus());
    for (const input of Object.values(this.inputs)) {
      input.addEventListener("input", () => {
        input.removeAttribute("aria-invalid");
        this.update();
      });
    }
    window.addEventListener("beforeunload", (event) => {
      if (this.queue.waiting || this.unsavedCount) event.preventDefault();
    });
  }

  get values() {
    return Object.fromEntries(Object.entries(this.inputs).map(([name, input]) => [name, input.value]));
  }

  /** The number of rows whose log was rejected. */
  get unsavedCount() {
    return document.querySelectorAll("tr.unsaved").length;
  }

  /** Called whenever the number of waiting or unsaved logs changes; for subclasses. */
  showStatus() {}

  /** Show the volume of the measures in the inputs. */
  update() {
    const { length, breadth, height } = this.values;
    const values = JSON.stringify(this.values);
    if (this.#returned.values !== values) this.#returned = {};
    if (this.#questioned && this.#questioned !== values) this.showError("");
    this.showVolume(computeLitres(length, breadth, height));
  }

  /** Show which measure is not a number, as after a scan into its input; return whether one is not. */
  hasWrongMeasure() {
    const name = MEASURES.find((each) => this.values[each].trim() && parseMeasure(this.values[each]) === undefined);
    if (!name) return false;
    const input = this.inputs[name];
    this.showError(`Give the ${name} as a number with at most 3 decimals, such as ${name === KEPT_MEASURE ? "4.20" : "31.5"}.`);
    input.setAttribute("aria-invalid", "true");
    input.focus();
    input.select();
    return true;
  }

  /** Add the log in the inputs, once its measures are numbers and those far from the others are confirmed. */
  async add() {
    const { values } = this;
    if (this.hasWrongMeasure() || this.#asksAbout(values)) return;
    const { key = newIdempotencyKey() } = this.#returned;
    const row = this.addWaitingRow(values);
    this.clearInputs();
    this.showError("");
    this.update();
    this.firstInput.focus();
    const measures = parseMeasures(values);
    this.#sending.add(measures);
    const { log, error, fields } = await this.queue.add(values, key, (reason) => showRowError(row, reason));
    this.#sending.delete(measures);
    const returnToInputs = () => {
      row.remove();
      this.#returnToInputs(values, key, error, fields);
    };
    if (log) this.showSaved(row, log);
    else if (this.#canReturn(values)) returnToInputs();
    else this.#keepInRow(row, error, returnToInputs);
    this.showStatus();
  }

  /** Show why the log in the inputs was not saved; an empty sentence hides the error. */
  showError(sentence) {
    this.#questioned = "";
    this.errors.replaceChildren(...(sentence ? [createError(sentence)] : []));
  }

  #asksAbout(values) {
    const sent = JSON.stringify(values);
    if (this.#questioned === sent) return false;
    const measures = parseMeasures(values);
    // The server rejects what no log measures, and says so.
    const isPlausible = MEASURES.every((name) => {
      const { least, most } = this.inputs[name].dataset;
      return measures[name] >= Number(least) && measures[name] <= Number(most);
    });
    if (!isPlausible) return false;
    const { factor, most, logs } = this.totals.comparison;
    const questions = askAbout(measures, [...this.#sending, ...logs].slice(0, most), factor);
    if (!questions.length) return false;
    this.errors.replaceChildren(createQuestion(questions));
    this.#questioned = sent;
    return true;
  }

  // Nobody has begun the next log: the inputs are empty, and the cursor is where it begins. Where barcodes
  // are scanned, the next scan would put its barcode to the measures of this log.
  #canReturn({ barcode, [KEPT_MEASURE]: kept }) {
    const isEmpty = Object.entries(this.inputs).every(([name, { value }]) => value === (name === KEPT_MEASURE ? kept : ""));
    return isEmpty && !barcode.trim() && document.activeElement === this.firstInput;
  }

  #returnToInputs(values, key, error, fields) {
    for (const [name, input] of Object.entries(this.inputs)) {
      input.value = values[name];
      if (fields[name]) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
    this.#returned = { key, values: JSON.stringify(this.values) };
    this.update();
    this.showError(error);
    (Object.entries(this.inputs).find(([name]) => fields[name])?.[1] ?? this.firstInput).focus();
  }

  #keepInRow(row, error, returnToInputs) {
    row.className = "unsaved";
    const actions = document.createElement("div");
    actions.className = "actions";
    actions.append(createButton("Correct it", () => {
      returnToInputs();
      this.showStatus();
    }), createButton("Drop it", () => {
      row.remove();
      this.firstInput.focus();
      this.showStatus();
    }));
    showRowError(row, error).after(actions);
  }
}

const parseMeasures = (values) => Object.fromEntries(MEASURES.map((name) => [name, parseMeasure(values[name])]));

function createQuestion(questions) {
  const element = document.getElementById("log-question").content.firstElementChild.cloneNode(true);
  element.querySelector("[data-questions]").replaceChildren(...questions.map((question) => {
    const paragraph = document.createElement("p");
    paragraph.textContent = question;
    return paragraph;
  }));
  return element;
}

function showRowError(row, sentence) {
  const error = createError(sentence);
  error.setAttribute("role", "alert");
  const cell = row.children[1];
  cell.querySelector(".wrong")?.remove();
  cell.append(error);
  return error;
}

function createError(sentence) {
  const element = document.createElement("p");
  element.className = "wrong";
  element.textContent = sentence;
  return element;
}

function createButton(label, onClick) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn slim";
  button.textContent = label;
  button.addEventListener("click", onClick);
  return button;
}
