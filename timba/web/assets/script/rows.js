// Draws the rows of the upload pages: what is local is drawn here, what is settled is the server's own row.

import { ask } from "./http.js";
import { percent, size } from "./format.js";
import { ending } from "./rules.js";

const WORDS = { queued: "Queued", sending: "Sending", checking: "Checking", refused: "Refused" };
const ICONS = {
  jpg: "photo", jpeg: "photo", png: "photo", webp: "photo", heic: "photo", pdf: "document", xlsx: "sheet", csv: "temperatures", gz: "temperatures",
};
const AT_MOST = 100;

export const wordOf = (state) => ({ ok: "SUCCESS", failure: "FAILURE", ...WORDS })[state];
export const iconOf = (state) => (state === "ok" ? "success" : state);

/** Make a row's element from the page's template. */
export function makeElement(row) {
  const element = document.getElementById("row").content.firstElementChild.cloneNode(true);
  element.querySelector(".thumb use").setAttribute("href", `#i-${ICONS[ending(row.name)] ?? "files"}`);
  const name = element.querySelector(".name");
  name.textContent = row.name;
  name.title = row.name;
  element.querySelector(".size").textContent = size(row.size);
  return element;
}

/** Draw what has changed of a row that is not settled yet. */
export function draw(row) {
  const { element, state } = row;
  element.dataset.state = state;
  element.classList.toggle("is-bad", state === "refused");
  const shown = element.querySelector(".state");
  shown.className = `state ${state}`;
  shown.querySelector("use").setAttribute("href", `#i-${iconOf(state)}`);
  shown.querySelector("span").textContent = WORDS[state];
  drawSay(row);
  drawAct(row);
}

function drawSay({ element, state, progress, sentence, name }) {
  const bar = element.querySelector(".go");
  const words = element.querySelector(".words");
  bar.hidden = Boolean(sentence) || (state !== "sending" && state !== "checking");
  words.textContent = sentence ?? "";
  if (bar.hidden) return;
  const meter = bar.querySelector("progress");
  meter.value = progress;
  meter.setAttribute("aria-label", `${WORDS[state]} ${name}`);
  bar.querySelector("[data-percent]").textContent = percent(progress);
}

function drawAct({ element, state, again, name, file }) {
  const leave = element.querySelector("[data-leave]");
  const retry = element.querySelector("[data-again]");
  leave.hidden = state === "checking";
  leave.setAttribute("aria-label", `${state === "refused" ? "Remove" : "Leave out"} ${name}`);
  retry.hidden = !(again && file);
  retry.setAttribute("aria-label", `Try ${name} again`);
}

/** Fetch the server's rows of these files, as a map from file id to element. */
export async function fetchRows(url, ids) {
  const rows = new Map();
  for (let from = 0; from < ids.length; from += AT_MOST) {
    const query = new URLSearchParams(ids.slice(from, from + AT_MOST).map((id) => ["id", id]));
    const { ok, text } = await ask(`${url}?${query}`, { headers: { Accept: "text/html" } });
    if (!ok) return null;
    const holder = document.createElement("template");
    holder.innerHTML = text;
    for (const element of holder.content.querySelectorAll("li[data-file]")) rows.set(element.dataset.file, element);
  }
  return rows;
}
