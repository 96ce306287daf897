// The serial console of a machine, shown by xterm.js.
import { socketAddress } from "/api.js";

let loaded;

/// The package may be missing: then what the program says of it is thrown.
function loadTerminal() {
  loaded ??= new Promise((resolve, reject) => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = "/vendor/xterm.css";
    const script = document.createElement("script");
    script.src = "/vendor/xterm.js";
    script.onload = () => resolve(globalThis.Terminal);
    script.onerror = () => reject(new Error(
      "The console needs xterm.js of this host: apt install --no-install-recommends node-xterm"));
    document.head.append(style, script);
  });
  return loaded;
}

export class ConsoleView {
  constructor(panel, leaveTo) {
    this.hint = panel.querySelector(".hint");
    this.place = panel.querySelector(".terminal");
    this.leaveTo = leaveTo;
    this.observer = new ResizeObserver(() => this.terminal?.fit());
    this.observer.observe(this.place);
  }

  async open(name, runs) {
    this.close();
    this.name = name;
    if (!runs) {
      this.place.classList.add("closed");
      this.hint.textContent = "It does not run.";
      return;
    }
    let Terminal;
    try {
      Terminal = await loadTerminal();
    } catch (error) {
      this.place.classList.add("closed");
      this.hint.textContent = error.message;
      return;
    }
    if (this.name !== name || this.terminal) return;
    this.place.classList.remove("closed");
    const colours = getComputedStyle(document.documentElement);
    this.terminal = new Terminal({
      cursorBlink: true, scrollback: 5000, fontSize: 14, screenReaderMode: true,
      fontFamily: "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace",
      theme: { background: colours.getPropertyValue("--terminal").trim(), foreground: "#e6e6e3" },
    });
    this.terminal.open(this.place);
    this.terminal.fit();
    this.terminal.textarea.setAttribute("aria-label", `Console of ${name}`);
    // Tab belongs to the machine: the escape of imgforge vm attach leaves.
    this.terminal.attachCustomKeyEventHandler((event) => {
      if (!(event.ctrlKey && event.key === "]")) return true;
      if (event.type === "keydown") this.leaveTo().focus();
      return false;
    });
    this.connect(name);
  }

  connect(name) {
    const socket = new WebSocket(socketAddress(name, "console"));
    const decoder = new TextDecoder();
    const encoder = new TextEncoder();
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.hint.textContent = "connecting";
    socket.onmessage = ({ data }) => {
      if (this.socket !== socket) return;
      if (typeof data === "string") {
        const { writes } = JSON.parse(data);
        this.hint.textContent = writes
          ? "What you type goes to the machine. Ctrl+] leaves the console."
          : "Somebody else writes: it is only shown. Ctrl+] leaves the console.";
      } else {
        this.terminal.write(decoder.decode(data, { stream: true }));
      }
    };
    socket.onclose = () => {
      if (this.socket === socket) this.hint.textContent = "Not connected: the machine does not run, or ended.";
    };
    this.terminal.on("data", (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(encoder.encode(text));
    });
  }

  close() {
    this.name = null;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.terminal?.dispose();
    this.terminal = null;
    this.place.replaceChildren();
  }
}
