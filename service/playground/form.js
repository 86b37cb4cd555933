/** The form of a step, made from the JSON Schema of its operation. */

import { el, freshId } from "./dom.js";
import { field } from "./field.js";
import { isRelevant, partners, settle } from "./relevance.js";
import { layout } from "./schema.js";

const STRANGE = { description: "Not a field of this operation; empty it to leave it out." };

/**
 * Make the form of a step.
 * @param {object} step the step, which is changed in place
 * @param {{schema: object, examples: object[]}} operation
 * @param {object[]} named the named kernels
 * @param {() => void} onchange called after each change
 */
export function stepForm(step, operation, named, onchange) {
  const { main, more } = layout(operation);
  const known = operation.schema.properties;
  const strange = Object.keys(step).filter((name) => !(name in known));
  const places = new Map();
  const fields = new Map();
  const node = el(
    "div",
    { class: "form" },
    ...[...main, ...strange.map((name) => [name, STRANGE])].map(([name]) => place(name)),
  );
  if (more.length) node.append(drawer(more));
  [...places.keys()].forEach(mount);

  function place(name) {
    const slot = el("div", { class: "slot" });
    places.set(name, slot);
    return slot;
  }

  function drawer(entries) {
    const id = freshId("more");
    const open = entries.some(([name]) => name in step);
    return el(
      "details",
      { class: "more", id, open },
      el("summary", {}, "More fields"),
      ...entries.map(([name]) => place(name)),
    );
  }

  function mount(name) {
    const one = field({
      name,
      schema: known[name] ?? STRANGE,
      value: step[name],
      named,
      onchange: (value) => change(name, value),
    });
    fields.set(name, one);
    places.get(name).replaceChildren(one.node);
    places.get(name).hidden = known[name] && !isRelevant(step, name, operation);
  }

  function change(name, value) {
    const appeared = Array.isArray(value) !== Array.isArray(step[name]) && partners(name, operation).length > 0;
    if (value === undefined) delete step[name];
    else step[name] = value;
    const touched = settle(step, name, operation);
    if (appeared) touched.add(name);
    touched.forEach(mount);
    places.forEach((slot, other) => (slot.hidden = known[other] && !isRelevant(step, other, operation)));
    onchange();
  }

  /** Show faults at their fields; returns those that belong to none. */
  function mark(faults) {
    const known = faults.filter(({ path }) => fields.has(path[0]));
    fields.forEach((one, name) => {
      const own = known
        .filter(({ path }) => path[0] === name)
        .map(({ path, detail }) => ({ path: path.slice(1), detail }));
      one.mark(own);
      if (own.length) reveal(name);
    });
    return faults.filter((fault) => !known.includes(fault));
  }

  function reveal(name) {
    const drawer = places.get(name).closest("details");
    if (drawer) drawer.open = true;
  }

  return { node, mark, focus: (name) => fields.get(name)?.focus() };
}
