// The batch: which files are in it, how each stands, and the queue that sends them in the order of the drop.

import { ask } from "./http.js";
import { keep, recall, release } from "./persistence.js";
import { redraw } from "./live.js";
import { draw, fetchRows, makeElement } from "./rows.js";
import { limitsOf, refusal } from "./rules.js";
import { newKey, send } from "./send.js";
import { drawThumb } from "./thumbs.js";
import { unwatch, watch } from "./watch.js";

const AT_A_TIME = 3;
const TOGETHER = 150; // settled files are fetched as one list
const PATIENCE = 3000;
const SETTLED = { SUCCESS: "ok", FAILURE: "failure" };

export class Batch {
  #sending = 0;
  #toFetch = new Map();
  #fetching = 0;

  constructor(form, list, onChange) {
    this.form = form;
    this.list = list;
    this.limits = limitsOf(form);
    this.place = `timba.batch.${form.dataset.reader}.${form.dataset.field}${form.dataset.into ? `.${form.dataset.into}` : ""}`;
    this.handsOver = list.dataset.handOver !== undefined;
    this.onChange = onChange;
    this.rows = [];
  }

  /** Bring back what a reload left behind. */
  restore() {
    for (const row of recall(this.place)) {
      this.#append(row);
      if (row.id) this.#fetch(row);
    }
    this.#changed();
    window.addEventListener("pagehide", () => release(this.place, this.rows));
  }

  async add(files) {
    const fresh = [...files].map((file) => ({ file, name: file.name, size: file.size, key: newKey(), fields: this.#fields(), state: "queued", progress: 0 }));
    const room = this.#makeRoom(fresh.length);
    for (const [at, row] of fresh.entries()) {
      row.sentence = at < room ? await refusal(row.file, this.limits) || undefined : this.#full();
      row.state = row.sentence ? "refused" : "queued";
      this.#append(row);
      if (!row.sentence && /^image\//.test(row.file.type)) drawThumb(row.file, row);
    }
    this.#changed();
    this.#sendNext();
  }

  leave(row) {
    row.left = true;
    row.abort?.();
    if (row.task) unwatch(row.task);
    row.element.remove();
    this.rows = this.rows.filter((other) => other !== row);
    this.#changed();
  }

  /** Send a file once more, under the same key: the answer alone may have been lost. */
  again(row) {
    Object.assign(row, { state: "queued", sentence: undefined, again: false, progress: 0 });
    draw(row);
    this.#changed();
    this.#sendNext();
  }

  /** Have a file in FAILURE processed again. */
  async retry(row) {
    const { status, body } = await ask(`/api/files/${row.id}/retry/`, { method: "POST" });
    if (status === 202 || status === 409) this.#follow(row);
    else if (status === 404) this.leave(row);
    else row.element.querySelector(".say").textContent = body.detail ?? "It could not be asked for again. The file is safe; try again.";
  }

  clear() {
    for (const row of [...this.rows]) if (row.state === "ok" || row.state === "refused" || row.state === "failure") this.leave(row);
  }

  rowOf(element) {
    const item = element.closest("li");
    return this.rows.find((row) => row.element === item);
  }

  /** What is lost with the page: also what was refused and can be tried again. */
  get unsent() {
    return this.rows.filter(({ state, again }) => state === "queued" || state === "sending" || again);
  }

  // Files that are done make room for new ones: they stay under Files.
  #makeRoom(wanted) {
    for (const state of ["ok", "refused", "failure"]) {
      for (const row of [...this.rows]) {
        if (this.rows.length + wanted <= this.limits.most) break;
        if (row.state === state) this.leave(row);
      }
    }
    return this.limits.most - this.rows.length;
  }

  #full() {
    return this.limits.most === 1
      ? "Not sent: one file at a time here. Send it once the other is sent."
      : `Not sent: a batch holds ${this.limits.most} files. Send it with the next.`;
  }

  #append(row) {
    row.element = makeElement(row);
    this.rows.push(row);
    this.list.append(row.element);
    draw(row);
  }

  // Read at the drop: choosing another consignment later must not move what is still queued.
  #fields() {
    const fields = [...new FormData(this.form).entries()];
    return Object.fromEntries(fields.filter(([name, value]) => typeof value === "string" && name !== "csrfmiddlewaretoken"));
  }

