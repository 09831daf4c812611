// The upload pages: adds files to the batch by drop, file chooser, camera or paste.

import { Batch } from "./batch.js";
import { BatchSummary } from "./batch-summary.js";
import { readDropped } from "./dropped-files.js";

/** Set up the upload form of the page, if it has one. */
export function setUpBatchUpload() {
  const form = document.querySelector("form[data-upload]");
  if (!form) return;
  const page = document.getElementById("main");
  const list = page.querySelector("[data-batch]");
  const summary = new BatchSummary(page);
  const batch = new Batch(form, list, (changed) => summary.draw(changed));
  batch.restore();
  setUpFileChoosers(page, batch);
  if (form.dataset.blocked === undefined) setUpDropZone(form, batch);
  setUpRowActions(page, list, batch);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) batch.sendSignedOut();
  });
  window.addEventListener("beforeunload", (event) => {
    if (batch.unsent.length) event.preventDefault();
  });
}

function setUpFileChoosers(page, batch) {
  for (const button of page.querySelectorAll("[data-choose]")) {
    const input = document.getElementById(button.dataset.choose);
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") !== "true") input.click();
    });
  }
  for (const input of page.querySelectorAll("input[type=file]")) {
    const take = () => {
      const files = [...input.files];
      input.value = ""; // otherwise choosing the same file again fires no event
      if (files.length) batch.add(files);
    };
    input.addEventListener("change", take);
    take(); // what was chosen while the script was loading
  }
}

function setUpDropZone(form, batch) {
  const label = form.querySelector("[data-drop-label]");
  const initialText = label.textContent;
  let depth = 0;
  const leave = () => {
    depth = 0;
    form.classList.remove("over");
    label.textContent = initialText;
  };
  window.addEventListener("dragenter", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    depth += 1;
    const count = event.dataTransfer.items.length;
    const consignment = form.elements.consignment_id?.selectedOptions?.[0];
    form.classList.add("over");
    label.textContent = `Let go: ${count === 1 ? "1 file" : `${count} files`}${consignment?.value ? ` for ${consignment.textContent.trim()}` : ""}`;
  });
  window.addEventListener("dragleave", () => {
    depth -= 1;
    if (depth <= 0) leave();
  });
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", async (event) => {
    event.preventDefault();
    leave();
    if (event.dataTransfer?.files.length) batch.add(await readDropped(event.dataTransfer));
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) batch.add(event.clipboardData.files);
  });
}

function setUpRowActions(page, list, batch) {
  list.addEventListener("click", (event) => {
    const row = batch.rowOf(event.target);
    if (!row) return;
    if (event.target.closest("[data-remove]")) batch.remove(row);
    else if (event.target.closest("[data-send-again]")) batch.sendAgain(row);
    else if (event.target.closest("[data-go-on]") && row.file) batch.sendAgain(row);
    else if (event.target.closest("[data-go-on]")) document.getElementById("choose").click();
  });
  // The server renders the rows of processed files; their retry form works without a script, too.
  list.addEventListener("submit", (event) => {
    const row = batch.rowOf(event.target);
    if (!row || !event.target.matches("[data-retry]")) return;
    event.preventDefault();
    batch.retry(row);
  });
  page.querySelector("[data-retry-all]")?.addEventListener("click", () => {
    for (const row of batch.rows) if (row.state === "failure") batch.retry(row);
  });
  page.querySelector("[data-leave-twins]")?.addEventListener("click", () => {
    for (const row of batch.twins) batch.remove(row);
  });
  page.querySelector("[data-clear]")?.addEventListener("click", () => batch.clear());
}
