/** How long each part took, as bars. */

import { el } from "./dom.js";
import { duration } from "./numbers.js";

const NAMES = { queue: "waiting", decode: "reading the picture", encode: "writing the result" };

/** Draw the parts of a Server-Timing header, the time of network and browser, and the share of loops in use. */
export function drawTimings(root, { parts, roundTrip }, compiled) {
  const total = parts.find(({ name }) => name === "total")?.milliseconds ?? 0;
  const rows = parts
    .filter(({ name }) => name !== "total")
    .map((part) => ({ kind: part.name.split("-")[0], title: title(part), milliseconds: part.milliseconds }));
  rows.push({ kind: "network", title: "network and browser", milliseconds: Math.max(0, roundTrip - total) });
  const most = Math.max(...rows.map(({ milliseconds }) => milliseconds), 1e-6);
  root.replaceChildren(
    el("p", { class: "figure-line" }, el("b", { "data-fact": "total" }, duration(total / 1000)), " in the service"),
    el("ul", { class: "bars" }, ...rows.map((row) => bar(row, most))),
    compiled < 1 ? el("p", { class: "hint shown", "data-fact": "compiled" }, slower(compiled)) : "",
  );
}

const slower = (compiled) =>
  `${Math.round(100 * compiled)} % of the compiled loops are in use. NumPy does the rest, which takes longer.`;

/** Draw one bar with its name and its time. */
export function bar({ kind, title, milliseconds, mark }, most) {
  const fill = el("span", { class: "bar-fill", "data-kind": kind });
  fill.style.setProperty("--share", String(milliseconds / most));
  return el(
    "li",
    { class: "bar", "data-mark": mark },
    el("span", { class: "bar-name" }, title),
    el("span", { class: "bar-track" }, fill),
    el("span", { class: "bar-value" }, duration(milliseconds / 1000)),
  );
}

function title({ name, description }) {
  const step = name.match(/^step-(\d+)$/);
  return step ? `${Number(step[1]) + 1}. ${description.replaceAll("_", " ")}` : (NAMES[name] ?? name);
}
