/** Controls for single values. Each returns {node, inputs}: the element to show, and the inputs for errors and labels.
*/

import { el, freshId } from "./dom.js";
import { parse, same, short } from "./numbers.js";
import { forms, isOf, range } from "./schema.js";

/** The place of a part in a list, as a pointer names it. */
const PARTS = { vertical: "0", horizontal: "1", red: "0", green: "1", blue: "2" };

/** A slider with a number beside it; the number accepts values beyond the slider's range. */
export function numberControl({ name, label, schema, value, optional = false, onchange }) {
  const [low, high, step] = range(name, schema);
  const slider = el("input", {
    type: "range",
    min: low,
    max: high,
    step: step ?? 1,
    "aria-label": `${label}, slider`,
  });
  const number = el("input", {
    type: "number",
    step: "any",
    class: "number",
    placeholder: optional ? "–" : "",
    id: freshId("number"),
  });
  const show = (now) => {
    number.value = now ?? "";
    slider.value = now ?? low;
    slider.style.setProperty("--at", `${(100 * (Number(slider.value) - low)) / (high - low)}%`);
  };
  slider.addEventListener("input", () => {
    const now = Number(slider.value);
    show(now);
    onchange(now);
  });
  number.addEventListener("input", () => {
    const now = number.value.trim() === "" ? undefined : Number(number.value);
    slider.value = now ?? low;
    slider.style.setProperty("--at", `${(100 * (Number(slider.value) - low)) / (high - low)}%`);
    onchange(now);
  });
  show(value);
  return { node: el("div", { class: "slide" }, slider, number), inputs: [number, slider] };
}

/** A list of words to choose from. */
export function choiceControl({ schema, value, onchange }) {
  const select = el("select", { id: freshId("choice") });
  for (const { word } of forms(schema))
    select.append(el("option", { value: word ?? "" }, word ? spaced(word) : "default"));
  select.value = value ?? "";
  select.addEventListener("change", () => onchange(select.value === "" ? undefined : select.value));
  return { node: select, inputs: [select] };
}

/** A text field of JSON, for values without a simpler control. */
export function jsonControl({ value, onchange }) {
  const text = el("textarea", {
    id: freshId("json"),
    rows: 3,
    spellcheck: "false",
    class: "code",
    placeholder: "JSON",
  });
  text.value = value === undefined || value === null ? "" : JSON.stringify(value);
  text.addEventListener("input", () => {
    const words = text.value.trim();
    let now;
    try {
      now = words === "" ? undefined : JSON.parse(words);
      text.setCustomValidity("");
    } catch {
      text.setCustomValidity("This is not JSON yet.");
    }
    text.setAttribute("aria-invalid", String(!text.validity.valid));
    if (text.validity.valid) onchange(now);
  });
  return { node: text, inputs: [text] };
}

/** Several forms of one value: a list selects the form, and the control for it is beside or below. */
export function unionControl({ name, label, schema, value, onchange }) {
  const all = forms(schema);
  const shown = value === undefined ? schema.default : value;
  let chosen = all.find((one) => isOf(shown, one));
  if (!chosen) return jsonControl({ value, onchange });
  let last = shown;
  const select = el("select", { "aria-label": `${label}, form`, class: "form" });
  all.forEach((one, at) => select.append(el("option", { value: String(at) }, title(one))));
  select.value = String(all.indexOf(chosen));
  const body = el("div", { class: "union-body" });
  const control = { node: el("div", { class: "union" }, body), aside: select, inputs: [select] };
  const report = (now) => {
    last = now;
    onchange(same(now, schema.default) ? undefined : now);
  };
  const draw = () => {
    const inputs = editors(chosen, { name, label, value: last, onchange: report });
    body.replaceChildren(...inputs.nodes);
    control.inputs = inputs.inputs.length ? [...inputs.inputs, select] : [select];
    control.changed?.();
  };
  select.addEventListener("change", () => {
    chosen = all[Number(select.value)];
    report(convert(last, chosen));
    draw();
  });
  draw();
  return control;
}

/** Return the inputs for one form of a value. */
function editors(one, { name, label, value, onchange }) {
  if (one.kind === "number") {
    const { node, inputs } = numberControl({
      name,
      label,
      schema: one.schema,
      value,
      onchange: (now) => onchange(now ?? null),
    });
    return { nodes: [node], inputs };
  }
  if (one.kind === "list") return listEditor(label, value, onchange);
  if (one.kind === "tuple") {
    const names = one.length === 2 ? ["vertical", "horizontal"] : ["red", "green", "blue"].slice(0, one.length);
    return several(
      names,
      (at) => value[at],
      (at, now) => onchange((value = value.map((old, place) => (place === at ? now : old)))),
      label,
    );
  }
  if (one.kind === "sides") {
    const names = Object.keys(one.schema.properties);
    return several(
      names,
      (at) => value[names[at]],
      (at, now) => onchange((value = { ...value, [names[at]]: now })),
      label,
    );
  }
  return { nodes: [], inputs: [] };
}

function several(names, get, set, label) {
  const inputs = names.map((part, at) => {
    const input = el("input", {
      type: "number",
      step: "any",
      class: "number",
      "aria-label": `${label}, ${part}`,
      value: get(at) ?? "",
      "data-part": PARTS[part] ?? part,
    });
    input.addEventListener("input", () => set(at, input.value.trim() === "" ? null : Number(input.value)));
    return input;
  });
  const nodes = [
    el("div", { class: "several" }, ...inputs.map((input, at) => el("label", {}, el("span", {}, names[at]), input))),
  ];
  return { nodes, inputs };
}

function listEditor(label, value, onchange) {
  const input = el("input", {
    type: "text",
    class: "code",
    "aria-label": `${label}, numbers separated by spaces`,
    value: value.map((number) => short(number, 12)).join(" "),
  });
  input.addEventListener("input", () => {
    const numbers = input.value
      .trim()
      .split(/[\s;]+/)
      .map(parse);
    const whole = !numbers.some(Number.isNaN);
    input.setAttribute("aria-invalid", String(!whole));
    if (whole) onchange(numbers);
  });
  return { nodes: [input], inputs: [input] };
}

/** Convert a value to another form with the same meaning, if possible. */
function convert(value, one) {
  const flat =
    typeof value === "number"
      ? [value]
      : Array.isArray(value)
        ? value
        : value && typeof value === "object"
          ? Object.values(value)
          : [];
  const first = flat.find((number) => typeof number === "number") ?? (one.schema?.minimum > 0 ? one.schema.minimum : 0);
  switch (one.kind) {
    case "none":
      return null;
    case "word":
      return one.word;
    case "number":
      return first || (one.schema.minimum < 0 ? 1 : first);
    case "tuple":
      return Array.from({ length: one.length }, (_, at) => flat[at] ?? first);
    case "sides": {
      const [vertical, horizontal] = flat.length === 2 ? flat : [first, first];
      return { top: vertical, bottom: vertical, left: horizontal, right: horizontal };
    }
    default:
      return flat.length ? flat : [first];
  }
}

function title(one) {
  const titles = { none: "not set", number: "one number", list: "several numbers", sides: "each side" };
  if (one.kind === "word") return spaced(one.word);
  if (one.kind === "tuple") return one.length === 2 ? "two numbers" : "three numbers";
  return titles[one.kind];
}

function spaced(word) {
  return word.replaceAll("_", " ");
}
