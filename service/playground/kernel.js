/** Arithmetic on kernels: lists of rows of numbers. */

const TINY = 1e-9;

export const isMatrix = (value) =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every(
    (row) =>
      Array.isArray(row) &&
      row.length > 0 &&
      row.length === value[0].length &&
      row.every((number) => typeof number === "number"),
  );

export const sum = (kernel) => kernel.flat().reduce((total, number) => total + number, 0);

export const largest = (kernel) => kernel.flat().reduce((most, number) => Math.max(most, Math.abs(number)), 0);

/** Count the rows that are independent of each other, by elimination with full pivoting. */
export function rank(kernel) {
  const rest = kernel.map((row) => [...row]);
  const tolerance = largest(kernel) * TINY;
  const steps = Math.min(rest.length, rest[0].length);
  for (let found = 0; found < steps; found += 1) {
    const [top, left] = pivot(rest);
    if (Math.abs(rest[top][left]) <= tolerance) return found;
    const chosen = rest[top];
    for (const row of rest) {
      if (row === chosen) continue;
      const factor = row[left] / chosen[left];
      row.forEach((_, at) => (row[at] -= factor * chosen[at]));
      row[left] = 0;
    }
    rest[top] = chosen.map(() => 0);
  }
  return steps;
}

/** Split a kernel of rank one into a column and a row whose product it is. */
export function factors(kernel) {
  const [top, left] = pivot(kernel);
  const smallest = Math.min(...kernel[top].map(Math.abs).filter((number) => number > largest(kernel) * TINY));
  const row = kernel[top].map((number) => number / smallest);
  return { column: kernel.map((numbers) => numbers[left] / row[left]), row };
}

export const transpose = (kernel) => kernel[0].map((_, at) => kernel.map((row) => row[at]));

/** Rotate by 90 degrees, clockwise. */
export const rotate = (kernel) => transpose([...kernel].reverse());

export const scale = (kernel, factor) => kernel.map((row) => row.map((number) => number * factor + 0));

/** Enlarge a kernel with zeros, or crop it, on both sides if possible. */
export function resize(kernel, height, width) {
  const down = Math.floor((height - kernel.length) / 2);
  const right = Math.floor((width - kernel[0].length) / 2);
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => kernel[y - down]?.[x - right] ?? 0),
  );
}

function pivot(kernel) {
  let best = [0, 0];
  kernel.forEach((row, top) =>
    row.forEach((number, left) => {
      if (Math.abs(number) > Math.abs(kernel[best[0]][best[1]])) best = [top, left];
    }),
  );
  return best;
}
