/** Call the service over HTTP. URLs are relative, so a proxy's prefix does not matter. */

import { mediaType } from "./answer-form.js";

const KEY = "convserve-key";
const kernels = new Map();
let compiled = 0;

/** A refusal: the content of the service's problem document. */
export class Problem extends Error {
  constructor(document) {
    super(document.detail ?? document.title ?? "The service gave no reason.");
    this.status = document.status ?? 0;
    this.code = document.code ?? "unknown";
    this.title = document.title ?? "Refused";
    this.type = document.type ?? null;
    this.errors = document.errors ?? [];
    this.retryAfter = document.retryAfter ?? null;
  }
}

export const storedKey = () => sessionStorage.getItem(KEY);
export const storeKey = (key) => sessionStorage.setItem(KEY, key);

/** Look up the operations, the named kernels and the presets. */
export async function catalogue() {
  const [operations, named, presets] = await Promise.all(
    ["operations", "kernels", "presets"].map((name) => json(`v1/${name}`)),
  );
  named.forEach((kernel) => kernels.set(JSON.stringify({ name: kernel.name }), kernel.kernel));
  return { operations, kernels: named, presets };
}

/** Filter a picture; returns the result, in the form that the spec names, and the time of each part. */
export async function filter(picture, spec, signal) {
  const started = performance.now();
  const response = await send("v1/filter", {
    method: "POST",
    body: form(picture, spec),
    headers: { Accept: mediaType(spec) },
    signal,
  });
  const blob = await response.blob();
  return {
    blob,
    parts: serverTiming(response.headers.get("Server-Timing") ?? ""),
    roundTrip: performance.now() - started,
  };
}

/** Return the share of the compiled loops in use; it grows for some minutes after a first start. */
export async function compiledShare() {
  if (compiled < 1) compiled = (await json("version").catch(() => ({}))).engine?.compiled ?? 1;
  return compiled;
}

/** Filter a picture with a preset. */
export async function preset(picture, name, signal) {
  const response = await send(`v1/filters/${encodeURIComponent(name)}`, {
    method: "POST",
    body: form(picture),
    headers: { Accept: "image/png" },
    signal,
  });
  return response.blob();
}

/** Ask for a picture's width, height, channels and dtype. The answer holds a single sample. */
export async function describe(picture, signal) {
  const spec = { op: "pool", method: "max", size: 1, stride: 65536 };
  const response = await send("v1/filter", {
    method: "POST",
    body: form(picture, spec),
    headers: { Accept: "application/json" },
    signal,
  });
  return (await response.json()).plan.image;
}

export const plan = (spec, image, signal) => json("v1/plan", { spec, image }, signal);

/** Draw a step on a small image; returns an SVG. */
export async function figure(spec, image, animate, signal) {
  const response = await send(`v1/figure?animate=${animate}`, document({ spec, image }, signal));
  return response.blob();
}

/** Return the numbers of a named kernel. */
export async function kernelNumbers(named, signal) {
  const key = JSON.stringify(typeof named === "string" ? { name: named } : named);
  if (!kernels.has(key)) {
    const spec = { op: "conv", kernel: named, padding: "full" };
    const answer = await plan(spec, { width: 1, height: 1, channels: 1 }, signal);
    kernels.set(key, answer.steps[0].resolved.kernel);
  }
  return kernels.get(key);
}

/** Read a Server-Timing header as [{name, description, milliseconds}]. */
export function serverTiming(header) {
  const parts = header.match(/[^,;\s]+(?:;(?:desc="[^"]*"|[^,;]*))*/g) ?? [];
  return parts.map((part) => ({
    name: part.match(/^[^;]+/)[0],
    description: part.match(/desc="([^"]*)"/)?.[1] ?? "",
    milliseconds: Number(part.match(/dur=([\d.]+)/)?.[1] ?? 0),
  }));
}

async function json(path, body, signal) {
  return (await send(path, body === undefined ? { signal } : document(body, signal))).json();
}

const document = (body, signal) => ({
  method: "POST",
  body: JSON.stringify(body),
  headers: { "Content-Type": "application/json" },
  signal,
});

function form(picture, spec) {
  const body = new FormData();
  body.append("image", picture, "picture");
  if (spec) body.append("spec", JSON.stringify(spec));
  return body;
}

async function send(path, options = {}) {
  const key = storedKey();
  const headers = { ...options.headers, ...(key ? { "X-API-Key": key } : {}) };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({
      title: "No answer",
      detail: "The service cannot be reached. Is it running?",
      code: "unreachable",
    });
  }
  if (response.ok) return response;
  throw await refusal(response);
}

async function refusal(response) {
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  try {
    return new Problem({ ...(await response.json()), retryAfter });
  } catch {
    return new Problem({
      title: "Refused",
      detail: `The answer was status ${response.status}.`,
      status: response.status,
      retryAfter,
    });
  }
}
