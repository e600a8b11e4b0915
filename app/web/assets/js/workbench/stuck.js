// The panel of "I am stuck": opens beside the code, takes the focus, gives it back. What stands in it comes from the server.
import htmx from "htmx.org";
import { html, swap } from "./server.js";
import { facts } from "./words.js";

const $ = (id) => document.getElementById(id);

/** @param {{onProblem: (problem: Error) => void}} options */
export function keepStuck({ onProblem }) {
  const panel = $("stuck");
  const button = $("stuck-button");
  let before = null;
  button.setAttribute("role", "button"); // a link to a page of its own where scripts do not run

  async function refresh() {
    swap(await html(`/exercises/${facts.exercise}/stuck/part`));
    htmx.process($("ladder"));
  }

  function show(open) {
    panel.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
  }

  async function open() {
    if (!panel.hidden) { close(); return; }
    before = document.activeElement;
    try { await refresh(); } catch (problem) { onProblem(problem); return; }
    show(true);
    panel.focus();
  }

  function close() {
    if (panel.hidden) return;
    const inside = panel.contains(document.activeElement);
    show(false);
    if (inside) (before?.isConnected && before !== document.body ? before : button).focus();
  }

  button.addEventListener("keydown", (event) => {
    if (event.key === " ") { event.preventDefault(); open(); }
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { event.stopPropagation(); close(); }
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target?.id !== "ladder" || panel.hidden || panel.contains(document.activeElement)) return;
    ($("ladder-hint") ?? $("ladder-hints-head"))?.focus(); // what was pressed is gone
  });
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.target?.id !== "ladder") return;
    onProblem(new Error(new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html").body.textContent.trim()));
  });
  return { open, close, changed: () => { if (!panel.hidden) refresh().catch(onProblem); } };
}
