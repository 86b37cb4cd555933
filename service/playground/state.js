/** The spec being edited. Listeners are told of each change. */

export class State {
  steps = [];
  frame = {};
  current = 0;
  #listeners = [];

  /** @param {(change: "values" | "steps" | "frame") => void} listener */
  subscribe(listener) {
    this.#listeners.push(listener);
  }

  /** Load a spec: one operation, or a document with steps. */
  load(spec) {
    const { steps, ...frame } = structuredClone(spec);
    this.steps = steps ?? [frame];
    this.frame = steps ? frame : {};
    this.current = 0;
    this.#tell("steps");
    this.#tell("frame");
  }

  /** Return the document to send. */
  spec() {
    return { steps: this.steps, ...this.frame };
  }

  /** Return the document in its shortest form. */
  shortSpec() {
    const alone = this.steps.length === 1 && Object.keys(this.frame).length === 0;
    return alone ? this.steps[0] : this.spec();
  }

  /** Report that fields of a step have changed. */
  changed() {
    this.#tell("values");
  }

  setFrame(name, value) {
    assign(this.frame, name, value);
    this.#tell("values");
  }

  setOutput(name, value) {
    const output = { ...this.frame.output };
    assign(output, name, value);
    this.setFrame("output", Object.keys(output).length ? output : undefined);
  }

  replace(index, step) {
    this.steps[index] = structuredClone(step);
    this.#tell("steps");
  }

  add(step) {
    this.steps.push(structuredClone(step));
    this.current = this.steps.length - 1;
    this.#tell("steps");
  }

  remove(index) {
    this.steps.splice(index, 1);
    if (this.current >= index) this.current = Math.max(0, this.current - 1);
    this.#tell("steps");
  }

  /** Move a step before or after its neighbour; the open step stays open. */
  move(index, by) {
    const other = index + by;
    [this.steps[index], this.steps[other]] = [this.steps[other], this.steps[index]];
    if (this.current === index) this.current = other;
    else if (this.current === other) this.current = index;
    this.#tell("steps");
  }

  select(index) {
    this.current = index;
    this.#tell("steps");
  }

  #tell(change) {
    this.#listeners.forEach((listener) => listener(change));
  }
}

function assign(object, name, value) {
  if (value === undefined) delete object[name];
  else object[name] = value;
}
