// The first row of a consignment's logs: typed at a keyboard as fast as a gate calls them out.

import { tellChange } from "./live.js";
import { cubic, litres, measure } from "./measures.js";
import { Totals } from "./totals.js";
import { MEASURES, STAYS, TypedLogs } from "./typed.js";

/** Serve the page's entry row, if it has one. */
export function takeEntries() {
  const form = document.querySelector("form[data-entry]");
  if (form) new Entry(form);
}

class Entry extends TypedLogs {
  constructor(form) {
    super(form, form.dataset.consignment);
    this.totals = new Totals(document.getElementById("totals"));
    this.waiting = document.querySelector("[data-waiting]");
    this.rows = document.getElementById("rows");
    this.first = this.inputs.barcode;
    // What was offered by the page is not typed: only the length is taken over from log to log.
    if (!this.wrong.childElementCount) this.empty();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#enter();
    });
    for (const box of Object.values(this.inputs)) {
      box.addEventListener("keydown", (event) => this.#pressed(event));
      box.addEventListener("focus", () => box.select());
    }
    this.show();
  }

  empty() {
    for (const [name, box] of Object.entries(this.inputs)) if (name !== STAYS) box.value = "";
  }

  showVolume(volume) {
    this.hint.textContent = volume ? cubic(volume) : "";
  }

  drawWaiting(values) {
    const row = this.#blank();
    row.removeAttribute("id");
    row.className = "saving";
    const [number, code, ...cells] = row.children;
    number.textContent = "";
    code.textContent = values.barcode.trim() || "Saving";
    const { length, breadth, height } = values;
    const said = [length, breadth, height].map((typed) => typed.trim().replace(",", "."));
    for (const [at, words] of [...said, cubic(litres(length, breadth, height))].entries()) cells[at].textContent = words;
    this.waiting.prepend(row);
    document.querySelector("[data-none]")?.setAttribute("hidden", "");
    return row;
  }

  drawSaved(waiting, log) {
    waiting.remove();
    // Rows that were drawn anew meanwhile hold and count it already.
    const isThere = document.getElementById(`log-${log.id}`);
    const number = isThere ? this.totals.count : this.totals.add(log.volume);
    document.querySelector("[data-next]").textContent = (number + 1).toLocaleString("en-GB");
    if (!isThere) this.#draw(log, number);
    tellChange();
  }

  #pressed(event) {
    if (event.key !== "Escape") return;
    for (const box of Object.values(this.inputs)) box.value = "";
    this.say("");
    this.show();
    this.first.focus();
  }

  // A scanner ends each barcode with Enter: while a measure is missing, Enter goes on to it.
  #enter() {
    const missing = MEASURES.find((name) => !this.inputs[name].value.trim());
    if (missing) this.inputs[missing].focus();
    else this.add();
  }

  #blank() {
    return document.getElementById("log-row").content.firstElementChild.cloneNode(true);
  }

  #draw(log, number) {
    const row = this.#blank();
    row.id = `log-${log.id}`;
    const [numbered, code, ...cells] = row.children;
    numbered.textContent = number.toLocaleString("en-GB");
    const link = code.querySelector("a");
    link.textContent = log.barcode;
    for (const name of ["href", "hx-get", "hx-target", "hx-select"]) {
      link.setAttribute(name, link.getAttribute(name).replace("/logs/0/", `/logs/${log.id}/`).replace("#log-0", `#log-${log.id}`).replace("number=0", `number=${number}`));
    }
    const said = [measure(log.length, 2), measure(log.breadth, 1), measure(log.height, 1), cubic(Math.round(log.volume * 1000))];
    for (const [at, words] of said.entries()) cells[at].textContent = words;
    this.rows.prepend(row);
    window.htmx.process(row);
  }
}
