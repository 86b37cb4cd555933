/** The controls around the viewer: view, size, position of the line, and the samples under the pointer. */

import { short } from "./numbers.js";
import { Viewer } from "./viewer.js";

/** Connect the viewer with its controls. */
export function makeViewer(root) {
  const find = (selector) => root.querySelector(selector);
  const split = find("#split");
  const level = find("#zoom-level");
  const readout = find("#pixel");
  const viewer = new Viewer(find("#stage"), (change) => {
    if (change.split !== undefined) split.value = String(Math.round(change.split * 100));
    if (change.zoom !== undefined) level.textContent = `${short(change.zoom * 100, change.zoom < 1 ? 2 : 3)} %`;
    if (change.pixel !== undefined) readout.textContent = change.pixel ? words(change.pixel) : "";
  });
  split.addEventListener("input", () => viewer.setSplit(Number(split.value) / 100));
  find("#zoom-in").addEventListener("click", () => viewer.zoomBy(2));
  find("#zoom-out").addEventListener("click", () => viewer.zoomBy(0.5));
  find("#zoom-fit").addEventListener("click", () => viewer.fit());
  find("#zoom-one").addEventListener("click", () => viewer.zoomTo(1));
  find("#gain").addEventListener("change", (event) => viewer.setGain(Number(event.target.value)));
  const say = () => describe(find("#difference-words"), viewer);
  find("#gain").addEventListener("change", say);
  for (const radio of root.querySelectorAll("[name=view]")) {
    radio.addEventListener("change", () => {
      viewer.setMode(radio.value);
      root.dataset.view = radio.value;
      say();
    });
  }
  return { show: (pictures) => (viewer.show(pictures), say()) };
}

function describe(node, viewer) {
  const statistics = viewer.mode === "difference" ? viewer.statistics() : null;
  node.textContent = statistics ? `mean ${short(statistics.mean, 3)}, largest ${statistics.most}` : "";
}

function words({ x, y, before, after }) {
  const list = (samples) => (samples ? (samples[3] < 255 ? samples : samples.slice(0, 3)).join(" ") : "–");
  return `(${x}, ${y})  ${list(before)} → ${list(after)}`;
}
