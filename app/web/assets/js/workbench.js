// The workbench: joins files, sandbox, logs, attempts and panes. What each does lies in its own file beside.
import { attemptNow, followAttempt } from "./workbench/attempts.js";
import { askBy, openFiles } from "./workbench/files.js";
import { keepLogs } from "./workbench/logs.js";
import { firstVisit } from "./workbench/marks.js";
import { arrangePanes } from "./workbench/panes.js";
import { keepSandbox } from "./workbench/sandbox.js";
import "./workbench/trace.js";
import { api, html, swap } from "./workbench/server.js";
import { keepStuck } from "./workbench/stuck.js";
import { announce, facts, note, say } from "./workbench/words.js";

const $ = (id) => document.getElementById(id);
const panes = arrangePanes();
const marks = firstVisit();
const logs = keepLogs();
const keys = {
  "Mod-Enter": () => { run(); return true; },
  "Mod-Shift-Enter": () => { submit(); return true; },
  "Mod-s": () => { apply(); return true; },
};
const files = openFiles({ onEdit: () => marks.done("edit"), onSaved: () => sandbox?.refresh(), keys });
const sandbox = keepSandbox({ save: files.save, onChange: onSandbox });
const attempts = followAttempt({ onChange: onAttempt, onSettled: () => { refreshHistory(); onSandbox(sandbox.now()); stuck.changed(); } });
const stuck = keepStuck({ onProblem: (problem) => note(say("failedAction", { why: problem.message }), "bad") });

function onSandbox(now) {
  logs.update(now.id, now.services);
  if (now.state === "ready") marks.done("watch");
  const old = $("old-code");
  old.hidden = !now.old || now.state !== "ready";
  if (!old.hidden && !old.childElementCount) old.append(Object.assign(document.createElement("span"), { textContent: say("oldCode") }), Object.assign(document.createElement("button"), { type: "button", className: "btn btn-quiet btn-small", textContent: say("apply"), onclick: apply }));
  showNext(now);
}

// Honey marks the one thing to do next: start, then run, then submit what has passed.
function showNext(now) {
  const attempt = attemptNow();
  const passed = attempt.kind === "run" && attempt.verdict === "passed" && !now.old && !files.isDirty;
  const busy = now.checks || (["run", "series"].includes(attempt.kind) && !attempt.settled);
  const next = now.state !== "ready" ? "" : passed ? "submit" : "run";
  for (const id of ["run", "submit"]) {
    $(id)?.classList.toggle("btn-primary", id === next);
    $(id)?.classList.toggle("btn-quiet", id !== next);
  }
  for (const id of ["run", "series-start"]) if ($(id)) $(id).disabled = busy;
}

let told = "";
function onAttempt(attempt) {
  if (told && told !== attempt.state) refreshHistory();
  told = attempt.state ?? "";
  const place = $("score");
  const counted = attempt.total ? `${attempt.passed}/${attempt.total}` : "";
  for (const element of document.querySelectorAll("[data-check-count]")) element.textContent = counted;
  place.textContent = ["run", "series"].includes(attempt.kind) && attempt.settled ? say("doesNotCount") : "";
}

async function refreshHistory() {
  try { swap(await html(`/exercises/${facts.exercise}/history`)); } catch { /* it is there after a reload */ }
}

/** Show a new attempt in the pane of checks and follow it. */
async function follow(url) {
  swap(await html(url));
  panes.show("checks");
  attempts.begin();
  refreshHistory();
}

async function run(only = [], seed) {
  if (!facts.user) { leave(facts.signUp); return; }
  if ($("run").disabled) return;
  $("run").disabled = true;
  try {
    if (!(await files.save())) return;
    if (sandbox.now().state === "none") {
      announce(say("startFirst"));
      note(say("startFirst"), "wait");
      if (!(await sandbox.start())) return;
    }
    const started = await api("POST", `/exercises/${facts.exercise}/runs`, seed === undefined ? { only } : { only, seed });
    marks.done("run");
    note("");
    await follow(`/runs/${started.id}/part`);
  } catch (problem) {
    note(say("failedAction", { why: problem.message }), "bad");
  } finally { showNext(sandbox.now()); }
}

