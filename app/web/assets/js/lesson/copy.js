// Copy buttons of code blocks.
import { say } from "./say.js";

export function offerCopies(page) {
  if (!navigator.clipboard) return;
  for (const button of page.querySelectorAll("[data-copy]")) {
    const word = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.closest(".code").querySelector("code").textContent);
      button.textContent = page.dataset.copied;
      say(page.dataset.copied);
      setTimeout(() => { button.textContent = word; }, 2000);
    });
  }
}
