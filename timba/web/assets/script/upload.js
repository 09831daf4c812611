// The upload pages: files come by drop, by choice, by camera or by paste, and go into the batch.

import { Batch } from "./batch.js";
import { Summary } from "./summary.js";

/** Serve the page's upload form, if it has one. */
export function takeUploads() {
  const form = document.querySelector("form[data-upload]");
  if (!form) return;
  const page = document.getElementById("main");
  const list = page.querySelector("[data-batch]");
  const summary = new Summary(page);
  const batch = new Batch(form, list, (changed) => summary.draw(changed));
  batch.restore();
  takeChoices(page, batch);
  if (form.dataset.closed === undefined) takeDrops(form, batch);
  answerRows(page, list, batch);
  window.addEventListener("beforeunload", (event) => {
    if (batch.unsent.length) event.preventDefault();
  });
}

function takeChoices(page, batch) {
  for (const button of page.querySelectorAll("[data-choose]")) {
    const input = document.getElementById(button.dataset.choose);
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") !== "true") input.click();
    });
  }
  for (const input of page.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      const files = [...input.files];
      input.value = ""; // so that the same file can be chosen again
      batch.add(files);
    });
  }
}

function takeDrops(form, batch) {
  const words = form.querySelector("[data-drop-words]");
  const usual = words.textContent;
  let depth = 0;
  const leave = () => {
    depth = 0;
    form.classList.remove("over");
    words.textContent = usual;
  };
  window.addEventListener("dragenter", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    depth += 1;
    const count = event.dataTransfer.items.length;
    const into = form.elements.consignment_id?.selectedOptions?.[0];
    form.classList.add("over");
    words.textContent = `Let go: ${count === 1 ? "1 file" : `${count} files`}${into?.value ? ` for ${into.textContent.trim()}` : ""}`;
  });
  window.addEventListener("dragleave", () => {
    depth -= 1;
    if (depth <= 0) leave();
  });
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    leave();
    if (event.dataTransfer?.files.length) batch.add(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) batch.add(event.clipboardData.files);
  });
}

function answerRows(page, list, batch) {
  list.addEventListener("click", (event) => {
    const row = batch.rowOf(event.target);
    if (!row) return;
    if (event.target.closest("[data-leave]")) batch.leave(row);
    else if (event.target.closest("[data-again]")) batch.again(row);
  });
  // A settled row is the server's own; its retry form works without this page, too.
  list.addEventListener("submit", (event) => {
    const row = batch.rowOf(event.target);
    if (!row || !event.target.matches("[data-retry]")) return;
    event.preventDefault();
    batch.retry(row);
  });
  page.querySelector("[data-retry-all]")?.addEventListener("click", () => {
    for (const row of batch.rows) if (row.state === "failure") batch.retry(row);
  });
  page.querySelector("[data-clear]")?.addEventListener("click", () => batch.clear());
}
