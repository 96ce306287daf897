#!/usr/bin/env python3
"""Machines that go to another place, as files, cold or running: a disk that counts shows which state goes on where."""

import contextlib
import hashlib
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import counter_disk  # noqa: E402
from harness import FULL, PROGRAM, FreshCase, flip_byte, main, wait_for  # noqa: E402
from machine_case import MachineCase, is_alive  # noqa: E402
from store_case import MAKER  # noqa: E402


class MoveCase(MachineCase, FreshCase):
    """A store with one release, whose disk counts, and two state folders with stores, which stand for two hosts."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.remove_everything)
        self.ok("key", "generate", "me", "--no-passphrase")
        disk = self.scratch / "counter.qcow2"
        counter_disk.make(disk)
        subprocess.run([MAKER, self.out, "--releases", "1", "--packages", "1", "--image", disk, "--key",
                        self.home / "config" / "imgforge" / "keys" / "me.key"], check=True)
        self.line = next((self.out / "releases").iterdir()).name
        self.other_out = self.scratch / "other-out"
        shutil.copytree(self.out, self.other_out, symlinks=True)
        self.here = self.home / ".local" / "state"
        self.there = self.scratch / "there"
        self.there.mkdir()

    def at(self, state, *words, **options):
        """A command as the host with that state folder runs it."""
        return self.run_imgforge("vm", *words, env={"XDG_STATE_HOME": str(state)},
                                 output_dir=self.other_out if state == self.there else self.out, **options)

    def remove_everything(self):
        for state in (self.here, self.there):
            folder = state / "imgforge" / "machines"
            for machine in folder.iterdir() if folder.exists() else []:
                self.at(state, "remove", machine.name, "--kill")

    def state_at(self, state, name):
        rows = json.loads(self.at(state, "list", "--json").stdout)["machines"]
        return next((row["state"] for row in rows if row["name"] == name), None)

    def count(self, state, name):
        return counter_disk.said(self.at(state, "logs", name).stdout)

    def counts(self, state, name, least=1):
        """Waits until the machine says so many further numbers, and returns all."""
        before = len(self.count(state, name))
        return wait_for(lambda: len(now := self.count(state, name)) >= before + least and now, f"{name} does not count")

    def run_counter(self, name, *words):
        self.vm("run", self.line, "--name", name, "--for", "process", *words)
        return self.counts(self.here, name, 3)

    def disk(self, state, name):
        return state / "imgforge" / "machines" / name / "disk.qcow2"

    def backing(self, disk):
        return json.loads(subprocess.run(["qemu-img", "info", "-U", "--output=json", disk], check=True,
                                         capture_output=True).stdout)["full-backing-filename"]


class Bundles(MoveCase):
    def export(self, name="a", file="a.machine"):
        self.vm("export", name, self.scratch / file)
        return self.scratch / file

    def test_a_machine_goes_through_a_file(self):
        self.run_counter("a")
        self.vm_fails(2, "export", "a", self.scratch / "a.machine", says=["the machine a runs", "vm stop a", "vm fork a"])
        self.assertFalse((self.scratch / "a.machine").exists())
        self.vm("stop", "a", "--kill")
        number = counter_disk.written(self.disk(self.here, "a"))
        self.assertGreater(number, 1)
        file = self.export()
        self.vm_fails(2, "export", "a", file, says="is there already")
        self.assertEqual(list(self.scratch.glob("*.unfinished")), [])
        self.vm_fails(2, "import", file, says="there is a machine a already")
        result = self.at(self.there, "import", file)
        self.assertEqual(result.returncode, 0, result.stderr)
        disk = self.disk(self.there, "a")
        self.assertEqual(counter_disk.written(disk), number)
        self.assertTrue(pathlib.Path(self.backing(disk)).resolve().is_relative_to(self.other_out.resolve()))
        subprocess.run(["qemu-img", "check", "-q", disk], check=True)
        # The clone's record holds its release as long as the machine is there.
        version = os.readlink(self.other_out / "releases" / self.line / "current")
        self.fails(1, "remove", f"{self.line}@{version}", output_dir=self.other_out, says="a")
        self.assertEqual(self.at(self.there, "start", "a", "--for", "process").returncode, 0)
        self.counts(self.there, "a", 2)
        self.at(self.there, "remove", "a", "--kill")
        self.assertEqual(list((self.other_out / ".clones").iterdir()), [])

    def test_what_changes_on_the_way_is_said(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.vm("run", self.line, "--name", "a", "--for", "process", "--forward", f"0.0.0.0:{port}:80", "--share",
                f"{self.scratch}:ro", "--firmware", "uefi")
        self.vm("stop", "a", "--kill")
        file = self.export()
        with socket.create_server(("127.0.0.1", port)):
            result = self.at(self.there, "import", file, "--name", "b")
        self.assertIn(f"the port 0.0.0.0:{port}:80 is here 127.0.0.1:", result.stderr)
        self.assertIn("is not shared here", result.stderr)
        settings = json.loads(self.at(self.there, "show", "b", "--json").stdout)["settings"]
        self.assertNotEqual(settings["forwards"][0]["host_port"], port)
        self.assertEqual(settings["shares"], [])
        self.assertEqual((self.disk(self.there, "b").parent / "variables.qcow2").read_bytes(),
                         (self.disk(self.here, "a").parent / "variables.qcow2").read_bytes())

    def test_the_base_has_to_be_there_and_good(self):
        self.run_counter("a")
        self.vm("stop", "a", "--kill")
        file = self.export()
        away = self.scratch / "away"
        shutil.move(self.other_out / "releases", away)
        self.out.rename(self.scratch / "renamed")
        result = self.at(self.there, "import", file)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn(f"imgforge pull URL {self.line}@", result.stderr)
        shutil.move(away, self.other_out / "releases")
        disk = next((self.other_out / "releases" / self.line / "current").glob("*.qcow2")).resolve()
        disk.chmod(0o644)
        flip_byte(disk, disk.stat().st_size - 1)
        self.assertEqual(self.at(self.there, "import", file).returncode, 3)
        flip_byte(disk, disk.stat().st_size - 1)
        self.assertEqual(list((self.there / "imgforge" / "machines").iterdir()), [])
        self.assertEqual(self.at(self.there, "import", file).returncode, 0)
        (self.scratch / "renamed").rename(self.out)

    def test_a_machine_on_a_file_needs_that_file(self):
        disk = self.scratch / "own.qcow2"
        counter_disk.make(disk)
        self.vm("run", disk, "--name", "a", "--for", "process")
        self.vm("stop", "a", "--kill")
        file = self.export()
        moved = self.scratch / "moved.qcow2"
        disk.rename(moved)
        result = self.at(self.there, "import", file)
        self.assertIn("--base", result.stderr)
        result = self.at(self.there, "import", file, "--base", self.scratch / "counter.qcow2", "--name", "c")
        same = (self.scratch / "counter.qcow2").read_bytes() == moved.read_bytes()
        self.assertEqual(result.returncode, 0 if same else 3, result.stderr)
        self.assertEqual(self.at(self.there, "import", file, "--base", moved).returncode, 0)
        self.assertEqual(self.at(self.there, "start", "a", "--for", "process").returncode, 0)
        moved.rename(disk)

    def rewrite(self, file, change):
        """The bundle again, with its members as `change` gives them: a list of (name, content, type)."""
        plain = subprocess.run(["zstd", "-dc", file], check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
            members = [(info.name, tar.extractfile(info).read(), tarfile.REGTYPE) for info in tar]
        out = self.scratch / "changed.machine"
        with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
            for name, content, kind in change(members):
                info = tarfile.TarInfo(name)
                info.type = kind
                if kind == tarfile.REGTYPE:
                    info.size = len(content)
                else:
                    info.linkname = content.decode()
                tar.addfile(info, io.BytesIO(content) if kind == tarfile.REGTYPE else None)
        return out

    def test_hostile_bundles_make_nothing_and_open_nothing(self):
        self.run_counter("a")
        self.vm("stop", "a", "--kill")
        file = self.export()
        secret = self.scratch / "secret"
        secret.write_bytes(b"secret" * 20000)

        def with_head(change):
            def apply(members):
                head = json.loads(members[0][1])
                change(head)
                return [("bundle.json", json.dumps(head).encode(), tarfile.REGTYPE), *members[1:]]
            return apply

        def with_disk(make):
            """A disk of somebody else's making, which bundle.json vouches for."""
            def apply(members):
                disk = self.scratch / "hostile.qcow2"
                make(disk)
                content = disk.read_bytes()
                head = json.loads(members[0][1])
                head["files"][0].update(size=len(content), sha256=hashlib.sha256(content).hexdigest())
                return [("bundle.json", json.dumps(head).encode(), tarfile.REGTYPE), ("disk.qcow2", content, tarfile.REGTYPE)]
            return apply

        def qemu_img(*words):
            subprocess.run(["qemu-img", *words], check=True, capture_output=True)

        def patched(offset, data):
            def make(disk):
                shutil.copy(self.disk(self.here, "a"), disk)
                with open(disk, "r+b") as out:
                    out.seek(offset)
                    out.write(data)
            return make

        size = str(json.loads(subprocess.run(["qemu-img", "info", "--output=json", self.disk(self.here, "a")],
                                             check=True, capture_output=True).stdout)["virtual-size"])
        cases = {
            "an absolute name": lambda m: [m[0], ("/tmp/disk.qcow2", m[1][1], m[1][2])],
            "a way up": lambda m: [m[0], ("../disk.qcow2", m[1][1], m[1][2])],
            "a link": lambda m: [m[0], ("disk.qcow2", str(secret).encode(), tarfile.SYMTYPE)],
            "a hard link": lambda m: [m[0], ("disk.qcow2", b"bundle.json", tarfile.LNKTYPE)],
            "a second head": lambda m: [m[0], m[0], m[1]],
            "machine.json": lambda m: [*m, ("machine.json", b"{}", tarfile.REGTYPE)],
            "more at the end": lambda m: [*m, ("lock", b"", tarfile.REGTYPE)],
            "no head": lambda m: [m[1]],
            "no disk": lambda m: [m[0]],
            "another order": lambda m: [m[1], m[0]],
            "another digest": with_head(lambda h: h["files"][0].update(sha256="0" * 64)),
            "another size": with_head(lambda h: h["files"][0].update(size=h["files"][0]["size"] + 1)),
            "a size without end": with_head(lambda h: h["files"][0].update(size=1 << 45)),
            "a name with a way up": with_head(lambda h: h["settings"].update(name="../a")),
            "a folder of the host": with_head(lambda h: h["settings"].update(shares=[{"folder": "etc", "tag": "x", "read_only": False}])),
            "an unknown member": with_head(lambda h: h.update(more=1)),
            "disposable": with_head(lambda h: h["settings"].update(disposable=True)),
            "another base": with_head(lambda h: h.update(base="1" * 64)),
            "a file that nobody vouches for as base": with_head(lambda h: h["settings"]["origin"].update(
                kind="file", store="", line="", version="", file=str(secret), format="raw")),
            "a device as base": with_head(lambda h: h["settings"]["origin"].update(
                kind="file", store="", line="", version="", file="/dev/zero", format="raw")),
            "no qcow2": with_disk(lambda d: d.write_bytes(secret.read_bytes())),
            "a disk on nothing": with_disk(lambda d: qemu_img("create", "-f", "qcow2", str(d), size)),
            "an external data file": with_disk(lambda d: qemu_img(
                "create", "-f", "qcow2", "-o", f"data_file={d}.data", str(d), size)),
            "another size of the disk": with_disk(lambda d: qemu_img("create", "-f", "qcow2", "-u", "-b", str(secret), "-F", "raw", str(d), "1M")),
            "marked dirty": with_disk(patched(72, (1).to_bytes(8, "big"))),
            "unknown features": with_disk(patched(72, (1 << 20).to_bytes(8, "big"))),
            "a table outside": with_disk(patched(40, (1 << 40).to_bytes(8, "big"))),
            "an unknown extension": with_disk(patched(112, b"DATA")),
        }
        for what, change in cases.items():
            with self.subTest(what):
                result = self.at(self.there, "import", self.rewrite(file, change), "--name", "b")
                self.assertNotEqual(result.returncode, 0)
                self.assertNotIn("internal", result.stderr)
                folder = self.there / "imgforge" / "machines"
                self.assertEqual(list(folder.iterdir()) if folder.exists() else [], [])
                self.assertEqual([p.name for p in (self.other_out / ".clones").glob("*")], [])
        cut = self.scratch / "cut.machine"
        for part in (0, 1, 100, file.stat().st_size - 100):
            cut.write_bytes(file.read_bytes()[:part])
            self.assertNotEqual(self.at(self.there, "import", cut).returncode, 0)
        # A backing file of the sender's choice is forgotten before anybody opens it.
        hostile = self.rewrite(file, with_disk(lambda d: qemu_img(
            "create", "-f", "qcow2", "-u", "-b", "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"%s\"}}" % secret,
            "-F", "raw", str(d), size)))
        self.assertEqual(self.at(self.there, "import", hostile).returncode, 0)
        self.assertTrue(pathlib.Path(self.backing(self.disk(self.there, "a"))).resolve().is_relative_to(self.other_out.resolve()))

    def test_whenever_an_import_is_killed_it_can_be_done_again(self):
        self.run_counter("a")
        self.vm("stop", "a", "--kill")
        file = self.export()
        for step in range(12):
            process = subprocess.Popen([PROGRAM, "--output-dir", self.other_out, "vm", "import", file], stderr=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, env=self.environment(XDG_STATE_HOME=str(self.there)))
            time.sleep(step * 0.008)
            process.kill()
            process.wait()
            if self.state_at(self.there, "a") is not None:
                self.assertEqual(self.at(self.there, "remove", "a").returncode, 0)
            result = self.at(self.there, "import", file)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual([p.name for p in (self.there / "imgforge" / "machines").iterdir()], ["a"])
            self.assertEqual(self.at(self.there, "remove", "a").returncode, 0)


