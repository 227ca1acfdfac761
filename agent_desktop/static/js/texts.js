// The words of the scripts in the page's language: _("Hold"), _("{n} waiting", { n: 3 }).
// A text the server has no translation for is shown as it stands here.

const language = document.documentElement.lang.slice(0, 2);
const texts = await fetch(`/texts.json?language=${language}`)
  .then((answer) => (answer.ok ? answer.json() : {}))
  .catch(() => ({}));

export function _(text, values = {}) {
  return (texts[text] ?? text).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
