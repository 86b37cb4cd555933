/** Which fields belong to a certain choice of another, as the service refuses them without it. */

const BELONGS = {
  padding_value: { field: "padding_mode", choice: "constant" },
  "blur.sigma": { field: "method", choice: "gaussian" },
  "blur.size": { field: "method", choice: "box" },
  "gradient.norm": { field: "direction", choice: "magnitude" },
  "deconvolve.noise_to_signal": { field: "method", choice: "wiener" },
  "deconvolve.iterations": { field: "method", choice: "richardson_lucy" },
  "pool.dilation": { field: "method", choice: "max" },
};
const EXCLUDE = { kernel: ["weight", "column", "row"], weight: ["kernel"], column: ["kernel"], row: ["kernel"] };

/** Tell whether a field has a meaning in a step. */
export function isRelevant(step, name, operation) {
  const rule = BELONGS[`${step.op}.${name}`] ?? BELONGS[name];
  if (rule && rule.field in operation.schema.properties) {
    return (step[rule.field] ?? operation.schema.properties[rule.field].default) === rule.choice;
  }
  if (name === "groups") return step.weight !== undefined && step.weight !== null;
  return true;
}

/** Make a step whole after one of its fields has changed: what lost its meaning goes, what is needed comes from an example. */
export function settle(step, changed, operation) {
  const { properties } = operation.schema;
  const touched = new Set();
  const drop = (name) => {
    if (delete step[name]) touched.add(name);
  };
  const put = (name, value) => {
    step[name] = structuredClone(value);
    touched.add(name);
  };
  const given = (name) => step[name] !== undefined && step[name] !== null;
  if (given(changed)) (EXCLUDE[changed] ?? []).filter((name) => name in step).forEach(drop);
  Object.keys(step)
    .filter((name) => !isRelevant(step, name, operation))
    .forEach(drop);
  const example = operation.examples.find((other) => other[changed] === step[changed]) ?? {};
  for (const name of Object.keys(example)) {
    if (!given(name) && owned(step, name, changed) && isRelevant(step, name, operation)) put(name, example[name]);
  }
  const partner = { column: "row", row: "column" }[changed];
  if (partner in properties && given(changed) && !given(partner)) put(partner, step[changed]);
  return touched;
}

const owned = (step, name, changed) => (BELONGS[`${step.op}.${name}`] ?? BELONGS[name])?.field === changed;
