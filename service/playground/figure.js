/** The arithmetic of the current step as a drawing on a small image. */

import { figure } from "./api.js";
import { el, icon } from "./dom.js";
import { figureImage } from "./figure-size.js";
import { Latest } from "./latest.js";

const DRAWN = new Set(["conv", "separable", "depthwise", "transposed"]);
const NONE =
  "There is no figure for this step: conv, separable, depthwise and transposed have one, while they are small.";

export class Figure {
  #root;
  #step = null;
  #image = el("img", { class: "figure-image" });
  #note = el("p", { class: "hint shown" });
  #button;
  #moving = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  #latest = new Latest((signal) => this.#fetch(signal));
  #shown = "";

  constructor(root) {
    this.#root = root;
    this.#button = el("button", { type: "button", class: "quiet", onclick: () => this.#toggle() });
    this.#image.hidden = true;
    root.replaceChildren(this.#image, this.#note, this.#button);
    this.#label();
  }

  /** Show a step, or nothing if it has no figure. */
  show(step) {
    this.#step = step && DRAWN.has(step.op) ? structuredClone(step) : null;
    const key = JSON.stringify(this.#step);
    if (key === this.#shown) return;
    this.#shown = key;
    if (this.#step) this.#latest.ask(120);
    else this.#latest.cancel();
    if (!this.#step) this.#empty(step ? NONE : "Nothing to draw: open a step that the service accepts.");
  }

  async #fetch(signal) {
    const step = this.#step;
    try {
      const image = await figureImage(step, signal);
      if (!image) {
        this.#empty(NONE);
        return;
      }
      const svg = await figure(step, image, this.#moving, signal);
      URL.revokeObjectURL(this.#image.src);
      this.#image.src = URL.createObjectURL(svg);
      this.#image.alt = `${step.op} on an image of ${image.height} × ${image.width} samples: the window walks over the input, and each place gives a sample of the output.`;
      this.#image.hidden = this.#button.hidden = false;
      this.#note.textContent = "";
    } catch (error) {
      if (error.name === "AbortError") throw error;
      this.#empty(NONE);
    }
  }

  #empty(words) {
    this.#image.hidden = this.#button.hidden = true;
    this.#note.textContent = words;
  }

  #toggle() {
    this.#moving = !this.#moving;
    this.#label();
    this.#latest.ask();
  }

  #label() {
    this.#button.replaceChildren(icon(this.#moving ? "pause" : "play"), this.#moving ? "Hold" : "Play");
  }
}
