// What the page tells its script: facts, and sentences in the page's language.
const read = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "{}");

export const facts = read("bench-facts");
const texts = facts.texts ?? read("attempt-texts");

/** A sentence with its `{names}` filled in. */
export const say = (key, values = {}) => (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));

/** Have a sentence read out; the same one twice is read twice. */
export function announce(text) {
  const place = document.getElementById("announcer");
  place.textContent = "";
  setTimeout(() => { place.textContent = text; }, 50);
}

const clock = new Intl.DateTimeFormat(facts.lang || undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(facts.lang || undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** Time of today, else with its date. */
export const timeOf = (moment) => {
  const date = new Date(moment);
  return (date.toDateString() === new Date().toDateString() ? clock : day).format(date);
};

/** A span of seconds in its largest whole unit. */
export function spanOf(seconds) {
  if (seconds < 90) return say("seconds", { count: Math.max(0, Math.round(seconds)) });
  if (seconds < 5400) return say("minutes", { count: Math.round(seconds / 60) });
  return say("hours", { count: Math.round(seconds / 3600) });
}

/** Something the person must know, above the panes, until it is closed or replaced. */
export function note(text, kind = "wait", id = "note") {
  const place = document.getElementById("notes");
  document.getElementById(`note-${id}`)?.remove();
  if (!text || !place) return;
  const box = document.createElement("div");
  box.className = `flash flash-${kind} flash-float`;
  box.id = `note-${id}`;
  box.setAttribute("role", kind === "bad" ? "alert" : "status");
  box.append(text, Object.assign(document.createElement("button"), { type: "button", className: "btn btn-bare btn-small", textContent: "✕", ariaLabel: say("close"), onclick: () => box.remove() }));
  place.append(box);
  if (kind === "ok") setTimeout(() => box.remove(), 6000);
}
