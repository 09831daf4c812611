// Buttons that only a script can serve, hidden until it is here; and links that need a page on a phone.

const PHONE = matchMedia("(max-width: 60rem)");

/** Print the page that is made for paper; show the rows that a phone leaves out at first. */
export function serveButtons() {
  serve("[data-print]", () => window.print());
  serve("[data-whole]", (button) => {
    document.getElementById(button.dataset.whole).classList.add("whole");
    button.hidden = true;
  });
}

/** Let links of `[data-page-on-phone]` lead to their page where there is no room to answer in place. */
export function turnPagesOnPhones() {
  document.addEventListener("click", (event) => {
    if (PHONE.matches && event.target.closest("[data-page-on-phone] a")) event.stopPropagation();
  }, true);
}

function serve(buttons, act) {
  for (const button of document.querySelectorAll(buttons)) {
    button.hidden = false;
    button.addEventListener("click", () => act(button));
  }
}
