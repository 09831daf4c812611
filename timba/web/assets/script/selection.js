// Selects files of a list by their checkboxes, one, a range by Shift, or all that are shown.

import { formatCount } from "./format.js";

const BOX = "input.select";
const MAX_FILES = 1000; // that are changed at once

// Where the page inserts rows, a checkbox may go from one file to another: these ids are what is selected.
const selected = new Set();
let last = null;

const boxes = () => [...document.querySelectorAll(BOX)];

function mark(list, isSelected) {
  for (const box of list) {
    box.checked = isSelected;
    if (isSelected) selected.add(box.value);
    else selected.delete(box.value);
  }
  showSelection();
}

/** Select no file any more. */
export function clearSelection() {
  mark(boxes(), false);
}

/** Let the page's files be selected. */
export function setUpSelection() {
  const form = document.getElementById("selection");
  if (!form) return;
  // They may have been clicked before the script was loaded.
  mark(boxes().filter((box) => box.checked), true);
  document.addEventListener("click", (event) => {
    const box = event.target.closest?.(BOX);
    if (box) markRange(box, event.shiftKey);
  });
  form.querySelector('[data-select="all"]').addEventListener("click", () => mark(boxes(), true));
  form.querySelector('[data-select="none"]').addEventListener("click", () => {
    clearSelection();
    document.querySelector(BOX)?.focus();
  });
  document.addEventListener("htmx:after:swap", keepSelection);
}

function markRange(box, isRange) {
  const all = boxes();
  const from = isRange ? all.findIndex(({ value }) => value === last) : -1;
  const to = all.indexOf(box);
  const range = from < 0 ? [box] : all.slice(Math.min(from, to), Math.max(from, to) + 1);
  mark(range, box.checked);
  last = box.value;
}

/** Files that are not shown any more are not selected: nothing is done on what is not seen. */
function keepSelection() {
  const all = boxes();
  const ids = new Set(all.map(({ value }) => value));
  for (const id of selected) if (!ids.has(id)) selected.delete(id);
  for (const box of all) box.checked = selected.has(box.value);
  showSelection();
}

function showSelection() {
  const form = document.getElementById("selection");
  const isTooMany = selected.size > MAX_FILES;
  form.querySelector("[data-selected]").textContent = `${formatCount(selected.size, "file")} selected`;
  form.querySelector("[data-too-many]").hidden = !isTooMany;
  form.querySelector("[data-actions]").disabled = isTooMany;
  for (const button of form.querySelectorAll("[data-for]")) {
    button.hidden = !document.querySelector(`[data-status="${button.dataset.for}"] ${BOX}:checked`);
  }
}
