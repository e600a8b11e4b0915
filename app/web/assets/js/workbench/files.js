// The files: tabs, editor, whether they are saved, and what to do when two versions meet.
import { keepDraft } from "./drafts.js";
import { createEditor } from "./editor.js";
import { api } from "./server.js";
import { announce, facts, note, say, timeOf } from "./words.js";

const LOOKS = { saved: "✓", kept: "✓", editing: "…", saving: "…", retrying: "◔", "signed-out": "✕", refused: "✕", conflict: "✕" };

/** Resolves to the value of the button that closed the dialog; empty for Escape. */
export function askBy(dialog) {
  return new Promise((resolve) => {
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
    dialog.showModal();
  });
}

/** @param {{onEdit: () => void, onSaved: () => void, keys: Record<string, () => boolean>}} options */
export function openFiles({ onEdit, onSaved, keys }) {
  const sources = [...document.querySelectorAll(".plain-file textarea")];
  const files = sources.map((area) => ({ path: area.dataset.path, text: area.value, language: area.dataset.language, readonly: area.readOnly }));
  const saved = Object.fromEntries(files.filter((file) => !file.readonly).map((file) => [file.path, file.text]));
  const state = document.getElementById("save-state");
  const panel = document.getElementById("editor");
  const tabs = [...document.querySelectorAll("[data-file]")];
  let quiet = false; // while we change the text ourselves

  const editor = createEditor(panel, {
    files, label: (path) => say(files.find((file) => file.path === path).readonly ? "readonly" : "file", { path }),
    onChange: () => { if (!quiet) { onEdit(); draft.changed(); } },
    onKey: keys, announceEscape: () => announce(say("escape")),
  });
  document.querySelector(".plain-files").remove();

  const draft = keepDraft({ exercise: facts.exercise, user: facts.user, revision: facts.revision, files: () => editor.files(), onState: show });

  function show({ name, at, seconds, why, details }) {
    const words = { saved: () => say("saved", { time: timeOf(at ?? Date.now()) }), saving: () => say("saving"), editing: () => say("editing"), kept: () => say("kept"),
      retrying: () => say("retrying", { seconds }), "signed-out": () => say("signedOut"), refused: () => say("refused", { why }), conflict: () => say("conflict") }[name];
    if (words) {
      state.dataset.state = name;
      state.querySelector("[data-save-text]").textContent = words();
      const glyph = state.querySelector(".glyph");
      if (glyph) glyph.textContent = LOOKS[name];
    }
    if (name === "saved") onSaved();
    if (name === "conflict") compare({ saved_files: details.saved_files, revision: details.revision });
    if (name === "signed-out") askBy(document.getElementById("dialog-signin"));
    if (name === "signed-in") document.getElementById("dialog-signin").close();
  }

  function replace(texts) {
    quiet = true;
    for (const [path, text] of Object.entries(texts)) if (editor.text(path) !== text) editor.replace(path, text);
    quiet = false;
  }

  /** Two versions side by side; the person chooses one. */
  async function compare({ saved_files: theirs, revision, at }) {
    const { chooseVersion } = await import("./conflict.js");
    const choice = await chooseVersion(editor.files(), theirs, files);
    if (choice === "mine") return draft.overwrite();
    if (choice === "theirs") {
      replace(theirs);
      draft.settled(revision, at ?? Date.now());
      return onEdit();
    }
    return show({ name: "conflict-open" });
  }

  /** Text that this browser kept and the server never had. */
  async function offerUnsaved() {
    const kept = draft.unsaved(saved);
    if (!kept) return;
    if (draft.isGuest || facts.revision === 0) { replace(kept.files); draft.changed(); return; }
    const dialog = document.getElementById("dialog-unsaved");
    dialog.querySelector("[data-unsaved-time]").textContent = timeOf(kept.at);
    const choice = await askBy(dialog);
    if (choice === "yes") { replace(kept.files); draft.changed(); }
    else if (choice === "compare") { replace(kept.files); await compare({ saved_files: saved, revision: facts.revision, at: facts.savedAt }); }
    else if (choice === "no") draft.forgetMirrors();
  }

  function open(path) {
    for (const tab of tabs) {
      const chosen = tab.dataset.file === path;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      if (chosen) panel.setAttribute("aria-labelledby", tab.id);
    }
    editor.show(path);
  }
  for (const tab of tabs) {
    tab.addEventListener("click", () => { open(tab.dataset.file); editor.focus(); });
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
      open(next.dataset.file);
      next.focus();
    });
  }

  /** The server's new text after a reset or a restore. */
  async function take(path, said) {
    if (!(await draft.save())) return;
    try {
      const fresh = await api("POST", `/exercises/${facts.exercise}${path}`);
      replace(fresh.files);
      draft.settled(fresh.revision, fresh.saved_at ?? Date.now());
      announce(say(said));
      note(say(said), "ok");
    } catch (problem) { note(say("failedAction", { why: problem.message }), "bad"); }
  }

  offerUnsaved();
  return {
    save: () => draft.save(), files: () => editor.files(), focus: () => editor.focus(),
    reset: () => take("/draft/reset", "announceReset"),
    restore: (point) => take(`/restore-points/${point}/restore`, "announceRestored"),
    get isDirty() { return draft.isDirty; },
  };
}
