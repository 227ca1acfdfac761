// Fields that ask for a record: what is typed is looked up, and the answers stand in the field's own list.

import { ask } from "./ask.js";

const ASK_AFTER_MS = 150;

for (const input of document.querySelectorAll("input[data-pick]")) {
  let timer = 0;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => offer(input), ASK_AFTER_MS);
  });
}

async function offer(input) {
  const typed = input.value.trim();
  if (!typed || /#\d+$/.test(typed)) return;
  const answer = await ask(`${input.dataset.pick}?q=${encodeURIComponent(typed)}`);
  if (!answer.ok || input.value.trim() !== typed) return; // something else has been typed since
  input.list.replaceChildren(
    ...answer.json.map((text) => {
      const option = document.createElement("option");
      option.value = text;
      option.label = typed; // browsers hide what does not hold the words typed, and pinyin is in no name
      return option;
    }),
  );
}