/** The checks up to ten times, one after another; the form's own way where scripts do not run. */
async function series() {
  if ($("series-start").disabled) return;
  $("series-start").disabled = true;
  try {
    if (!(await files.save())) return;
    if (sandbox.now().state === "none") {
      announce(say("startFirst"));
      note(say("startFirst"), "wait");
      if (!(await sandbox.start())) return;
    }
    const started = await api("POST", `/exercises/${facts.exercise}/series`, { stop_at_failure: $("series-stop-first").checked });
    note("");
    await follow(`/series/${started.id}/part`);
  } catch (problem) {
    note(say("failedAction", { why: problem.message }), "bad");
  } finally { showNext(sandbox.now()); }
}

async function stopSeries(id) {
  try { await api("POST", `/series/${id}/stop`); swap(await html(`/series/${id}/part`)); } catch (problem) { note(say("failedAction", { why: problem.message }), "bad"); }
}

async function submit() {
  if (!facts.user) { leave(facts.signUp); return; }
  if ((await askBy($("dialog-submit"))) !== "yes") return;
  if (!(await files.save())) return;
  const key = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  try {
    const sent = await api("POST", `/exercises/${facts.exercise}/submissions`, { files: files.files() }, { headers: { "Idempotency-Key": key } });
    marks.done("run");
    note("");
    await follow(`/submissions/${sent.id}/part`);
  } catch (problem) { note(say("failedAction", { why: problem.message }), "bad"); }
}

async function start() {
  if (await sandbox.start()) panes.showLower("logs");
}

/** Ctrl+S: save, and where services of the learner's run, restart them with it. */
async function apply() {
  const now = sandbox.now();
  if (now.state === "ready" && !now.checks) await sandbox.apply();
  else await files.save();
}

async function leave(url) {
  await Promise.race([files.save(), new Promise((resolve) => setTimeout(resolve, 2000))]);
  location.assign(url);
}

async function showPoints() {
  try { swap(await html(`/exercises/${facts.exercise}/restore-points`)); } catch (problem) { note(problem.message, "bad"); return; }
  await askBy($("dialog-points"));
}

const deeds = {
  run: () => run(), submit, apply, start, stop: () => sandbox.stop(), extend: () => sandbox.extend(),
  control: ({ service, action }) => sandbox.control(service, action),
  logs: ({ service }) => { logs.show(service); panes.show("logs"); },
  replay: ({ check, seed }) => run(check ? [check] : [], Number(seed)),
  series, "series-stop": ({ series: id }) => stopSeries(id),
  points: showPoints, reset: () => files.reset(), restore: ({ point }) => { $("dialog-points").close(); files.restore(point); },
  keys: () => askBy($("dialog-keys")), marks: () => marks.again(), "marks-hide": () => marks.hide(),
  full: () => panes.full(), "task-open": () => panes.openTask(), "task-close": () => panes.closeTask(),
  stuck: () => stuck.open(), "stuck-close": () => stuck.close(),
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) {
    event.preventDefault();
    button.closest("details[data-menu]")?.removeAttribute("open");
    deeds[button.dataset.do]?.(button.dataset);
    return;
  }
  const link = event.target.closest("a[href]");
  if (link && !link.target && !event.defaultPrevented && event.button === 0 && !event.metaKey && !event.ctrlKey && files.isDirty && link.origin === location.origin && link.pathname !== location.pathname) {
    event.preventDefault();
    leave(link.href);
  }
});
document.addEventListener("submit", async (event) => {
  if (!event.target.matches("[data-leave-form]") || !files.isDirty) return;
  event.preventDefault();
  await files.save();
  event.target.requestSubmit(event.submitter);
});
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, .cm-editor, dialog");
  if (event.key === "?" && !typing) { event.preventDefault(); deeds.keys(); }
  if (!(event.ctrlKey || event.metaKey) || event.target.closest(".cm-editor, dialog")) return;
  const name = event.key === "Enter" ? (event.shiftKey ? "Mod-Shift-Enter" : "Mod-Enter") : event.key.toLowerCase() === "s" ? "Mod-s" : "";
  if (keys[name]) { event.preventDefault(); keys[name](); }
});

sandbox.begin();
attempts.begin();
