// Draws the rows of the upload pages until their files are processed; then the server renders them.

import { sendRequest } from "./http.js";
import { formatPercent, formatRows, formatSize } from "./format.js";
import { extensionOf } from "./validation.js";

const LABELS = { queued: "Queued", sending: "Sending", checking: "Checking", waiting: "Waits for you", refused: "Refused" };
const ICONS = {
  jpg: "photo", jpeg: "photo", jfif: "photo", png: "photo", webp: "photo", pdf: "document", xlsx: "sheet", csv: "temperatures", gz: "temperatures",
};
const MAX_IDS_PER_REQUEST = 100;

export const labelOf = (state) => ({ ok: "SUCCESS", failure: "FAILURE", ...LABELS })[state];
const STATE_ICONS = { ok: "success", waiting: "warn" };
export const iconOf = (state) => STATE_ICONS[state] ?? state;

/** Create the element of a row from the template of the page. */
export function createElement(row) {
  const element = document.getElementById("upload-row").content.firstElementChild.cloneNode(true);
  element.querySelector(".thumb use").setAttribute("href", `#i-${ICONS[extensionOf(row.name)] ?? "files"}`);
  const name = element.querySelector(".name");
  name.textContent = row.name;
  name.title = row.name;
  element.querySelector(".size").textContent = formatSize(row.size);
  return element;
}

/** Update the element of a row whose file has not been processed yet. */
export function updateElement(row) {
  const { element, state } = row;
  element.dataset.state = state;
  element.classList.toggle("is-bad", state === "refused");
  const badge = element.querySelector(".state");
  badge.className = `state ${state}`;
  badge.querySelector("use").setAttribute("href", `#i-${iconOf(state)}`);
  badge.querySelector("span").textContent = LABELS[state];
  updateSummary(row);
  updateActions(row);
}

function updateSummary({ element, state, progress, rowsRead, sentence, twin, wentOnAt, name }) {
  const bar = element.querySelector(".bar-row");
  const words = element.querySelector(".words");
  bar.hidden = Boolean(sentence) || (state !== "sending" && state !== "checking");
  if (twin) words.replaceChildren(...tellTwin(twin));
  else words.textContent = sentence ?? "";
  if (bar.hidden) return;
  const progressBar = bar.querySelector("progress");
  progressBar.value = progress;
  progressBar.setAttribute("aria-label", `${LABELS[state]} ${name}`);
  bar.querySelector("[data-percent]").textContent = formatPercent(progress);
  bar.querySelector("[data-rows-read]").textContent = state === "sending" && wentOnAt ? `It goes on from ${formatSize(wentOnAt, Math.floor)}` : formatRows(rowsRead);
}

function tellTwin({ id, name, kind, place }) {
  const link = document.createElement("a");
  link.href = `/files/${id}/`;
  link.textContent = name;
  return [`The same ${kind === "photo" ? "photo" : "file"} is here already: `, link, place ? ` of ${place}.` : "."];
}

function updateActions({ element, state, canSendAgain, name, file, twin, uploadUrl }) {
  const remove = element.querySelector(".row-actions [data-remove]");
  const sendAgain = element.querySelector("[data-send-again]");
  remove.hidden = state === "checking" || state === "waiting";
  remove.setAttribute("aria-label", `${state === "refused" ? "Remove" : "Leave out"} ${name}`);
  const choices = element.querySelector(".choices");
  choices.hidden = state !== "waiting";
  const labels = twin ? ["Send anyway", "Leave out"] : ["Choose again", uploadUrl ? "Discard" : "Leave out"];
  for (const [index, button] of [...choices.children].entries()) {
    button.textContent = labels[index];
    button.setAttribute("aria-label", `${labels[index]} ${name}`);
  }
  sendAgain.hidden = !(canSendAgain && file);
  sendAgain.setAttribute("aria-label", `Try ${name} again`);
}

/** Fetch the rendered rows of the files, as a map from file id to element; null if a request fails. */
export async function fetchRows(url, ids) {
  const rows = new Map();
  for (let from = 0; from < ids.length; from += MAX_IDS_PER_REQUEST) {
    const query = new URLSearchParams(ids.slice(from, from + MAX_IDS_PER_REQUEST).map((id) => ["id", id]));
    const { ok, text } = await sendRequest(`${url}?${query}`, { headers: { Accept: "text/html" } });
    if (!ok) return null;
    const template = document.createElement("template");
    template.innerHTML = text;
    for (const element of template.content.querySelectorAll("li[data-file]")) rows.set(element.dataset.file, element);
  }
  return rows;
}

/** Say in a rendered row that its file was here before. */
export function showDuplicate(element) {
  const since = element.querySelector(".when time")?.cloneNode(true);
  if (since) element.querySelector(".summary").replaceChildren("Already here since ", since, "; kept once.");
}
