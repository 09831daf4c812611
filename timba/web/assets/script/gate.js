// Adding logs on a phone: keys on the page type into whichever of the three boxes was last used.

import { iconOf } from "./rows.js";
import { cubic, measure } from "./measures.js";
import { Totals } from "./totals.js";
import { MEASURES, STAYS, TypedLogs } from "./typed.js";

const LONGEST = 8;
const SHOWN = 8;

/** Serve the page's keys, if it has some. */
export function openGate() {
  const page = document.querySelector("[data-gate]");
  if (page?.querySelector("[data-keys]")) new Gate(page);
}

class Gate extends TypedLogs {
  constructor(page) {
    const form = page.querySelector("#log");
    super(form, page.dataset.consignment);
    this.form = form;
    this.boxes = MEASURES.map((name) => this.inputs[name]);
    this.first = this.inputs.breadth;
    this.totals = new Totals(page);
    this.saved = page.querySelector("[data-saved]");
    this.go = page.querySelector("[data-go]");
    this.rows = page.querySelector("[data-rows]");
    this.keys = page.querySelector("[data-keys]");
    this.keys.hidden = false;
    for (const box of this.boxes) {
      box.inputMode = "none";
      box.addEventListener("focus", () => {
        this.box = box;
        box.select();
      });
    }
    // The last log's measures are offered, not taken for this one's; the length mostly stays.
    if (!this.wrong.childElementCount) this.empty();
    this.#listen();
    this.show();
    this.boxes[this.boxes[0].value ? 1 : 0].focus();
  }

  empty() {
    this.inputs.barcode.value = "";
    for (const box of this.boxes) if (box.name !== STAYS) this.#offer(box);
  }

  // One big key under the thumb: it goes on to the next box until there is a log to add.
  showVolume(volume) {
    this.hint.textContent = volume ? `= ${cubic(volume)} m³` : "– m³";
    this.go.textContent = volume ? "Add log" : "Next";
    this.go.classList.toggle("next", !volume);
    this.volume = volume;
  }

  showStand() {
    const { queue: { waiting }, unsaved, saved } = this;
    const [state, words] = waiting ? ["sending", `Saving ${waiting}`] : unsaved ? ["refused", `${unsaved} not saved`] : ["ok", "All saved"];
    // What went back to the boxes has its own sentence, and is not saved either.
    saved.hidden = state === "ok" && this.wrong.childElementCount > 0;
    saved.className = `state ${state}`;
    saved.replaceChildren(drawIcon(state), words);
    this.#offerUndo();
  }

  drawWaiting(values) {
    const row = this.#draw({ ...values, volume: this.volume / 1000 });
    row.classList.add("saving");
    this.rows.prepend(row);
    return row;
  }

  drawSaved(waiting, log) {
    const row = this.#draw(log);
    row.dataset.log = log.id;
    row.querySelector("[data-number]").textContent = this.totals.add(log.volume).toLocaleString("en-GB");
    waiting.replaceWith(row);
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
    this.show();
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
    this.show();
    const at = this.boxes.indexOf(box);
    const missing = [...this.boxes.slice(at), ...this.boxes].find(({ value }) => !value);
    if (missing) missing.focus();
    else if (!takes) this.add();
  }

  #draw({ length, breadth, height, volume }) {
    const row = document.getElementById("gate-row").content.firstElementChild.cloneNode(true);
    const said = [measure(point(length), 2), measure(point(breadth), 1), measure(point(height), 1)];
    row.querySelector("[data-number]").textContent = "";
    row.querySelector("[data-measures]").textContent = said.join(" × ");
    row.querySelector("[data-cubic]").textContent = cubic(Math.round(volume * 1000));
    row.querySelector("[data-undo]").hidden = true;
    return row;
  }

  async #undo(row) {
    const button = row.querySelector("[data-undo] button");
    button.disabled = true;
    const refused = await this.queue.remove(row.dataset.log);
    button.disabled = false;
    if (refused) this.say(refused);
    else {
      this.totals.take(Math.round(Number(row.querySelector("[data-cubic]").textContent.replaceAll(",", "")) * 1000));
      row.remove();
    }
    this.showStand();
  }

  // Only the newest of the logs that are saved can be taken back from here.
  #offerUndo() {
    const saved = [...this.rows.querySelectorAll("tr:not(.saving, .unsaved)")];
    for (const old of saved.splice(SHOWN)) old.remove();
    for (const [at, row] of saved.entries()) {
      const form = row.querySelector("[data-undo]");
      row.classList.toggle("fresh", at === 0);
      form.hidden = at > 0;
      form.querySelector("button").setAttribute("aria-label", `Undo log ${row.querySelector("[data-number]").textContent}`);
    }
  }
}

function drawIcon(state) {
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("class", "ico");
  icon.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${iconOf(state)}`);
  icon.append(use);
  return icon;
}

const point = (typed) => String(typed).trim().replace(",", ".");
