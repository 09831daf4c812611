// What the desk and the gate have in common: a log that could not be saved goes back to the boxes it was
// typed in, or waits in its row while they hold another.

import { LogQueue } from "./logs.js";
import { litres } from "./measures.js";
import { newKey } from "./send.js";

export const MEASURES = ["length", "breadth", "height"];
export const STAYS = "length";

export class TypedLogs {
  // Of what was given back, for as long as nobody changes it: the server may have it already.
  #given = {};

  constructor(form, consignment) {
    this.inputs = Object.fromEntries(["barcode", ...MEASURES].map((name) => [name, form.elements.namedItem(name)]));
    this.wrong = document.querySelector("[data-wrong]");
    this.hint = document.querySelector("[data-hint]");
    this.queue = new LogQueue(consignment, () => this.showStand());
    for (const box of Object.values(this.inputs)) {
      box.addEventListener("input", () => {
        box.removeAttribute("aria-invalid");
        this.show();
      });
    }
    window.addEventListener("beforeunload", (event) => {
      if (this.queue.waiting || this.unsaved) event.preventDefault();
    });
  }

  get values() {
    return Object.fromEntries(Object.entries(this.inputs).map(([name, box]) => [name, box.value]));
  }

  /** How many rows hold a log that could not be saved. */
  get unsaved() {
    return document.querySelectorAll("tr.unsaved").length;
  }

  /** Called whenever another number of logs waits or is unsaved. */
  showStand() {}

  /** Show what the boxes come to, after each change of them. */
  show() {
    const { length, breadth, height } = this.values;
    if (this.#given.typed !== JSON.stringify(this.values)) this.#given = {};
    this.showVolume(litres(length, breadth, height));
  }

  async add() {
    const { values } = this;
    const { key = newKey() } = this.#given;
    const row = this.drawWaiting(values);
    this.empty();
    this.say("");
    this.show();
    this.first.focus();
    const { log, refused, fields } = await this.queue.add(values, key, (why) => tell(row, why));
    const giveBack = () => {
      row.remove();
      this.#giveBack(values, key, refused, fields);
    };
    if (log) this.drawSaved(row, log);
    else if (this.#isFree()) giveBack();
    else this.#hold(row, refused, giveBack);
    this.showStand();
  }

  /** Say what is in the way of what the boxes hold. */
  say(words) {
    this.wrong.replaceChildren(...(words ? [wrong(words)] : []));
  }

  #isFree() {
    return Object.entries(this.inputs).every(([name, box]) => name === STAYS || !box.value);
  }

  #giveBack(values, key, refused, fields) {
    for (const [name, box] of Object.entries(this.inputs)) {
      box.value = values[name];
      if (fields[name]) box.setAttribute("aria-invalid", "true");
      else box.removeAttribute("aria-invalid");
    }
    this.#given = { key, typed: JSON.stringify(this.values) };
    this.show();
    this.say(refused);
    (Object.entries(this.inputs).find(([name]) => fields[name])?.[1] ?? this.first).focus();
  }

  #hold(row, refused, giveBack) {
    row.className = "unsaved";
    const actions = document.createElement("div");
    actions.className = "actions";
    actions.append(button("Correct it", () => {
      giveBack();
      this.showStand();
    }), button("Drop it", () => {
      row.remove();
      this.first.focus();
      this.showStand();
    }));
    tell(row, refused).after(actions);
  }
}

function tell(row, words) {
  const said = wrong(words);
  said.setAttribute("role", "alert");
  const place = row.children[1];
  place.querySelector(".wrong")?.remove();
  place.append(said);
  return said;
}

function wrong(words) {
  const said = document.createElement("p");
  said.className = "wrong";
  said.textContent = words;
  return said;
}

function button(words, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "btn slim";
  made.textContent = words;
  made.addEventListener("click", act);
  return made;
}
