// Runs before the page is drawn, so the page never flashes in the other theme.
try {
  const theme = localStorage.getItem("convserve-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // no storage, so no memory: use the system's theme
}
