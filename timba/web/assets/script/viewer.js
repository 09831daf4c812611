// The viewer: a dialog over the page that shows the pictures of its files one by one. While it is open the
// address is that of the file's own page, so that Back closes it, and a reload or a shared link shows that page.

import { sendRequest } from "./http.js";
import { preload, showOriginal, showPicture } from "./viewer-image.js";
import { describePlace, findLink, linkOf, listOnPage, loadList, pageUrl } from "./viewer-list.js";
import { Zoom } from "./viewer-zoom.js";

const KEYS = {
  ArrowLeft: "previous", ArrowRight: "next", PageUp: "previous-page", PageDown: "next-page",
  "+": "zoom-in", "=": "zoom-in", "-": "zoom-out", r: "turn", i: "facts",
};

const ORIGINAL_SCALE = 2; // from here on the large preview shows less than the photo holds, such as a barcode

/** Open the viewer by clicks on the pictures of the page. */
export function setUpViewer() {
  const dialog = document.getElementById("viewer");
  if (dialog) new Viewer(dialog);
}

class Viewer {
  #part = (name) => this.dialog.querySelector(`[data-${name}]`);
  #items = [];
  #opener = null;
  #item = null;
  #page = 1;
  #degrees = 0;
  #title = document.title;
  #address = "";
  #isInAddress = false;
  #hasReturned = false;

