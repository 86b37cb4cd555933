/** The refusal in words, with a way to each field that it points to. */

import { el } from "./dom.js";

export class ProblemBox {
  #root;
  #shown = "";

  constructor(root) {
    this.#root = root;
  }

  clear() {
    this.#shown = "";
    this.#root.hidden = true;
    this.#root.replaceChildren();
  }

  /** @param {(fault: object) => void} reveal goes to the field of a fault */
  show(problem, faults, reveal) {
    const key = JSON.stringify([problem.title, problem.message, faults]);
    if (key === this.#shown) return;
    this.#shown = key;
    const explain = problem.type ? el("a", { href: problem.type }, "What this means") : null;
    const located = faults.filter((fault) => fault.path.length);
    const items = located.map((fault) =>
      el(
        "li",
        {},
        `${fault.detail} `,
        el("button", { type: "button", class: "link", onclick: () => reveal(fault) }, `Go to ${place(fault)}`),
      ),
    );
    this.#root.replaceChildren(
      el("p", { class: "problem-title" }, el("b", {}, problem.title), explain ? " " : null, explain),
      located.length ? el("ul", {}, ...items) : el("p", {}, problem.message),
    );
    this.#root.hidden = false;
  }
}

function place({ step, path }) {
  const field = path[0] === "output" && path[1] ? path[1] : path[0];
  const name = field.replaceAll("_", " ");
  return step === null ? name : `${name} in step ${step + 1}`;
}
