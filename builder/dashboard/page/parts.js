// What the tables and buttons of the page share.
const kSure = 4000;

export function cell(row, kind, className) {
  const made = document.createElement(kind);
  made.className = className;
  row.append(made);
  return made;
}

/// A button that asks, and does it when it is pressed again; Escape, leaving it or some seconds end the question.
export function sureButton(button, what) {
  const text = button.textContent;
  const label = button.getAttribute("aria-label");
  let timer = null;
  const show = (mark) => {
    button.textContent = text + mark;
    if (label) button.setAttribute("aria-label", label + mark);
  };
  const calm = () => { clearTimeout(timer); timer = null; show(""); button.classList.remove("sure"); };
  button.addEventListener("blur", () => { if (timer !== null) calm(); });
  button.addEventListener("keydown", (event) => { if (event.key === "Escape" && timer !== null) calm(); });
  button.addEventListener("click", () => {
    if (timer !== null) { calm(); what(); return; }
    show(": sure?");
    button.classList.add("sure");
    timer = setTimeout(calm, kSure);
  });
}
