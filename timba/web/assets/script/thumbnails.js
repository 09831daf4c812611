// Thumbnails: those of photos before they are sent are drawn here, one at a time to bound the memory; of those
// from the server, one that cannot be loaded gives way to the icon behind it.

const EDGE = 80; // pixels: twice the largest slot, for high-density screens

let previous = Promise.resolve();

/** Replace the icon of the row by a thumbnail of `file`, if the browser can decode it. */
export function drawThumbnail(file, row) {
  previous = previous.then(async () => {
    if (!row.element.isConnected) return;
    try {
      const bitmap = await createImageBitmap(file, { resizeHeight: EDGE, resizeQuality: "medium" });
      const canvas = document.createElement("canvas");
      canvas.className = "thumb";
      canvas.setAttribute("aria-hidden", "true");
      canvas.width = EDGE;
      canvas.height = EDGE;
      const left = (bitmap.width - EDGE) / 2;
      canvas.getContext("2d").drawImage(bitmap, -left, 0);
      bitmap.close();
      row.thumbnail = canvas;
      row.element.querySelector(".thumb").replaceWith(canvas);
    } catch {
      // Not an image that the browser can decode: the row keeps its icon.
    }
  });
}

function hideIfBroken(image) {
  image.hidden = image.complete && !image.naturalWidth;
}

/** Hide thumbnails that could not be loaded, or cannot be later. */
export function setUpThumbnails() {
  const selector = ".thumb img, .photos img";
  const hideBroken = () => {
    // A lazy image that was not asked for yet is not complete.
    for (const image of document.querySelectorAll(selector)) hideIfBroken(image);
  };
  hideBroken();
  document.addEventListener("htmx:after:swap", hideBroken);
  document.addEventListener("error", ({ target }) => {
    if (target.matches?.(selector)) hideIfBroken(target);
  }, true);
  // Those that were asked for without a connection.
  window.addEventListener("online", () => {
    for (const image of document.querySelectorAll(selector)) {
      if (!image.complete || image.naturalWidth) continue;
      image.hidden = false;
      image.src = image.getAttribute("src");
    }
  });
}
