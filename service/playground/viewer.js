/** Show a picture before and after: split at a movable line, in turn, or as their difference. */

import { Difference } from "./difference.js";
import { Pixel } from "./pixel.js";

const MOST_ZOOM = 64;
const GRID_FROM = 12; // screen pixels for each sample
const GRIP = 18;
const MARGIN = 0.5;

export class Viewer {
  before = null;
  after = null;
  mode = "compare";
  split = 0.5;
  gain = 1;
  #canvas;
  #context;
  #zoom = null; // screen pixels per sample of the result; null: as large as fits
  #center = [0.5, 0.5];
  #difference = new Difference();
  #pixel = new Pixel();
  #pointers = new Map();
  #grabbed = null;
  #frame = 0;
  #onchange;

  /** @param {(change: {zoom?: number, split?: number, pixel?: object}) => void} onchange tells what the user did here */
  constructor(canvas, onchange) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#onchange = onchange;
    new ResizeObserver(() => this.draw()).observe(canvas);
    this.#listen();
  }

  /** Show other pictures; omitted ones stay. */
  show({ before = this.before, after = this.after }) {
    const resized =
      before !== this.before && (before?.width !== this.before?.width || before?.height !== this.before?.height);
    this.before = before;
    this.after = after;
    if (resized) this.fit();
    this.draw();
  }

  setMode(mode) {
    this.mode = mode;
    this.draw();
  }

  setSplit(split) {
    this.split = Math.min(1, Math.max(0, split));
    this.draw();
  }

  setGain(gain) {
    this.gain = gain;
    this.draw();
  }

  fit() {
    this.#zoom = null;
    this.#center = [0.5, 0.5];
    this.draw();
  }

  /** Set the size of a sample on the screen, keeping a point of the canvas in place. */
  zoomTo(zoom, at = [this.#canvas.clientWidth / 2, this.#canvas.clientHeight / 2]) {
    const content = this.#content();
    if (!content) return;
    const place = this.#place(content);
    const limited = Math.min(MOST_ZOOM, Math.max(this.#fitting(content) / 4, zoom));
    const x = (at[0] - place.x) / place.width;
    const y = (at[1] - place.y) / place.height;
    this.#zoom = limited;
    const next = { width: content.width * limited, height: content.height * limited };
    this.#center = [
      x - (at[0] - this.#canvas.clientWidth / 2) / next.width,
      y - (at[1] - this.#canvas.clientHeight / 2) / next.height,
    ];
    this.#hold();
    this.draw();
  }

  zoomBy(factor, at) {
    this.zoomTo(this.zoom() * factor, at);
  }

  zoom() {
    const content = this.#content();
    return content ? (this.#zoom ?? this.#fitting(content)) : 1;
  }

  /** Return the mean and largest difference, if there are two pictures. */
  statistics() {
    return this.before && this.after ? this.#difference.of(this.before, this.after, this.gain).statistics : null;
  }

  /** Draw once per frame, however many changes there were. */
  draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  #content() {
    return this.after ?? this.before;
  }

  #fitting({ width, height }) {
    return Math.min(this.#canvas.clientWidth / width, this.#canvas.clientHeight / height, MOST_ZOOM);
  }

  #place(content) {
    const zoom = this.#zoom ?? this.#fitting(content);
    const [width, height] = [content.width * zoom, content.height * zoom];
    const x = this.#canvas.clientWidth / 2 - this.#center[0] * width;
    const y = this.#canvas.clientHeight / 2 - this.#center[1] * height;
    return { x, y, width, height, zoom };
  }

  #paint() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const density = devicePixelRatio || 1;
    this.#canvas.width = Math.round(width * density);
    this.#canvas.height = Math.round(height * density);
    const context = this.#context;
    context.setTransform(density, 0, 0, density, 0, 0);
    const content = this.#content();
    if (!content || !width) return;
    const place = this.#place(content);
    context.imageSmoothingEnabled = place.zoom * density < 1;
    context.imageSmoothingQuality = "high";
    this.#layers(context, place, width, height);
    if (place.zoom >= GRID_FROM) this.#grid(context, place, content, width, height);
    this.#onchange({ zoom: place.zoom, fits: this.#zoom === null });
  }

  #layers(context, place, width, height) {
    const { before, after, mode } = this;
    if (mode === "difference" && before && after) {
      this.#put(context, this.#difference.of(before, after, this.gain).canvas, place, context.imageSmoothingEnabled);
      return;
    }
    const at = mode === "before" ? width : mode === "after" ? 0 : this.#line(place, width);
    if (before && at > 0) this.#half(context, before, place, 0, at, height);
    if ((after ?? before) && at < width) this.#half(context, after ?? before, place, at, width, height);
    if (mode === "compare" && before && after) this.#drawLine(context, at, height);
  }

  /** Draw a picture between two columns of the screen. */
  #half(context, picture, place, from, to, height) {
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, height);
    context.clip();
    const own = (place.width / picture.width) * (devicePixelRatio || 1);
    this.#put(context, picture, place, own < 1);
    context.restore();
  }

  #put(context, picture, { x, y, width, height }, smooth) {
    context.imageSmoothingEnabled = smooth;
    context.clearRect(x, y, width, height);
    context.drawImage(picture, x, y, width, height);
  }

  /** The position of the line between before and after, as a share of the visible part of the picture. */
  #line(place, width) {
    const left = Math.max(0, place.x);
    const right = Math.min(width, place.x + place.width);
    return left + this.split * (right - left);
  }

  #drawLine(context, at, height) {
    context.fillStyle = "rgb(0 0 0 / 45%)";
    context.fillRect(at - 2, 0, 4, height);
    context.fillStyle = "#fff";
    context.fillRect(at - 1, 0, 2, height);
    const y = height / 2;
    context.beginPath();
    context.arc(at, y, 15, 0, 2 * Math.PI);
    context.fillStyle = "rgb(0 0 0 / 45%)";
    context.fill();
    context.beginPath();
    context.arc(at, y, 13.5, 0, 2 * Math.PI);
    context.fillStyle = "#fff";
    context.fill();
    context.beginPath();
    for (const side of [-1, 1]) {
      context.moveTo(at + side * 3.5, y - 4);
      context.lineTo(at + side * 7.5, y);
      context.lineTo(at + side * 3.5, y + 4);
    }
    context.lineWidth = 1.8;
    context.lineJoin = context.lineCap = "round";
    context.strokeStyle = "#334";
    context.stroke();
  }

  #grid(context, place, content, width, height) {
    context.beginPath();
    const first = Math.max(0, Math.floor(-place.x / place.zoom));
    for (let column = first; column <= content.width && place.x + column * place.zoom <= width; column += 1) {
      const x = place.x + column * place.zoom;
      context.moveTo(x, Math.max(0, place.y));
      context.lineTo(x, Math.min(height, place.y + place.height));
    }
    const top = Math.max(0, Math.floor(-place.y / place.zoom));
    for (let row = top; row <= content.height && place.y + row * place.zoom <= height; row += 1) {
      const y = place.y + row * place.zoom;
      context.moveTo(Math.max(0, place.x), y);
      context.lineTo(Math.min(width, place.x + place.width), y);
    }
    context.lineWidth = 0.5;
    context.strokeStyle = "rgb(128 128 128 / 60%)";
    context.stroke();
  }

  /** Keep part of the picture visible. */
  #hold() {
    this.#center = this.#center.map((share) => Math.min(0.5 + MARGIN, Math.max(0.5 - MARGIN, share)));
  }

  #pan(dx, dy) {
    const content = this.#content();
    if (!content) return;
    const place = this.#place(content);
    this.#center = [this.#center[0] - dx / place.width, this.#center[1] - dy / place.height];
    this.#hold();
    this.draw();
  }

  #listen() {
    const canvas = this.#canvas;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"])
      canvas.addEventListener(end, (event) => this.#pointers.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => this.#onchange({ pixel: null }));
    canvas.addEventListener("dblclick", (event) =>
      this.#zoom === null ? this.zoomTo(Math.max(8, this.zoom() * 4), this.#at(event)) : this.fit(),
    );
    canvas.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        this.zoomBy(Math.exp(-event.deltaY / 200), this.#at(event));
      },
      { passive: false },
    );
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  #at(event) {
    const box = this.#canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #down(event) {
    const content = this.#content();
    if (!content || event.button) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, this.#at(event));
    const [x] = this.#at(event);
    const near = Math.abs(x - this.#line(this.#place(content), this.#canvas.clientWidth)) < GRIP;
    this.#grabbed = this.mode === "compare" && (near || this.#zoom === null) ? "line" : "picture";
    if (this.#grabbed === "line") this.#moveLine(x);
  }

  #move(event) {
    const last = this.#pointers.get(event.pointerId);
    const now = this.#at(event);
    if (last && this.#pointers.size === 2) this.#pinch(event.pointerId, now);
    else if (last && this.#grabbed === "line") this.#moveLine(now[0]);
    else if (last) this.#pan(now[0] - last[0], now[1] - last[1]);
    if (last) this.#pointers.set(event.pointerId, now);
    this.#read(now);
  }

  #moveLine(x) {
    const place = this.#place(this.#content());
    const left = Math.max(0, place.x);
    const right = Math.min(this.#canvas.clientWidth, place.x + place.width);
    this.setSplit((x - left) / (right - left));
    this.#onchange({ split: this.split });
  }

  #pinch(id, now) {
    const [other] = [...this.#pointers].filter(([pointer]) => pointer !== id).map(([, at]) => at);
    const last = this.#pointers.get(id);
    const apart = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]) || 1;
    this.zoomBy(apart(now) / apart(last), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
  }

  #key(event) {
    const far = 40;
    const moves = { ArrowLeft: [far, 0], ArrowRight: [-far, 0], ArrowUp: [0, far], ArrowDown: [0, -far] };
    const keys = {
      "+": () => this.zoomBy(1.5),
      "=": () => this.zoomBy(1.5),
      "-": () => this.zoomBy(1 / 1.5),
      0: () => this.fit(),
    };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.#zoom !== null && moves[event.key]) this.#pan(...moves[event.key]);
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
  }

  /** Read the samples under the pointer. */
  #read([x, y]) {
    const content = this.#content();
    if (!content) return;
    const place = this.#place(content);
    const [across, down] = [(x - place.x) / place.width, (y - place.y) / place.height];
    const inside = across >= 0 && across < 1 && down >= 0 && down < 1;
    const read = (picture) =>
      picture && this.#pixel.read(picture, Math.floor(across * picture.width), Math.floor(down * picture.height));
    this.#onchange({
      pixel: inside
        ? {
            x: Math.floor(across * content.width),
            y: Math.floor(down * content.height),
            before: read(this.before),
            after: read(this.after),
          }
        : null,
    });
  }
}
