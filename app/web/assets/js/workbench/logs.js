// Output of the services: one stream each while `live` answers, pages of the API while it does not.
import { openStream } from "./live.js";
import { api } from "./server.js";
import { say } from "./words.js";

const KEPT_LINES = 5000;
const POLL_MS = 1500;
const CATCH_UP_MS = 1500; // of a service that ran before we looked: when it wrote what comes this soon is not known
const ENDED = new Set(["exited", "crashed", "stopped", "failed"]);
const STARTING = new Set(["preparing", "starting"]);

const two = (number) => String(number).padStart(2, "0");

/** `12:04:11.082` of this browser's clock. */
function clock(moment) {
  const date = new Date(moment);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

export function keepLogs() {
  const box = document.getElementById("log");
  const choice = document.getElementById("log-service");
  const followButton = document.getElementById("log-follow");
  let sandbox = "";
  let lines = [];
  let following = true;
  let shownEmpty = true;
  const sources = new Map();
  const states = new Map();

  function follow(on) {
    following = on;
    followButton.setAttribute("aria-pressed", String(on));
    followButton.querySelector("span").textContent = on ? say("follow") : say("paused");
    if (on) box.scrollTop = box.scrollHeight;
  }

  function row(line) {
    const element = document.createElement("div");
    element.className = line.mark ? "log-mark" : "log-line";
    if (line.mark) element.textContent = line.text;
    else {
      const at = Object.assign(document.createElement("span"), { className: "log-time", textContent: line.at ? clock(line.at) : "" });
      const who = Object.assign(document.createElement("span"), { className: `log-who who-${line.turn % 6}`, textContent: line.service });
      element.append(at, who, Object.assign(document.createElement("span"), { className: "log-text", textContent: line.text }));
    }
    return element;
  }

  const wanted = (line) => !choice.value || line.service === choice.value;

  function append(fresh) {
    if (!fresh.length) return;
    if (shownEmpty) { box.replaceChildren(); shownEmpty = false; }
    lines.push(...fresh);
    const part = document.createDocumentFragment();
    for (const line of fresh) if (wanted(line)) part.append(row(line));
    box.append(part);
    if (lines.length > KEPT_LINES) { lines = lines.slice(-KEPT_LINES); while (box.childElementCount > KEPT_LINES) box.firstElementChild.remove(); }
    if (following) box.scrollTop = box.scrollHeight;
  }

  function redraw() {
    box.replaceChildren(...lines.filter(wanted).map(row));
    shownEmpty = !box.childElementCount;
    if (shownEmpty) box.append(Object.assign(document.createElement("p"), { className: "empty", textContent: say("noOutput") }));
    if (following) box.scrollTop = box.scrollHeight;
  }

  function source(name, turn, since) {
    const began = Date.now();
    const late = began / 1000 - since > 3;
    let rest = "";
    let offset = 0;
    let poll = 0;
    let lost = 0;
    let failures = 0;
    const take = (text) => {
      const parts = (rest + text).split("\n");
      rest = parts.pop();
      const at = late && Date.now() - began < CATCH_UP_MS ? 0 : Date.now();
      append(parts.map((part) => ({ at, service: name, turn, text: part })));
    };
    async function page() {
      try {
        const reply = await api("GET", `/sandboxes/${sandbox}/services/${name}/logs?offset=${offset}`);
        failures = 0;
        offset = reply.next_offset;
        take(reply.text);
        if (reply.dropped > lost) { lost = reply.dropped; append([{ mark: true, service: name, text: say("logsLost", { count: lost }) }]); }
      } catch { failures += 1; }
      poll = poll && setTimeout(page, POLL_MS * Math.min(1 + failures, 8));
    }
    const stream = openStream({
      sandbox, kind: "logs", service: name, first: () => ({ offset }),
      onFrame: (frame) => { offset = frame.offset; take(frame.data); },
      onState: (state) => {
        if (state === "away" && !poll) poll = setTimeout(page, 0);
        if (state !== "away") { clearTimeout(poll); poll = 0; }
      },
    });
    return { close() { stream.close(); clearTimeout(poll); poll = 0; } };
  }

  function mark(service) {
    append([{ mark: true, service, text: `${clock(Date.now())} · ${say("restartMark", { service })}` }]);
  }

  box.addEventListener("scroll", () => {
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
    if (atEnd !== following) follow(atEnd);
  });
  followButton.addEventListener("click", () => follow(!following));
  choice.addEventListener("change", redraw);
  document.getElementById("log-clear").addEventListener("click", () => { lines = []; redraw(); });

  return {
    /** @param {string} id of the sandbox, or empty  @param {{name: string, state: string, since: number, restarts: number}[]} services */
    update(id, services) {
      if (id !== sandbox) {
        for (const open of sources.values()) open.close();
        sources.clear();
        states.clear();
        if (id) { lines = []; redraw(); }
        sandbox = id;
      }
      services.forEach((service, turn) => {
        const before = states.get(service.name);
        const runs = STARTING.has(service.state) || service.state === "ready";
        if (before && runs && before.since !== service.since && (ENDED.has(before.state) || (before.state === "ready" && service.state !== "paused"))) mark(service.name);
        states.set(service.name, service);
        if (!sources.has(service.name) && service.state !== "waiting") sources.set(service.name, source(service.name, turn, service.since));
        if (![...choice.options].some((option) => option.value === service.name)) choice.add(new Option(service.name, service.name));
      });
    },
    show(service) { choice.value = service; redraw(); },
  };
}
