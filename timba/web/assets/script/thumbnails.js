// Draws thumbnails of photos before they are sent, one at a time to bound the memory.

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
