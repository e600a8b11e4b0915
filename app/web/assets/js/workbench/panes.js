// Panes: which one is shown where there is room for one, F6 between them, and their sizes.
const SIZES = { task: [15, 45], services: [18, 45], lower: [15, 70] };
const STEP = 2;
const KEY = "soty:panes";

export function arrangePanes() {
  const bench = document.getElementById("bench");
  const wide = matchMedia("(min-width: 1200px)");
  const sizes = remembered();
  for (const [name, percent] of Object.entries(sizes)) apply(name, percent);

  function remembered() {
    try { return JSON.parse(localStorage.getItem(KEY) ?? "{}"); } catch { return {}; }
  }

  function apply(name, percent) {
    const [least, most] = SIZES[name] ?? [0, 0];
    const value = Math.min(most, Math.max(least, percent));
    sizes[name] = value;
    bench.style.setProperty(`--${name}`, `${value}%`);
    document.querySelector(`[data-size="${name}"]`)?.setAttribute("aria-valuenow", String(Math.round(value)));
    return value;
  }

  function keep() {
    try { localStorage.setItem(KEY, JSON.stringify(sizes)); } catch { /* sizes are a comfort, not a need */ }
  }

  for (const splitter of document.querySelectorAll("[data-size]")) {
    const name = splitter.dataset.size;
    const percentAt = (event) => {
      const box = bench.getBoundingClientRect();
      if (name === "task") return ((event.clientX - box.left) / box.width) * 100;
      if (name === "services") return ((box.right - event.clientX) / box.width) * 100;
      return ((box.bottom - event.clientY) / box.height) * 100;
    };
    splitter.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      splitter.setPointerCapture(event.pointerId);
      const move = (moved) => apply(name, percentAt(moved));
      splitter.addEventListener("pointermove", move);
      splitter.addEventListener("lostpointercapture", () => { splitter.removeEventListener("pointermove", move); keep(); }, { once: true });
    });
    splitter.addEventListener("keydown", (event) => {
      const sign = { task: { ArrowRight: 1, ArrowLeft: -1 }, services: { ArrowLeft: 1, ArrowRight: -1 }, lower: { ArrowUp: 1, ArrowDown: -1 } }[name][event.key];
      const to = event.key === "Home" ? SIZES[name][0] : event.key === "End" ? SIZES[name][1] : sign && Number(splitter.getAttribute("aria-valuenow")) + sign * STEP;
      if (!to) return;
      event.preventDefault();
      apply(name, to);
      keep();
    });
  }

  const marks = () => {
    for (const button of document.querySelectorAll("[data-pane]:not(.bench)")) button.setAttribute("aria-current", String(button.dataset.pane === bench.dataset.pane));
    // Where the services have a place of their own, their tab is not there and the checks stand in for it.
    const lower = bench.dataset.lower === "services" && wide.matches ? "checks" : bench.dataset.lower;
    for (const button of document.querySelectorAll(".lower-tabs [data-lower]")) button.setAttribute("aria-current", String(button.dataset.lower === lower));
  };

  /** Bring a pane into view wherever it stands at this width; the focus stays where it is. */
  function show(pane) {
    bench.dataset.pane = pane;
    if (["services", "logs", "checks"].includes(pane)) bench.dataset.lower = pane;
    task(false);
    marks();
  }

  function task(open) {
    bench.toggleAttribute("data-task", open);
    document.querySelector('[data-do="task-open"]').setAttribute("aria-expanded", String(open));
  }

  for (const button of document.querySelectorAll(".pane-nav [data-pane]")) button.addEventListener("click", () => show(button.dataset.pane));
  for (const button of document.querySelectorAll(".lower-tabs [data-lower]")) button.addEventListener("click", () => show(button.dataset.lower));

  function cycle(step) {
    const panes = [...bench.querySelectorAll(".pane"), document.getElementById("actions")].filter((pane) => pane.offsetParent !== null);
    const here = panes.findIndex((pane) => pane.contains(document.activeElement));
    const next = panes[(here + step + panes.length) % panes.length];
    (next.querySelector(".cm-content, [data-scroll], .log, button, a") ?? next).focus();
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "F6") { event.preventDefault(); cycle(event.shiftKey ? -1 : 1); }
    if (event.key === "Escape" && bench.hasAttribute("data-task")) { task(false); document.querySelector('[data-do="task-open"]').focus(); }
  });
  document.addEventListener("pointerdown", (event) => {
    if (bench.hasAttribute("data-task") && !event.target.closest('#pane-task, [data-do="task-open"], [data-do="stuck"]')) task(false);
  });
  wide.addEventListener("change", marks);
  marks();
  return {
    show,
    /** The lower part takes the whole window, or gives it back. */
    full() { document.querySelector('[data-do="full"]').setAttribute("aria-pressed", String(bench.toggleAttribute("data-full"))); },
    /** Change what the lower part shows; a phone stays where it is. */
    showLower(pane) { if (wide.matches) { bench.dataset.lower = pane; marks(); } },
    openTask: () => { bench.dataset.pane = "task"; marks(); task(true); }, closeTask: () => task(false),
  };
}
