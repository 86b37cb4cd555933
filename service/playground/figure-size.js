/** Find the smallest image for the figure of a step; null if there is none. */

import { kernelNumbers } from "./api.js";
import { isMatrix } from "./kernel.js";

const MOST = 24; // samples along a side of a figure's input, kernel and output
const MOST_PADDED = 48;
const WANTED = { transposed: 4 };

/** Choose the sides of the image for a step of an operation that has figures. */
export async function figureImage(step, signal) {
  const kernel = await sides(step, signal);
  if (!kernel || kernel.some((side) => side > MOST)) return null;
  const height = side(step, kernel[0], 0);
  const width = side(step, kernel[1], 1);
  return height && width ? { width, height } : null;
}

async function sides(step, signal) {
  const kernel = step.kernel ?? step.kernels?.[0] ?? null;
  if (isMatrix(kernel)) return [kernel.length, kernel[0].length];
  if (Array.isArray(step.column) && Array.isArray(step.row)) return [step.column.length, step.row.length];
  if (Array.isArray(step.weight)) return [step.weight[0]?.[0]?.length, step.weight[0]?.[0]?.[0]?.length];
  if (kernel === null || Array.isArray(kernel)) return null;
  const numbers = await kernelNumbers(kernel, signal);
  return [numbers.length, numbers[0].length];
}

/** Find the smallest side, from the wanted one on, that gives an output of some samples. */
function side(step, taps, axis) {
  const stride = pick(step.stride ?? 1, axis);
  const span = pick(step.dilation ?? 1, axis) * (taps - 1) + 1;
  const [before, after] = paddings(step.padding ?? 0, axis, span);
  for (let samples = WANTED[step.op] ?? 7; samples <= MOST; samples += 1) {
    if (step.op === "transposed") {
      const spread = (samples - 1) * stride + span;
      const output = spread - before - after + pick(step.output_padding ?? 0, axis);
      return output >= 1 && spread <= MOST_PADDED && output <= MOST ? samples : null;
    }
    const output = Math.floor((samples + before + after - span) / stride) + 1;
    if (output >= 2) return output <= MOST && samples + before + after <= MOST_PADDED ? samples : null;
  }
  return null;
}

const pick = (value, axis) => (Array.isArray(value) ? value[axis] : value);

function paddings(value, axis, span) {
  if (value === "valid") return [0, 0];
  if (value === "full") return [span - 1, span - 1];
  if (value === "same" || value === "same_lower") return [Math.floor((span - 1) / 2), Math.ceil((span - 1) / 2)];
  if (typeof value === "object" && !Array.isArray(value))
    return axis ? [value.left, value.right] : [value.top, value.bottom];
  return [pick(value, axis), pick(value, axis)];
}
