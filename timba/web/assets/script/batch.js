// The batch of uploads: its files, the state of each, and the queue that sends them in order.

import { sendRequest } from "./http.js";
import { releaseRows, restoreRows, saveRows } from "./persistence.js";
import { scheduleRefresh } from "./live-updates.js";
import { createElement, fetchRows, showDuplicate, updateElement } from "./upload-rows.js";
import { compareWithStored } from "./same-bytes.js";
import { deleteUpload } from "./parts-request.js";
import { createRow, readFields } from "./upload-fields.js";
import { readLimits, validate } from "./validation.js";
import { findMissing, isMissing, updateArrived, withoutListed } from "./unfinished.js";
import { uploadFile } from "./upload-request.js";
import { drawThumbnail } from "./thumbnails.js";
import { unwatchTask, watchTask } from "./polling.js";

const MAX_PARALLEL_UPLOADS = 3;
const FETCH_DELAY_MS = 150; // files that finish close to each other are fetched in one request
const FETCH_RETRY_MS = 3000;
const FINAL_STATES = { SUCCESS: "ok", FAILURE: "failure" };

export class Batch {
  #sending = 0;
  #toFetch = new Map();
  #fetchTimer = 0;

  constructor(form, list, onChange) {
    this.form = form;
    this.list = list;
    this.limits = readLimits(form);
    this.target = { url: form.action, ...form.dataset };
    const { user, client, field, consignment } = form.dataset;
    this.storageName = `timba.batch.${user}.${client}.${field}${consignment ? `.${consignment}` : ""}`;
    this.isHandedOver = list.dataset.handOver !== undefined;
    this.onChange = onChange;
    this.rows = [];
  }

  /** Restore the rows that were stored before a reload. */
  restore() {
    for (const row of restoreRows(this.storageName)) {
      this.#append(row);
      if (row.id) this.#fetch(row);
      else if (row.uploadUrl) this.#updateArrived(row);
    }
    this.#changed();
    window.addEventListener("pagehide", () => releaseRows(this.storageName, this.rows));
  }

  async add(files) {
    const newRows = this.#resume([...files]).map((file) => createRow(this.form, file));
    const capacity = this.#makeRoom(newRows.length);
    for (const [index, row] of newRows.entries()) {
      row.sentence = index < capacity ? await validate(row.file, this.limits) || undefined : this.#batchFullSentence();
      row.state = row.sentence ? "refused" : "queued";
      this.#append(row);
      if (!row.sentence) this.#drawThumbnail(row);
    }
    this.#compare(newRows.filter(({ state }) => state === "queued"));
    this.#changed();
    this.#sendNext();
  }

  /** Remove a row, and what has arrived of its file; if that fails, the row stays and says so. */
  async remove(row) {
    row.isRemoved = true;
    row.abort?.();
    if (row.task) unwatchTask(row.task);
    if (row.uploadUrl && !row.id && !(await deleteUpload(row, this.target))) {
      this.#show(row, { isRemoved: false, state: "waiting", file: undefined, sentence: "It could not be discarded: the connection broke. Discard it again, or choose it again to go on." });
      return;
    }
    row.element.remove();
    this.rows = this.rows.filter((other) => other !== row);
    this.#changed();
  }

  /** Send a file again under the same key, perhaps only the response was lost; or one that waited for a decision. */
  sendAgain(row) {
    this.#show(row, { state: "queued", sentence: undefined, twin: undefined, canSendAgain: false, isSignedOut: false, progress: row.uploadUrl ? row.progress : 0 });
    this.#sendNext();
  }

  /** After signing in again, try one of the files that were refused without; once it is accepted, the others follow. */
  sendSignedOut() {
    const row = this.rows.find(({ isSignedOut }) => isSignedOut);
    if (row) this.sendAgain(row);
  }

  /** Have a file with the status FAILURE processed again. */
  async retry(row) {
    const { status, body } = await sendRequest(`/api/files/${row.id}/retry/`, { method: "POST" });
    if (status === 202 || status === 409) this.#watch(row);
    else if (status === 404) this.remove(row);
    else row.element.querySelector(".summary").textContent = body.detail ?? "It could not be asked for again. The file is safe; try again.";
  }

  clear() {
    for (const row of [...this.rows]) if (row.state === "ok" || row.state === "refused" || row.state === "failure") this.remove(row);
  }

  rowOf(element) {
    const item = element.closest("li");
    return this.rows.find((row) => row.element === item);
  }

  /** The rows that are lost with the page, including rejected files that can be sent again. */
  get unsent() {
    return this.rows.filter(({ state, file, canSendAgain }) => state === "queued" || state === "sending" || (state === "waiting" && file) || canSendAgain);
  }

  /** The rows of files that are stored already, and wait for a decision. */
  get twins() {
    return this.rows.filter(({ twin }) => twin);
  }

