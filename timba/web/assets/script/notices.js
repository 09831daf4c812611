// What was just done, told where it was asked for. An Undo is offered for ten seconds, and for as long as it is used.

const UNDO_MS = 10_000;
const AGAIN_MS = 1000;
const ANNOUNCED_AFTER_MS = 500; // by then, screen readers know the region

let shown = null;
let timer = 0;

/** Show a sentence about what could not be done. */
export function showNotice(sentence) {
  const notice = document.createElement("p");
  notice.className = "notice bad";
  notice.tabIndex = -1;
  notice.dataset.notice = "";
  notice.textContent = sentence;
  document.getElementById("notice").replaceChildren(notice);
  watchNotice();
}

/** Take away each Undo after its time. */
export function setUpNotices() {
  const region = document.getElementById("notice");
  if (!region) return;
  watchNotice();
  document.addEventListener("htmx:after:swap", watchNotice);
  // What is on a page from its start is not read out.
  setTimeout(() => {
    if (!region.contains(document.activeElement)) region.replaceChildren(...region.childNodes);
  }, ANNOUNCED_AFTER_MS);
}

function watchNotice() {
  const notice = document.querySelector("[data-notice]");
  if (notice === shown) return;
  const isFirst = document.readyState === "loading" || document.readyState === "interactive";
  shown = notice;
  clearTimeout(timer);
  if (!notice) return;
  if (!isFirst) takeFocusIfLost(notice);
  if (notice.querySelector("[data-undo]")) timer = setTimeout(() => endUndo(notice), UNDO_MS);
}

// The button that was pressed may be gone, and the focus with it.
function takeFocusIfLost(notice) {
  const focused = document.activeElement;
  if (!focused || focused === document.body || !focused.checkVisibility()) notice.focus({ preventScroll: true });
}

function endUndo(notice) {
  if (notice.matches(":hover, :focus-visible") || notice.querySelector(":focus-visible")) {
    timer = setTimeout(() => endUndo(notice), AGAIN_MS);
    return;
  }
  const hasFocus = notice.contains(document.activeElement);
  if (notice.querySelector(".refused")) notice.querySelector("[data-undo]").remove();
  else notice.remove();
  if (hasFocus) document.getElementById("main").focus({ preventScroll: true });
}
