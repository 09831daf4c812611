// The first row of a consignment's logs: typed at a keyboard as fast as a gate calls them out.

import { cubic, litres, measure } from "./measures.js";
import { LogQueue } from "./logs.js";
import { Totals } from "./totals.js";

const MEASURES = ["length", "breadth", "height"];
const STAYS = "length";

/** Serve the page's entry row, if it has one. */
export function takeEntries() {
  const form = document.querySelector("form[data-entry]");
  if (form) new Entry(form);
}

class Entry {
  constructor(form) {
    this.boxes = Object.fromEntries(["barcode", ...MEASURES].map((name) => [name, form.elements.namedItem(name)]));
    this.queue = new LogQueue(form.dataset.consignment);
    this.totals = new Totals(document.getElementById("totals"));
    this.rows = document.getElementById("rows");
    this.hint = document.querySelector("[data-hint]");
    this.wrong = document.querySelector("[data-wrong]");
    // What was offered by the page is not typed: only the length is taken over from log to log.
    for (const name of MEASURES) if (name !== STAYS && !this.wrong.childElementCount) this.boxes[name].value = "";
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#enter();
    });
    for (const box of Object.values(this.boxes)) {
      box.addEventListener("input", () => this.#typed(box));
      box.addEventListener("keydown", (event) => this.#pressed(event));
      box.addEventListener("focus", () => box.select());
    }
    this.#showHint();
  }

  get values() {
    return Object.fromEntries(Object.entries(this.boxes).map(([name, box]) => [name, box.value]));
  }

  #typed(box) {
    box.removeAttribute("aria-invalid");
    this.#showHint();
  }

  #pressed(event) {
    if (event.key !== "Escape") return;
    for (const box of Object.values(this.boxes)) box.value = "";
    this.#say("");
    this.#showHint();
    this.boxes.barcode.focus();
  }

  #showHint() {
    const { length, breadth, height } = this.values;
    const volume = litres(length, breadth, height);
    this.hint.textContent = volume ? cubic(volume) : "";
  }

  // A scanner ends each barcode with Enter: while a measure is missing, Enter goes on to it.
  #enter() {
    const missing = MEASURES.find((name) => !this.boxes[name].value.trim());
    if (missing) this.boxes[missing].focus();
    else this.#add(this.values);
  }

  async #add(values) {
    const row = this.#drawWaiting(values);
    for (const [name, box] of Object.entries(this.boxes)) if (name !== STAYS) box.value = "";
    this.#say("");
    this.#showHint();
    this.boxes.barcode.focus();
    const { log, refused, fields } = await this.queue.add(values, (why) => {
      row.querySelector(".code").textContent = why;
    });
    if (log) this.#drawSaved(row, log);
    else if (this.#isFree()) this.#giveBack(row, values, refused, fields);
    else this.#drawUnsaved(row, values, refused);
  }

  #isFree() {
    return ["barcode", "breadth", "height"].every((name) => !this.boxes[name].value);
  }

  #blank() {
    return document.getElementById("log-row").content.firstElementChild.cloneNode(true);
  }

  #drawWaiting(values) {
    const row = this.#blank();
    row.removeAttribute("id");
    row.className = "saving";
    const [number, code, ...cells] = row.children;
    number.textContent = "";
    code.textContent = values.barcode.trim() || "Saving";
    const { length, breadth, height } = values;
    const said = [length, breadth, height].map((typed) => typed.trim().replace(",", "."));
    for (const [at, words] of [...said, cubic(litres(length, breadth, height))].entries()) cells[at].textContent = words;
    this.rows.prepend(row);
    document.querySelector("[data-none]")?.setAttribute("hidden", "");
    return row;
  }

  #drawSaved(waiting, log) {
    const number = this.totals.add(log.volume);
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
    waiting.replaceWith(row);
    window.htmx.process(row);
    const next = document.querySelector("[data-next]");
    next.textContent = (number + 1).toLocaleString("en-GB");
  }

  // Nothing else has been typed meanwhile: the log goes back to where it came from.
  #giveBack(row, values, refused, fields) {
    row.remove();
    for (const [name, box] of Object.entries(this.boxes)) {
      box.value = values[name];
      if (fields[name]) box.setAttribute("aria-invalid", "true");
    }
    this.#showHint();
    this.#say(refused);
    (this.boxes[Object.keys(this.boxes).find((name) => fields[name])] ?? this.boxes.barcode).focus();
  }

  #drawUnsaved(row, values, refused) {
    row.className = "unsaved";
    const code = row.children[1];
    const actions = document.createElement("div");
    actions.className = "actions";
    actions.append(button("Correct it", () => {
      this.#giveBack(row, values, refused, {});
    }), button("Drop it", () => {
      row.remove();
      this.boxes.barcode.focus();
    }));
    const words = document.createElement("p");
    words.className = "wrong";
    words.setAttribute("role", "alert");
    words.textContent = refused;
    code.replaceChildren(values.barcode.trim(), words, actions);
  }

  #say(words) {
    this.wrong.replaceChildren();
    if (!words) return;
    const said = document.createElement("p");
    said.className = "wrong";
    said.textContent = words;
    this.wrong.append(said);
  }
}

function button(words, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "btn slim";
  made.textContent = words;
  made.addEventListener("click", act);
  return made;
}
