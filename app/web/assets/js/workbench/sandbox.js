// The learner's sandbox: its part of the page, kept true by `live`, or by asking while that is away.
import { askBy } from "./files.js";
import { openStream } from "./live.js";
import { api, html, swap } from "./server.js";
import { announce, facts, note, say, spanOf } from "./words.js";

const MOVING = new Set(["queued", "starting", "stopping"]);
const MEMORY_MS = 10000; // figures that change all the time are asked for this often
const SETTLE_MS = 120; // several changes at once cost one question
const AT_WORK_MS = 60000; // who typed or clicked this recently is using the sandbox, so it does not count as idle
const SOON_S = 300;

/** @param {{onChange: (now: object) => void, save: () => Promise<boolean>}} options */
export function keepSandbox({ onChange, save }) {
  const part = `/exercises/${facts.exercise}/sandbox`;
  let stream = null;
  let streaming = "";
  let live = false;
  let shape = "";
  let timer = 0;
  let asking = null;
  let failures = 0;
  let warned = false;
  let wantedStart = false;
  let atWork = 0;
  let before = now();

  function now() {
    const data = document.getElementById("services").dataset;
    return { id: data.sandbox, state: data.state, stale: data.stale === "yes", old: data.old === "yes", checks: data.checks === "yes",
      waits: Number(data.waits), services: JSON.parse(data.services || "[]") };
  }

  async function refresh() {
    if (!facts.user) return;
    asking ??= html(Date.now() - atWork < AT_WORK_MS ? `${part}?active` : part).then((text) => { failures = 0; swap(text); }, () => { failures += 1; }).finally(() => { asking = null; });
    await asking;
    changed();
  }

  function changed() {
    const present = now();
    if (present.state !== before.state) {
      if (present.state === "ready") announce(say("ready"));
      if (present.state === "none" && before.state !== "none") announce(say("gone"));
      warned = false;
    }
    before = present;
    watch(present);
    onChange(present);
    const box = document.getElementById("start-when-ready");
    if (box) box.checked = wantedStart;
    if (wantedStart && present.state === "none" && present.waits === 0) { wantedStart = false; start(); }
    tick();
    plan(present);
  }

  function plan(present) {
    clearTimeout(timer);
    const wait = present.waits ? 2000 : present.state === "none" ? 0 : live ? MEMORY_MS : MOVING.has(present.state) ? 1000 : 3000;
    if (wait) timer = setTimeout(() => (document.visibilityState === "visible" || wantedStart ? refresh() : plan(present)), wait * Math.min(1 + failures, 5));
  }

  function watch({ id }) {
    if (id === streaming) return;
    stream?.close();
    streaming = id;
    live = false;
    stream = id ? openStream({
      sandbox: id, kind: "watch",
      onFrame: (frame) => {
        const fresh = JSON.stringify([frame.state, frame.queue_position, frame.checks_running, frame.expires_at, frame.files_revision, frame.events, frame.stages.map((s) => [s.name, s.done, s.seconds > 0]),
          frame.services.map((s) => [s.full_name, s.state, s.since, s.restarts, s.message, s.files_revision])]);
        if (fresh === shape) return;
        shape = fresh;
        clearTimeout(timer);
        timer = setTimeout(refresh, SETTLE_MS);
      },
      onState: (state) => {
        live = state === "live";
        if (state === "ended" || (state === "away" && failures === 0)) refresh();
      },
    }) : null;
  }

  function tick() {
    const seconds = Date.now() / 1000;
    for (const element of document.querySelectorAll("[data-since]")) element.textContent = spanOf(seconds - element.dataset.since);
    const left = document.querySelector("[data-until]");
    if (!left) return;
    const rest = Math.max(0, left.dataset.until - seconds);
    left.textContent = `${Math.floor(rest / 60)}:${String(Math.floor(rest % 60)).padStart(2, "0")}`;
    left.classList.toggle("is-soon", rest < SOON_S);
    if (rest < SOON_S && !warned) { warned = true; note(say("closesSoon"), "wait", "expiry"); announce(say("closesSoon")); }
  }

  /** Change something by the API, then show what came of it. Whether it worked. */
  async function change(method, path, body) {
    try {
      await api(method, path, body, { timeout: 30000 });
      note("");
      return true;
    } catch (problem) {
      note(say("failedAction", { why: problem.message }), "bad");
      return false;
    } finally { await refresh(); }
  }

  /** Start the sandbox with the saved draft; asks once when another exercise's sandbox would be closed. Whether it starts. */
  async function start(replace = false) {
    if (!(await save())) return false;
    const button = document.getElementById("start-sandbox");
    if (button) button.disabled = true;
    try {
      await api("POST", `/exercises/${facts.exercise}/sandbox`, { replace });
      return true;
    } catch (problem) {
      if (problem.code === "second-sandbox") return await second(problem);
      if (problem.code !== "image-not-ready") note(say("failedAction", { why: problem.message }), "bad");
      return false;
    } finally { await refresh(); }
  }

  async function second(problem) {
    const dialog = document.getElementById("dialog-second");
    dialog.querySelector("[data-second]").textContent = say("secondSandbox", { title: facts.titles[problem.details.exercise] ?? problem.details.exercise });
    return (await askBy(dialog)) === "yes" ? start(true) : false;
  }

  document.addEventListener("change", (event) => { if (event.target.id === "start-when-ready") wantedStart = event.target.checked; });
  for (const event of ["keydown", "pointerdown"]) addEventListener(event, () => { atWork = Date.now(); }, { passive: true });
  addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") refresh(); });
  setInterval(tick, 1000);

  return {
    begin: changed, refresh, start, now,
    stop: () => change("DELETE", `/sandboxes/${now().id}`),
    extend: () => change("POST", `/sandboxes/${now().id}/extend`),
    control: (service, action) => change("POST", `/sandboxes/${now().id}/services/${service}`, { action }),
    /** Restart the learner's services with the saved files. */
    async apply() {
      if ((await save()) && (await change("POST", `/sandboxes/${now().id}/apply`, {}))) announce(say("applied"));
    },
  };
}
