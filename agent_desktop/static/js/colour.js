// What is drawn on a canvas in the page's own colours: light-dark() means nothing there, so the page resolves it.

export function colour(token) {
  const probe = document.createElement("span");
  probe.style.color = `var(--${token})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
