/** Build the page: elements, icons and short messages. Text is never parsed as HTML. */

const PROPERTIES = new Set(["value", "textContent", "className", "htmlFor"]);
const PATHS = {
  up: "M8 13V3M3.5 7.5 8 3l4.5 4.5",
  down: "M8 3v10M3.5 8.5 8 13l4.5-4.5",
  remove: "M4 4l8 8M12 4l-8 8",
  add: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  copy: "M6 6h7v7H6zM3 10V3h7",
  share: "M10 3h3v3M13 3 7.5 8.5M11 9.5V13H3V5h3.5",
  download: "M8 2.5v7.5M4.5 7 8 10.5 11.5 7M3 13.5h10",
  open: "M2.5 12.5v-9h4l1.5 2h5.5v7z",
  theme: "M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 0 1 0 11",
  rotate: "M12.5 8A4.5 4.5 0 1 1 8 3.5h3M9 1.5l2 2-2 2",
  transpose: "M3 3l10 10M9 3h4v4M3 9v4h4",
  negate: "M3 5h10M8 2v6M3 12h10",
  scale: "M4 13 12 3M4.5 4.5v.01M11.5 11.5v.01",
  help: "M6 6a2 2 0 1 1 2.6 1.9c-.4.2-.6.5-.6 1v.6M8 12v.01",
  play: "M5 3.5v9l7-4.5z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  chevron: "M6 4l4 4-4 4",
};

/** Make an element with attributes (`onclick` and the like are listeners) and children; null values are skipped. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else node.setAttribute(name === "class" ? "class" : name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Draw an icon; the label of its button tells its meaning. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** Make a button that shows only an icon. */
export function iconButton(name, label, onclick, attributes = {}) {
  return el(
    "button",
    { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...attributes },
    icon(name),
  );
}

let count = 0;

/** Return an id that no other element has. */
export function freshId(word = "id") {
  count += 1;
  return `${word}-${count}`;
}

let waiting = 0;

/** Announce a text to screen readers once changes have settled. */
export function announce(text) {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    document.querySelector("#status").textContent = text;
  }, 400);
}

let fading = 0;

/** Show a short message for a moment, and announce it. */
export function toast(text) {
  const node = document.querySelector("#toast");
  node.textContent = text;
  node.dataset.shown = "true";
  clearTimeout(fading);
  fading = setTimeout(() => delete node.dataset.shown, 2600);
}

/** Copy a text; if the browser does not allow that, say so. */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
    return true;
  } catch {
    return false;
  }
}
