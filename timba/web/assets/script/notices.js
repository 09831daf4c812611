// What was just done, told where it was asked for: for ten seconds, with its Undo, and for as long as that is used.
// What was refused stays to be read.

const SHOWN_MS = 10_000;
const AGAIN_MS = 1000;
const ANNOUNCED_AFTER_MS = 500; // by then, screen readers know the region

let shown = null;
let timer = 0;

/** Show a sentence about what could not be done. */
export function showNotice(sentence) {
  const notice = document.getElementById("sentence").content.firstElementChild.cloneNode(true);
  notice.querySelector("p").textContent = sentence;
  document.getElementById("notice").replaceChildren(notice);
  watchNotice();
  takeFocusIfLost(notice);
}

/** Take away each notice after its time, or by its button. */
export function setUpNotices() {
  const region = document.getElementById("notice");
  if (!region) return;
  watchNotice();
  document.addEventListener("htmx:after:swap", () => {
    if (watchNotice()) takeFocusIfLost(shown);
  });
  region.addEventListener("click", ({ target }) => {
    if (target.closest("[data-close]")) remove(target.closest("[data-notice]"));
  });
  // What is on a page from its start is not read out.
  setTimeout(() => {
    if (!region.contains(document.activeElement)) region.replaceChildren(...region.childNodes);
  }, ANNOUNCED_AFTER_MS);
}

/** Start the time of a notice that has just been shown; return whether there is one. */
function watchNotice() {
  const notice = document.querySelector("[data-notice]");
  if (notice === shown) return false;
  shown = notice;
  clearTimeout(timer);
  if (notice) timer = setTimeout(() => end(notice), SHOWN_MS);
  return Boolean(notice);
}

// The button that was pressed may be gone, and the focus with it.
function takeFocusIfLost(notice) {
  const focused = document.activeElement;
  if (!focused || focused === document.body || !focused.checkVisibility()) notice.focus({ preventScroll: true });
}

function end(notice) {
  if (notice.matches(":hover, :focus-visible") || notice.querySelector(":focus-visible")) {
    timer = setTimeout(() => end(notice), AGAIN_MS);
    return;
  }
  if (!notice.matches(".warn")) remove(notice);
  else if (notice.querySelector("[data-undo]")) remove(notice.querySelector("[data-undo]"));
}

/** Remove an element; the focus, if it is in it, goes to the page. */
function remove(element) {
  const hadFocus = element.contains(document.activeElement);
  element.remove();
  if (hadFocus) document.getElementById("main").focus({ preventScroll: true });
}
