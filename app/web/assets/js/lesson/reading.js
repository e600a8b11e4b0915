// How far the reader is: a thin bar, the mark in the outline, and "read" when the end was reached after real reading time.
import { say } from "./say.js";

export function followReading(page, guest) {
  const bar = document.querySelector("[data-reading-bar]");
  const prose = page.querySelector(".prose");
  const links = new Map([...page.querySelectorAll("[data-outline] a")].map((link) => [link.hash.slice(1), link]));
  const headings = [...prose.querySelectorAll("h2[id], h3[id]")];
  let waiting = false;

  const look = () => {
    waiting = false;
    const box = prose.getBoundingClientRect();
    const share = (innerHeight - box.top) / Math.max(box.height, 1);
    bar.style.transform = `scaleX(${Math.min(1, Math.max(0, share))})`;
    const current = headings.findLast((heading) => heading.getBoundingClientRect().top < innerHeight / 3);
    for (const [id, link] of links) {
      if (id === current?.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  addEventListener("scroll", () => {
    if (!waiting) requestAnimationFrame(look);
    waiting = true;
  }, { passive: true });
  look();
  rememberReading(page, guest);
}

function rememberReading(page, guest) {
  const lesson = page.dataset.lessonPage;
  const form = page.querySelector("[data-read-form]");
  const begun = Date.now();
  let done = guest ? guest.isDone(lesson) : form.querySelector("[data-mark-read]").hidden;
  const send = (state) => {
    const body = new FormData(form);
    body.set("state", state);
    return fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" }, keepalive: true });
  };
  const show = () => {
    for (const mark of document.querySelectorAll(`[data-done-mark], [data-lesson="${lesson}"] .side-done, [data-read-done]`)) mark.hidden = false;
    page.querySelector("[data-mark-read]")?.setAttribute("hidden", "");
  };
  if (done) show();
  else if (!guest) setTimeout(() => send("opened").catch(() => {}), 3000);

  const finish = async () => {
    if (done) return;
    if (guest) guest.keepDone(lesson);
    else if (!(await send("done").catch(() => null))?.ok) return; // the button is still there
    done = true;
    show();
    say(page.dataset.marked);
  };
  // Jumping to the end is not reading: a tenth of the lesson's minutes has to pass first.
  const end = page.querySelector("[data-end]");
  new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    const left = Number(page.dataset.seconds) * 1000 - (Date.now() - begun);
    if (left <= 0) finish();
    else setTimeout(() => { if (end.getBoundingClientRect().top < innerHeight) finish(); }, left);
  }).observe(end);
  form?.addEventListener("submit", (event) => {
    if (event.submitter?.value !== "done") return;
    event.preventDefault();
    finish();
  });
}
