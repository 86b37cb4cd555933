/** Editors for kernels: a name with parameters, or a grid of numbers; with sum, rank and picture. */

import { kernelNumbers } from "./api.js";
import { el, iconButton } from "./dom.js";
import { jsonControl } from "./fields.js";
import { factors, isMatrix, largest, rank, resize, rotate, scale, sum, transpose } from "./kernel.js";
import { parse, short } from "./numbers.js";

const MOST_CELLS = 11; // per side: a larger kernel is shown only as a picture
const DIGITS = { large: 4, middle: 3, small: 1 };
const OWN = "own numbers";
const NONE = "not set";
const START = [
  [0, 0, 0],
  [0, 1, 0],
  [0, 0, 0],
];

/** Edit one kernel: numbers, a name, or a name with parameters. */
export function kernelEditor({ label, value, optional, named, field, onchange }) {
  const known = new Map(named.map((kernel) => [kernel.name, kernel]));
  const nameOf = (now) => (typeof now === "string" ? now : now?.name);
  if (value !== undefined && value !== null && !isMatrix(value) && !known.has(nameOf(value)))
    return jsonControl({ value, onchange });
  let now = value ?? null;
  let lookup = null;
  const select = el("select", { "aria-label": `${label}: named kernel`, class: "form" });
  for (const choice of [...(optional ? [NONE] : []), OWN, ...known.keys()])
    select.append(el("option", { value: choice }, choice.replaceAll("_", " ")));
  const grid = matrixEditor({ label, value: START, onchange: (numbers) => take(numbers, false) });
  const parameters = el("div", { class: "parameters" });
  const fields = new Map();
  const summary = el("p", { class: "hint shown" });
  const node = el("div", { class: "kernel" }, summary, parameters, grid.node);
  const control = {
    node,
    aside: select,
    inputs: [select],
    find: (path) => fields.get(path[0])?.input() ?? grid.find(path),
  };

  function take(next, redraw = true) {
    now = next;
    if (redraw) draw();
    else frame();
    onchange(now ?? undefined);
  }

  /** Show the controls around the numbers. */
  function frame() {
    const name = isMatrix(now) ? OWN : now === null ? NONE : nameOf(now);
    select.value = name;
    summary.textContent = known.get(name)?.summary ?? "";
    summary.hidden = !summary.textContent;
    grid.node.hidden = now === null;
    if (name === OWN || name === NONE) {
      fields.clear();
      parameters.replaceChildren();
    }
  }

  function draw() {
    frame();
    if (isMatrix(now)) grid.show(now);
    else if (now !== null) {
      makeFields(known.get(nameOf(now)));
      parameters.replaceChildren(...[...fields.values()].map(({ node }) => node));
      numbers();
    }
  }

  function makeFields(kernel) {
    const given = typeof now === "string" ? {} : now;
    fields.clear();
    Object.entries(kernel.parameters).forEach(([name, schema]) => {
      const change = (next) => {
        const { [name]: _, ...rest } = typeof now === "string" ? { name: now } : now;
        const changed = next === undefined ? rest : { ...rest, [name]: next };
        now = Object.keys(changed).length > 1 ? changed : kernel.name;
        numbers();
        onchange(now);
      };
      fields.set(name, field({ name, schema, value: given[name], onchange: change, named }));
    });
  }

  /** Fetch the numbers of a named kernel, ignoring answers to older requests. */
  async function numbers() {
    lookup?.abort();
    lookup = new AbortController();
    try {
      const { signal } = lookup;
      const answer = await kernelNumbers(now, signal);
      if (!signal.aborted) grid.show(answer);
    } catch {
      // the answer to the whole spec marks a parameter that the service refuses at its field
    }
  }

  select.addEventListener("change", () => {
    if (select.value === NONE) take(null);
    else if (select.value === OWN) take(now === null ? START : grid.numbers());
    else take(select.value);
  });
  draw();
  return control;
}

