// Confirmations in place of dialogs, forms that htmx inserts, and password inputs: all keep the focus right.

/** Close an open confirmation by its "keep" button or by Escape, and return the focus to its summary. */
export function setUpConfirmations() {
  const close = (confirmation) => {
    confirmation.open = false;
    confirmation.querySelector("summary").focus();
  };
  document.addEventListener("click", (event) => {
    const keep = event.target.closest("[data-keep]");
    if (keep) close(keep.closest("details"));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const confirmation = event.target.closest?.("details.ask[open]");
    if (confirmation) close(confirmation);
  });
  document.addEventListener("htmx:after:swap", () => {
    const input = document.querySelector("#main [autofocus]");
    if (input && !input.contains(document.activeElement)) input.focus();
  });
}

/** Let buttons show and hide the password in their input. */
export function setUpPasswordToggles() {
  for (const button of document.querySelectorAll("[data-show]")) {
    const input = document.getElementById(button.dataset.show);
    button.hidden = false;
    button.addEventListener("click", () => {
      const wasShown = input.type === "text";
      input.type = wasShown ? "password" : "text";
      button.firstChild.data = wasShown ? "Show" : "Hide";
      button.setAttribute("aria-pressed", String(!wasShown));
      input.focus();
    });
  }
}
