/** Read a field's JSON Schema: the forms that its value may have, and the control that suits it. */

/** Useful slider ranges where the schema's bounds are only the arithmetic's; the number beside takes any value. */
const RANGES = {
  stride: [1, 8],
  dilation: [1, 12],
  padding: [0, 16],
  size: [1, 31],
  sigma: [0.1, 12, 0.1],
  amount: [0, 5, 0.1],
  bias: [-255, 255],
  padding_value: [0, 255],
  divisor: [1, 64],
  iterations: [1, 60],
  noise_to_signal: [0.001, 0.2, 0.001],
  radius: [0, 16, 0.5],
  length: [1, 51],
  angle: [-180, 180, 5],
  factor: [1, 8],
  groups: [1, 8],
  output_padding: [0, 7],
};
const LONG_FORM = 7;

/** List the forms of a value: none, word, number, tuple, list, matrix, tensor, sides, named. */
export function forms(schema) {
  return (schema.anyOf ?? [schema]).flatMap((one) => form(one));
}

function form(schema) {
  if (schema.type === "null") return [{ kind: "none" }];
  if (schema.enum) return schema.enum.map((word) => ({ kind: "word", word }));
  if (schema.type === "integer" || schema.type === "number") return [{ kind: "number", schema }];
  if (schema.type === "object")
    return [schema.required?.includes("top") ? { kind: "sides", schema } : { kind: "named" }];
  if (schema.type === "array") return [arrayForm(schema)];
  return [{ kind: "json" }];
}

function arrayForm(schema) {
  let depth = 0;
  for (let items = schema; items?.type === "array"; items = items.items) depth += 1;
  if (schema.items?.anyOf) return { kind: "kernels" };
  if (depth === 2) return { kind: "matrix" };
  if (depth > 2) return { kind: "tensor" };
  return schema.minItems === schema.maxItems && schema.minItems
    ? { kind: "tuple", length: schema.minItems, schema: schema.items }
    : { kind: "list", schema: schema.items };
}

/** Choose a control for a field. */
export function controlFor(schema) {
  const kinds = new Set(forms(schema).map((one) => one.kind));
  const only = (...names) => [...kinds].every((kind) => names.includes(kind));
  if (kinds.has("kernels")) return "kernels";
  if (kinds.has("matrix") && kinds.has("word")) return "kernel";
  if (only("matrix", "none")) return "matrix";
  if (only("list", "none")) return "taps";
  if (only("word", "none")) return "choice";
  if (only("number", "none")) return "number";
  if (kinds.has("tensor") || kinds.has("json")) return "json";
  return "union";
}

/** Tell whether a value has a form. */
export function isOf(value, one) {
  const numbers = (list) => Array.isArray(list) && list.every((number) => typeof number === "number");
  switch (one.kind) {
    case "none":
      return value === null || value === undefined;
    case "word":
      return value === one.word;
    case "number":
      return typeof value === "number";
    case "tuple":
      return numbers(value) && value.length === one.length;
    case "list":
      return numbers(value);
    case "sides":
      return (
        typeof value === "object" &&
        value !== null &&
        Object.keys(one.schema.properties).every((side) => typeof value[side] === "number")
      );
    default:
      return false;
  }
}

/** Return the ends and the step of a slider. */
export function range(name, schema) {
  const low = schema.minimum ?? schema.exclusiveMinimum ?? 0;
  const high = schema.maximum ?? 10;
  if (high - low <= 32) return [low, high, schema.type === "integer" ? 1 : (high - low) / 100];
  return RANGES[name] ?? [low, low + 16, schema.type === "integer" ? 1 : 0.1];
}

/** Order the fields of an operation, and choose those behind "More": in long forms, the ones usually left out. */
export function layout(operation) {
  const entries = Object.entries(operation.schema.properties).filter(([name]) => name !== "op");
  const arrays = ([, schema]) => ["kernel", "kernels", "matrix", "taps"].includes(controlFor(schema));
  const ordered = [...entries.filter(arrays), ...entries.filter((entry) => !arrays(entry))];
  const rare = ([name, schema]) =>
    entries.length > LONG_FORM && ((schema.default === null && name !== "kernel") || name === "groups");
  const main = ordered.filter((entry) => !rare(entry) || arrays(entry));
  return { main, more: ordered.filter((entry) => !main.includes(entry)) };
}