  // Hands the files to the rows that miss them, and returns those that are new.
  #resume(files) {
    const resumed = [];
    const unknown = files.filter((file) => {
      const row = findMissing(this.rows, file, readFields(this.form, file));
      if (!row) return true;
      this.#show(row, { file, state: "queued", isHeld: true, sentence: undefined, wentOnAt: row.offset });
      this.#drawThumbnail(row);
      resumed.push(row);
      return false;
    });
    this.#compare(resumed);
    return unknown.length < files.length ? withoutListed(unknown, this.rows) : unknown;
  }

  #drawThumbnail(row) {
    if (/^image\//.test(row.file.type)) drawThumbnail(row.file, row);
  }

  #compare(rows) {
    compareWithStored(rows, this.target, (row, twin) => {
      if (twin && row.state === "queued" && !row.isRemoved) this.#show(row, { state: "waiting", twin });
      this.#sendNext();
    });
  }

  async #updateArrived(row) {
    const outcome = await updateArrived(row, this.target);
    if (outcome) this.#accept(row, { id: outcome.file_id, task: outcome.task_id, duplicate: outcome.duplicate });
    else if (isMissing(row)) this.#show(row, {});
  }

  #show(row, changes) {
    updateElement(Object.assign(row, changes));
    this.#changed();
  }

  // Removes rows of finished files to make room for new ones.
  #makeRoom(count) {
    for (const state of ["ok", "refused", "failure"]) {
      for (const row of [...this.rows]) {
        if (this.rows.length + count <= this.limits.maxFiles) break;
        if (row.state === state) this.remove(row);
      }
    }
    return this.limits.maxFiles - this.rows.length;
  }

  #batchFullSentence() {
    return this.limits.maxFiles === 1
      ? "Not sent: one file at a time here. Send it once the other is sent."
      : `Not sent: a batch holds ${this.limits.maxFiles} files. Send it with the next.`;
  }

  #append(row) {
    row.element = createElement(row);
    this.rows.push(row);
    this.list.append(row.element);
    updateElement(row);
  }

  #sendNext() {
    while (this.#sending < MAX_PARALLEL_UPLOADS) {
      const row = this.rows.find(({ state, isHeld, isRemoved }) => state === "queued" && !isHeld && !isRemoved);
      if (!row) return;
      this.#sending += 1;
      this.#send(row).finally(() => {
        this.#sending -= 1;
        this.#sendNext();
      });
    }
  }

  async #send(row) {
    this.#show(row, { state: "sending" });
    const result = await uploadFile(row, this.target, {
      onBegun: () => this.#changed(),
      onProgress: (progress) => {
        Object.assign(row, { progress, sentence: undefined });
        updateElement(row);
        this.onChange(this);
      },
      onPause: (sentence) => {
        row.sentence = sentence;
        updateElement(row);
      },
    });
    if (result.isRemoved) return;
    if (result.error) this.#reject(row, result);
    else this.#accept(row, result);
  }

  #reject(row, { error, canSendAgain, isSignedOut }) {
    if (row.uploadUrl && !canSendAgain) {
      deleteUpload(row, this.target); // what is left of it would count against the quota
      row.uploadUrl = undefined;
    }
    this.#show(row, { state: "refused", sentence: error, canSendAgain, isSignedOut });
  }

  #accept(row, { id, task, status, duplicate }) {
    for (const other of this.rows) if (other.isSignedOut) this.sendAgain(other);
    if (this.isHandedOver && !duplicate) {
      // The page shows it in its list of files from here on.
      this.#drop(row);
      this.#changed();
      scheduleRefresh();
      return;
    }
    Object.assign(row, { id, task, duplicate, sentence: undefined, uploadUrl: undefined });
    row.file = undefined; // so that the browser can free the bytes
    if (FINAL_STATES[status]) this.#fetch(row);
    else this.#watch(row);
  }

  #watch(row) {
    if (row.state === "ok" || row.state === "failure") this.#resetElement(row);
    Object.assign(row, { state: "checking", progress: 0, rowsRead: 0 });
    updateElement(row);
    this.#changed();
    watchTask(row.task, ({ status, progress, rows_read: rowsRead }) => {
      if (status === "PENDING") {
        Object.assign(row, { progress, rowsRead });
        updateElement(row);
      } else this.#fetch(row);
    });
  }

  #resetElement(row) {
    const element = createElement(row);
    if (row.thumbnail) element.querySelector(".thumb").replaceWith(row.thumbnail);
    row.element.replaceWith(element);
    row.element = element;
  }

  #fetch(row, delay = FETCH_DELAY_MS) {
    this.#toFetch.set(row.key, row);
    clearTimeout(this.#fetchTimer);
    this.#fetchTimer = setTimeout(() => this.#fetchAll(), delay);
  }

  async #fetchAll() {
    const rows = [...this.#toFetch.values()];
    this.#toFetch.clear();
    const elements = await fetchRows(this.form.dataset.rowsUrl, [...new Set(rows.map(({ id }) => id))]);
    for (const row of rows) {
      if (!elements) this.#fetch(row, FETCH_RETRY_MS);
      else if (elements.has(row.id)) this.#showResult(row, elements.get(row.id).cloneNode(true));
      else this.#drop(row);
    }
    this.#changed();
  }

  #showResult(row, element) {
    const state = FINAL_STATES[element.dataset.status];
    if (!state) {
      row.task = element.dataset.task;
      this.#watch(row);
      return;
    }
    row.state = state;
    element.dataset.state = state;
    if (row.thumbnail) element.querySelector(".thumb").replaceWith(row.thumbnail);
    if (row.duplicate && state === "ok") showDuplicate(element);
    row.element.replaceWith(element);
    row.element = element;
  }

  // Used when the file was deleted meanwhile: nothing is left to show.
  #drop(row) {
    row.element.remove();
    this.rows = this.rows.filter((other) => other !== row);
  }

  #changed() {
    saveRows(this.storageName, this.rows);
    this.onChange(this);
  }
}
