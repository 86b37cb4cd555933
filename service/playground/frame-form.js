/** The form of the fields beside the steps: transparency, light and samples. */

import { el } from "./dom.js";
import { field } from "./field.js";
import { FRAME, OUTPUT } from "./frame.js";

export class FrameForm {
  #root;
  #state;
  #fields = new Map();

  constructor(root, state) {
    this.#root = root;
    this.#state = state;
    state.subscribe((change) => change === "frame" && this.draw());
  }

  draw() {
    const { frame } = this.#state;
    const make = (place, name, schema, value, onchange) => {
      const one = field({ name, schema, value, onchange });
      this.#fields.set(place, one);
      return one.node;
    };
    this.#root.replaceChildren(
      el(
        "div",
        { class: "form frame" },
        ...Object.entries(OUTPUT).map(([name, schema]) =>
          make(`output/${name}`, name, schema, frame.output?.[name], (value) => this.#state.setOutput(name, value)),
        ),
        ...Object.entries(FRAME).map(([name, schema]) =>
          make(name, name, schema, frame[name], (value) => this.#state.setFrame(name, value)),
        ),
      ),
    );
    if (Object.keys(frame).length) this.#root.closest("details").open = true;
  }

  /** Show faults at their fields; returns those that belong to none. */
  mark(faults) {
    const known = (fault) => this.#fields.has(fault.path.join("/"));
    this.#fields.forEach((one, place) => {
      const own = faults.filter(({ path }) => path.join("/") === place);
      one.mark(own.map(({ detail }) => ({ path: [], detail })));
      if (own.length) this.#root.closest("details").open = true;
    });
    return faults.filter((fault) => !known(fault));
  }

  reveal(fault) {
    this.#fields.get(fault.path.join("/"))?.focus();
  }
}