  constructor(dialog) {
    this.dialog = dialog;
    this.zoom = new Zoom(this.#part("surface"), this.#part("image"), {
      onSwipe: (step) => this.#step(step),
      onZoom: (scale) => {
        this.#enable("zoom-out", scale > 1);
        if (scale >= ORIGINAL_SCALE) showOriginal(this.#part("image"), this.#item);
      },
    });
    // A page that was reloaded while the viewer was open is that of the file itself.
    if (history.state?.picture) history.replaceState({ htmx: true }, "");
    document.addEventListener("click", (event) => this.#openByClick(event));
    dialog.addEventListener("click", ({ target }) => this.#do(target.closest("[data-do]")?.dataset.do));
    dialog.addEventListener("keydown", (event) => this.#press(event));
    dialog.addEventListener("close", () => this.#leave());
    window.addEventListener("popstate", ({ state }) => this.#followHistory(state?.picture));
    document.addEventListener("htmx:before:history:restore", (event) => {
      // The page is still there behind the viewer: htmx need not load it anew.
      if (this.#hasReturned) event.preventDefault();
    });
  }

  #openByClick(event) {
    const link = findLink(event.target);
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    const id = link.dataset.picture;
    this.#opener = link;
    this.#items = listOnPage(link);
    // Live updates load the page behind the viewer from its own address.
    this.#address = location.href;
    this.dialog.dataset.pageBehind = this.#address;
    history.pushState({ picture: id }, "");
    this.#open(id, Number(link.dataset.page ?? 1));
    this.#complete(link);
  }

  #open(id, page) {
    this.#isInAddress = true;
    this.#title = document.title;
    this.dialog.showModal();
    this.#show(this.#items.find((item) => item.id === id), page);
  }

  async #complete(link) {
    const items = await loadList(link);
    if (!items?.some(({ id }) => id === this.#item.id)) return;
    this.#items = items;
    this.#describe();
  }

  #show(item, page = 1) {
    this.#item = item;
    this.#page = page;
    this.#degrees = 0;
    this.zoom.reset();
    history.replaceState({ picture: item.id }, "", pageUrl(item, this.#opener));
    document.title = `${item.name} · Timba`;
    this.#part("name").textContent = item.name;
    this.#part("original").href = `/api/files/${item.id}/content/`;
    this.#part("own").href = pageUrl(item, this.#opener);
    this.#draw();
    if (!this.#part("facts").closest("aside").hidden) this.#loadFacts();
  }

  #draw() {
    showPicture(this.#part("image"), this.#item, this.#page, (sentence) => {
      this.#part("failed").textContent = sentence;
      this.#part("failed").hidden = !sentence;
      this.#part("image").hidden = Boolean(sentence);
      if (sentence) this.#say(sentence);
    });
    this.#describe();
    this.#say(this.#part("image").alt);
  }

  #describe() {
    const place = this.#place();
    const { name, pages } = this.#item;
    const described = describePlace(this.#item, this.#items);
    const page = pages > 1 ? `, page ${this.#page} of ${pages}` : "";
    this.#part("image").alt = `${name}, ${described}${page}`;
    this.#part("position").textContent = described + (this.#degrees ? `, turned by ${this.#degrees}° in this view only` : "");
    this.#part("pages").hidden = pages < 2;
    this.#part("page").textContent = `Page ${this.#page} of ${pages}`;
    this.#enable("previous", place > 0);
    this.#enable("next", place < this.#items.length - 1);
    this.#enable("previous-page", this.#page > 1);
    this.#enable("next-page", this.#page < pages);
    for (const near of [this.#items[place + 1], this.#items[place - 1]]) if (near) preload(near);
  }

  #place() {
    return this.#items.findIndex(({ id }) => id === this.#item.id);
  }

  #say(sentence) {
    this.#part("said").textContent = sentence;
  }

  /** A button that cannot be used keeps the focus. */
  #enable(name, isEnabled) {
    this.dialog.querySelector(`[data-do="${name}"]`).setAttribute("aria-disabled", String(!isEnabled));
  }

  #press(event) {
    const name = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    const scrolls = event.key.startsWith("Page") && (this.#item.pages < 2 || event.target.closest("aside"));
    if (!name || scrolls || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.#do(name);
  }

  #do(name) {
    const actions = {
      close: () => this.dialog.close(),
      previous: () => this.#step(-1),
      next: () => this.#step(1),
      "previous-page": () => this.#turnPage(-1),
      "next-page": () => this.#turnPage(1),
      "zoom-in": () => this.zoom.zoomIn(),
      "zoom-out": () => this.zoom.zoomOut(),
      turn: () => this.#turn(),
      facts: () => this.#toggleFacts(),
    };
    actions[name]?.();
  }

  #step(step) {
    const item = this.#items[this.#place() + step];
    if (item) this.#show(item);
  }

  #turnPage(step) {
    const page = this.#page + step;
    if (page < 1 || page > this.#item.pages) return;
    this.#page = page;
    this.zoom.reset();
    this.#degrees = 0;
    this.#draw();
  }

  #turn() {
    this.#degrees = this.zoom.turn();
    this.#describe();
    this.#say(this.#degrees ? `Turned by ${this.#degrees}° in this view only.` : "Upright.");
  }

  #toggleFacts() {
    const drawer = this.#part("facts").closest("aside");
    drawer.hidden = !drawer.hidden;
    this.dialog.querySelector('[data-do="facts"]').setAttribute("aria-expanded", String(!drawer.hidden));
    if (!drawer.hidden) this.#loadFacts();
  }

  async #loadFacts() {
    const { id } = this.#item;
    const { ok, text } = await sendRequest(this.#part("own").href, { headers: { Accept: "text/html" } });
    if (id !== this.#item.id) return;
    const facts = ok && new DOMParser().parseFromString(text, "text/html").querySelector("dl.facts");
    this.#part("facts").replaceChildren(facts || "The facts could not be loaded.");
  }

  /** Return to the address of the page; after Back it has returned already. */
  #leave() {
    document.title = this.#title;
    if (history.state?.picture) history.back();
  }

  #followHistory(id) {
    this.#hasReturned = !id && this.#isInAddress;
    this.#isInAddress = Boolean(id);
    if (this.#hasReturned) {
      delete this.dialog.dataset.pageBehind;
      this.dialog.close();
      // Going back takes the focus away at its end.
      const focus = () => (linkOf(this.#item.id, this.#opener) ?? this.#opener).focus();
      Promise.resolve(window.navigation?.transition?.finished).then(focus, focus);
    } else if (id && this.#items.some((item) => item.id === id)) {
      this.dialog.dataset.pageBehind = this.#address;
      this.#open(id, 1);
    } else if (id) location.reload(); // the list is another one by now
  }
}
