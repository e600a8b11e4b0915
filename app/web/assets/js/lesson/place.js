// Stay on the paragraph: the language form takes the block in view along, as `#p-2-3`. Blocks have the same ids in both
// languages; where one language has a block fewer, the nearest one before it is meant.
const ours = /^(?:p-\d+-\d+|h-\d+(?:-\d+)?|quiz-[\w-]+)$/;

function blockInView() {
  const top = document.querySelector(".site-header").getBoundingClientRect().bottom;
  const blocks = [...document.querySelectorAll(".prose [id]")].filter((block) => ours.test(block.id));
  if (!blocks.length || blocks[0].getBoundingClientRect().top > top) return "";
  return blocks.find((block) => block.getBoundingClientRect().bottom > top + 24)?.id ?? "";
}

function nearest(id) {
  const [, section, number] = id.match(/^p-(\d+)-(\d+)$/) ?? [];
  for (let n = Number(number); n > 0; n -= 1) {
    const block = document.getElementById(`p-${section}-${n}`);
    if (block) return block;
  }
  return document.getElementById(`h-${section}`);
}

export function keepPlace() {
  for (const form of document.querySelectorAll(".lang-form")) {
    form.addEventListener("submit", () => {
      const id = blockInView();
      const next = form.elements.next;
      next.value = next.value.split("#")[0] + (id ? `#${id}` : "");
    });
  }
  const wanted = location.hash.slice(1);
  if (ours.test(wanted) && !document.getElementById(wanted)) nearest(wanted)?.scrollIntoView();
}
