// Adding logs on a phone: keys on the page type into whichever of the three boxes was last used.

import { iconOf } from "./rows.js";
import { LogQueue } from "./logs.js";
import { cubic, litres, measure } from "./measures.js";
import { Totals } from "./totals.js";

const MEASURES = ["length", "breadth", "height"];
const STAYS = "length";
const LONGEST = 8;
const SHOWN = 8;

/** Serve the page's keys, if it has some. */
export function openGate() {
  const page = document.querySelector("[data-gate]");
  if (page?.querySelector("[data-keys]")) new Gate(page);
}

class Gate {
  constructor(page) {
    this.page = page;
    this.form = page.querySelector("#log");
    this.barcode = this.form.elements.namedItem("barcode");
    this.boxes = MEASURES.map((name) => this.form.elements.namedItem(name));
    this.totals = new Totals(page);
    this.queue = new LogQueue(page.dataset.consignment, (waiting) => this.#showSaved(waiting));
    this.hint = page.querySelector("[data-hint]");
    this.go = page.querySelector("[data-go]");
    this.wrong = page.querySelector("[data-wrong]");
    this.rows = page.querySelector("[data-rows]");
    this.keys = page.querySelector("[data-keys]");
    this.keys.hidden = false;
    for (const box of this.boxes) {
      box.inputMode = "none";
      box.addEventListener("focus", () => {
        this.box = box;
        box.select();
      });
      box.addEventListener("input", () => this.#show());
    }
    // The last log's measures are offered, not taken for this one's; the length mostly stays.
    if (!this.wrong.childElementCount) for (const box of this.boxes) if (box.name !== STAYS) this.#offer(box);
    this.#listen();
    this.#show();
    this.boxes[this.boxes[0].value ? 1 : 0].focus();
  }

  #listen() {
    // The box keeps the focus while keys are pressed.
    this.keys.addEventListener("pointerdown", (event) => event.preventDefault());
    this.keys.addEventListener("click", (event) => {
      const key = event.target.closest("button");
      if (key && key !== this.go) this.#press(key);
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#goOn();
    });
    this.rows.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#undo(event.target.closest("tr"));
    });
  }

  #press(key) {
    const { box } = this;
    const does = key.dataset.key;
    const marked = box.selectionEnd > box.selectionStart;
    if (does === "back") {
      this.#step(-1);
      return;
    }
    if (does === "clear") box.value = "";
    else if (does === "erase") box.value = marked ? "" : box.value.slice(0, -1);
    else {
      const typed = key.textContent.trim();
      const old = marked ? "" : box.value;
      if (typed !== "." || !/[.,]/.test(old)) box.value = (old + typed).slice(0, LONGEST);
    }
    box.setSelectionRange(box.value.length, box.value.length);
    box.removeAttribute("aria-invalid");
    this.#show();
  }

  #offer(box) {
    box.placeholder = box.value;
    box.value = "";
  }

  #step(by) {
    const at = this.boxes.indexOf(this.box);
    this.boxes[(at + by + MEASURES.length) % MEASURES.length].focus();
  }

  // What is offered is taken by going on; whoever presses sees the whole log before it is added.
  #goOn() {
    const { box } = this;
    const takes = !box.value && box.placeholder;
    if (takes) box.value = box.placeholder;
    this.#show();
    const at = this.boxes.indexOf(box);
    const missing = [...this.boxes.slice(at), ...this.boxes].find(({ value }) => !value);
    if (missing) missing.focus();
    else if (!takes) this.#add();
  }

  #litres() {
    return litres(...this.boxes.map((box) => box.value));
  }

  // One big key under the thumb: it goes on to the next box until there is a log to add.
  #show() {
    const volume = this.#litres();
    this.hint.textContent = volume ? `= ${cubic(volume)} m³` : "– m³";
    this.go.textContent = volume ? "Add log" : "Next";
    this.go.classList.toggle("next", !volume);
  }

  #showSaved(waiting) {
    const saved = this.page.querySelector("[data-saved]");
    const state = waiting ? "sending" : "ok";
    const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    icon.setAttribute("class", "ico");
    icon.setAttribute("aria-hidden", "true");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `#i-${iconOf(state)}`);
    icon.append(use);
    saved.hidden = false;
    saved.className = `state ${state}`;
    saved.replaceChildren(icon, waiting ? `Saving ${waiting}` : "All saved");
  }

  async #add() {
    const values = Object.fromEntries([["barcode", this.barcode.value], ...this.boxes.map((box) => [box.name, box.value])]);
    const row = this.#draw({ ...values, volume: this.#litres() / 1000 });
    row.classList.add("saving");
    this.#say("");
    this.barcode.value = "";
    for (const box of this.boxes) if (box.name !== STAYS) this.#offer(box);
    this.#show();
    this.boxes[1].focus();
    const { log, refused, fields } = await this.queue.add(values, (why) => this.#say(why));
    row.remove();
    if (!log) {
      this.#giveBack(values, refused, fields);
      return;
    }
    this.#say("");
    const saved = this.#draw(log);
    saved.dataset.log = log.id;
    saved.querySelector("[data-number]").textContent = this.totals.add(log.volume).toLocaleString("en-GB");
    this.#offerUndo();
  }

  #draw({ length, breadth, height, volume }) {
    const row = document.getElementById("gate-row").content.firstElementChild.cloneNode(true);
    const said = [measure(point(length), 2), measure(point(breadth), 1), measure(point(height), 1)];
    row.querySelector("[data-number]").textContent = "";
    row.querySelector("[data-measures]").textContent = said.join(" × ");
    row.querySelector("[data-cubic]").textContent = cubic(Math.round(volume * 1000));
    row.querySelector("[data-undo]").hidden = true;
    this.rows.prepend(row);
    for (const old of [...this.rows.children].slice(SHOWN)) old.remove();
    return row;
  }

  // What has been typed since is not as sure to be wanted as what could not be saved.
  #giveBack(values, refused, fields) {
    this.barcode.value = values.barcode;
    for (const box of this.boxes) {
      box.value = values[box.name];
      box.toggleAttribute("aria-invalid", Boolean(fields[box.name]));
      if (fields[box.name]) box.setAttribute("aria-invalid", "true");
    }
    this.#show();
    this.#say(refused);
    this.#offerUndo();
  }

  async #undo(row) {
    const refused = await this.queue.remove(row.dataset.log);
    if (refused) {
      this.#say(refused);
      return;
    }
    this.totals.take(Math.round(Number(row.querySelector("[data-cubic]").textContent.replaceAll(",", "")) * 1000));
    row.remove();
    this.#offerUndo();
  }

  #offerUndo() {
    for (const row of this.rows.children) row.classList.remove("fresh");
    for (const [at, form] of [...this.rows.querySelectorAll("[data-undo]")].entries()) {
      form.hidden = at > 0;
      form.querySelector("button").setAttribute("aria-label", `Undo log ${form.closest("tr").querySelector("[data-number]").textContent}`);
    }
    this.rows.firstElementChild?.classList.add("fresh");
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

const point = (typed) => String(typed).trim().replace(",", ".");
