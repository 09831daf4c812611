// Buttons that need a script, and links that open a page of their own on a phone.

const PHONE = matchMedia("(max-width: 60rem)");

/** Print the page; show the rows that a phone hides at first. Works for buttons inserted later, too. */
export function setUpButtons() {
  document.addEventListener("click", ({ target }) => {
    if (target.closest("[data-print]")) window.print();
    const button = target.closest("[data-whole]");
    if (button) document.getElementById(button.dataset.whole).classList.add("whole");
  });
}

/** On a phone, let links in `[data-page-on-phone]` open their page instead of a form in place. */
export function setUpPhoneLinks() {
  document.addEventListener("click", (event) => {
    if (PHONE.matches && event.target.closest("[data-page-on-phone] a")) event.stopPropagation();
  }, true);
}
