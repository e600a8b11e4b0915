// Calls of API v1, and the pieces of the page that the server renders.
import { say } from "./words.js";

/** An answer that is not a success. `status` 0: the platform does not answer at all. */
export class Problem extends Error {
  constructor(status, { code = "", detail = "", details = {} } = {}, retryAfter = 0) {
    super(detail || say("offline"));
    Object.assign(this, { status, code, details, retryAfter });
  }
}

const token = () => document.querySelector('meta[name="csrf-token"]').content;

async function ask(url, options, timeout) {
  try {
    return await fetch(url, { credentials: "same-origin", signal: AbortSignal.timeout(timeout), ...options });
  } catch {
    throw new Problem(0, { code: "offline" });
  }
}

/** One call with JSON in and out; null for an empty answer. Throws `Problem`. */
export async function call(method, path, body, { timeout = 15000, headers = {}, keepalive = false } = {}) {
  const options = { method, keepalive, headers: { Accept: "application/json", "X-CSRFToken": token(), ...headers } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await ask(path, options, timeout);
  const text = await response.text();
  let data = null;
  try { data = text ? JSON.parse(text) : null; } catch { /* a proxy's page: the status tells enough */ }
  if (!response.ok) throw new Problem(response.status, data ?? {}, Number(response.headers.get("Retry-After")) || 0);
  return data;
}

export const api = (method, path, body, options) => call(method, `/api/v1${path}`, body, options);

/** HTML of a page or a part of one. Throws `Problem`. */
export async function html(url) {
  const response = await ask(url, { headers: { Accept: "text/html", "HX-Request": "true" } }, 15000);
  if (!response.ok || response.redirected) throw new Problem(response.redirected ? 401 : response.status);
  return response.text();
}

/** Put each top-level element of `text` in the place of the one with the same id; focus, open menus and scroll stay. */
export function swap(text) {
  const template = document.createElement("template");
  template.innerHTML = text;
  for (const fresh of [...template.content.children]) {
    const old = fresh.id && document.getElementById(fresh.id);
    if (!old || old.isEqualNode(fresh)) continue;
    const focused = old.contains(document.activeElement) ? document.activeElement.closest("[id]")?.id : "";
    const summary = focused && document.activeElement.tagName === "SUMMARY";
    for (const open of old.querySelectorAll("details[id][open]")) fresh.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
    old.replaceWith(fresh);
    if (focused) {
      const place = document.getElementById(focused);
      (summary ? place?.querySelector("summary") : place)?.focus({ preventScroll: true });
    }
  }
}

/** The same person may have signed in again elsewhere: take the page's new token. False while they have not. */
export async function renewed(user) {
  try {
    const page = new DOMParser().parseFromString(await html(location.pathname), "text/html");
    const facts = JSON.parse(page.getElementById("bench-facts")?.textContent ?? "{}");
    if (facts.user !== user) return false;
    document.querySelector('meta[name="csrf-token"]').content = page.querySelector('meta[name="csrf-token"]').content;
    return true;
  } catch { return false; }
}
