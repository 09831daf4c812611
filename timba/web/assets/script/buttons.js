// Buttons that only a script can serve: they are hidden until it is here.

/** Print the page that is made for paper; show the rows that a phone leaves out at first. */
export function serveButtons() {
  serve("[data-print]", () => window.print());
  serve("[data-whole]", (button) => {
    document.getElementById(button.dataset.whole).classList.add("whole");
    button.hidden = true;
  });
}

function serve(buttons, act) {
  for (const button of document.querySelectorAll(buttons)) {
    button.hidden = false;
    button.addEventListener("click", () => act(button));
  }
}
