#include "artifacts/export/page_assets.hpp"

namespace imgforge::exports {

const std::string_view kPageStyle = R"css(
:root {
  color-scheme: light dark;
  --ground: #fcfcfa; --text: #1d1f21; --soft: #5c6166; --line: #dcdcd6; --panel: #f3f3ee; --link: #0b57a4;
  --good: #2c6e49;
  --s0: #0b6bb8; --s1: #c2570c; --s2: #2c7a4b; --s3: #8a3fa0; --s4: #a8324a; --s5: #6b6b00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #16181b; --text: #e6e6e3; --soft: #a0a5ab; --line: #34383d; --panel: #1f2226; --link: #7cb7f2;
    --good: #7fcf9f;
    --s0: #6cb2f5; --s1: #f0a05a; --s2: #74cf97; --s3: #cf9ae0; --s4: #f08a9c; --s5: #cfcf63;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 5rem; max-width: 64rem; background: var(--ground); color: var(--text);
  font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 3rem 0 0.75rem; padding-top: 1rem; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.75rem 0 0.5rem; }
p { margin: 0.5rem 0; max-width: 44rem; }
.soft { color: var(--soft); }
a { color: var(--link); text-underline-offset: 0.15em; }
a:focus-visible, button:focus-visible, summary:focus-visible, .scroll:focus-visible {
  outline: 2px solid var(--link); outline-offset: 2px;
}
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; padding: 0; margin: 1rem 0 0; }
.scroll { overflow-x: auto; margin: 0.75rem 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 0.94rem; }
caption { text-align: left; color: var(--soft); padding-bottom: 0.4rem; }
th, td { text-align: left; vertical-align: top; padding: 0.5rem 1rem 0.5rem 0; border-bottom: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; border-bottom-color: var(--soft); }
tbody th { font-weight: 600; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.plain, th.plain, time { white-space: nowrap; }
th button { all: unset; cursor: pointer; color: inherit; font: inherit; }
th button:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
th button::after { content: "\2195"; opacity: 0.45; padding-left: 0.3em; }
th[aria-sort="ascending"] button::after { content: "\2191"; opacity: 1; }
th[aria-sort="descending"] button::after { content: "\2193"; opacity: 1; }
.files { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0 1rem; }
.files li { white-space: nowrap; }
.tag { color: var(--good); font-weight: 400; font-size: 0.85em; border: 1px solid; border-radius: 0.3em; padding: 0 0.35em; }
svg { display: block; width: 100%; height: auto; max-width: 44rem; min-width: 36rem; }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
.grid { stroke: var(--line); stroke-width: 1; }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
.s0 { stroke: var(--s0); } circle.s0, text.s0 { fill: var(--s0); stroke: none; }
.s1 { stroke: var(--s1); } circle.s1, text.s1 { fill: var(--s1); stroke: none; }
.s2 { stroke: var(--s2); } circle.s2, text.s2 { fill: var(--s2); stroke: none; }
.s3 { stroke: var(--s3); } circle.s3, text.s3 { fill: var(--s3); stroke: none; }
.s4 { stroke: var(--s4); } circle.s4, text.s4 { fill: var(--s4); stroke: none; }
.s5 { stroke: var(--s5); } circle.s5, text.s5 { fill: var(--s5); stroke: none; }
details { margin: 0.35rem 0; }
summary { cursor: pointer; }
pre {
  background: var(--panel); border-radius: 0.4rem; padding: 0.8rem 1rem; margin: 0.6rem 0; max-width: 52rem;
  font: 0.86rem/1.6 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; position: relative;
}
code { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 0.92em; overflow-wrap: anywhere; }
pre code { font-size: 1em; display: block; overflow-x: auto; overflow-wrap: normal; }
.copy {
  position: absolute; top: 0.5rem; right: 0.5rem; font: 0.8rem/1.4 system-ui, sans-serif; padding: 0.15rem 0.6rem;
  background: var(--ground); color: var(--text); border: 1px solid var(--line); border-radius: 0.3rem; cursor: pointer;
}
footer { margin-top: 3.5rem; border-top: 1px solid var(--line); padding-top: 1rem; }
@media (max-width: 60rem) { pre { padding-top: 2.6rem; } }
@media (max-width: 40rem) {
  body { padding: 1.5rem 1rem 3rem; }
  h1 { font-size: 1.55rem; }
  .releases thead { position: absolute; left: -999rem; }
  .releases.sortable thead { position: static; display: block; }
  .releases.sortable thead tr { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; padding-bottom: 0.6rem; }
  .releases.sortable thead th { border: 0; padding: 0; text-align: left; }
  .releases thead th:last-child { display: none; }
  .releases, .releases tbody, .releases tr, .releases tbody th, .releases td { display: block; width: auto; }
  .releases tr { padding: 0.6rem 0; border-bottom: 1px solid var(--line); }
  .releases thead tr { padding: 0; }
  .releases tbody th, .releases td { border: 0; padding: 0.1rem 0; text-align: left; white-space: normal; }
  .releases td::before { content: attr(data-label) ": "; color: var(--soft); }
  .releases td.files-cell::before { content: none; }
}
@media print { .copy, nav { display: none; } }
)css";

const std::string_view kPageScript = R"js(
"use strict";
(() => {
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  const value = (row, column) => row.cells[column].dataset.key ?? row.cells[column].textContent.trim();
  for (const table of document.querySelectorAll("table.releases")) {
    table.classList.add("sortable");
    const headers = [...table.tHead.rows[0].cells];
    headers.forEach((header, column) => {
      if (header.dataset.sort === undefined) return;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = header.textContent;
      header.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = header.getAttribute("aria-sort") === "ascending" ||
          (!header.hasAttribute("aria-sort") && header.dataset.sort === "descending");
        for (const other of headers) other.removeAttribute("aria-sort");
        header.setAttribute("aria-sort", down ? "descending" : "ascending");
        const sign = down ? -1 : 1;
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => {
          const [left, right] = [value(a, column), value(b, column)];
          if (left === "" || right === "") return (left === "") - (right === "");
          return sign * compare(left, right);
        });
        table.tBodies[0].append(...rows);
      });
    });
  }
  const here = location.href.replace(/[?#].*$/, "").replace(/[^/]*$/, "").replace(/\/$/, "");
  for (const place of document.querySelectorAll(".here")) place.textContent = here;
  for (const block of document.querySelectorAll("pre")) {
    const code = block.querySelector("code");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy these commands");
    button.addEventListener("click", async () => {
      const text = code.textContent;
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        const area = document.createElement("textarea");
        area.value = text;
        document.body.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
      }
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    block.append(button);
  }
})();
)js";

}  // namespace imgforge::exports
