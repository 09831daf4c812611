// The picture on the page of a file: says in words that there is none, where it cannot be loaded.

export function setUpPictureFrame() {
  const image = document.querySelector(".picture-frame img");
  if (!image) return;
  const show = () => {
    const hasFailed = image.complete && !image.naturalWidth;
    image.closest(".picture-frame").hidden = hasFailed;
    document.querySelector("[data-picture-failed]").hidden = !hasFailed;
  };
  image.addEventListener("load", show);
  image.addEventListener("error", show);
  if (image.complete) show();
}
