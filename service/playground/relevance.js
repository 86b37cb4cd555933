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
  const names = Object.keys(operation.schema.properties);
  const touched = new Set();
  const drop = (name) => {
    if (name in step) {
      delete step[name];
      touched.add(name);
    }
  };
  if (step[changed] !== undefined) (EXCLUDE[changed] ?? []).forEach(drop);
  names.filter((name) => !isRelevant(step, name, operation)).forEach(drop);
  const example = operation.examples.find((other) => other[changed] === step[changed]);
  if (operation.schema.properties[changed]?.enum && example) {
    names
      .filter((name) => name in example && !(name in step) && isRelevant(step, name, operation) && owned(step, name, changed))
      .forEach((name) => {
        step[name] = structuredClone(example[name]);
        touched.add(name);
      });
  }
  if (changed === "column" && step.column && !step.row) touched.add("row") && (step.row = [...step.column]);
  if (changed === "row" && step.row && !step.column) touched.add("column") && (step.column = [...step.row]);
  return touched;
}

const owned = (step, name, changed) => (BELONGS[`${step.op}.${name}`] ?? BELONGS[name])?.field === changed;
