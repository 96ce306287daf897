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
