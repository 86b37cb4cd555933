/** The spec in the address, so that it can be sent to somebody. The picture stays here. */

const MARK = "#s=";

/** Write a spec as the part of an address behind #. */
export function encode(spec) {
  const bytes = new TextEncoder().encode(JSON.stringify(spec));
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return MARK + text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Read a spec from an address; null where there is none, and an error where it is damaged. */
export function decode(hash) {
  if (!hash.startsWith(MARK)) return null;
  const text = atob(hash.slice(MARK.length).replaceAll("-", "+").replaceAll("_", "/"));
  const spec = JSON.parse(
    new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(text, (letter) => letter.charCodeAt(0))),
  );
  const steps = spec?.steps ?? [spec];
  const whole = Array.isArray(steps) && steps.every((step) => step && typeof step.op === "string");
  if (!whole) throw new TypeError("not a spec");
  return spec;
}

/** Keep the address true, without a new entry in the history. */
export function remember(spec) {
  history.replaceState(null, "", encode(spec));
}
