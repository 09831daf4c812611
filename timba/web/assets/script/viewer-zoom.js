// Zooms, moves and turns the picture in the viewer, by pointers, wheel, buttons and keys; swipes to the
// next file while the whole picture is in sight. The file itself is not changed.

const MAX_SCALE = 8;
const STEP = 1.5;
const DOUBLE_CLICK_SCALE = 2.5;
const SWIPE_PX = 48;
const WHEEL_STEP = 0.002;

/** A picture in its surface; `onSwipe(±1)` asks for another file, `onZoom(scale)` tells of a new scale. */
export class Zoom {
  constructor(surface, image, { onSwipe, onZoom }) {
    Object.assign(this, { surface, image, onSwipe, onZoom, pointers: new Map() });
    this.reset();
    surface.addEventListener("pointerdown", (event) => this.#press(event));
    surface.addEventListener("pointermove", (event) => this.#move(event));
    for (const type of ["pointerup", "pointercancel"]) surface.addEventListener(type, (event) => this.#release(event));
    surface.addEventListener("dblclick", (event) => {
      this.zoomTo(this.scale > 1 ? 1 : DOUBLE_CLICK_SCALE, this.#fromCentre(event));
    });
    surface.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomTo(this.scale * Math.exp(-event.deltaY * WHEEL_STEP), this.#fromCentre(event));
    }, { passive: false });
    new ResizeObserver(() => this.#draw()).observe(surface);
    image.addEventListener("load", () => this.#draw());
  }

  /** Show the whole picture, upright. */
  reset() {
    Object.assign(this, { scale: 1, x: 0, y: 0, turns: 0, swipe: null });
    this.pointers.clear();
    this.#draw();
    this.onZoom(1);
  }

  zoomIn() {
    this.zoomTo(this.scale * STEP);
  }

  zoomOut() {
    this.zoomTo(this.scale / STEP);
  }

  /** Turn the view by 90° clockwise; return the degrees that it is turned by. */
  turn() {
    this.turns += 1;
    Object.assign(this, { scale: 1, x: 0, y: 0 });
    this.#draw();
    this.onZoom(1);
    return (this.turns % 4) * 90;
  }

  /** Zoom so that the point of the picture at `point`, in pixels from the centre, stays where it is. */
  zoomTo(scale, point = { x: 0, y: 0 }) {
    const bounded = Math.min(MAX_SCALE, Math.max(1, scale));
    const ratio = bounded / this.scale;
    this.x = point.x - (point.x - this.x) * ratio;
    this.y = point.y - (point.y - this.y) * ratio;
    this.scale = bounded;
    this.#draw();
    this.onZoom(bounded);
  }

  #press(event) {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    this.surface.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    const canSwipe = this.pointers.size === 1 && this.scale === 1 && event.pointerType !== "mouse";
    this.swipe = canSwipe ? { x: event.clientX, y: event.clientY } : null;
  }

  #move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const spread = this.#spread();
    const middle = this.#middle();
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.swipe) return;
    const moved = this.#middle();
    this.x += moved.x - middle.x;
    this.y += moved.y - middle.y;
    if (this.pointers.size > 1 && spread) {
      this.zoomTo(this.scale * (this.#spread() / spread), this.#fromCentre({ clientX: moved.x, clientY: moved.y }));
    } else this.#draw();
  }

  #release(event) {
    if (!this.pointers.delete(event.pointerId) || !this.swipe) return;
    const x = event.clientX - this.swipe.x;
    const y = event.clientY - this.swipe.y;
    this.swipe = null;
    if (event.type === "pointerup" && Math.abs(x) > SWIPE_PX && Math.abs(x) > 1.5 * Math.abs(y)) this.onSwipe(x < 0 ? 1 : -1);
  }

  #middle() {
    const points = [...this.pointers.values()];
    const mean = (name) => points.reduce((sum, point) => sum + point[name], 0) / points.length;
    return { x: mean("x"), y: mean("y") };
  }

  #spread() {
    const [first, second] = this.pointers.values();
    return second ? Math.hypot(first.x - second.x, first.y - second.y) : 0;
  }

  #fromCentre({ clientX, clientY }) {
    const box = this.surface.getBoundingClientRect();
    return { x: clientX - box.left - box.width / 2, y: clientY - box.top - box.height / 2 };
  }

  /** The size in pixels of the whole picture in the surface, as turned, and the scale that makes it fit. */
  #fit() {
    const { clientWidth: width, clientHeight: height } = this.surface;
    const { naturalWidth, naturalHeight } = this.image;
    if (!naturalWidth || !width) return { width: 0, height: 0, scale: 1 };
    const upright = Math.min(width / naturalWidth, height / naturalHeight);
    if (this.turns % 2 === 0) return { width: naturalWidth * upright, height: naturalHeight * upright, scale: 1 };
    const turned = Math.min(width / naturalHeight, height / naturalWidth);
    return { width: naturalHeight * turned, height: naturalWidth * turned, scale: turned / upright };
  }

  #draw() {
    const fit = this.#fit();
    const bound = (value, size, room) => {
      const most = Math.max(0, (size * this.scale - room) / 2);
      return Math.min(most, Math.max(-most, value));
    };
    this.x = bound(this.x, fit.width, this.surface.clientWidth);
    this.y = bound(this.y, fit.height, this.surface.clientHeight);
    this.surface.classList.toggle("zoomed", this.scale > 1);
    this.image.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale * fit.scale}) rotate(${this.turns * 90}deg)`;
  }
}
