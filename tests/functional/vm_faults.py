#!/usr/bin/env python3
"""Machines on a host that fails them: its disk is full, it goes down with all of them, and a guest that says more than anybody reads."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tiny_guest  # noqa: E402
from harness import FreshCase, main, wait_for  # noqa: E402
from machine_case import MachineCase, is_alive  # noqa: E402


class Faults(MachineCase, FreshCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.remove_all)
        self.disk = self.scratch / "tiny.qcow2"
        tiny_guest.make_disk(self.disk, "64M")

    def run_tiny(self, name, *words):
        self.vm("run", self.disk, "--name", name, "--for", "firmware", *words)
        wait_for(lambda: "tiny guest" in self.said(name), "the guest does not start", 30)

    def said(self, name):
        return self.vm("logs", name).stdout

    def type(self, name, text):
        console = self.start_vm("attach", name, stdin=subprocess.PIPE)
        console.communicate(text + "\x1d", timeout=30)

    @unittest.skipUnless(os.geteuid() == 0, "mounts a small file system")
    def test_a_full_disk_pauses_a_machine_that_goes_on_once_there_is_room(self):
        small = self.scratch / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", small], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", small], check=True)
        self.addCleanup(self.remove_all)  # before that
        self.machines.parent.mkdir(parents=True)
        self.machines.symlink_to(small)
        filler = small / "filler"
        filler.write_bytes(bytes(16 << 20))
        self.run_tiny("a")
        self.type("a", "w")
        status = wait_for(lambda: (now := self.status("a"))["paused"] and now, "it is not paused", 60)
        self.assertEqual(status["paused"], "the disk of the host is full")
        self.assertEqual(self.state("a"), "running")
        written = self.said("a").count(".")
        self.assertLess(written, 40)
        self.vm("wait", "a", "--for", "process")
        filler.unlink()
        small_size = ["mount", "-o", "remount,size=128m", small]
        subprocess.run(small_size, check=True)
        wait_for(lambda: not self.status("a")["paused"], "it does not go on", 30)
        wait_for(lambda: "!" in self.said("a"), "it does not come to the end of its disk", 60)
        self.assertGreater(self.said("a").count("."), written)
        events = [json.loads(line)["event"] for line in self.vm("logs", "a", "--events").stdout.splitlines()]
        self.assertEqual(events.count("paused"), 1, "it was tried in vain")
        self.assertEqual(events.count("resumed"), 1)
        self.vm("stop", "a", "--kill")
        self.assert_stopped_and_whole("a")

    def test_a_host_that_goes_down_leaves_machines_that_start_again(self):
        names = ["a", "b", "c"]
        for name in names:
            self.run_tiny(name)
        for _ in range(5):
            victims = [pid for name in names for pid in (lambda s: (s["pid"], s["qemu_pid"]))(self.status(name))]
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not any(map(is_alive, victims)), "a process is left", 20)
            for name in names:
                self.assert_stopped_and_whole(name)
                # What the power took with it: sockets are files that nobody listens to.
                stale = self.machines / name / "control.sock"
                stale.unlink(missing_ok=True)
                with socket.socket(socket.AF_UNIX) as dead:
                    dead.bind(os.path.relpath(stale))
                self.vm("start", name, "--for", "firmware")

    def test_a_guest_that_floods_its_console_holds_nobody_up(self):
        self.run_tiny("a")
        slow = self.start_vm("attach", "a", "--read-only", stdin=subprocess.PIPE)  # nobody reads what it prints
        self.assertIn("Ctrl-]", slow.stderr.readline())
        self.type("a", "f")
        wait_for(lambda: self.said("a").count("f") > 300_000, "it does not flood", 60)
        status = self.status("a")
        resident = int(next(line for line in pathlib.Path(f"/proc/{status['pid']}/status").read_text().splitlines()
                            if line.startswith("VmRSS")).split()[1])
        self.assertLess(resident, 64 << 10, "the process keeps what nobody reads")
        self.assertLessEqual(len(self.vm("logs", "a", "--lines", "5").stdout), 70 << 10)
        self.vm("stop", "a", "--kill")
        self.assert_stopped_and_whole("a")


if __name__ == "__main__":
    main()
