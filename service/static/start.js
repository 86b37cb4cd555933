"use strict";

// Swagger UI has a dark scheme, and leaves it to the page to say when: as was chosen in the playground, or as the system.
const dark = matchMedia("(prefers-color-scheme: dark)");

function chosen() {
  try {
    return localStorage.getItem("convserve-theme");
  } catch {
    return null; // no storage, no choice
  }
}

function follow() {
  const choice = chosen();
  const isDark = choice === "dark" || (choice !== "light" && dark.matches);
  document.documentElement.classList.toggle("dark-mode", isDark);
  document.documentElement.classList.toggle("light-mode", !isDark);
}

dark.addEventListener("change", follow);
follow();

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
  presets: [SwaggerUIBundle.presets.apis],
});

// What Swagger UI does not tell a screen reader: names of fields, and that its title is below that of the page.
const names = {
  "textarea.body-param__text": "Request body",
  "select.examples-select-element": "Example",
  "select.content-type": "Media type",
};

function name() {
  for (const [selector, label] of Object.entries(names)) {
    for (const field of document.querySelectorAll(`${selector}:not([aria-label])`)) {
      if (!field.labels.length) field.setAttribute("aria-label", label);
    }
  }
  document.querySelector("#api h1")?.setAttribute("aria-level", "2");
}

new MutationObserver(name).observe(document.querySelector("#api"), { childList: true, subtree: true });
