/** The presets, each shown on a small copy of the picture. */

import { preset } from "./api.js";
import { el } from "./dom.js";
import { thumbnail } from "./pictures.js";

const SIDE = 96;

export class Presets {
  #images = new Map();
  #run = null;

  /** @param {(preset: object) => void} onchoice */
  constructor(root, presets, onchoice) {
    root.replaceChildren(
      ...presets.map((one) => {
        const image = el("img", { alt: "", width: 72, height: 54 });
        this.#images.set(one.name, image);
        return el(
          "li",
          {},
          el(
            "button",
            {
              type: "button",
              class: "preset",
              title: one.summary,
              "data-preset": one.name,
              onclick: () => onchoice(one),
            },
            image,
            el("span", {}, one.name.replaceAll("-", " ")),
          ),
        );
      }),
    );
  }

  /** Show all presets on a picture, one after another, so the service stays free for the picture itself. */
  async show(bitmap) {
    this.#run?.abort();
    this.#run = new AbortController();
    const { signal } = this.#run;
    try {
      const small = await thumbnail(bitmap, SIDE);
      for (const [name, image] of this.#images) {
        const result = await preset(small, name, signal);
        URL.revokeObjectURL(image.src);
        image.src = URL.createObjectURL(result);
      }
    } catch {
      // previews are optional: without one, the name says enough
    }
  }
}
