// The snapshots of a machine: taken, gone back to, removed.
import { getSnapshots, removeSnapshot, restoreSnapshot, takeSnapshot } from "/api.js";
import { sizeText } from "/graph.js";
import { cell, sureButton } from "/parts.js";

export class SnapshotsView {
  /// `act` does something with a machine and says how it went.
  constructor(panel, act) {
    this.act = act;
    this.name = null;
    this.hint = panel.querySelector(".hint");
    this.table = panel.querySelector("table");
    this.body = panel.querySelector("tbody");
    this.form = panel.querySelector("form");
    this.input = panel.querySelector("input");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.take();
    });
  }

  /// `here`: whether the machine belongs to this host; else they are only shown.
  open(name, here) {
    this.name = name;
    this.here = here;
    for (const part of this.form.elements) part.disabled = !here;
    return this.show();
  }

  close() {
    this.name = null;
  }

  async show() {
    const name = this.name;
    try {
      const snapshots = await getSnapshots(name);
      if (name !== this.name) return;
      this.table.hidden = snapshots.length === 0;
      this.hint.textContent = snapshots.length === 0 ? "There are none yet." : "";
      this.body.replaceChildren(...snapshots.map((snapshot) => this.row(snapshot)));
    } catch (error) {
      if (name === this.name) this.hint.textContent = error.message;
    }
  }

  row(snapshot) {
    const row = document.createElement("tr");
    cell(row, "th", "").textContent = snapshot.name;
    cell(row, "td", "").textContent = snapshot.created.replace("T", " ").replace("Z", "");
    cell(row, "td", "number").textContent = snapshot.memory === 0 ? "–" : sizeText(snapshot.memory);
    cell(row, "td", "number does").append(
      this.button("Go back", `Go back to ${snapshot.name}`, () => this.restore(snapshot.name)),
      this.button("Remove", `Remove ${snapshot.name}`, () => this.remove(snapshot.name)));
    return row;
  }

  button(text, label, what) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.disabled = !this.here;
    button.setAttribute("aria-label", label);
    sureButton(button, what);
    return button;
  }

  async take() {
    const name = this.name;
    const snapshot = this.input.value;
    await this.act(name, "taking a snapshot", `took ${snapshot}`, () => takeSnapshot(name, snapshot));
    this.input.value = "";
    if (name === this.name) this.show();
  }

  restore(snapshot) {
    const name = this.name;
    return this.act(name, "going back", `went back to ${snapshot}`, () => restoreSnapshot(name, snapshot));
  }

  /// The keyboard stays in the list, at what takes the place of the removed one.
  async remove(snapshot) {
    const name = this.name;
    const at = [...this.body.rows].findIndex((row) => row.cells[0].textContent === snapshot);
    await this.act(name, "removing a snapshot", `removed ${snapshot}`, () => removeSnapshot(name, snapshot));
    if (name !== this.name) return;
    await this.show();
    const next = this.body.rows[Math.min(at, this.body.rows.length - 1)];
    (next?.querySelector("button:last-child") ?? this.input).focus();
  }
}