class Moves(MoveCase):
    def migrate(self, name, *words, **options):
        return self.vm("migrate", name, "--to", self.there, "--store", self.other_out, *words, **options)

    def fails_to_migrate(self, code, *words):
        return self.fails(code, "vm", "migrate", "a", "--to", self.there, "--store", self.other_out, *words).stderr

    def test_a_stopped_machine_moves(self):
        self.run_counter("a")
        self.vm("stop", "a", "--kill")
        number = counter_disk.written(self.disk(self.here, "a"))
        self.migrate("a")
        self.assertEqual((self.state("a"), self.state_at(self.there, "a")), ("gone", "stopped"))
        self.assertEqual(counter_disk.written(self.disk(self.there, "a")), number)
        self.vm_fails(2, "start", "a", says=["the machine a moved to", "vm remove a"])
        self.vm_fails(2, "migrate", "a", says="moved to")
        self.vm_fails(2, "export", "a", self.scratch / "x", says="moved to")
        self.assertEqual(self.at(self.there, "start", "a", "--for", "process").returncode, 0)
        self.vm("remove", "a")
        self.counts(self.there, "a", 2)

    def test_a_running_machine_is_shut_down_and_started_there(self):
        self.run_counter("a")
        self.migrate("a", "--kill", "--name", "b")
        self.assertEqual((self.state("a"), self.state_at(self.there, "b")), ("gone", "running"))
        self.counts(self.there, "b", 2)

    def test_a_running_machine_moves_with_its_memory(self):
        before = self.run_counter("a")
        pids = self.status("a")
        self.migrate("a", "--live")
        self.assertEqual((self.state("a"), self.state_at(self.there, "a")), ("gone", "running"))
        self.assertFalse(is_alive(pids["qemu_pid"]) or is_alive(pids["pid"]))
        before = self.count(self.here, "a")
        after = self.counts(self.there, "a", 3)
        # The very next number, said by the other one; the line during which it moved may be cut in two.
        self.assertIn(after[0] - before[-1], (1, 2), (before[-3:], after[:3]))
        self.assertEqual(after, list(range(after[0], after[0] + len(after))))
        states = [s["name"] for s in json.loads(self.at(self.there, "show", "a", "--json").stdout)["status"]["states"]]
        self.assertIn("process", states)
        self.at(self.there, "stop", "a", "--kill")
        self.assertGreaterEqual(counter_disk.written(self.disk(self.there, "a")), after[-1])
        subprocess.run(["qemu-img", "check", "-q", self.disk(self.there, "a")], check=True)
        self.assertEqual([p.name for p in self.disk(self.there, "a").parent.glob("*.sock") if "incoming" in p.name], [])

    def test_a_machine_with_uefi_and_more_memory_moves_while_it_runs(self):
        self.vm("run", self.line, "--name", "a", "--for", "process", "--firmware", "uefi", "--graphics", "--memory", "128M",
                "--max-memory", "512M", "--max-cpus", "3")
        self.vm("resize", "a", "--memory", "384M", "--cpus", "3")
        variables = self.disk(self.here, "a").parent / "variables.qcow2"
        self.migrate("a", "--live", "--name", "b")
        self.assertEqual(self.state_at(self.there, "b"), "running")
        self.at(self.there, "resize", "b", "--memory", "512M")
        self.at(self.there, "stop", "b", "--kill")
        raw = []
        for file in (variables, self.disk(self.there, "b").parent / "variables.qcow2"):
            subprocess.run(["qemu-img", "convert", "-O", "raw", file, self.scratch / "raw"], check=True)
            raw.append((self.scratch / "raw").read_bytes())
        self.assertEqual(raw[0], raw[1])
        self.assertEqual(self.at(self.there, "start", "b", "--for", "process").returncode, 0)

    @unittest.skipUnless(os.geteuid() == 0, "mounts a small file system")
    def test_a_host_without_room_gets_nothing_and_the_machine_stays(self):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", self.there], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.there], check=True)
        self.addCleanup(self.remove_everything)  # before that
        self.run_counter("a")
        self.vm("stop", "a", "--kill")
        disk = self.disk(self.here, "a")
        small = disk.read_bytes()
        subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 4M 40M", disk], check=True, capture_output=True)
        self.assertIn("MB are free", self.fails_to_migrate(2))
        # What is compressed here needs room there, which shows only while it arrives.
        disk.write_bytes(small)
        writes = "".join(f"write -c -P 7 {4 * 1024 + 64 * i}k 64k\n" for i in range(640))
        subprocess.run(["qemu-io", "-f", "qcow2", disk], input=writes, text=True, check=True, capture_output=True)
        self.assertEqual(self.at(self.here, "start", "a", "--for", "process").returncode, 0)
        self.assertIn("cannot be written", self.fails_to_migrate(4, "--live"))
        self.assertEqual((self.state("a"), self.state_at(self.there, "a")), ("running", None))
        self.counts(self.here, "a", 3)
        subprocess.run(["mount", "-o", "remount,size=128m", self.there], check=True)
        self.migrate("a", "--live")
        self.assertEqual((self.state("a"), self.state_at(self.there, "a")), ("gone", "running"))
        self.counts(self.there, "a", 2)

    def test_what_blocks_a_move_is_said_before_it_begins(self):
        self.run_counter("a", "--share", f"{self.scratch}:ro")
        self.at(self.there, "run", self.line, "--name", "a", "--for", "process")
        self.vm_fails(2, "migrate", "a", "--live", "--to", self.there, "--store", self.other_out,
                      says=["shares a folder", "there: there is a machine a already"])
        self.vm_fails(2, "migrate", "a", says="--to says where")
        for to in ("ssh://", "ssh://-oProxyCommand=x", "ssh://a@-b", "ssh://a b", "ssh://a:0", "ssh://a:x", "there", "http://a"):
            self.vm_fails(2, "migrate", "a", "--to", to, says="no place to move to")
        self.at(self.there, "remove", "a", "--kill")
        shutil.rmtree(self.other_out / "releases")
        # The release is looked for where it was here, too.
        self.out.rename(self.scratch / "renamed")
        try:
            result = self.run_imgforge("vm", "migrate", "a", "--live", "--to", self.there, "--store", self.other_out)
            self.assertEqual(result.returncode, 1, result.stderr)
        finally:
            (self.scratch / "renamed").rename(self.out)
        self.assertEqual((self.state("a"), self.state_at(self.there, "a")), ("running", None))
        self.counts(self.here, "a", 2)

    def test_a_fork_goes_on_from_where_the_other_is(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.run_counter("a", "--forward", f"{port}:80")
        self.assertIn("the same host name", self.vm("fork", "a", "b").stderr)
        self.assertEqual((self.state("a"), self.state("b")), ("running", "running"))
        second = self.counts(self.here, "b", 3)
        first = self.counts(self.here, "a", 3)
        self.assertEqual(first, list(range(1, len(first) + 1)))  # the first one missed nothing
        self.assertGreater(second[0], 1)
        self.assertEqual(second, list(range(second[0], second[0] + len(second))))
        settings = [json.loads(self.vm("show", name, "--json").stdout)["settings"] for name in "ab"]
        self.assertEqual(settings[0]["mac"], settings[1]["mac"])
        self.assertNotEqual(settings[0]["ssh_port"], settings[1]["ssh_port"])
        self.assertNotEqual(settings[0]["forwards"], settings[1]["forwards"])
        self.vm_fails(2, "fork", "a", "b", says="there is a machine b already")
        self.vm("fork", "b", "c")
        for name in "abc":
            self.vm("stop", name, "--kill")
            self.assert_stopped_and_whole(name)
            self.vm("start", name, "--for", "process")
        self.vm("stop", "a", "--kill")
        self.vm_fails(2, "fork", "a", "d", says="does not run")
        self.vm("snapshot", "create", "a", "s")

    def test_a_fork_that_is_killed_leaves_the_first_one_running(self):
        self.run_counter("a")
        for step in range(12):
            process = self.start_vm("fork", "a", "b")
            time.sleep(step * 0.06)
            process.kill()
            process.communicate()
            self.counts(self.here, "a", 2)
            if self.state("b") is not None:
                self.vm("remove", "b", "--kill")
            self.assertIsNone(self.state("b"))
        self.vm("fork", "a", "b")
        self.counts(self.here, "b", 2)
        first = self.count(self.here, "a")
        self.assertEqual(first, list(range(1, len(first) + 1)))

    def test_a_machine_moves_by_ssh(self):
        keys = self.scratch / "ssh"
        keys.mkdir(mode=0o700)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        # The other host: what is run there has another state folder.
        wrapper = keys / "imgforge"
        environment = " ".join(f"{name}={value}" for name, value in self.environment(XDG_STATE_HOME=str(self.there)).items()
                               if name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "PATH"))
        wrapper.write_text(f"#!/bin/sh\nexec env {environment} {PROGRAM} \"$@\"\n")
        wrapper.chmod(0o755)
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        config = keys / "sshd_config"
        config.write_text(f"Port {port}\nListenAddress 127.0.0.1\nHostKey {keys}/host\nPidFile none\nStrictModes no\n"
                          f"AuthorizedKeysFile {keys}/user.pub\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
                          "UsePAM no\nPermitRootLogin yes\n")
        server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config], stderr=subprocess.PIPE)
        self.addCleanup(self.end, server)
        (keys / "known_hosts").write_text(f"[127.0.0.1]:{port} " + (keys / "host.pub").read_text())
        options = [word for option in (f"UserKnownHostsFile={keys}/known_hosts", f"IdentityFile={keys}/user", "IdentitiesOnly=yes",
                                       "BatchMode=yes", "StrictHostKeyChecking=yes") for word in ("--ssh-option", option)]

        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        wait_for(listens, "sshd does not listen")
        self.run_counter("a")
        to = ["--to", f"ssh://127.0.0.1:{port}", "--store", self.other_out, *options]
        self.vm_fails(4, "migrate", "a", "--live", *to, "--imgforge", "/nonexistent/imgforge", says="exit code 127")
        self.counts(self.here, "a", 1)
        self.vm("migrate", "a", "--live", *to, "--imgforge", wrapper)
        self.assertEqual((self.state("a"), self.state_at(self.there, "a")), ("gone", "running"))
        before = self.count(self.here, "a")
        after = self.counts(self.there, "a", 3)
        self.assertIn(after[0] - before[-1], (1, 2))

    def test_a_machine_becomes_a_domain_of_libvirt(self):
        self.vm("run", self.line, "--name", "a", "--for", "process", "--share", f"{self.scratch}:ro", "--graphics")
        self.vm_fails(2, "define", "a", "--libvirt", "--print", says="the machine a runs")
        self.vm("stop", "a", "--kill")
        self.run_counter("b", "--forward", f"{self.free_port()}:80")
        self.vm("stop", "b", "--kill")
        self.vm("run", self.line, "--name", "c", "--for", "process", "--firmware", "uefi", "--network", "none")
        self.vm("stop", "c", "--kill")
        self.ok("key", "generate", "lab", "--secure-boot")
        self.vm("run", self.line, "--name", "d", "--for", "process", "--firmware", "secure-boot", "--secure-boot-keys", "lab")
        self.vm("stop", "d", "--kill")
        for name in "abcd":
            xml = self.vm("define", name, "--libvirt", "--print").stdout
            self.assertNotIn("OVMF", xml)
            (self.scratch / f"{name}.xml").write_text(xml)
            subprocess.run(["virt-xml-validate", self.scratch / f"{name}.xml", "domain"], check=True, capture_output=True)
        self.vm_fails(2, "define", "a", says="--libvirt")
        # A session of libvirt of the test's own: a short path, as sockets want it.
        folder = tempfile.TemporaryDirectory(prefix="libvirt.", dir="/tmp")
        self.addCleanup(folder.cleanup)
        environment = self.environment(XDG_RUNTIME_DIR=folder.name, XDG_CACHE_HOME=folder.name, XDG_CONFIG_HOME=folder.name,
                                       HOME=folder.name)
        # libvirt's sessions are for ordinary users: one who may do all here.
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
        if user:
            subprocess.run(["chown", "-R", "65534:65534", self.scratch, folder.name], check=True)
        server = subprocess.Popen([*user, "/usr/sbin/libvirtd"], env=environment, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(self.end, server)

        def virsh(*words, check=True):
            result = subprocess.run([*user, "virsh", "-q", "-c", "qemu:///session", *words], env=environment,
                                    capture_output=True, text=True, timeout=60)
            if check:
                self.assertEqual(result.returncode, 0, f"{words}: {result.stderr}")
            return result
        wait_for(lambda: virsh("list", check=False).returncode == 0, "libvirt does not answer")
        virsh("define", "--validate", self.scratch / "b.xml")
        before = counter_disk.written(self.disk(self.here, "b"))
        virsh("start", "b")
        try:
            self.assertEqual(self.state("b"), "running")
            self.vm_fails(1, "start", "b", "--for", "process")
        finally:
            virsh("destroy", "b")
        virsh("undefine", "b")
        wait_for(lambda: self.state("b") == "stopped", "it does not stop")
        self.assertGreater(before, 0)
        self.vm("start", "b", "--for", "process")
        # The firmware that libvirt chooses has the machine's own keys, and may be written by itself alone.
        certificate = (self.home / "config" / "imgforge" / "keys" / "lab.secure-boot" / "db.cer").read_bytes()
        for name, code in (("c", "OVMF_CODE_4M.fd"), ("d", "OVMF_CODE_4M.secboot.fd")):
            virsh("define", "--validate", self.scratch / f"{name}.xml")
            virsh("start", name)
            try:
                self.assertEqual(self.state(name), "running")
                words = self.command_of(self.disk(self.here, name))
            finally:
                virsh("destroy", name)
            virsh("undefine", name, "--keep-nvram")
            variables = self.disk(self.here, name).with_name("variables.fd")
            self.assertIn(code, words)
            self.assertIn(str(variables), words)
            self.assertEqual("property=secure,value=on" in words, name == "d", words)
            self.assertEqual(certificate in variables.read_bytes(), name == "d")
        self.disk(self.here, "d").with_name("variables.qcow2").unlink()
        self.vm_fails(4, "define", "d", "--libvirt", "--print", says="the keys of Secure Boot")

    @staticmethod
    def command_of(disk):
        """The command line of the QEMU that has a disk."""
        for words in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                text = words.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if "qemu-system" in text and str(disk) in text:
                return text
        raise AssertionError(f"no QEMU has {disk}")

    @staticmethod
    def free_port():
        with socket.create_server(("127.0.0.1", 0)) as free:
            return free.getsockname()[1]


class Killed(MoveCase):
    """A machine goes to and fro, and something is killed each time: exactly one of the two can run afterwards."""

    def other(self, state):
        return self.there if state == self.here else self.here

    def qemu_runs(self, state):
        """Whether a QEMU there executes the machine, and goes on with it: a command that was killed may have asked it to end."""
        status = json.loads(self.at(state, "show", "a", "--json").stdout or "{}").get("status")
        return bool(status) and not status["paused"] and not status["stopping"] and self.state_at(state, "a") == "running"

    def settle(self, source):
        """Does what the commands say, and returns where the machine is."""
        target = self.other(source)
        self.assertFalse(self.qemu_runs(source) and self.qemu_runs(target), "both run")
        # The machine's process notices within a moment that the command is gone.
        decided = {None: ("stopped", "running"), "leaving": ("stopped", "running"), "gone": ("gone",)}
        wait_for(lambda: (state := self.state_at(source, "a")) in decided[self.mark(source)]
                 and (state != "running" or self.qemu_runs(source)), "nobody decides", 20)
        if self.state_at(source, "a") == "gone":
            result = self.at(source, "start", "a", "--for", "process")
            self.assertEqual(result.returncode, 2, "it runs although it was given away")
            if "tells that host" in result.stderr:
                self.resumed += 1
                again = self.at(source, "migrate", "a")
                self.assertEqual(again.returncode, 0, again.stderr)
            home, left = target, source
        else:
            home, left = source, target
            if self.state_at(target, "a") is not None:
                # Damaged: the other host's import was killed before it was whole.
                self.assertIn(self.state_at(target, "a"), ("arriving", "damaged"))
                self.assertNotEqual(self.at(target, "start", "a", "--for", "process").returncode, 0)
        self.assertFalse(self.qemu_runs(left))

        def runs_again():
            # What the killed command had asked for, to stop it, may be done only now.
            if self.state_at(home, "a") == "stopped":
                started = self.at(home, "start", "a", "--for", "process")
                self.assertEqual(started.returncode, 0, started.stderr)
            return self.qemu_runs(home)
        wait_for(runs_again, "none runs", 15)
        self.counts(home, "a", 2)
        if self.state_at(left, "a") is not None:
            self.assertEqual(self.at(left, "remove", "a", "--kill").returncode, 0)
        self.assertEqual(self.left_at(left), [])
        return home

    def mark(self, state):
        """Which side of a move the machine is on there."""
        try:
            return json.loads((self.disk(state, "a").parent / "move.json").read_text())["state"]
        except FileNotFoundError:
            return None

    def left_at(self, state, unfinished=False):
        """What is there of machines; what the next one takes away, too."""
        folder = state / "imgforge" / "machines"
        return [path.name for path in folder.iterdir() if unfinished or path.name[0] != "."] if folder.exists() else []

    def status_at(self, state):
        try:
            return json.loads(self.at(state, "show", "a", "--json").stdout)["status"]
        except (ValueError, KeyError):
            return None

    def store_of(self, state):
        return self.other_out if state == self.there else self.out

    def move(self, source, *words):
        return subprocess.Popen([PROGRAM, "--output-dir", self.store_of(source), "vm", "migrate", "a", "--to", self.other(source),
                                 "--store", self.store_of(self.other(source)), *words],
                                env=self.environment(XDG_STATE_HOME=str(source)), stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    def kill(self, source, victim, command):
        """Kills it, and returns how the command ended and what it said."""
        if victim == "command":
            command.kill()
        elif status := self.status_at(source if victim.startswith("source") else self.other(source)):
            with contextlib.suppress(ProcessLookupError):  # it was quicker
                os.kill(status["pid" if victim.endswith("process") else "qemu_pid"], signal.SIGKILL)
        _, said = command.communicate(timeout=120)
        return command.returncode, said

    def go(self, victims, rounds, longest, *words):
        self.resumed = 0
        home = self.here
        self.run_counter("a")
        moved = 0
        for step in range(rounds):
            victim = victims[step % len(victims)]
            before = home
            with self.subTest(f"{victim}, round {step}"):
                command = self.move(home, *words)
                time.sleep(longest * step / rounds)
                code, said = self.kill(home, victim, command)
                home = self.settle(home)
                moved += home != before
                if code == 0:
                    self.assertNotEqual(home, before, said)
        for _ in range(2):  # to and fro in peace, which takes away what unfinished ones left
            process = self.move(home, *words)
            _, said = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0, said)
            self.at(home, "remove", "a")
            self.assertEqual(self.left_at(home, unfinished=True), [])
            home = self.other(home)
        disk = self.disk(home, "a")
        self.at(home, "stop", "a", "--kill")
        subprocess.run(["qemu-img", "check", "-q", disk], check=True)
        print(f"{rounds} kills, {moved} moves, {self.resumed} told again", file=sys.stderr)
        self.assertGreater(moved, 0)
        self.assertLess(moved, rounds)

    def test_while_it_moves_live(self):
        self.go(("command", "source process", "source QEMU", "target process", "target QEMU"), 60 if FULL else 20, 1.2, "--live")

    def test_while_it_moves_cold(self):
        self.go(("command",), 20 if FULL else 8, 0.7, "--kill")


if __name__ == "__main__":
    main()
