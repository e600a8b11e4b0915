// One stream of `live`: its ticket, its renewals, and connecting again.
import { call } from "./server.js";
import { facts } from "./words.js";

const RENEW_MS = 45000;
const AGAIN_MS = [500, 1000, 2000, 5000, 10000];
const ENDED = 1000;

/**
 * @param {{sandbox: string, kind: "watch" | "logs", service?: string, first?: () => object,
 *          onFrame: (frame: object) => void, onState: (state: "live" | "away" | "ended") => void}} options
 * @returns {{close: () => void}}
 */
export function openStream({ sandbox, kind, service = "", first = () => ({}), onFrame, onState }) {
  let socket = null;
  let renewing = 0;
  let again = 0;
  let failures = 0;
  let closed = false;

  const ticket = async () => (await call("POST", `/sandboxes/${sandbox}/tickets`, { kind, service }, { timeout: 5000 })).ticket;

  async function open() {
    let first_ticket;
    try { first_ticket = await ticket(); } catch (problem) { return problem.status === 404 ? end() : later(); }
    if (closed) return;
    socket = new WebSocket(facts.live);
    socket.onopen = () => {
      socket.send(JSON.stringify({ ticket: first_ticket, ...first() }));
      renewing = setInterval(renew, RENEW_MS);
    };
    socket.onmessage = (message) => {
      failures = 0;
      const frame = JSON.parse(message.data);
      onState(frame.type === "away" ? "away" : "live");
      if (frame.type !== "away") onFrame(frame);
    };
    socket.onclose = (event) => {
      clearInterval(renewing);
      socket = null;
      if (closed) return;
      if (event.code === ENDED) end();
      else later();
    };
  }

  async function renew() {
    try {
      const fresh = await ticket();
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ ticket: fresh }));
    } catch { /* without a fresh ticket the other side closes, and we connect again */ }
  }

  function later() {
    onState("away");
    again = setTimeout(open, AGAIN_MS[Math.min(failures++, AGAIN_MS.length - 1)] * (0.8 + 0.4 * Math.random()));
  }

  function end() {
    closed = true;
    onState("ended");
  }

  open();
  return {
    close() {
      closed = true;
      clearTimeout(again);
      clearInterval(renewing);
      socket?.close();
    },
  };
}
