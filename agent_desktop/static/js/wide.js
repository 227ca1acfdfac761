// A table wider (or taller) than its place is scrolled by keys too: it is a stop of Tab as long as it does not fit, named by its panel's heading.

const seen = new ResizeObserver((changes) => {
  for (const wrap of new Set(changes.map(({ target }) => target.closest(".table-wrap")))) {
    const fits = wrap.scrollWidth <= wrap.clientWidth && wrap.scrollHeight <= wrap.clientHeight;
    if (fits) for (const name of ["tabindex", "role", "aria-label"]) wrap.removeAttribute(name);
    else {
      wrap.tabIndex = 0;
      wrap.setAttribute("role", "region");
      wrap.setAttribute("aria-label", (wrap.closest(".panel")?.querySelector("h2") ?? document.querySelector("h1"))?.textContent.trim() ?? document.title);
    }
  }
});

for (const table of document.querySelectorAll(".table-wrap, .table-wrap > table")) seen.observe(table);