/** Edit several kernels, each with its own editor. */
export function kernelsEditor({ label, value, named, field, onchange }) {
  if (!Array.isArray(value)) return jsonControl({ value, onchange });
  let now = [...value];
  const list = el("div", { class: "kernels" });
  const add = el(
    "button",
    { type: "button", class: "quiet", onclick: () => change([...now, structuredClone(now.at(-1) ?? START)]) },
    "Add a kernel",
  );
  const control = { node: el("div", {}, list, add), inputs: [] };

  function change(next) {
    now = next;
    draw();
    add.focus();
    onchange(now);
  }

  function draw() {
    const editors = now.map((kernel, at) => {
      const name = `${label} ${at + 1}`;
      return kernelEditor({
        label: name,
        value: kernel,
        named,
        field,
        onchange: (next) => onchange((now = now.map((old, place) => (place === at ? next : old)))),
      });
    });
    control.inputs = editors.flatMap((editor) => editor.inputs);
    control.find = ([at, ...rest]) => editors[at]?.find?.(rest) ?? editors[at]?.inputs[0];
    list.replaceChildren(
      ...editors.map((editor, at) => {
        const name = `${label} ${at + 1}`;
        const remove =
          now.length > 1 &&
          iconButton("remove", `Remove ${name}`, () => change(now.filter((_, place) => place !== at)));
        return el(
          "div",
          { class: "one-kernel", role: "group", "aria-label": name },
          el("div", { class: "field-head" }, el("span", { class: "label" }, `no. ${at + 1}`), editor.aside, remove),
          editor.node,
        );
      }),
    );
  }
  draw();
  return control;
}

