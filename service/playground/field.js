/** A field of a form: its label, its control, its hint and its error. */

import { el, freshId } from "./dom.js";
import { choiceControl, jsonControl, numberControl, unionControl } from "./fields.js";
import { kernelEditor, kernelsEditor, matrixEditor } from "./kernel-editor.js";
import { isMatrix } from "./kernel.js";
import { same } from "./numbers.js";
import { controlFor, forms, isOf } from "./schema.js";

/**
 * Make the field of a property.
 * @returns {{node: HTMLElement, mark: (faults: {path: string[], detail: string}[]) => void, focus: () => void}}
 */
export function field({ name, schema, value, onchange, named = [] }) {
  const label = name.replaceAll("_", " ");
  const report = (now) => onchange(now !== undefined && same(now, schema.default) ? undefined : now);
  const control = make({ name, label, schema, value, onchange: report, named });
  const ids = { label: freshId("label"), hint: freshId("hint"), error: freshId("error") };
  const error = el("p", { class: "field-error", id: ids.error, hidden: true });
  const hint = el("p", { class: "hint", id: ids.hint }, schema.description ?? "");
  const single = control.inputs[0]?.id;
  const title = single
    ? el("label", { for: single, id: ids.label }, label)
    : el("span", { class: "label", id: ids.label }, label);
  const group = single
    ? {}
    : { role: "group", "aria-labelledby": ids.label, "aria-describedby": control.inputs.length ? null : ids.hint };
  const node = el(
    "div",
    { class: "field", "data-field": name, ...group },
    el("div", { class: "field-head" }, title, control.aside),
    control.node,
    hint,
    error,
  );
  let marked = [];
  const describe = () => {
    const described = (input) => (marked.includes(input) ? `${ids.error} ${ids.hint}` : ids.hint);
    control.inputs.forEach((input) => input.setAttribute("aria-describedby", described(input)));
  };
  control.changed = describe;
  describe();

  function mark(faults) {
    marked.forEach((input) => {
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-errormessage");
    });
    marked = faults.flatMap(({ path }) => target(control, path));
    error.hidden = !faults.length;
    error.textContent = faults.map(({ detail }) => detail).join(" ");
    node.toggleAttribute("data-faulty", faults.length > 0);
    marked.forEach((input) => {
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-errormessage", ids.error);
      input.setAttribute("aria-describedby", `${ids.error} ${ids.hint}`);
    });
    describe();
  }

  const input = () => marked[0] ?? control.inputs[0] ?? control.find?.([0, 0]);
  return { node, mark, input, focus: () => input()?.focus() };
}

/** Find the inputs that a pointer into the value means; the whole control if none is closer. */
function target(control, path) {
  const close = path.length && (control.find?.(path) ?? control.inputs.find((input) => input.dataset.part === path[0]));
  const input = close || control.inputs[0] || control.find?.([0, 0]);
  return input ? [input] : [];
}

function make({ name, label, schema, value, onchange, named }) {
  const given = value === undefined || value === null ? schema.default : value;
  const optional = forms(schema).some((one) => one.kind === "none");
  switch (controlFor(schema)) {
    case "kernel":
      return kernelEditor({ label, value, optional, named, field, onchange });
    case "kernels":
      return kernelsEditor({ label, value, named, field, onchange });
    case "matrix":
      return isMatrix(value)
        ? matrixEditor({ label, value, facts: false, onchange })
        : jsonControl({ value, onchange });
    case "taps":
      return taps({ label, value, vertical: name === "column", onchange });
    case "choice":
      return given === undefined || given === null || forms(schema).some((one) => one.word === given)
        ? choiceControl({ schema, value: given, onchange })
        : jsonControl({ value, onchange });
    case "number": {
      const number = forms(schema).find((one) => one.kind === "number");
      const fits = given === undefined || given === null || isOf(given, number);
      return fits
        ? numberControl({ name, label, schema: number.schema, value: given, optional, onchange })
        : jsonControl({ value, onchange });
    }
    case "union":
      return unionControl({ name, label, schema, value, onchange });
    default:
      return jsonControl({ value, onchange });
  }
}

/** A list of numbers as a row or a column of cells; if there is none, a button starts it. */
function taps({ label, value, vertical, onchange }) {
  if (value !== undefined && value !== null) {
    const row = [value];
    return isMatrix(row)
      ? matrixEditor({
          label,
          value: row,
          fixedRows: true,
          vertical,
          facts: false,
          onchange: ([numbers]) => onchange(numbers),
        })
      : jsonControl({ value, onchange });
  }
  const start = el("button", { type: "button", class: "quiet", onclick: () => onchange([1, 2, 1]) }, "Set numbers");
  return { node: start, inputs: [start] };
}
