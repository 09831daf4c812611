// Buttons that only a script can serve, even where they are drawn anew; links that need a page on a phone.

const PHONE = matchMedia("(max-width: 60rem)");

/** Print the page that is made for paper; show the rows that a phone leaves out at first. */
export function serveButtons() {
  document.addEventListener("click", ({ target }) => {
    if (target.closest("[data-print]")) window.print();
    const whole = target.closest("[data-whole]");
    if (whole) document.getElementById(whole.dataset.whole).classList.add("whole");
  });
}

/** Let links of `[data-page-on-phone]` lead to their page where there is no room to answer in place. */
export function turnPagesOnPhones() {
  document.addEventListener("click", (event) => {
    if (PHONE.matches && event.target.closest("[data-page-on-phone] a")) event.stopPropagation();
  }, true);
}
