// Questions are asked and answered in place: no dialogs, and the keyboard never loses its way.

/** Close an open question by its "keep" button or by Escape, and give the focus back to what opened it. */
export function answerInPlace() {
  const close = (question) => {
    question.open = false;
    question.querySelector("summary").focus();
  };
  document.addEventListener("click", (event) => {
    const keep = event.target.closest("[data-keep]");
    if (keep) close(keep.closest("details"));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const question = event.target.closest?.("details.ask[open]");
    if (question) close(question);
  });
  document.addEventListener("htmx:after:swap", () => {
    const asked = document.querySelector("#main [autofocus]");
    if (asked && !asked.contains(document.activeElement)) asked.focus();
  });
}

/** Let a typed password be seen. */
export function showPasswords() {
  for (const button of document.querySelectorAll("[data-show]")) {
    const input = document.getElementById(button.dataset.show);
    button.hidden = false;
    button.addEventListener("click", () => {
      const shown = input.type === "text";
      input.type = shown ? "password" : "text";
      button.firstChild.data = shown ? "Show" : "Hide";
      button.setAttribute("aria-pressed", String(!shown));
      input.focus();
    });
  }
}
