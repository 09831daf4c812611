// Prints all logs of a consignment, however printing was started: its page holds only the newest, and the
// page for paper holds them all.

/** Replace the totals and logs by those of the paper while the page is printed. */
export function setUpWholePrint() {
  const paper = document.querySelector("[data-paper]");
  if (!paper) return;
  let printed = [];
  window.addEventListener("beforeprint", () => {
    if (isComplete()) return;
    const whole = loadNow(paper.href);
    // Without it the page says that it prints only a part.
    if (!whole) return;
    printed = [[".totals", "totals"], [".tallied", "logs"]].map(([selector, id]) => replaceInPrint(document.getElementById(id), whole.querySelector(selector)));
  });
  window.addEventListener("afterprint", () => {
    for (const restore of printed) restore();
    printed = [];
  });
}

function isComplete() {
  const count = document.querySelector("[data-log-count]").textContent.replaceAll(",", "");
  return document.querySelectorAll("#rows tr[data-log]").length === Number(count);
}

/** Load a page; undefined if that fails. The browser prints as soon as `beforeprint` is over: it cannot wait. */
function loadNow(url) {
  const request = new XMLHttpRequest();
  try {
    request.open("GET", url, false);
    request.send();
  } catch {
    return undefined;
  }
  const page = new DOMParser().parseFromString(request.responseText, "text/html");
  return request.status === 200 && page.querySelector(".tallied") ? page : undefined;
}

/** Print `whole` in place of `part`; return the function that ends it. */
function replaceInPrint(part, whole) {
  part.classList.add("not-printed");
  whole.classList.add("only-print");
  part.after(whole);
  return () => {
    part.classList.remove("not-printed");
    whole.remove();
  };
}
