// What the page asks of the program (builder/dashboard/README.md).
const root = "/api/v1";

export class Failure extends Error {
  constructor(error) {
    super([error.message, error.output, ...(error.while ?? []).map((step) => `while ${step}`), error.hint].filter(Boolean).join("\n"));
    this.code = error.code;
  }
}

async function ask(path, options) {
  const response = await fetch(root + path, options);
  if (response.ok) return response;
  let error;
  try {
    ({ error } = await response.json());
  } catch {
    error = { code: "E_INTERNAL", message: `the program answered ${response.status}` };
  }
  throw new Failure(error);
}

const path = (name, ...rest) => ["/machines", name, ...rest].map((part, i) => (i ? encodeURIComponent(part) : part)).join("/");

export const getMachine = async (name) => (await ask(path(name))).json();
export const getLog = async (name) => (await ask(path(name, "log") + "?lines=1000")).text();
export const getSnapshots = async (name) => (await (await ask(path(name, "snapshots"))).json()).snapshots;
export const change = (name, what) => ask(path(name, what), { method: "POST" });
export const takeSnapshot = (name, snapshot) =>
  ask(path(name, "snapshots"), { method: "POST", body: JSON.stringify({ name: snapshot }) });
export const removeSnapshot = (name, snapshot) => ask(path(name, "snapshots", snapshot), { method: "DELETE" });
export const restoreSnapshot = (name, snapshot) =>
  ask(path(name, "snapshots", snapshot, "restore"), { method: "POST" });

export const socketAddress = (name, what) => `ws://${location.host}${root}${path(name, what)}`;

/// Hands out each event, for ever: a connection that ends is made again.
export function followEvents(take, tellConnected) {
  let pause = 500;
  const connect = () => {
    const socket = new WebSocket(`ws://${location.host}${root}/events`);
    socket.onopen = () => { pause = 500; tellConnected(true); };
    socket.onmessage = (message) => take(JSON.parse(message.data));
    socket.onclose = () => {
      tellConnected(false);
      setTimeout(connect, pause);
      pause = Math.min(pause * 2, 10000);
    };
  };
  connect();
}
