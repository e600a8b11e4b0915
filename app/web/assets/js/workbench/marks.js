// Three numbered marks at a person's first visit: edit, watch, run. Each goes once it is done.
import { facts } from "./words.js";

const NAMES = ["edit", "watch", "run"];

export function firstVisit() {
  const key = `soty:marks:${facts.user || "guest"}`;
  const read = () => { try { return new Set(JSON.parse(localStorage.getItem(key) ?? "[]")); } catch { return new Set(NAMES); } };
  const done = read();

  function show() {
    try { localStorage.setItem(key, JSON.stringify([...done])); } catch { /* then they come again next time */ }
    for (const mark of document.querySelectorAll("[data-mark]")) mark.hidden = done.has(mark.dataset.mark);
  }
  show();
  return {
    done(name) { if (!done.has(name)) { done.add(name); show(); } },
    hide() { NAMES.forEach((name) => done.add(name)); show(); },
    again() { done.clear(); show(); },
  };
}
