// Runs before the page is drawn, so that it never flashes in the other theme.
try {
  const theme = localStorage.getItem("convserve-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // no storage, no memory: the system's theme it is
}
