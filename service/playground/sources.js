/** Sources of pictures: a file dialog, a drop anywhere, the clipboard, the samples. */

import { el } from "./dom.js";
import { SAMPLES } from "./pictures.js";

/**
 * Watch for pictures.
 * @param {(picture: {blob: Blob, name: string}) => void} onpicture
 * @param {(words: string) => void} onfault
 */
export function watchSources(onpicture, onfault) {
  const input = document.querySelector("#file");
  document.querySelector("#open").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    take(input.files[0], onpicture);
    input.value = "";
  });
  samples(document.querySelector("#sample"), onpicture, onfault);
  drops(onpicture, onfault);
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])][0];
    if (!file) return;
    event.preventDefault();
    take(file, onpicture);
  });
}

function samples(select, onpicture, onfault) {
  for (const { name } of SAMPLES) select.append(el("option", { value: name }, name));
  select.addEventListener("change", async () => {
    const sample = SAMPLES.find(({ name }) => name === select.value);
    if (!sample) return;
    try {
      onpicture({ blob: await sample.make(), name: sample.file, sample: sample.name });
    } catch {
      onfault("The sample could not be loaded.");
    }
  });
}

function drops(onpicture, onfault) {
  const root = document.documentElement;
  let depth = 0;
  const over = (by) => {
    depth = by === 0 ? 0 : Math.max(0, depth + by);
    root.toggleAttribute("data-drop", depth > 0);
  };
  const files = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => files(event) && over(1));
  document.addEventListener("dragleave", (event) => files(event) && over(-1));
  document.addEventListener("dragover", (event) => files(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    over(0);
    if (!files(event)) return;
    event.preventDefault();
    const file = event.dataTransfer.files[0];
    if (file) take(file, onpicture);
    else onfault("That was not a file.");
  });
}

function take(file, onpicture) {
  if (file) onpicture({ blob: file, name: file.name || "pasted.png" });
}
