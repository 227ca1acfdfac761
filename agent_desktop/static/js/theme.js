// Loaded in <head> before anything is painted, hence no module: the chosen theme must stand with the first paint.
// Any button with data-theme-switch goes on to the next: system → light → dark.
(() => {
  const root = document.documentElement;
  const next = { system: "light", light: "dark", dark: "system" };
  const chosen = () => { try { return localStorage.getItem("theme") ?? "system"; } catch { return "system"; } };
  const show = (theme) => {
    if (theme === "system") delete root.dataset.theme; else root.dataset.theme = theme;
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      const word = button.querySelector("[data-theme-word]");
      if (word) word.textContent = button.dataset[theme] ?? theme;
    }
  };
  show(chosen());
  addEventListener("DOMContentLoaded", () => show(chosen()));
  addEventListener("click", (event) => {
    if (!event.target.closest?.("[data-theme-switch]")) return;
    const theme = next[chosen()] ?? "system";
    try { localStorage.setItem("theme", theme); } catch { /* private window: the theme holds for this page */ }
    show(theme);
  });
})();
