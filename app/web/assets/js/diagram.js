// Draws Mermaid diagrams when they come near the view, in the page's colours, and again when the theme changes.
const boxes = [...document.querySelectorAll("[data-diagram]")];
const sources = new Map(boxes.map((box) => [box, box.querySelector(".diagram-source").textContent]));
const drawn = new Set();
let count = 0;
let mermaid;

// A custom property with light-dark() is resolved only where it is used as a colour.
function color(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  const [r, g, b] = value.match(/[\d.]+/g).map(Number);
  return `#${[r, g, b].map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;
}

async function prepare() {
  mermaid ??= (await import("mermaid")).default;
  await document.fonts.ready;
  const [ink, ink2, page, surface, sunken, line, soft, edge] = ["ink", "ink-2", "page", "surface", "sunken", "line-strong", "honey-soft", "honey-edge"].map(color);
  mermaid.initialize({
    startOnLoad: false, securityLevel: "strict", theme: "base", deterministicIds: true, deterministicIDSeed: "soty",
    fontFamily: getComputedStyle(document.body).fontFamily,
    themeVariables: {
      fontSize: "15px", background: surface, primaryColor: sunken, primaryTextColor: ink, primaryBorderColor: line, lineColor: ink2, textColor: ink,
      secondaryColor: page, tertiaryColor: page, tertiaryBorderColor: line, clusterBkg: page, clusterBorder: line, edgeLabelBackground: surface,
      noteBkgColor: soft, noteTextColor: ink, noteBorderColor: edge, actorBkg: sunken, actorBorder: line, actorTextColor: ink, actorLineColor: line,
      signalColor: ink2, signalTextColor: ink, labelBoxBkgColor: sunken, labelBoxBorderColor: line, labelTextColor: ink, loopTextColor: ink,
      activationBkgColor: sunken, activationBorderColor: line, sequenceNumberColor: surface,
    },
    flowchart: { useMaxWidth: false, curve: "basis", padding: 12, subGraphTitleMargin: { top: 6, bottom: 6 } }, sequence: { useMaxWidth: false, mirrorActors: false, diagramMarginX: 8, diagramMarginY: 8, actorMargin: 40 },
    state: { useMaxWidth: false }, class: { useMaxWidth: false }, er: { useMaxWidth: false }, timeline: { useMaxWidth: false },
  });
}

async function draw(box) {
  await prepare();
  const { svg } = await mermaid.render(`diagram-${(count += 1)}`, sources.get(box));
  const figure = box.closest(".diagram");
  keepingPlace(figure, () => {
    box.innerHTML = svg;
    box.hidden = false;
    fit(box);
    if (!drawn.has(box)) figure.querySelector(".diagram-text").open = false;
  });
  drawn.add(box);
  const full = figure.querySelector("[data-full]");
  full.hidden = false;
  full.onclick = () => enlarge(box, full);
}

// A drawing that appears above the reader must not move what they read. Browsers try to do this by themselves, not always
// with success right after a jump, so they leave it to us here.
document.documentElement.style.overflowAnchor = "none";
function keepingPlace(figure, change) {
  const after = figure.nextElementSibling;
  const { top } = figure.getBoundingClientRect();
  const before = after?.getBoundingClientRect().top;
  change();
  if (after && top < 64) scrollBy({ top: after.getBoundingClientRect().top - before, behavior: "instant" });
}

// Labels stay legible: a wide drawing shrinks by a quarter at most, then its box scrolls.
function fit(box) {
  const svg = box.querySelector("svg");
  const natural = svg.viewBox.baseVal.width;
  const style = getComputedStyle(box);
  const room = box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  svg.removeAttribute("height");
  svg.style.maxWidth = "none";
  svg.setAttribute("width", String(Math.min(natural, Math.max(room, natural * 0.78))));
}

function enlarge(box, button) {
  const place = document.createComment("diagram");
  box.replaceWith(place);
  const dialog = document.createElement("dialog");
  dialog.className = "diagram-dialog";
  dialog.setAttribute("aria-label", box.getAttribute("aria-label"));
  const form = document.createElement("form");
  form.method = "dialog";
  const close = document.createElement("button");
  close.className = "btn btn-quiet";
  close.textContent = "×";
  close.setAttribute("aria-label", button.dataset.close);
  form.append(close);
  dialog.append(form, box);
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    place.replaceWith(box);
    dialog.remove();
    fit(box);
    button.focus();
  });
  dialog.showModal();
  const svg = box.querySelector("svg");
  svg.setAttribute("width", String(Math.max(svg.viewBox.baseVal.width, Math.min(box.clientWidth - 32, svg.viewBox.baseVal.width * 1.6))));
}

// One after another: Mermaid keeps state between drawings. A source it cannot draw leaves the description open.
let queue = Promise.resolve();
const enqueue = (box) => { queue = queue.then(() => draw(box)).catch((error) => console.error("diagram", error)); };
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    watcher.unobserve(target);
    enqueue(target.querySelector("[data-diagram]"));
  }
}, { rootMargin: "800px 0px" });
for (const box of boxes) watcher.observe(box.closest(".diagram"));

const redraw = () => { for (const box of drawn) enqueue(box); };
document.addEventListener("soty:theme", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
addEventListener("beforeprint", () => { for (const box of boxes) box.closest(".diagram").querySelector(".diagram-text").open = true; });
