/** The list of steps: each can be opened, moved, removed, or changed to another operation. */

import { announce, el, freshId, iconButton, icon } from "./dom.js";
import { stepForm } from "./form.js";

export class StepList {
  #state;
  #catalogue;
  #root;
  #cards = [];
  #faults = [];

  constructor(root, state, catalogue) {
    this.#root = root;
    this.#state = state;
    this.#catalogue = catalogue;
    this.operations = new Map(catalogue.operations.map((operation) => [operation.op, operation]));
    state.subscribe((change) => change === "steps" && this.draw());
  }

  draw() {
    this.#cards = this.#state.steps.map((step, index) => this.#card(step, index));
    const empty = el("p", { class: "hint shown" }, "No steps: the picture comes out as it went in.");
    const list = el("ol", { class: "steps" }, ...this.#cards.map(({ node }) => node));
    this.#root.replaceChildren(this.#cards.length ? list : empty, this.#adder());
    this.mark(this.#faults);
  }

  /** Show faults at their steps and fields; returns those that belong to no field. */
  mark(faults) {
    this.#faults = faults;
    return this.#cards.flatMap((card, index) => card.mark(faults.filter((fault) => fault.step === index)));
  }

  /** Open the step of a fault and go to its field. */
  reveal(fault) {
    if (fault.step === null) return;
    if (this.#state.current !== fault.step) this.#state.select(fault.step);
    this.#cards[fault.step]?.focus(fault.path[0]);
  }

  #card(step, index) {
    const open = index === this.#state.current;
    const operation = this.operations.get(step.op);
    const number = `Step ${index + 1}`;
    const body = el("div", { class: "step-body", id: freshId("step") });
    const gist = el("span", { class: "gist" }, summarise(step));
    const flag = el("span", { class: "flag", hidden: true }, "needs a change");
    const head = el(
      "button",
      {
        type: "button",
        class: "step-head",
        "aria-expanded": String(open),
        "aria-controls": body.id,
        onclick: () => this.#toggle(index, open),
      },
      icon("chevron"),
      el("span", { class: "step-number" }, String(index + 1)),
      el("span", { class: "step-name" }, step.op.replaceAll("_", " ")),
      gist,
      flag,
    );
    const tools = el("span", { class: "tools" }, ...this.#tools(index, number));
    const node = el(
      "li",
      { class: "step", "data-open": String(open), "data-op": step.op },
      el("div", { class: "step-bar" }, head, tools),
      body,
    );
    const changed = () => {
      gist.textContent = summarise(step);
      this.#state.changed();
    };
    const form = open && operation ? stepForm(step, operation, this.#catalogue.kernels, changed) : null;
    body.hidden = !open;
    if (open) body.append(this.#chooser(step, index, operation), ...(form ? [form.node] : []));
    const mark = (faults) => {
      flag.hidden = !faults.length;
      node.toggleAttribute("data-faulty", faults.length > 0);
      return form ? form.mark(faults) : faults;
    };
    return { node, mark, focus: (name) => (form?.focus(name), undefined), head };
  }

  #toggle(index, open) {
    this.#state.select(open ? -1 : index);
    this.#cards[index].head.focus();
  }

  #tools(index, number) {
    const last = this.#state.steps.length - 1;
    const move = (by) => {
      this.#state.move(index, by);
      announce(`${number} is now step ${index + by + 1}`);
      const [up, down] = this.#cards[index + by].node.querySelectorAll(".tools .move");
      const same = by < 0 ? up : down;
      (same.disabled ? this.#cards[index + by].head : same).focus();
    };
    const remove = () => {
      this.#state.remove(index);
      announce(`${number} removed`);
      (this.#cards[Math.min(index, last - 1)]?.head ?? this.#root.querySelector(".add-step")).focus();
    };
    return [
      iconButton("up", `${number}: move up`, () => move(-1), { class: "icon-button move", disabled: index === 0 }),
      iconButton("down", `${number}: move down`, () => move(1), {
        class: "icon-button move",
        disabled: index === last,
      }),
      iconButton("remove", `${number}: remove`, remove),
    ];
  }

  #chooser(step, index, operation) {
    const select = el("select", { id: freshId("op"), class: "operation" });
    for (const op of this.operations.keys()) select.append(el("option", { value: op }, op.replaceAll("_", " ")));
    if (!operation) select.append(el("option", { value: step.op }, `${step.op} (not known here)`));
    select.value = step.op;
    select.addEventListener("change", () => {
      this.#state.replace(index, this.operations.get(select.value).examples[0]);
      this.#cards[index].node.querySelector("select.operation").focus();
    });
    const hints = iconButton("help", "Explain the fields", (event) => this.#explain(event.currentTarget), {
      "aria-pressed": String(this.explained === true),
    });
    return el(
      "div",
      { class: "chooser" },
      el("label", { for: select.id }, "operation"),
      select,
      hints,
      el(
        "p",
        { class: "hint shown" },
        operation?.summary ?? "This service does not know the operation; choose another.",
      ),
    );
  }

  #explain(button) {
    this.explained = !this.explained;
    button.setAttribute("aria-pressed", String(this.explained));
    this.#root.toggleAttribute("data-explained", this.explained);
  }

  #adder() {
    const panel = el("div", { class: "palette", id: freshId("palette"), hidden: true });
    const button = el(
      "button",
      { type: "button", class: "add-step", "aria-expanded": "false", "aria-controls": panel.id },
      icon("add"),
      "Add a step",
    );
    button.addEventListener("click", () => {
      panel.hidden = !panel.hidden;
      button.setAttribute("aria-expanded", String(!panel.hidden));
      if (!panel.hidden) panel.querySelector("button").focus();
    });
    for (const operation of this.operations.values()) {
      const add = () => {
        this.#state.add(operation.examples[0]);
        this.#cards.at(-1).head.focus();
      };
      panel.append(
        el(
          "button",
          { type: "button", onclick: add },
          el("b", {}, operation.op.replaceAll("_", " ")),
          el("span", {}, operation.summary),
        ),
      );
    }
    panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      button.click();
      button.focus();
    });
    return el("div", { class: "adder" }, button, panel);
  }
}

/** Describe a step's settings in a few words. */
function summarise(step) {
  const words = Object.entries(step)
    .filter(([name]) => name !== "op")
    .map(([name, value]) => phrase(name, value));
  return words.filter(Boolean).slice(0, 4).join(", ");
}

function phrase(name, value) {
  if (typeof value === "string") return value.replaceAll("_", " ");
  if (typeof value === "number") return `${name.replaceAll("_", " ")} ${value}`;
  if (typeof value?.name === "string") return value.name;
  if (!Array.isArray(value)) return "";
  if (!Array.isArray(value[0]))
    return value.every((one) => typeof one === "number") && value.length < 4
      ? `${name.replaceAll("_", " ")} ${value.join(" × ")}`
      : name;
  return Array.isArray(value[0][0]) ? `${value.length} ${name}` : `${value.length} × ${value[0].length}`;
}
