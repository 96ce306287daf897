// Curves of the last minutes, as SVG.
const kSeconds = 300;
const kLeastSeconds = 60; // shown, while less is known
const namespace = "http://www.w3.org/2000/svg";

function element(name, attributes, ...children) {
  const made = document.createElementNS(namespace, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function sizeText(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1000 && unit + 1 < units.length) { bytes /= 1024; ++unit; }
  return `${unit === 0 || bytes >= 9.95 ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`;
}
export const rateText = (bytes) => (bytes === null || bytes === undefined ? "–" : `${sizeText(bytes)}/s`);
export const shareText = (share) => (share === null || share === undefined ? "–" : `${Math.round(share * 100)} %`);

/// "x,y x,y ..." of the samples' values in a box, the newest at its right end. Unknown values are left out.
function pointsOf(samples, value, top, width, height) {
  if (samples.length === 0) return "";
  const end = samples[samples.length - 1].time;
  const span = Math.min(Math.max(end - samples[0].time, kLeastSeconds), kSeconds);
  const points = [];
  for (const sample of samples) {
    const y = value(sample);
    if (y === null || y === undefined) continue;
    const x = width * (1 - (end - sample.time) / span);
    if (x >= 0) points.push(`${x.toFixed(1)},${(height - (height - 2) * Math.min(y / top, 1) - 1).toFixed(1)}`);
  }
  return points.join(" ");
}

export class Spark {
  constructor() {
    this.curve = element("polyline", { class: "curve first" });
    this.element = element("svg", { viewBox: "0 0 88 22", preserveAspectRatio: "none", "aria-hidden": "true" },
      element("line", { class: "grid", x1: 0, x2: 88, y1: 21, y2: 21 }), this.curve);
  }
  draw(samples) {
    const top = Math.max(1, ...samples.map((sample) => sample.processor ?? 0));
    this.curve.setAttribute("points", pointsOf(samples, (sample) => sample.processor, top, 88, 22));
  }
}

export class Graph {
  /// `series`: one or two of { name, value: (sample) => number or null }. `least`: of the axis' upper end.
  constructor(title, series, text, least) {
    Object.assign(this, { title, series, text, least });
    this.curves = series.map((_, i) => element("polyline", { class: `curve ${i === 0 ? "first" : "second"}` }));
    this.svg = element("svg", { viewBox: "0 0 300 90", preserveAspectRatio: "none", role: "img" },
      ...[30, 60].map((y) => element("line", { class: "grid", x1: 0, x2: 300, y1: y, y2: y })), ...this.curves);
    const heading = document.createElement("h3");
    heading.textContent = title;
    this.now = document.createElement("span");
    this.now.className = "now";
    const caption = document.createElement("figcaption");
    caption.append(heading, this.now);
    const key = document.createElement("div");
    key.className = "key";
    series.forEach(({ name }, i) => {
      const one = document.createElement("i");
      one.className = i === 0 ? "first" : "second";
      one.textContent = name;
      key.append(one);
    });
    this.top = document.createElement("span");
    key.append(this.top);
    this.element = document.createElement("figure");
    this.element.append(caption, this.svg, key);
  }

  draw(samples) {
    const values = samples.flatMap((sample) => this.series.map(({ value }) => value(sample) ?? 0));
    const top = Math.max(this.least, ...values) * 1.05;
    const last = samples[samples.length - 1];
    const now = this.series.map(({ value }) => this.text(last ? value(last) : null));
    this.series.forEach(({ value }, i) => this.curves[i].setAttribute("points", pointsOf(samples, value, top, 300, 90)));
    this.now.textContent = now.join(" · ");
    this.top.textContent = `top ${this.text(top / 1.05)}`;
    const said = this.series.map(({ name }, i) => `${name} ${now[i]}`).join(", ");
    this.svg.setAttribute("aria-label", `${this.title} of the last five minutes; now ${said}`);
  }
}

export const machineGraphs = () => [
  new Graph("Processor", [{ name: "cores", value: (s) => s.processor }], shareText, 1),
  new Graph("Memory", [
    { name: "held", value: (s) => s.memory_resident }, { name: "given", value: (s) => s.memory_given },
  ], sizeText, 64 << 20),
  new Graph("Disk", [
    { name: "read", value: (s) => s.disk_read }, { name: "written", value: (s) => s.disk_written },
  ], rateText, 64 << 10),
  new Graph("Network", [
    { name: "in", value: (s) => s.network_received }, { name: "out", value: (s) => s.network_sent },
  ], rateText, 16 << 10),
];

export const keepRecent = (samples) => {
  const end = samples.length === 0 ? 0 : samples[samples.length - 1].time;
  while (samples.length > 0 && end - samples[0].time > kSeconds) samples.shift();
};
