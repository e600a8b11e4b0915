// A run or a submission: follows it to its verdict, and tells the verdict in the live region, the title and the tab's icon.
import { html, swap } from "./server.js";
import { announce, say } from "./words.js";

const VISIBLE_MS = 1000;
const HIDDEN_MS = 5000;
const title = document.title;
const MARKS = { passed: "✓", failed: "✕", errored: "⚠" };

function tabIcon(kind) {
  const colour = getComputedStyle(document.documentElement).getPropertyValue({ passed: "--ok", failed: "--bad", errored: "--ours", running: "--live" }[kind]).trim();
  const probe = Object.assign(document.createElement("span"), { hidden: true });
  probe.style.color = colour;
  document.body.append(probe);
  const fill = getComputedStyle(probe).color;
  probe.remove();
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path fill="${fill}" d="M24 4 32 16 24 28H8L0 16 8 4Z"/><text x="16" y="23" font-size="20" font-family="sans-serif" text-anchor="middle" fill="white">${MARKS[kind] ?? "…"}</text></svg>`;
  document.querySelector('link[rel="icon"]').href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

export function attemptNow() {
  const data = document.getElementById("attempt")?.dataset ?? {};
  return { kind: data.kind, id: data.id, state: data.state, url: data.url, settled: data.settled === "yes", verdict: data.verdict, passed: Number(data.passed), total: Number(data.total), sentence: data.sentence };
}

function tell(attempt) {
  document.title = `${MARKS[attempt.verdict] ?? ""} ${say(attempt.verdict)} · ${title}`;
  tabIcon(attempt.verdict);
  const key = { passed: "announcePassed", failed: "announceFailed", errored: "announceErrored" }[attempt.verdict];
  if (key) announce(say(key, attempt));
}

/** While checks run, the one that runs stays in sight; whoever scrolls there takes over until the next attempt. */
function keepInSight() {
  const pane = document.querySelector(".checks[data-scroll]");
  let ours = true;
  for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"]) pane?.addEventListener(kind, () => { ours = false; }, { passive: true });
  return {
    begin() { ours = true; },
    turn() {
      const running = pane?.querySelector(".time-running");
      if (ours && running) pane.scrollTop += Math.max(0, running.getBoundingClientRect().bottom + 8 - pane.getBoundingClientRect().bottom);
    },
    end() { if (ours && pane) pane.scrollTop = 0; },
  };
}

/**
 * Poll the attempt on the page until it has its verdict. Leaving the tab only makes it slower.
 * @param {{onChange: (attempt: object) => void, onSettled: (attempt: object) => void}} options
 */
export function followAttempt({ onChange = () => {}, onSettled = () => {} } = {}) {
  let timer = 0;
  const sight = keepInSight();
  async function turn() {
    const before = attemptNow();
    if (!before.url || before.settled) return;
    try { swap(await html(before.url)); } catch { /* the next turn may reach it */ }
    const after = attemptNow();
    onChange(after);
    if (after.settled) { sight.end(); tell(after); onSettled(after); } else { sight.turn(); plan(); }
  }
  const plan = () => { clearTimeout(timer); timer = setTimeout(turn, document.visibilityState === "visible" ? VISIBLE_MS : HIDDEN_MS); };
  addEventListener("visibilitychange", () => { if (!attemptNow().settled) plan(); });
  return {
    begin() {
      const attempt = attemptNow();
      onChange(attempt);
      if (!attempt.url || attempt.settled) return;
      sight.begin();
      document.title = `▶ ${title}`;
      tabIcon("running");
      plan();
    },
  };
}
