// Keeps the learner's text: saved on the server with a revision, mirrored in the browser until the server has it.
// States: saved, saving, retrying (with seconds to the next try), conflict, signed-out.

const PAUSE_MS = 800;
const RETRY_MS = [1000, 2000, 5000, 10000, 20000, 30000];

/**
 * @param {{url: string, key: string, revision: number, savedAt: string, csrf: string, files: () => Record<string, string>,
 *          onState: (state: {name: string, at?: string, seconds?: number, draft?: object}) => void}} options
 */
export function keepDraft(options) {
  let revision = options.revision;
  let dirty = false;
  let saving = null;
  let timer = 0;
  let ticker = 0;
  let failures = 0;
  const mirror = `soty:draft:${options.key}`;

  const remember = () => {
    try {
      localStorage.setItem(mirror, JSON.stringify({ revision, at: Date.now(), files: options.files() }));
    } catch { /* a full or forbidden store must not stop typing; the server copy still counts */ }
  };
  const forget = () => { try { localStorage.removeItem(mirror); } catch { /* as above */ } };

  /** Text of this browser that the server never acknowledged, or null. */
  const unsaved = (serverFiles) => {
    try {
      const kept = JSON.parse(localStorage.getItem(mirror) ?? "null");
      if (!kept) return null;
      const differs = Object.entries(kept.files).some(([path, text]) => serverFiles[path] !== text);
      return differs ? kept : null;
    } catch { return null; }
  };

  async function save() {
    clearTimeout(timer);
    clearInterval(ticker);
    if (saving) { await saving; if (!dirty) return true; }
    if (!dirty) return true;
    dirty = false;
    options.onState({ name: "saving" });
    saving = send(options.files()).finally(() => { saving = null; });
    return saving;
  }

  async function send(files) {
    let response;
    try {
      response = await fetch(options.url, {
        method: "PUT", credentials: "same-origin", signal: AbortSignal.timeout(10000),
        headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": options.csrf },
        body: JSON.stringify({ files, revision }),
      });
    } catch { return retry(); }
    if (response.ok) {
      const draft = await response.json();
      revision = draft.revision;
      failures = 0;
      if (!dirty) forget();
      options.onState({ name: dirty ? "saving" : "saved", at: draft.saved_at });
      if (dirty) schedule();
      return true;
    }
    if (response.status === 409) {
      dirty = true;
      options.onState({ name: "conflict", draft: (await response.json()).details });
      return false;
    }
    if (response.status === 401 || response.status === 403) {
      dirty = true;
      options.onState({ name: "signed-out" });
      return false;
    }
    if (response.status === 400 || response.status === 413) {
      dirty = true;
      const problem = await response.json();
      options.onState({ name: "refused", message: problem.detail });
      return false;
    }
    return retry(Number(response.headers.get("Retry-After")) * 1000);
  }

  function retry(asked = 0) {
    dirty = true;
    const wait = Math.max(asked, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]) * (0.8 + 0.4 * Math.random());
    const until = Date.now() + wait;
    const tell = () => options.onState({ name: "retrying", seconds: Math.max(0, Math.ceil((until - Date.now()) / 1000)) });
    tell();
    ticker = setInterval(tell, 1000);
    timer = setTimeout(save, wait);
    return false;
  }

  function schedule() {
    clearTimeout(timer);
    timer = setTimeout(save, PAUSE_MS);
  }

  addEventListener("online", () => { if (dirty) save(); });
  addEventListener("beforeunload", (event) => { if (dirty || saving) { remember(); event.preventDefault(); } });

  return {
    changed() { dirty = true; remember(); options.onState({ name: "editing" }); if (!ticker || failures === 0) schedule(); },
    save, unsaved, forget,
    /** After a conflict: go on from the server's revision, with the text now in the editor. */
    adopt(newRevision) { revision = newRevision; failures = 0; dirty = true; return save(); },
    get revision() { return revision; },
    get isDirty() { return dirty || Boolean(saving); },
  };
}
