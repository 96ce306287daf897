"""A running virtual machine as a test sees it: its serial console and QEMU's monitor."""

import json
import re
import select
import socket
import subprocess
import time

QEMU = ["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35,graphics=off", "-cpu", "qemu64,+rdrand", "-m", "384M",
        "-nodefaults", "-no-user-config", "-display", "none", "-vga", "none", "-nic", "none", "-serial", "stdio", "-no-reboot"]


class Console:
    """A machine's serial console: what it says, and commands typed into its shell."""

    def __init__(self, words, **options):
        self.process = subprocess.Popen([str(w) for w in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        self.text = ""
        self.count = 0

    def wait(self, pattern, seconds=240):
        """The match of a pattern in what was said since the last one."""
        end = time.monotonic() + seconds
        while not (match := re.search(pattern, self.text)):
            left = end - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(left, 0))
            data = self.process.stdout.read1(65536) if ready else b""
            if not data:
                raise AssertionError(f"{pattern!r} was not shown:\n{self.text[-3000:]}")
            self.text += data.decode(errors="replace").replace("\r", "")
        self.text = self.text[match.end():]
        return match

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def log_in(self, user):
        host = self.wait(r"([a-z0-9-]+) login: ").group(1)
        self.type(user)
        self.wait(r"[$#] ")
        return host

    def run(self, command):
        """Output of a command, between marks that the typed line does not contain."""
        self.count += 1
        self.type(f"echo BE''GIN {self.count}; {command}; echo E''ND {self.count} $?")
        output, status = self.wait(r"(?s)BEGIN %d\n(.*?)END %d (\d+)\n" % (self.count, self.count)).groups()
        if status != "0":
            raise AssertionError(f"{command}: {output}")
        return output.strip()

    def power_off(self):
        """Pulls the plug."""
        self.process.terminate()
        self.process.communicate(timeout=30)


class Monitor:
    """QEMU's QMP socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.stream = self.socket.makefile("rw")
        self.stream.readline()
        self.execute("qmp_capabilities")

    def execute(self, name, **arguments):
        self.stream.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.stream.flush()
        while True:
            answer = json.loads(self.stream.readline())
            if "error" in answer:
                raise AssertionError(answer)
            if "return" in answer:
                return answer["return"]

    def close(self):
        self.stream.close()
        self.socket.close()
