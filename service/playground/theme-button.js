/** The button that switches between light and dark. */

/** Connect the button; without a choice the system's theme applies. */
export function wireTheme(button) {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => button.setAttribute("aria-pressed", String(dark()));
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try {
      localStorage.setItem("convserve-theme", root.dataset.theme);
    } catch {
      // the choice is shown, but not remembered
    }
    show();
  });
  system.addEventListener("change", show);
  show();
}
