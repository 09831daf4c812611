// Small pictures of photos before they are sent, one at a time so that a hundred never fill the memory.

const EDGE = 80; // twice the largest slot, for sharp screens

let before = Promise.resolve();

/** Put a small picture of `file` into its row's slot; what cannot be drawn keeps its icon. */
export function drawThumb(file, row) {
  before = before.then(async () => {
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
      row.thumb = canvas;
      row.element.querySelector(".thumb").replaceWith(canvas);
    } catch {
      // Not a picture this browser can draw: the icon says enough.
    }
  });
}