/** Edit a grid of numbers; with `fixedRows` it is a list, from left to right or, with `vertical`, downwards. */
export function matrixEditor({ label, value, fixedRows, vertical = false, facts = true, onchange }) {
  let now = value;
  const table = el("div", { class: "grid", role: "group", "aria-label": `${label}: numbers` });
  const note = el("p", { class: "hint shown" });
  const about = el("p", { class: "facts" });
  const picture = el("canvas", { class: "kernel-picture", role: "img" });
  const sides = [
    side(
      "rows",
      () => now.length,
      (rows) => resize(now, rows, now[0].length),
    ),
    side(
      "columns",
      () => now[0].length,
      (columns) => resize(now, now.length, columns),
    ),
  ];
  const tools = [
    iconButton("rotate", `${label}: rotate by 90 degrees`, () => edit(rotate(now))),
    iconButton("transpose", `${label}: transpose`, () => edit(transpose(now))),
    iconButton("negate", `${label}: negate`, () => edit(scale(now, -1))),
    iconButton(
      "scale",
      `${label}: divide by the sum`,
      () => Math.abs(sum(now)) > 1e-9 && edit(scale(now, 1 / sum(now))),
    ),
  ];
  const bar = el(
    "div",
    { class: "grid-bar" },
    ...(fixedRows ? sides.slice(1) : sides).map(({ node }) => node),
    facts && el("span", { class: "tools" }, ...tools),
  );
  const node = el(
    "div",
    { class: "matrix" },
    table,
    note,
    bar,
    facts && el("div", { class: "about-kernel" }, picture, about),
  );

  function side(name, get, apply) {
    const input = el("input", {
      type: "number",
      min: 1,
      max: MOST_CELLS,
      class: "number",
      "aria-label": `${label}: ${name}`,
    });
    input.addEventListener("change", () => {
      const count = Math.round(Number(input.value));
      if (count >= 1 && count <= 255) edit(apply(count));
      else input.value = get();
    });
    return {
      node: el(
        "label",
        { class: "side" },
        el("span", {}, name === "rows" ? "size" : fixedRows ? "length" : "×"),
        input,
      ),
      show: () => (input.value = get()),
    };
  }

  function edit(next) {
    show(next);
    onchange(next);
  }

  function show(next) {
    const redraw = !now || next.length !== now.length || next[0].length !== now[0].length || !table.children.length;
    now = next;
    sides.forEach((one) => one.show());
    const large = now.length > MOST_CELLS || now[0].length > MOST_CELLS;
    table.hidden = large;
    note.hidden = !large;
    note.textContent = `${now.length} × ${now[0].length} numbers, shown as a picture`;
    if (large) table.replaceChildren();
    else if (redraw) cells();
    else fill();
    if (facts) describe();
  }

  function cells() {
    table.style.setProperty("--columns", vertical ? 1 : now[0].length);
    table.toggleAttribute("data-vertical", vertical);
    table.dataset.size = now[0].length > 9 ? "small" : now[0].length > 5 ? "middle" : "large";
    table.replaceChildren(
      ...now.flatMap((row, y) =>
        row.map((_, x) => {
          const name = fixedRows ? `${label}, number ${x + 1}` : `${label}, row ${y + 1}, column ${x + 1}`;
          return el("input", {
            type: "text",
            inputmode: "text",
            autocomplete: "off",
            spellcheck: "false",
            class: "cell",
            "aria-label": name,
            oninput: () => typed(y, x),
            onblur: () => fill(),
          });
        }),
      ),
    );
    fill();
  }

  function fill() {
    const most = largest(now) || 1;
    [...table.children].forEach((input, at) => {
      const number = now[Math.floor(at / now[0].length)][at % now[0].length];
      if (input !== globalThis.document.activeElement) {
        input.value = short(number, DIGITS[table.dataset.size]);
        input.title = String(number);
        input.removeAttribute("aria-invalid");
      }
      input.dataset.sign = number < 0 ? "minus" : number > 0 ? "plus" : "zero";
      input.style.setProperty("--share", `${Math.round((36 * Math.abs(number)) / most)}%`);
    });
  }

  function typed(y, x) {
    const input = table.children[y * now[0].length + x];
    const number = parse(input.value);
    input.setAttribute("aria-invalid", String(!Number.isFinite(number)));
    if (!Number.isFinite(number)) return;
    now = now.map((row, at) => (at === y ? row.map((old, place) => (place === x ? number : old)) : row));
    fill();
    if (facts) describe();
    onchange(now);
  }

  /** Show the sum and the rank, and draw the picture. */
  function describe() {
    const order = rank(now);
    const size = `${now.length} × ${now[0].length}`;
    const split = order === 1 && now.length <= 7 && now[0].length <= 7 ? factors(now) : null;
    const words = order === 1 ? "separable" : order === 0 ? "all zeros" : "not separable";
    const list = (numbers) => `[${numbers.map((number) => short(number, 3)).join(" ")}]`;
    about.replaceChildren(
      el("span", {}, `${size}, sum `, el("b", { "data-fact": "sum" }, short(sum(now), 5))),
      el("span", {}, "rank ", el("b", { "data-fact": "rank" }, String(order)), `: ${words}`),
      split && now.length > 1 && now[0].length > 1
        ? el("span", { class: "split" }, `${list(split.column)}ᵀ × ${list(split.row)}`)
        : "",
    );
    if (picture.isConnected) draw(picture, now);
    else requestAnimationFrame(() => draw(picture, now)); // colours are known only once it is in the page
    picture.setAttribute("aria-label", `Picture of the kernel: ${size}, orange above zero, blue below`);
  }

  table.addEventListener("keydown", (event) => walk(event, table, vertical ? 1 : now[0].length));
  show(value);
  const find = ([y, x]) => (fixedRows ? table.children[y] : table.children[y * now[0].length + Number(x)]);
  return { node, inputs: [], show, numbers: () => now, find };
}

/** Move between cells with the arrow keys; sideways only from the ends of a cell's text. */
function walk(event, table, columns) {
  const at = [...table.children].indexOf(event.target);
  const { selectionStart: start, selectionEnd: end, value } = event.target;
  const whole = start === 0 && end === value.length;
  const moves = {
    ArrowUp: at - columns,
    ArrowDown: at + columns,
    ArrowLeft: at % columns && (end === 0 || whole) ? at - 1 : -1,
    ArrowRight: (at + 1) % columns && (start === value.length || whole) ? at + 1 : -1,
  };
  const next = table.children[moves[event.key] ?? -1];
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.select();
}

/** Draw a kernel, one pixel per number. */
function draw(canvas, kernel) {
  const style = getComputedStyle(canvas);
  const most = largest(kernel) || 1;
  canvas.width = kernel[0].length;
  canvas.height = kernel.length;
  canvas.dataset.wide = String(kernel[0].length >= kernel.length);
  const context = canvas.getContext("2d");
  kernel.forEach((row, y) =>
    row.forEach((number, x) => {
      context.globalAlpha = Math.abs(number) / most;
      context.fillStyle = number < 0 ? style.caretColor : style.color;
      context.fillRect(x, y, 1, 1);
    }),
  );
}
