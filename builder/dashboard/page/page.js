// The machines of this user, live. All that a machine says is put in as text, never as markup.
import { change, followEvents, getLog, getMachine } from "/api.js";
import { ConsoleView } from "/console.js";
import { Spark, keepRecent, machineGraphs, rateText, shareText, sizeText } from "/graph.js";
import { cell, sureButton } from "/parts.js";
import { ScreenView } from "/screen.js";
import { SnapshotsView } from "/snapshots.js";

const $ = (selector) => document.querySelector(selector);

const machines = new Map(); // by name: { row, samples, cells }
let selected = null;
let tab = "console";
let seen = ""; // what the open panel was opened for
const graphs = machineGraphs();
$("#graphs").append(...graphs.map((graph) => graph.element));

const tabs = [...document.querySelectorAll("[role=tab]")];
const tabButton = () => $(`#tab-${tab}`);
const consoleView = new ConsoleView($("#panel-console"), tabButton);
const screenView = new ScreenView($("#panel-screen"), tabButton);
const snapshotsView = new SnapshotsView($("#panel-snapshots"), act);

function stateOf(row) {
  if (row.state !== "running") return row.state;
  if (row.paused) return "paused";
  if (row.stopping) return "stopping";
  const names = (row.states ?? []).map((state) => state.name);
  return names.includes("ready") ? "ready" : names[names.length - 1] ?? "running";
}

/// Whether it belongs to this host: one that arrives or is gone may run elsewhere.
const isHere = (row) => row.state === "running" || row.state === "stopped";

/// Whether its process tells of it: then there is a console, too.
const answers = (row) => row.state === "running" && row.states !== undefined;

function stateClass(row) {
  if (row.state === "damaged") return "breaks";
  if (row.state === "arriving") return "pauses";
  if (row.state !== "running") return "";
  return row.paused || row.stopping ? "pauses" : "runs";
}

function makeRow(name) {
  const row = document.createElement("tr");
  const head = cell(row, "th", "");
  head.scope = "row";
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  button.addEventListener("click", () => { location.hash = encodeURIComponent(name); if (selected === name) $("#name").focus(); });
  head.append(button);
  const state = cell(row, "td", "state");
  const origin = cell(row, "td", "origin wide");
  const load = cell(row, "td", "load");
  const spark = new Spark();
  const share = document.createElement("span");
  load.append(spark.element, share);
  return {
    row, state, origin, spark, share,
    memory: cell(row, "td", "number"), disk: cell(row, "td", "number wide"), network: cell(row, "td", "number wide"),
  };
}

const sum = (a, b) => (a === null || a === undefined ? null : a + b);

function showRow({ row, samples, cells }) {
  const last = row.state === "running" ? samples[samples.length - 1] ?? {} : {};
  cells.state.textContent = stateOf(row);
  cells.state.className = `state ${stateClass(row)}`;
  cells.origin.textContent = row.stands_on ?? row.problem ?? "";
  cells.origin.title = cells.origin.textContent;
  cells.spark.draw(samples);
  cells.share.textContent = shareText(last.processor);
  cells.memory.textContent = sizeText(last.memory_resident);
  cells.disk.textContent = rateText(sum(last.disk_read, last.disk_written));
  cells.network.textContent = rateText(sum(last.network_received, last.network_sent));
  cells.row.toggleAttribute("aria-current", row.name === selected);
}

function takeMachines(rows) {
  const names = new Set(rows.map((row) => row.name));
  for (const [name, machine] of machines) {
    if (names.has(name)) continue;
    machine.cells.row.remove();
    machines.delete(name);
  }
  rows.forEach((row, index) => {
    const known = machines.get(row.name) ?? { samples: [], cells: makeRow(row.name) };
    known.row = row;
    machines.set(row.name, known);
    const body = $("#machines tbody");
    if (body.children[index] !== known.cells.row) body.insertBefore(known.cells.row, body.children[index] ?? null);
    showRow(known);
  });
  $("#machines").hidden = rows.length === 0;
  $("#none").hidden = rows.length !== 0;
  select(wantedName());
}

function takeSamples(samples) {
  for (const sample of samples.samples) {
    const known = machines.get(sample.name);
    if (!known) continue;
    known.samples.push({ time: samples.time, ...sample });
    keepRecent(known.samples);
    showRow(known);
  }
  if (selected) showGraphs();
}

function showGraphs() {
  const samples = machines.get(selected).samples;
  for (const graph of graphs) graph.draw(samples);
}

