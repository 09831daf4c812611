// Shows the picture of a file as soon as possible: the small one, which the page has loaded already, until
// the large one is there. A server that is busy drawing pages is asked again.

import { sendRequest, sleep } from "./http.js";
import { previewUrl } from "./viewer-list.js";

const MAX_ATTEMPTS = 5;
const PAUSE_MS = 1500;
const DECODABLE = /\.(jpe?g|jfif|png|webp)$/i;

let shown = 0; // counts the pictures that were asked for: one that comes late is not shown

/**
 * Show a page of `item` in `image`. `onFailure(sentence)` is called when there is nothing to show, and
 * with an empty sentence as soon as there is.
 */
export async function showPicture(image, item, page, onFailure) {
  shown += 1;
  const mine = shown;
  onFailure("");
  image.removeAttribute("src");
  if (page === 1) {
    load(previewUrl(item, 256)).then((small) => {
      if (mine === shown && small && !image.hasAttribute("src")) image.src = small.src;
    });
  }
  const url = previewUrl(item, 1024, page);
  for (let attempt = 1; mine === shown; attempt += 1) {
    const large = await load(url);
    if (mine !== shown) return;
    if (large) {
      image.src = large.src;
      return;
    }
    const { status } = await sendRequest(url, { headers: { Accept: "*/*" } });
    const isOver = (status !== 0 && status !== 503 && status !== 200) || attempt === MAX_ATTEMPTS;
    if (isOver) {
      if (mine === shown) onFailure(explain(status, item, page));
      return;
    }
    await sleep(PAUSE_MS * attempt);
  }
}

/** Show a photo as it was uploaded, where the browser can; not to those who asked to save data. */
export async function showOriginal(image, item) {
  const mine = shown;
  if (item.kind !== "photo" || !DECODABLE.test(item.name) || navigator.connection?.saveData) return;
  item.original ??= load(`/api/files/${item.id}/content/`);
  const original = await item.original;
  if (mine === shown && original && image.src !== original.src) image.src = original.src;
}

/** Load the picture of a neighbour before it is asked for. */
export function preload(item) {
  load(previewUrl(item, 1024));
}

/** Resolve to an image that has been loaded and decoded, or null. */
async function load(url) {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return image;
  } catch {
    return null;
  }
}

function explain(status, item, page) {
  if (status === 401) return "You are signed out. Sign in again, then open it anew.";
  if (status === 0) return "The connection broke. Open it again in a moment.";
  if (status === 503) return "Timba is busy. Open it again in a moment.";
  if (item.pages > 1) return `Page ${page} cannot be drawn. Open the original to read it.`;
  return "There is no picture of it. Open the original to see it.";
}
