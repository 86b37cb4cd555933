/** Read and write numbers. */

const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
const WHOLE = new Intl.NumberFormat("en");

/** Write a number in few characters: 0.0625, 1.2e-7, -4. */
export function short(value, digits = 4) {
  if (typeof value !== "number") return String(value);
  return String(Number(value.toPrecision(digits)));
}

/** Write 3653100 as 3.65M. */
export const compact = (value) => COMPACT.format(value);

/** Write 3653100 as 3,653,100. */
export const whole = (value) => WHOLE.format(value);

/** Write seconds with a unit that fits. */
export function duration(seconds) {
  if (seconds >= 1) return `${seconds.toFixed(2)} s`;
  const milliseconds = seconds * 1000;
  if (milliseconds < 0.01) return "< 0.01 ms";
  return `${milliseconds.toFixed(milliseconds < 1 ? 2 : milliseconds < 100 ? 1 : 0)} ms`;
}

/** Write a number of bytes. */
export function bytes(count) {
  if (count < 1e3) return `${count} B`;
  return count < 1e6 ? `${(count / 1e3).toFixed(0)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

/** Read a number or a fraction such as 1/9; NaN if it is neither. */
export function parse(text) {
  const [top, bottom, ...more] = text.replace("−", "-").replace(",", ".").split("/");
  if (more.length || !top.trim()) return NaN;
  if (bottom === undefined) return Number(top);
  return bottom.trim() ? Number(top) / Number(bottom) : NaN;
}

/** Tell whether two JSON values are equal. */
export function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}
