/** Tell which fields apply together, by the operation's schema: `x-only-with` and `x-alternatives`. */

/** Tell whether a field applies in a step. */
export function isRelevant(step, name, operation) {
  const { properties } = operation.schema;
  const rule = properties[name]?.["x-only-with"];
  if (!rule) return true;
  const given = step[rule.field] ?? properties[rule.field].default ?? null;
  return rule.choice === undefined ? given !== null : given === rule.choice;
}

/** List the fields that must be given together with a field. */
export function partners(name, operation) {
  const own = (operation.schema["x-alternatives"] ?? []).find((names) => names.includes(name)) ?? [];
  return own.filter((other) => other !== name);
}

/** Repair a step after a field has changed: drop fields that no longer apply, take needed ones from an example. */
export function settle(step, changed, operation) {
  const touched = new Set();
  const drop = (name) => {
    if (delete step[name]) touched.add(name);
  };
  const put = (name, value) => {
    step[name] = structuredClone(value);
    touched.add(name);
  };
  const given = (name) => step[name] !== undefined && step[name] !== null;
  if (given(changed)) excluded(changed, operation).filter((name) => name in step).forEach(drop);
  Object.keys(step)
    .filter((name) => !isRelevant(step, name, operation))
    .forEach(drop);
  const example = operation.examples.find((other) => other[changed] === step[changed]) ?? {};
  for (const name of Object.keys(example)) {
    if (!given(name) && owner(name, operation) === changed && isRelevant(step, name, operation)) put(name, example[name]);
  }
  if (given(changed)) {
    for (const partner of partners(changed, operation)) if (!given(partner)) put(partner, step[changed]);
  }
  return touched;
}

const owner = (name, operation) => operation.schema.properties[name]?.["x-only-with"]?.field;

/** List the fields that are never given together with a field. */
function excluded(name, operation) {
  const alternatives = operation.schema["x-alternatives"] ?? [];
  const instead = alternatives.filter((names) => !names.includes(name));
  return instead.length < alternatives.length ? instead.flat() : [];
}
