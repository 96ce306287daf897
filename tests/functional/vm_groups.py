#!/usr/bin/env python3
"""Machines that belong together: made, started in their order, changed and taken down as a file says. Their disks are empty, for
nothing here needs a system inside."""

import json
import pathlib
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import FreshCase, main  # noqa: E402
from machine_case import MachineCase  # noqa: E402

FILE = """\
group: 1
name: shop
machines:
  web: { image: blank.qcow2, replicas: 2, after: { db: firmware }, memory: 128M }
  db: { image: blank.qcow2, memory: 128M, forward: ["%d:5432"] }
"""


class Groups(MachineCase, FreshCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.remove_all)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", self.scratch / "blank.qcow2", "64M"], check=True)
        self.file = self.scratch / "machines.yaml"
        self.port = self.free_port()
        self.file.write_text(FILE % self.port)

    def up(self, *words):
        rows = json.loads(self.vm("up", self.file, "--for", "process", "--json", *words).stdout)["machines"]
        return {row["name"]: row["did"] for row in rows}

    def ps(self):
        rows = json.loads(self.vm("ps", self.file, "--json").stdout)["machines"]
        return {row["name"]: (row["state"], row["differs"]) for row in rows}

    def pids(self):
        return {name: self.status(name)["qemu_pid"] for name in ("shop-db", "shop-web-1", "shop-web-2")}

    def test_a_group_comes_up_changes_and_goes(self):
        self.assertEqual(self.up("--dry-run"), {"shop-db": "make", "shop-web-1": "make", "shop-web-2": "make"})
        self.assertEqual(self.ps(), {name: ("missing", "") for name in ("shop-db", "shop-web-1", "shop-web-2")})
        self.assertEqual(list(self.up()), ["shop-db", "shop-web-1", "shop-web-2"])
        # Whoever waits began after the other had come so far.
        firmware = next(state["seconds"] for state in self.status("shop-db")["states"] if state["name"] == "firmware")
        self.assertGreater(self.status("shop-db")["uptime"] - self.status("shop-web-1")["uptime"], firmware)
        before = self.pids()
        self.assertEqual(set(self.up().values()), {"nothing"})
        self.assertEqual(self.pids(), before)

        # Only what differs changes.
        self.file.write_text(self.file.read_text().replace("memory: 128M, forward", "memory: 192M, forward"))
        self.assertEqual(self.ps()["shop-db"], ("running", "memory"))
        self.assertEqual(self.up("--kill"), {"shop-db": "change", "shop-web-1": "nothing", "shop-web-2": "nothing"})
        after = self.pids()
        self.assertNotEqual(after.pop("shop-db"), before.pop("shop-db"))
        self.assertEqual(after, before)
        self.assertEqual(json.loads(self.vm("show", "shop-db", "--json").stdout)["settings"]["memory"], 192 << 20)

        # A machine that stopped is started again, and one that left the file is told.
        self.vm("stop", "shop-web-1", "--kill")
        self.file.write_text(self.file.read_text().replace("replicas: 2", "replicas: 1"))
        answer = json.loads(self.vm("up", self.file, "--for", "process", "--json").stdout)
        self.assertEqual([row["name"] for row in answer["machines"]], ["shop-db", "shop-web"])
        self.assertEqual(answer["others"], ["shop-web-1", "shop-web-2"])
        self.assertEqual(self.ps()["shop-web-2"], ("running", "not in the file"))

        down = json.loads(self.vm("down", self.file, "--kill", "--json").stdout)["machines"]
        self.assertEqual([row["name"] for row in down], ["shop-web-1", "shop-web-2", "shop-web", "shop-db"])
        self.assertEqual({self.state(row["name"]) for row in down}, {"stopped"})
        self.vm("down", self.file, "--remove")
        self.assertEqual([folder.name for folder in self.machines.glob("shop-*")], [])
        self.assertIn("no machine of the group", self.vm("down", self.file).stdout)

    def test_another_disk_is_another_machine(self):
        self.up()
        marker = self.machines / "shop-db" / "disk.qcow2"
        first = marker.stat().st_ino
        self.file.write_text(self.file.read_text().replace("memory: 128M, forward", "memory: 128M, disk-size: 1G, forward"))
        self.vm_fails(2, "up", self.file, says=["another machine than the file wants: disk_size", "--replace"])
        self.assertEqual(marker.stat().st_ino, first)
        self.assertEqual(self.up("--replace", "--kill")["shop-db"], "replace")
        info = json.loads(subprocess.run(["qemu-img", "info", "-U", "--output=json", marker], check=True, capture_output=True).stdout)
        self.assertEqual(info["virtual-size"], 1 << 30)

    def test_mistakes_change_nothing(self):
        self.vm("run", self.scratch / "blank.qcow2", "--name", "shop-db", "--for", "process")
        self.vm_fails(2, "up", self.file, says="does not belong to the group shop")
        self.vm_fails(2, "down", self.file, "--remove", says="does not belong to the group shop")
        self.assertEqual(self.state("shop-db"), "running")
        self.assertIsNone(self.state("shop-web-1"))
        self.file.write_text("group: 1\nname: shop\nmachines:\n  a: { image: blank.qcow2, memry: 1G }\n")
        error = self.vm_fails(2, "up", self.file, says="unknown field")
        self.assertIn("memory", error.stderr)
        self.vm_fails(2, "up", self.scratch / "nowhere.yaml")

    @staticmethod
    def free_port():
        with socket.create_server(("127.0.0.1", 0)) as server:
            return server.getsockname()[1]


if __name__ == "__main__":
    main()
