// Keeps the learner's text: saved on the server with a revision, mirrored in the browser until the server has it.
import { api, renewed } from "./server.js";

const PAUSE_MS = 800;
const RETRY_MS = [1000, 2000, 5000, 10000, 20000, 30000];
const LOOK_AGAIN_MS = 4000;

/**
 * @param {{exercise: string, user: string, revision: number, files: () => Record<string, string>,
 *          onState: (state: {name: string, at?: string, seconds?: number, why?: string, details?: object}) => void}} options
 *   States: editing, saving, saved, kept (a guest's), retrying, conflict, signed-out, refused.
 */
export function keepDraft(options) {
  const path = `/exercises/${options.exercise}/draft`;
  const guest = !options.user;
  let revision = options.revision;
  let version = 0; // counts changes, so that an answer tells what it answers
  let savedVersion = 0;
  let saving = null;
  let timer = 0;
  let ticker = 0;
  let failures = 0;
  let stuck = ""; // conflict, signed-out, refused: saving waits for the person
  let mirrored = true;

  const mirror = (user) => `soty:draft:${user || "guest"}:${options.exercise}`;
  const remember = () => {
    try {
      localStorage.setItem(mirror(options.user), JSON.stringify({ revision, at: Date.now(), files: options.files() }));
      mirrored = true;
    } catch { mirrored = false; }
  };
  const forget = (user) => { try { localStorage.removeItem(mirror(user)); } catch { /* nothing was kept then */ } };
  const kept = (user) => { try { return JSON.parse(localStorage.getItem(mirror(user)) ?? "null"); } catch { return null; } };
  const differs = (found, files) => Object.entries(files).some(([name, text]) => name in found.files && found.files[name] !== text);
  const dirty = () => version !== savedVersion;

  function quiet() {
    clearTimeout(timer);
    clearInterval(ticker);
    timer = ticker = 0;
  }

  async function save({ overwrite = false } = {}) {
    if (guest) { remember(); savedVersion = version; options.onState({ name: "kept" }); return true; }
    if (saving) { await saving; }
    if (!dirty() && !overwrite) return true;
    if (stuck && !overwrite) return false;
    quiet();
    saving = send(overwrite).finally(() => { saving = null; });
    return saving;
  }

  async function send(overwrite) {
    const sent = version;
    options.onState({ name: "saving" });
    try {
      const draft = await api("PUT", path, { files: options.files(), revision, overwrite }, { timeout: 10000 });
      revision = draft.revision;
      failures = 0;
      stuck = "";
      savedVersion = sent;
      if (dirty()) schedule();
      else forget(options.user);
      options.onState({ name: dirty() ? "editing" : "saved", at: draft.saved_at });
      return true;
    } catch (problem) {
      return refused(problem);
    }
  }

  function refused(problem) {
    if (problem.code === "draft-changed") {
      stuck = "conflict";
      options.onState({ name: "conflict", details: problem.details });
    } else if (problem.status === 401 || problem.code === "csrf") {
      stuck = "signed-out";
      options.onState({ name: "signed-out" });
      timer = setTimeout(lookAgain, LOOK_AGAIN_MS);
    } else if (problem.status >= 400 && problem.status < 500 && problem.status !== 429) {
      stuck = "refused";
      options.onState({ name: "refused", why: problem.message });
    } else retry(problem.retryAfter * 1000);
    return false;
  }

  async function lookAgain() {
    if (stuck !== "signed-out") return;
    if (document.visibilityState === "visible" && (await renewed(options.user))) {
      stuck = "";
      options.onState({ name: "signed-in" });
      save();
    } else timer = setTimeout(lookAgain, LOOK_AGAIN_MS);
  }

  function retry(asked) {
    const wait = Math.max(asked, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]) * (0.8 + 0.4 * Math.random());
    const until = Date.now() + wait;
    const tell = () => options.onState({ name: "retrying", seconds: Math.max(0, Math.ceil((until - Date.now()) / 1000)) });
    tell();
    ticker = setInterval(tell, 1000);
    timer = setTimeout(save, wait);
  }

  function schedule() {
    clearTimeout(timer);
    timer = setTimeout(save, PAUSE_MS);
  }

  addEventListener("online", () => { if (dirty() && failures) save(); });
  addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden" && dirty() && !stuck) save(); else if (stuck === "signed-out") { quiet(); lookAgain(); } });
  // The mirror brings the text back after any end of the page; only where there is none must leaving be asked about.
  addEventListener("beforeunload", (event) => { if (dirty()) { remember(); if (!mirrored) event.preventDefault(); } });

  return {
    changed() {
      version += 1;
      remember();
      if (stuck === "refused") stuck = "";
      if (stuck || failures) return;
      options.onState({ name: guest ? "kept" : "editing" });
      schedule();
    },
    save,
    /** Text of this browser that the server never had: the person's own, else what they wrote before they signed in. */
    unsaved(serverFiles) {
      for (const user of guest ? [""] : [options.user, ""]) {
        const found = kept(user);
        if (found && differs(found, serverFiles)) return found;
      }
      return null;
    },
    forgetMirrors() { forget(options.user); forget(""); },
    /** After a conflict: replace what was saved elsewhere; it becomes a restore point. */
    overwrite() { stuck = ""; version += 1; return save({ overwrite: true }); },
    /** What is in the editor now is this revision of the server's. */
    settled(newRevision, at) { quiet(); stuck = ""; failures = 0; revision = newRevision; savedVersion = version; forget(options.user); options.onState({ name: "saved", at }); },
    get isDirty() { return dirty(); },
    get isGuest() { return guest; },
  };
}