  #sendNext() {
    while (this.#sending < AT_A_TIME) {
      const row = this.rows.find(({ state }) => state === "queued");
      if (!row) return;
      this.#sending += 1;
      this.#send(row).finally(() => {
        this.#sending -= 1;
        this.#sendNext();
      });
    }
  }

  async #send(row) {
    row.state = "sending";
    draw(row);
    this.#changed();
    const answer = await send(row, { url: this.form.action, field: this.form.dataset.field }, {
      onProgress: (progress) => {
        Object.assign(row, { progress, sentence: undefined });
        draw(row);
        this.onChange(this);
      },
      onPause: (why, seconds) => {
        row.sentence = `${why}. It goes on by itself in ${seconds} s.`;
        draw(row);
      },
    });
    if (answer.left) return;
    if (answer.refused) this.#refuse(row, answer);
    else this.#taken(row, answer);
  }

  #refuse(row, { refused, again }) {
    Object.assign(row, { state: "refused", sentence: refused, again });
    draw(row);
    this.#changed();
  }

  #taken(row, { id, task, status, duplicate }) {
    if (this.handsOver && !duplicate) {
      // The page shows it among its files from here on.
      this.#gone(row);
      this.#changed();
      redraw();
      return;
    }
    Object.assign(row, { id, task, duplicate, sentence: undefined });
    row.file = undefined; // the browser may let the bytes go
    if (SETTLED[status]) this.#fetch(row);
    else this.#follow(row);
  }

  #follow(row) {
    if (row.state === "ok" || row.state === "failure") this.#redraw(row);
    Object.assign(row, { state: "checking", progress: 0 });
    draw(row);
    this.#changed();
    watch(row.task, ({ status, progress }) => {
      if (status === "PENDING") {
        row.progress = progress;
        draw(row);
      } else this.#fetch(row);
    });
  }

  #redraw(row) {
    const element = makeElement(row);
    if (row.thumb) element.querySelector(".thumb").replaceWith(row.thumb);
    row.element.replaceWith(element);
    row.element = element;
  }

  #fetch(row, after = TOGETHER) {
    this.#toFetch.set(row.key, row);
    clearTimeout(this.#fetching);
    this.#fetching = setTimeout(() => this.#fetchAll(), after);
  }

  async #fetchAll() {
    const rows = [...this.#toFetch.values()];
    this.#toFetch.clear();
    const drawn = await fetchRows(this.form.dataset.rows, [...new Set(rows.map(({ id }) => id))]);
    for (const row of rows) {
      if (!drawn) this.#fetch(row, PATIENCE);
      else if (drawn.has(row.id)) this.#settle(row, drawn.get(row.id).cloneNode(true));
      else this.#gone(row);
    }
    this.#changed();
  }

  #settle(row, element) {
    const state = SETTLED[element.dataset.status];
    if (!state) {
      row.task = element.dataset.task;
      this.#follow(row);
      return;
    }
    row.state = state;
    element.dataset.state = state;
    if (row.thumb) element.querySelector(".thumb").replaceWith(row.thumb);
    if (row.duplicate && state === "ok") tellTwin(element);
    row.element.replaceWith(element);
    row.element = element;
  }

  // Deleted meanwhile, here or elsewhere: nothing is left to show.
  #gone(row) {
    row.element.remove();
    this.rows = this.rows.filter((other) => other !== row);
  }

  #changed() {
    keep(this.place, this.rows);
    this.onChange(this);
  }
}

function tellTwin(element) {
  const since = element.querySelector(".when time")?.cloneNode(true);
  if (since) element.querySelector(".say").replaceChildren("Already here since ", since, "; kept once.");
}
