/** Keep the spec in the URL, so it can be shared. The picture stays here. */

const MARK = "#s=";

/** Write a spec as the fragment of a URL. */
export function encode(spec) {
  const bytes = new TextEncoder().encode(JSON.stringify(spec));
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return MARK + text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Read a spec from a URL; null if there is none, an error if it is damaged. */
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

/** Update the URL without a new entry in the history. */
export function remember(spec) {
  history.replaceState(null, "", encode(spec));
}