const kFirmware = { bios: "BIOS", uefi: "UEFI", "secure-boot": "Secure Boot", kernel: "its own kernel" };
const describe = (row) => [
  row.stands_on && `stands on ${row.stands_on}${row.verified ? "" : ", for which nobody vouches"}`,
  row.cpus && `${row.cpus} ${row.cpus === 1 ? "processor" : "processors"}`,
  row.memory && sizeText(row.memory), kFirmware[row.firmware],
  row.accelerator && (row.accelerator === "kvm" ? "KVM" : "emulated"),
  row.disposable && "gone when it ends", row.paused && `paused: ${row.paused}`, row.problem, row.hint,
].filter(Boolean).join(" · ");

const kPossible = {
  start: (row) => row.state === "stopped", stop: (row) => row.state === "running", restart: (row) => row.state === "running",
  kill: (row) => row.state === "running" || row.states !== undefined,
};

function showMachine() {
  const { row } = machines.get(selected);
  $("#name").textContent = row.name;
  $("#about").textContent = describe(row);
  $("#states").replaceChildren(...(row.states ?? []).map((state) => {
    const item = document.createElement("li");
    const time = document.createElement("span");
    time.textContent = `${state.seconds.toFixed(state.seconds < 0.1 ? 2 : 1)} s`;
    item.append(`${state.name} `, time);
    return item;
  }));
  for (const button of document.querySelectorAll("[data-do]")) {
    button.disabled = !kPossible[button.dataset.do](row);
  }
  // A machine that was started again has a new console and screen.
  const begun = `${selected} ${tab} ${row.state} ${answers(row)}`;
  if (begun !== seen) {
    seen = begun;
    openPanel(row);
  }
}

function wantedName() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

function select(name) {
  const found = machines.has(name) ? name : null;
  if (found !== selected) {
    const before = machines.get(selected);
    selected = found;
    if (before) showRow(before);
    tell("");
    document.title = found ? `${found} · Machines` : "Machines";
    if (found) {
      showRow(machines.get(found));
      loadSamples(found);
    }
  }
  $("#machine").hidden = !selected;
  if (selected) {
    showMachine();
    showGraphs();
  } else {
    seen = "";
    closePanels();
  }
}

/// What was sampled before this page was opened.
async function loadSamples(name) {
  try {
    const { samples } = await getMachine(name);
    const known = machines.get(name);
    if (!known) return;
    const first = known.samples[0]?.time ?? Infinity;
    known.samples.unshift(...samples.filter((sample) => sample.time < first));
    if (selected === name) showGraphs();
  } catch (error) {
    tell(error.message, true);
  }
}

function closePanels() {
  for (const view of [consoleView, screenView, snapshotsView]) view.close();
}

function openPanel(row) {
  for (const one of tabs) {
    const open = one.id === `tab-${tab}`;
    one.setAttribute("aria-selected", open);
    one.tabIndex = open ? 0 : -1;
    $(`#${one.getAttribute("aria-controls")}`).hidden = !open;
  }
  closePanels();
  if (tab === "console") consoleView.open(row.name, answers(row));
  if (tab === "screen") screenView.open(row.name, row.graphics, answers(row));
  if (tab === "log") showLog();
  if (tab === "snapshots") snapshotsView.open(row.name, isHere(row));
}

async function showLog() {
  const place = $("#panel-log pre");
  try {
    place.textContent = await getLog(selected);
    place.scrollTop = place.scrollHeight;
  } catch (error) {
    place.textContent = error.message;
  }
}

function tell(text, failed = false) {
  const place = $("#message");
  place.hidden = text === "";
  place.textContent = text;
  place.classList.toggle("failed", failed);
}

/// Does something with a machine and says how it went.
async function act(name, doing, done, what) {
  tell(`${name}: ${doing} …`);
  try {
    await what();
    if (selected === name) tell(`${name}: ${done}`);
  } catch (error) {
    if (selected === name) tell(error.message, true);
  }
}

const kWords = {
  start: ["starting", "started"], stop: ["shutting down", "stopped"], restart: ["restarting", "restarted"],
  kill: ["ending it", "ended"],
};
for (const button of document.querySelectorAll("[data-do]")) {
  const what = button.dataset.do;
  const run = () => { const name = selected; act(name, ...kWords[what], () => change(name, what)); };
  if (what === "kill") sureButton(button, run); else button.addEventListener("click", run);
}

function openTab(button) {
  tab = button.id.slice("tab-".length);
  button.focus();
  showMachine();
}
tabs.forEach((button, index) => {
  button.addEventListener("click", () => openTab(button));
  button.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const to = step ? (index + step + tabs.length) % tabs.length : { Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    openTab(tabs[to]);
  });
});
$("#reload-log").addEventListener("click", showLog);
addEventListener("hashchange", () => {
  select(wantedName());
  if (selected) $("#name").focus();
});
followEvents((event) => {
  if (event.event === "machines") takeMachines(event.machines);
  if (event.event === "samples") takeSamples(event);
}, (connected) => {
  $("#connection").textContent = connected ? "live" : "not connected: imgforge vm dashboard ended";
});
