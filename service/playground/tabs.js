/** Tabs that the arrow keys switch. */

import { el, freshId } from "./dom.js";

/** Make tabs; returns {node, show(texts)} for texts by name. */
export function codeTabs(names, label, button) {
  const code = el("code", {});
  const panel = el("pre", { id: freshId("panel"), role: "tabpanel", tabindex: "0" }, code);
  let texts = {};
  let chosen = names[0];
  const tabs = names.map((name) =>
    el(
      "button",
      { type: "button", role: "tab", id: freshId("tab"), "aria-controls": panel.id, onclick: () => choose(name) },
      name,
    ),
  );
  const bar = el("div", { class: "tabs", role: "tablist", "aria-label": label }, ...tabs);

  function choose(name) {
    chosen = name;
    tabs.forEach((tab, at) => {
      tab.setAttribute("aria-selected", String(names[at] === name));
      tab.tabIndex = names[at] === name ? 0 : -1;
      if (names[at] === name) panel.setAttribute("aria-labelledby", tab.id);
    });
    code.textContent = texts[name] ?? "";
  }

  bar.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const next = (names.indexOf(chosen) + by + names.length) % names.length;
    choose(names[next]);
    tabs[next].focus();
  });
  choose(chosen);
  return {
    node: el("div", { class: "code-tabs" }, el("div", { class: "tab-bar" }, bar, button), panel),
    text: () => code.textContent,
    show: (given) => {
      texts = given;
      choose(chosen);
    },
  };
}
