// The screen of a machine, shown by noVNC.
import { socketAddress } from "/api.js";

const kPause = 2000;

export class ScreenView {
  constructor(panel, leaveTo) {
    this.hint = panel.querySelector(".hint");
    this.place = panel.querySelector(".screen");
    this.button = panel.querySelector("button");
    this.button.addEventListener("click", () => this.viewer?.sendCtrlAltDel());
    this.place.addEventListener("keydown", (event) => {
      if (!(event.ctrlKey && event.key === "]")) return;
      event.stopPropagation();
      event.preventDefault();
      leaveTo().focus();
    }, true);
  }

  async open(name, has, runs) {
    this.close();
    this.name = name;
    if (!has) {
      this.hint.textContent = "It has no screen: imgforge vm run --graphics gives a machine one.";
      return;
    }
    if (!runs) {
      this.hint.textContent = "It does not run.";
      return;
    }
    let RFB;
    try {
      RFB = (await import("/vendor/novnc/core/rfb.js")).default;
    } catch {
      this.hint.textContent = "The screen needs noVNC of this host: apt install --no-install-recommends novnc";
      return;
    }
    if (this.name !== name || this.viewer) return;
    this.place.classList.add("open");
    this.hint.textContent = "connecting";
    const viewer = new RFB(this.place, socketAddress(name, "screen"));
    this.viewer = viewer;
    viewer.scaleViewport = true;
    viewer.addEventListener("connect", () => {
      if (this.viewer !== viewer) return;
      this.hint.textContent = "Keys go to the machine while it has the focus. Ctrl+] leaves the screen.";
      this.button.hidden = false;
      this.place.querySelector("canvas")?.setAttribute("aria-label", `Screen of ${name}`);
    });
    viewer.addEventListener("disconnect", () => {
      if (this.viewer !== viewer) return;
      this.close();
      this.hint.textContent = "Not connected.";
      // A machine that restarts from inside has another screen at once.
      this.timer = setTimeout(() => this.open(name, has, runs), kPause);
    });
  }

  close() {
    clearTimeout(this.timer);
    this.name = null;
    const viewer = this.viewer;
    this.viewer = null;
    viewer?.disconnect();
    this.button.hidden = true;
    this.place.classList.remove("open");
    this.place.replaceChildren();
  }
}
