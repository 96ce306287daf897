#!/usr/bin/env python3
"""Machines: releases that run, are reached, are killed at any moment, and what is true afterwards."""

import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tiny_guest  # noqa: E402
from harness import NEEDS_ALPINE, PROGRAM, Case, CopyCase, FreshCase, children_of, main, wait_for  # noqa: E402
from machine_case import MachineCase, build_with_agent, is_alive  # noqa: E402


class Lacking(MachineCase, CopyCase):
    """What the kernel of a release lacks is said before anything is made or started. The embedded base has the kernel of this host,
    with few of its modules."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_imgforge("key", "generate", "machines@test", "--no-passphrase").check_returncode()
        for name, more in (("plain", ""), ("trimmed", 'run: ["rm $(find /lib/modules -name \'virtio_balloon.ko*\')"]\n')):
            recipe = cls.scratch / f"{name}.yaml"
            recipe.write_text(f"imgforge: 1\nname: {name}\nbase: embedded\ndisk: {{ size: 128M }}\nformats: [qcow2]\n{more}")
            cls.run_imgforge("build", recipe).check_returncode()
        cls.keep()

    def tearDown(self):
        self.remove_all()
        super().tearDown()

    def features(self, line):
        return json.loads(self.ok("show", line, "--json").stdout)["release"]["manifest"]["kernel"]["features"]

    def test_the_manifest_says_what_the_kernel_can_do(self):
        features = self.features("plain")
        release = json.loads(self.ok("show", "plain", "--json").stdout)["release"]["manifest"]["kernel"]["release"]
        config = pathlib.Path("/boot", f"config-{release}").read_text().splitlines()
        self.assertEqual(features["cpu-hotplug"], "CONFIG_ACPI_HOTPLUG_CPU=y" in config)
        self.assertEqual(features["memory-hotplug"], "CONFIG_ACPI_HOTPLUG_MEMORY=y" in config)
        self.assertTrue(features["balloon"])
        self.assertFalse(features["virtio-mem"], "its module is not in the image")
        self.assertEqual(self.features("trimmed"), {**features, "balloon": False})
        self.assertRegex(self.ok("show", "trimmed").stdout, r"no .*balloon")
        self.assertRegex(self.ok("inspect", "trimmed").stdout, r"no .*balloon")

    def test_what_can_never_work_is_refused_and_leaves_nothing(self):
        says = "the kernel of trimmed@"
        self.vm_fails(2, "run", "trimmed", "--name", "a", "--autoscale", "256M..512M", says=[says, "no balloon", "packages.add"])
        if not self.features("plain")["9p"]:
            self.vm_fails(2, "run", "plain", "--name", "a", "--share", self.scratch, says=["no 9p", "DIR:virtiofs"])
        group = self.scratch / "machines.yaml"
        group.write_text("group: 1\nname: g\nmachines:\n  a: { release: plain }\n"
                         "  b: { release: trimmed, autoscale: { memory: [256M, 512M] }, after: { a: process } }\n")
        self.vm_fails(2, "up", group, "--for", "process", says=[says, "no balloon"])
        self.assertEqual(list(self.machines.glob("*")) if self.machines.exists() else [], [])
        self.vm("run", "plain", "--name", "a", "--for", "process", "--autoscale", "256M..512M")

    def test_a_machine_that_runs_is_given_nothing_that_its_kernel_cannot_take(self):
        result = self.vm("run", "trimmed", "--name", "a", "--for", "process", "--max-memory", "512M", "--memory", "256M")
        self.assertIn("cannot be taken back", result.stderr)
        self.vm_fails(2, "resize", "a", "--memory", "128M", says=["less memory while it runs", "no balloon"])
        self.vm("resize", "a", "--memory", "384M")
        shown = json.loads(self.vm("show", "a", "--json").stdout)
        self.assertIn("balloon", shown["settings"]["lacks"])


SHARING = """\
imgforge: 1
name: sharing
base: embedded
disk: { size: 128M }
formats: [qcow2]
files:
  - path: /etc/local.d/share.start
    mode: "0755"
    content: |
      #!/bin/sh
      modprobe virtiofs
      mkdir -p /run/shared
      mount -t virtiofs shared /run/shared
      cat /run/shared/greeting
      echo written >/run/shared/answer || echo "it is not written"
      echo "sharing is done"
boot:
  expect: ["sharing is done"]
"""


class Virtiofs(MachineCase, CopyCase):
    """Folders that a small system mounts by virtiofs."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_imgforge("key", "generate", "machines@test", "--no-passphrase").check_returncode()
        recipe = cls.scratch / "sharing.yaml"
        recipe.write_text(SHARING)
        cls.run_imgforge("build", recipe).check_returncode()
        cls.keep()

    def setUp(self):
        super().setUp()
        self.shared = self.scratch / "shared folder"
        self.shared.mkdir()
        (self.shared / "greeting").write_text("greetings from the host\n")

    def tearDown(self):
        self.remove_all()
        super().tearDown()

    def test_a_folder_is_read_and_written(self):
        self.vm("run", "sharing", "--name", "a", "--share", f"{self.shared}:virtiofs", "--max-memory", "512M")
        self.assertIn("greetings from the host", self.vm("logs", "a").stdout)
        self.assertEqual((self.shared / "answer").read_text(), "written\n")
        self.assertIn(", virtiofs", self.vm("show", "a").stdout)
        self.vm("resize", "a", "--memory", "384M")
        self.vm_fails(2, "snapshot", "create", "a", "s", says="shares a folder")
        # Nothing is left of it, whoever is killed.
        for victim in ("qemu_pid", "pid"):
            status = self.status("a")
            family = children_of(status["pid"])
            self.assertTrue(any("virtiofsd" in pathlib.Path(f"/proc/{pid}/comm").read_text() for pid in family))
            os.kill(status[victim], signal.SIGKILL)
            wait_for(lambda: not any(map(is_alive, [*family, status["pid"]])), "a process is left", 20)
            self.assert_stopped_and_whole("a")
            self.vm("start", "a", "--for", "process")
        self.vm("stop", "a", "--kill")
        self.vm_fails(2, "define", "a", "--libvirt", "--print", says="by virtiofs")

    def test_one_that_is_only_read_is_not_written(self):
        self.vm("run", "sharing", "--name", "a", "--share", f"{self.shared}:ro:virtiofs")
        said = self.vm("logs", "a").stdout
        self.assertIn("greetings from the host", said)
        self.assertIn("it is not written", said)
        self.assertEqual(os.listdir(self.shared), ["greeting"])

    def test_other_users_need_a_range_of_ids(self):
        user = pwd.getpwnam("nobody")
        home = self.scratch / "nobody"
        home.mkdir()
        image = home / "image.qcow2"
        shutil.copy(next((self.out / "releases/sharing/current").resolve().glob("*.qcow2")), image)
        shutil.move(self.shared, home / "shared")
        program = shutil.copy(PROGRAM, home / "imgforge")
        os.chmod(self.scratch, 0o755)
        for path in [home, *home.rglob("*")]:
            os.chown(path, user.pw_uid, user.pw_gid)

        def run(ranges, *words):
            """In mounts of its own, in which the user has these ranges and no others."""
            table = self.scratch / "ranges"
            table.write_text(ranges)
            script = 'mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid && exec "$@"'
            return subprocess.run(["unshare", "--mount", "sh", "-c", script, table, "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                                   "--clear-groups", program, "vm", *map(str, words)], capture_output=True, text=True, timeout=300,
                                  env=self.environment(HOME=str(home), XDG_CACHE_HOME=str(home / "cache")))
        words = ["run", image, "--name", "u", "--for", "process", "--share", f"{home / 'shared'}:virtiofs"]
        result = run("", *words)
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertIn("cannot be shared by virtiofs", result.stderr)
        self.assertIn("/etc/subuid", result.stderr)
        ranges = "nobody:900000000:65536\n"
        try:
            result = run(ranges, *words)
            self.assertEqual(result.returncode, 0, result.stderr)
            wait_for(lambda: "sharing is done" in run(ranges, "logs", "u").stdout, "it does not come up", 120)
        finally:
            run(ranges, "remove", "u", "--kill")
        self.assertEqual((home / "shared/answer").read_text(), "written\n")
        self.assertEqual((home / "shared/answer").stat().st_uid, user.pw_uid)


class Blank(MachineCase, FreshCase):
    """Machines whose disk is empty: all that does not need a system inside."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.remove_all)
        self.disk = self.scratch / "blank.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", self.disk, "64M"], check=True)

    def run_blank(self, name, *words, **options):
        return self.vm("run", self.disk, "--name", name, "--for", "process", *words, **options)

    def test_a_machine_from_a_file_is_said_to_be_unverified_and_leaves_the_file_alone(self):
        before = self.disk.read_bytes()
        self.assertIn("nobody vouches for it", self.run_blank("a").stderr)
        self.assertEqual(self.state("a"), "running")
        shown = json.loads(self.vm("show", "a", "--json").stdout)
        self.assertEqual(shown["settings"]["origin"]["kind"], "file")
        self.assertFalse(json.loads(self.vm("list", "--json").stdout)["machines"][0]["verified"])
        self.vm("wait", "a", "--for", "firmware")
        wait_for(lambda: "No bootable device" in self.vm("logs", "a").stdout, "the firmware says nothing")
        self.vm("stop", "a", "--kill")
        self.assert_stopped_and_whole("a")
        self.assertEqual(json.loads(self.vm("show", "a", "--json").stdout)["last"]["how"], "stopped")
        self.vm("remove", "a")
        self.assertFalse((self.machines / "a").exists())
        self.assertEqual(self.disk.read_bytes(), before)

    def test_what_cannot_be_is_refused_and_leaves_nothing(self):
        for words, says in ((["--forward", "80"], "forwards no port"), (["--share", "/nonexistent"], "no folder"),
                            (["--memory", "10Q"], ""), (["--cpus", "0"], ""),
                            (["--network", "none", "--forward", "80:80"], "needs a network"), (["--firmware", "kernel"], "only a release"),
                            (["--forward", "80:80", "--forward", "80:81"], "twice")):
            self.vm_fails(2, "run", self.disk, "--name", "a", *words, says=says)
        self.vm_fails(2, "run", self.disk, "--name", "../x", says="cannot be the name")
        self.vm_fails(2, "run", says="made from a release")
        self.vm_fails(1, "run", self.scratch / "none.qcow2", "--name", "a")
        self.vm_fails(2, "start", "a", says="there is no machine")
        self.assertEqual(list(self.machines.glob("*")) if self.machines.exists() else [], [])

    def test_a_port_that_is_taken_names_who_wants_it(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.vm_fails(4, "run", self.disk, "--name", "web", "--forward", f"{port}:80",
                          says=["the machine web wants tcp port", str(port)])
        self.assertIsNone(self.state("web"), "a machine that never ran stays behind")
        self.run_blank("web", "--forward", f"{port}:80")
        self.vm_fails(4, "run", self.disk, "--name", "other", "--forward", f"{port}:80", says="the machine other wants")
        self.assertEqual(self.state("web"), "running")

    def test_a_start_that_fails_is_told_in_qemus_words_and_leaves_nothing(self):
        # No host has this bridge, or allows it.
        for name in (["--name", "a"], []):
            words = ["run", self.disk, *name, "--for", "process", "--network", "bridge=nowhere0", "--json"]
            error = json.loads(self.vm_fails(1, *words).stderr.splitlines()[-1])["error"]
            self.assertEqual((error["code"], error["message"]), ("E_BOOT", "QEMU did not start"))
            self.assertIn("bridge helper failed", error["output"])
            for says in ("allow nowhere0", "/etc/qemu/bridge.conf", "qemu-bridge-helper"):
                self.assertIn(says, error["hint"])
            self.assertEqual(list(self.machines.glob("*")), [], "a machine that never ran stays behind")
        # One that was there before stays, and can be started once the cause is gone.
        self.run_blank("a")
        self.vm("stop", "a", "--kill")
        file = self.machines / "a" / "machine.json"
        settings = json.loads(file.read_text())
        for network in ("bridge=nowhere0", settings["network"]):
            file.write_text(json.dumps({**settings, "network": network, **({"ssh_port": 0} if "=" in network else {})}))
            if "=" in network:
                self.vm_fails(1, "start", "a", says=["QEMU did not start", "bridge helper failed", "allow nowhere0"])
                self.assert_stopped_and_whole("a")
                self.assertIn("bridge helper failed", json.loads(self.vm("show", "a", "--json").stdout)["last"]["how"])
        self.vm("start", "a", "--for", "process")

    def test_a_port_that_is_taken_at_the_last_moment(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        program = self.scratch / "bin" / "qemu-system-x86_64"
        program.parent.mkdir()
        program.write_text(f"#!/usr/bin/env python3\nimport os, socket, subprocess, sys\n"
                           f"taken = socket.create_server(('127.0.0.1', {port}))\n"
                           f"sys.exit(subprocess.call(['{shutil.which('qemu-system-x86_64')}', *sys.argv[1:]]))\n")
        program.chmod(0o755)
        self.vm_fails(1, "run", self.disk, "--name", "a", "--forward", f"{port}:80", env={"PATH": f"{program.parent}:{os.environ['PATH']}"},
                      says=["QEMU did not start", f":{port}-:80", "ss -lntup"])
        self.assertEqual(list(self.machines.glob("*")), [])

    def test_a_machine_runs_on_when_nobody_hears_that_it_started(self):
        self.run_blank("a")
        self.vm("stop", "a", "--kill")
        process = self.start_vm("supervise", "a", "--report")
        process.stdout.close()
        wait_for(lambda: self.status("a"), "it does not run")
        self.vm("wait", "a", "--for", "firmware")
        self.assertIsNone(process.poll())
        self.vm("stop", "a", "--kill")
        self.assertEqual(process.wait(timeout=30), 0)

    def test_of_two_starts_one_starts(self):
        self.run_blank("a")
        self.vm("stop", "a", "--kill")
        for _ in range(5):
            starts = [self.start_vm("start", "a", "--for", "process") for _ in range(4)]
            codes = [process.wait(timeout=60) for process in starts]
            self.assertEqual(codes.count(0), 1, [process.stderr.read() for process in starts])
            self.assertEqual(self.state("a"), "running")
            self.vm("stop", "a", "--kill")
        self.assert_stopped_and_whole("a")

    def test_whoever_is_killed_the_state_is_true(self):
        self.run_blank("a")
        for round in range(30):
            status = self.status("a")
            victim = status["qemu_pid"] if round % 2 else status["pid"]
            time.sleep(round % 5 * 0.01)
            os.kill(victim, signal.SIGKILL)
            wait_for(lambda: not is_alive(status["qemu_pid"]) and not is_alive(status["pid"]), "a process is left", 20)
            self.assert_stopped_and_whole("a")
            if victim == status["qemu_pid"]:
                self.assertIn("SIGKILL", json.loads(self.vm("show", "a", "--json").stdout)["last"]["how"])
            self.vm("start", "a", "--for", "process")

    def test_whenever_a_start_is_killed_it_can_be_done_again(self):
        self.run_blank("a")
        self.vm("stop", "a", "--kill")
        for step in range(20):
            process = self.start_vm("start", "a", "--for", "process")
            time.sleep(step * 0.004)
            process.kill()
            process.communicate()
            self.vm("stop", "a", "--kill")
            self.vm("stop", "a", "--kill")  # what the killed command had started may have come up meanwhile
            wait_for(lambda: self.run_imgforge("vm", "start", "a", "--for", "process").returncode == 0, "it does not start", 20)
            self.vm("stop", "a", "--kill")
            self.assert_stopped_and_whole("a")

    def test_whenever_making_or_removing_is_killed_the_rest_can_be_removed(self):
        for step in range(20):
            process = self.start_vm("run", self.disk, "--name", "a", "--for", "process")
            time.sleep(step * 0.005)
            process.kill()
            process.communicate()
            if self.state("a") is None:
                continue
            process = self.start_vm("remove", "a", "--kill")
            time.sleep(step * 0.002)
            process.kill()
            process.communicate()
            if self.state("a") is not None:
                self.vm("remove", "a", "--kill")
            self.assertIsNone(self.state("a"))
            self.assertFalse((self.machines / "a").exists())

    def test_a_machine_that_is_restarted_on_failure_comes_back(self):
        self.run_blank("a", "--restart", "on-failure")
        status = self.status("a")
        os.kill(status["qemu_pid"], signal.SIGKILL)
        again = wait_for(lambda: (now := self.status("a")) and now["qemu_pid"] != status["qemu_pid"] and now, "it stays down", 20)
        self.assertEqual(again["pid"], status["pid"])
        self.vm("stop", "a", "--kill")
        self.assert_stopped_and_whole("a")

    def test_damaged_settings_are_told_and_the_machine_can_be_stopped_and_removed(self):
        for damage in (b"", b"{", b"\xff\xfe", b"[]", b'{"schema": 2}', None):
            self.run_blank("a")
            status = self.status("a")
            settings = self.machines / "a" / "machine.json"
            if damage is None:
                settings.unlink()
            else:
                settings.write_bytes(damage)
            self.assertEqual(self.state("a"), "running")
            self.vm_fails(3, "show", "a", says="damaged")
            self.vm("stop", "a", "--kill")
            self.assertFalse(is_alive(status["qemu_pid"]))
            self.assertEqual(self.state("a"), "damaged")
            self.vm_fails(3, "start", "a", says="imgforge vm remove a")
            self.vm("remove", "a")
            self.assertFalse((self.machines / "a").exists())

    def test_the_process_without_its_socket_is_stopped(self):
        self.run_blank("a")
        status = self.status("a")
        (self.machines / "a" / "control.sock").unlink()
        self.assertEqual(self.state("a"), "running")
        self.vm_fails(1, "remove", "a", says="the machine a runs")
        os.kill(status["pid"], signal.SIGSTOP)  # it does not answer either
        self.vm("stop", "a", "--kill")
        wait_for(lambda: not is_alive(status["qemu_pid"]), "QEMU is left")
        self.assert_stopped_and_whole("a")

    def test_snapshots_of_a_stopped_and_of_a_running_machine(self):
        self.run_blank("a", "--firmware", "uefi")
        self.vm("snapshot", "create", "a", "live")
        self.vm_fails(2, "snapshot", "create", "a", "live", says="already")
        self.vm("snapshot", "restore", "a", "live")
        self.assertEqual(self.state("a"), "running")
        self.vm("stop", "a", "--kill")
        self.vm("snapshot", "create", "a", "cold")
        rows = {row["name"]: row["memory"] for row in json.loads(self.vm("snapshot", "list", "a", "--json").stdout)["snapshots"]}
        self.assertGreater(rows["live"], 0)
        self.assertEqual(rows["cold"], 0)
        self.vm("start", "a", "--for", "process")
        self.vm_fails(2, "snapshot", "restore", "a", "cold", says="stopped machine")
        self.vm_fails(2, "snapshot", "restore", "a", "none", says="no snapshot")
        self.vm_fails(2, "snapshot", "create", "a", "../x", says="cannot be the name")
        self.vm("snapshot", "remove", "a", "live")
        self.vm("stop", "a", "--kill")
        self.vm("snapshot", "restore", "a", "cold")
        self.assert_stopped_and_whole("a")

    def test_secure_boot_has_the_keys_that_were_named(self):
        self.vm_fails(2, "run", self.disk, "--name", "a", "--firmware", "secure-boot", says="go together")
        self.vm_fails(2, "run", self.disk, "--name", "a", "--secure-boot-keys", "lab", says="go together")
        self.ok("key", "generate", "lab", "--secure-boot")
        self.run_blank("a", "--firmware", "secure-boot", "--secure-boot-keys", "lab")
        self.vm("wait", "a", "--for", "firmware")
        self.vm("stop", "a", "--kill")
        variables = self.scratch / "variables.fd"
        subprocess.run(["qemu-img", "convert", "-O", "raw", self.machines / "a" / "variables.qcow2", variables], check=True)
        certificate = self.home / "config" / "imgforge" / "keys" / "lab.secure-boot" / "db.cer"
        self.assertIn(certificate.read_bytes(), variables.read_bytes())
        (self.machines / "a" / "variables.qcow2").unlink()
        self.vm_fails(4, "start", "a", says="the keys of Secure Boot")

    def test_no_snapshot_of_a_running_machine_that_shares_a_folder(self):
        self.run_blank("a", "--share", f"{self.scratch}:ro")
        self.vm_fails(2, "snapshot", "create", "a", "s", says="shares a folder")
        self.vm("stop", "a", "--kill")
        self.vm("snapshot", "create", "a", "s")

    def test_somebody_is_told_what_happens(self):
        told = self.scratch / "told.jsonl"
        hook = self.scratch / "hook"
        hook.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$1\" >>{told}\n")
        self.vm_fails(2, "run", self.disk, "--name", "a", "--hook", hook, says="no program")
        hook.chmod(0o755)
        self.run_blank("a", "--hook", hook)
        self.vm("wait", "a", "--for", "firmware")
        self.vm("stop", "a", "--kill")
        events = [json.loads(line) for line in told.read_text().splitlines()]
        self.assertEqual([(event["event"], event.get("name")) for event in events],
                         [("state", "process"), ("state", "firmware"), ("end", None)])
        self.assertEqual({event["machine"] for event in events}, {"a"})
        self.assertEqual([json.loads(line) for line in self.vm("logs", "a", "--events").stdout.splitlines()], events)

    def unit(self, word):
        """A command of the unit that is installed for systemd, by the program that is tested."""
        unit = pathlib.Path(PROGRAM).parent / "imgforge-machines.service"
        line = re.search(rf"^{word}=(\S*)/imgforge (.*)$", unit.read_text(), re.MULTILINE)
        self.assertTrue(line.group(1).startswith("/"))
        return self.run_imgforge(*line.group(2).split())

    def test_machines_start_by_themselves(self):
        self.assertIn("no machine has autostart", self.unit("ExecStart").stderr)
        self.vm_fails(2, "run", self.disk, "--autostart", says="--name")
        self.vm_fails(2, "start", says="--autostart")
        self.vm_fails(2, "start", "a", "--autostart", says="either")
        for name in ("a", "b"):
            self.run_blank(name, "--autostart")
        self.run_blank("by-hand")
        self.vm("autostart", "by-hand", "off")
        running = self.status("a")["qemu_pid"]
        for name in ("b", "by-hand"):
            self.vm("stop", name, "--kill")
        self.assert_exit(self.unit("ExecStart"), 0)
        self.assertEqual([self.state(name) for name in ("a", "b", "by-hand")], ["running", "running", "stopped"])
        self.assertEqual(self.status("a")["qemu_pid"], running, "what runs is left alone")
        rows = json.loads(self.vm("start", "--autostart", "--for", "process", "--json").stdout)["machines"]
        self.assertEqual(rows, [{"name": name, "did": "runs already"} for name in ("a", "b")])
        self.assertEqual({row["name"]: row["autostart"] for row in json.loads(self.vm("list", "--json").stdout)["machines"]},
                         {"a": True, "b": True, "by-hand": False})
        # One that fails keeps no other from it.
        self.vm("stop", "--autostart", "--kill")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            settings = json.loads((self.machines / "a" / "machine.json").read_text())
            settings["forwards"] = [{"address": "127.0.0.1", "host_port": taken.getsockname()[1], "guest_port": 80, "protocol": "tcp"}]
            (self.machines / "a" / "machine.json").write_text(json.dumps(settings))
            self.vm("autostart", "by-hand")
            self.vm_fails(4, "start", "--autostart", "--for", "process", says=["a: the machine a wants tcp port", "1 of 3 machines did not start: a"])
            self.assertEqual([self.state(name) for name in ("a", "b", "by-hand")], ["stopped", "running", "running"])
        self.assertIn("autostart    yes", self.vm("show", "by-hand").stdout)
        # Nobody answers the power button of an empty machine.
        self.vm_fails(1, "stop", "--autostart", "--patience", "1", says="2 of 3 machines did not stop: b, by-hand")
        self.vm("stop", "--autostart", "--kill")
        self.assertIsNone(self.status("b"))

    def test_a_base_stands_for_a_release_and_is_no_machine(self):
        self.vm_fails(2, "base", "work", says="the release is missing")
        self.vm_fails(1, "base", "work", "nothing-of-this-name", says="build something first")
        self.vm_fails(2, "base", "work", "--remove", says="there is no base")
        self.assertIn("no bases", self.vm("base").stdout)
        for network in ("bridge", "bridge=a,b", "host"):
            self.vm_fails(2, "run", self.disk, "--name", "a", "--network", network, says="is no network")
        self.vm_fails(2, "run", self.disk, "--name", "a", "--network", "bridge=br0", "--forward", "80:80", says="only")

    def test_a_screen_and_other_sizes(self):
        self.run_blank("a", "--graphics", "--disk-size", "128M")
        picture = self.scratch / "screen.png"
        self.vm("screenshot", "a", picture)
        self.assertTrue(picture.read_bytes().startswith(b"\x89PNG"))
        self.vm("resize", "a", "--memory", "128M")
        self.vm_fails(2, "resize", "a", "--memory", "1G", says="at most 256M")
        self.vm_fails(2, "resize", "a", "--cpus", "2", says="at most 1 processors")
        self.vm("stop", "a", "--kill")
        self.vm("resize", "a", "--memory", "300M", "--cpus", "2")
        shown = json.loads(self.vm("show", "a", "--json").stdout)
        self.assertEqual((shown["settings"]["memory"], shown["settings"]["cpus"]), (300 << 20, 2))
        size = json.loads(subprocess.run(["qemu-img", "info", "--output=json", shown["disk"]], check=True,
                                         capture_output=True).stdout)["virtual-size"]
        self.assertEqual(size, 128 << 20)
        self.vm("start", "a", "--for", "process")
        self.run_blank("blind")
        self.vm_fails(2, "screenshot", "blind", picture, says="has no screen")

    def test_the_console_is_seen_by_many_and_escaped_but_where_it_is_a_terminal(self):
        self.run_blank("a")
        self.vm("wait", "a", "--for", "firmware")
        first = self.start_vm("attach", "a", stdin=subprocess.PIPE)
        self.assertIn("Ctrl-]", first.stderr.readline())
        second = self.start_vm("attach", "a", stdin=subprocess.PIPE)
        self.assertIn("only shown", second.stderr.readline())
        out, err = first.communicate("\x1d", timeout=20)
        self.assertIn("SeaBIOS", out)
        self.assertIn("a runs on", err)
        self.vm("stop", "a", "--kill")
        out, err = second.communicate(timeout=20)
        self.assertIn("a ended", err)
        (self.machines / "a" / "console.log").write_bytes(b"\x1b]0;title\x07\x1b[2Jtext\n")
        shown = self.vm("logs", "a").stdout
        self.assertIn("text", shown)
        self.assertNotIn("\x1b", shown)
        self.assertNotIn("\x07", shown)

    def test_a_disposable_machine_is_gone_whatever_ends_it(self):
        for how in ("leave", "kill the command", "kill the process", "kill QEMU"):
            process = self.start_vm("run", self.disk, stdin=subprocess.PIPE)
            name = re.search(r"disposable-[0-9a-f]+", wait_for(lambda: self.vm("list").stdout, "it is not there")).group()
            # While its disk is made it has no settings yet.
            status = wait_for(lambda: (shown := self.run_imgforge("vm", "show", name, "--json")).returncode == 0
                              and json.loads(shown.stdout)["status"], "it does not run")
            if how == "leave":
                process.communicate("\x1d", timeout=30)
                self.assertEqual(process.returncode, 0)
            else:
                os.kill({"kill the command": process.pid, "kill the process": status["pid"],
                         "kill QEMU": status["qemu_pid"]}[how], signal.SIGKILL)
                process.stdin.close()
                process.wait(timeout=30)
            wait_for(lambda: not is_alive(status["qemu_pid"]), f"QEMU is left: {how}")
            if how == "kill the process":  # nobody is there to remove it, but the next one
                self.run_blank("next")
                self.vm("remove", "next", "--kill")
            wait_for(lambda: not (self.machines / name).exists(), f"its folder is left: {how}")

    def test_a_disposable_machine_ends_that_nobody_is_there_for(self):
        """As when its command is killed before it could say that it is."""
        self.run_blank("a")
        self.vm("stop", "a", "--kill")
        settings = self.machines / "a" / "machine.json"
        settings.write_text(json.dumps({**json.loads(settings.read_text()), "disposable": True}))
        process = self.start_vm("supervise", "a")
        self.assertEqual(process.wait(timeout=60), 0)
        self.assertFalse(settings.parent.exists())

    def test_a_restart_from_inside_begins_anew_and_those_who_look_stay(self):
        disk = self.scratch / "tiny.qcow2"
        tiny_guest.make_disk(disk)
        self.vm("run", disk, "--name", "a", "--for", "firmware")
        console = self.start_vm("attach", "a", stdin=subprocess.PIPE)
        self.addCleanup(console.kill)
        before = self.status("a")

        def say(text):
            console.stdin.write(text)
            console.stdin.flush()

        def hears(text):
            return wait_for(lambda: self.vm("logs", "a").stdout.count(text[0]) >= text[1], f"{text} is not said", 30)

        hears(("tiny guest", 1))
        say("++?")
        hears(("++2", 1))
        say("r")
        hears(("tiny guest", 2))
        after = self.status("a")
        self.assertEqual(after["pid"], before["pid"])
        self.assertLess(after["states"][0]["seconds"], after["uptime"])
        say("+?")
        hears(("+1", 1))
        say("r")
        hears(("tiny guest", 3))
        say("o")
        console.wait(timeout=30)
        self.assertEqual(console.stdout.read().count("tiny guest"), 3)
        self.assertIn("a ended", console.stderr.read())
        self.assert_stopped_and_whole("a")
        self.assertEqual(json.loads(self.vm("show", "a", "--json").stdout)["last"]["how"], "the guest shut down")

    def test_a_service_manager_stops_it_by_sigterm(self):
        self.run_blank("a")
        self.vm("stop", "a", "--kill")
        process = self.start_vm("supervise", "a")
        wait_for(lambda: self.state("a") == "running" and self.status("a"), "it does not run")
        process.send_signal(signal.SIGTERM)  # nothing in it listens to the power button
        wait_for(lambda: self.status("a")["stopping"], "it does not begin to stop")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=30), 0)
        self.assert_stopped_and_whole("a")


@NEEDS_ALPINE
class Kodeimage(MachineCase, Case):
    """The story of a golden image: built once, a fresh machine for each project, reached in one word."""

    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        build_with_agent(cls, "kodeimage")

    def setUp(self):
        self.addCleanup(self.remove_all)

    def test_two_clones_are_two_machines(self):
        more = {"one": ("--join", "lab"), "two": ("--join", "lab", "--autoscale", "384M..768M:30%")}
        starts = [self.start_vm("run", "kodeimage", "--name", name, "--json", *more[name]) for name in more]
        states = {}
        for process in starts:
            out, err = process.communicate(timeout=400)
            self.assertEqual(process.returncode, 0, err)
            status = json.loads(out)
            states[status["name"]] = {state["name"]: state["seconds"] for state in status["states"]}
        for reached in states.values():
            times = [reached[name] for name in ("process", "firmware", "kernel", "init", "ready")]
            self.assertEqual(times, sorted(times))
        identities = {}
        for name in ("one", "two"):
            self.vm("wait", name, "--for", "ssh", timeout=400)
            by_agent = self.vm("exec", name, "--", "sh", "-c", "hostname; cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub")
            host, identity, key = by_agent.stdout.splitlines()
            self.assertEqual(host, name)
            self.keys_are_handed_over(name)
            result = self.vm("ssh", name, "--", "hostname; id -un; cat /etc/machine-id")
            self.assertEqual(result.stdout.splitlines(), [name, "kode", identity])
            keys = json.loads(self.vm("keys", name, "--json").stdout)
            self.assertEqual(keys["user"], "kode")
            self.assertIn(key.split()[1], keys["known_hosts"])
            identities[name] = (identity, key, self.vm("exec", name, "--", "cat", "/sys/class/net/eth0/address").stdout)
        for mine, others in zip(identities["one"], identities["two"]):
            self.assertNotEqual(mine, others)
        self.assertRegex(self.vm("address", "one").stdout, r"^10\.0\.2\.15/24  eth0\n")
        self.use("one")
        self.exec_and_copy("one")
        self.snapshot("one")
        self.reach_each_other("one", "two")
        self.follow_memory("two")
        self.stop_and_start("one", identities["one"][0])

    def keys_are_handed_over(self, name):
        """By the machine's process itself: no command has asked for it."""
        status = wait_for(lambda: (now := self.status(name))["ssh_user"] and now, "no key is handed over", 200)
        self.assertEqual(status["ssh_user"], "kode")
        folder = self.machines / name / "ssh"
        result = subprocess.run(["ssh", "-F", "none", "-p", str(status["ssh_port"]), "-i", folder / "id_ed25519", "-o",
                                 f"UserKnownHostsFile={folder / 'known_hosts'}", "-o", "StrictHostKeyChecking=yes", "-o",
                                 f"HostKeyAlias={name}", "-o", "BatchMode=yes", "kode@127.0.0.1", "hostname"], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stdout), (0, name + "\n"), result.stderr)
        events = [json.loads(line) for line in self.vm("logs", name, "--events").stdout.splitlines()]
        self.assertEqual([event["user"] for event in events if event["event"] == "keys"], ["kode"])

    def version(self):
        return os.readlink(self.out / "releases" / "kodeimage" / "current")

    def exec_and_copy(self, name):
        result = self.run_imgforge("vm", "exec", name, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (7, "out\n", "err\n"))
        result = subprocess.run([PROGRAM, "vm", "exec", name, "-i", "--", "sha256sum"], input=b"\0\xff" * 1000,
                                env=self.environment(), capture_output=True, check=True)
        content = os.urandom(1_000_000)
        source, target = self.scratch / "source", self.scratch / "target"
        source.write_bytes(content)
        self.vm("cp", source, f"{name}:/tmp/copy")
        self.vm("cp", f"{name}:/tmp/copy", target)
        self.assertEqual(target.read_bytes(), content)
        self.vm_fails(1, "exec", name, "--", "no-such-program", says="refuses guest-exec")
        self.assertEqual(self.run_imgforge("vm", "exec", name, "--", "sh", "-c", "kill -9 $$").returncode, 137)
        self.vm_fails(1, "exec", name, "--timeout", "1", "--", "sleep", "5", says="did not end")
        self.vm("exec", name, "--", "true")

    def use(self, name):
        """What the guest tells of itself: by its agent, and by its balloon once somebody looked."""
        def looked():
            rows = json.loads(self.vm("top", "--interval", "1", "--json").stdout)["machines"]
            return next(row["use"] for row in rows if row["name"] == name)
        self.assertGreaterEqual(looked()["network_received"], 0)
        use = wait_for(lambda: (now := looked())["memory_free"] and now, "the guest's memory is not told")
        self.assertLess(use["memory_free"], use["memory_given"])

    def snapshot(self, name):
        self.vm("exec", name, "--", "sh", "-c", "echo before > /root/file; sync")
        self.vm("snapshot", "create", name, "s")
        self.vm("exec", name, "--", "sh", "-c", "echo after > /root/file; sync")
        self.vm("snapshot", "restore", name, "s")
        self.assertEqual(self.vm("exec", name, "--", "cat", "/root/file").stdout, "before\n")

    def reach_each_other(self, one, other):
        """Over the network that both joined; addresses of IPv6 come by themselves."""
        for name in (one, other):
            self.vm("exec", name, "--", "ip", "link", "set", "eth1", "up")
        address = wait_for(lambda: re.search(r"fe80::[0-9a-f:]+", self.vm("exec", other, "--", "ip", "-6", "addr", "show", "eth1").stdout),
                           "no address comes").group()
        wait_for(lambda: self.run_imgforge("vm", "exec", one, "--", "ping", "-c", "1", "-I", "eth1", address).returncode == 0,
                 "they do not reach each other", 30)

    def follow_memory(self, name):
        """A policy gives memory to a machine that needs some."""
        self.vm_fails(2, "resize", name, "--memory", "512M", says="384M..768M:30%")

        def given():
            events = map(json.loads, self.vm("logs", name, "--events").stdout.splitlines())
            return [event["bytes"] >> 20 for event in events if event["event"] == "memory"]

        wait_for(lambda: given()[:1] == [384], "it does not begin with what it needs", 60)
        hungry = self.start_vm("exec", name, "--", "sh", "-c", "head -c 200000000 /dev/zero | tail -c 200000000 | (sleep 60; wc -c)")
        wait_for(lambda: len(given()) > 1 and given()[-1] > 384, "it is not given more", 90)
        self.assertLessEqual(max(given()), 768)
        hungry.kill()
        self.vm("stop", name, "--kill")

    def stop_and_start(self, name, identity):
        self.vm("stop", name)
        self.assert_stopped_and_whole(name)
        self.assertEqual(json.loads(self.vm("show", name, "--json").stdout)["last"]["how"], "stopped")
        self.vm("start", name, "--for", "agent", timeout=400)
        self.assertEqual(self.vm("exec", name, "--", "cat", "/etc/machine-id").stdout.strip(), identity)
        self.vm("exec", name, "--", "reboot")
        wait_for(lambda: not any(s["name"] == "agent" for s in self.status(name)["states"]), "it does not restart")
        self.vm("wait", name, "--for", "agent", timeout=400)
        self.assertEqual(self.vm("exec", name, "--", "cat", "/etc/machine-id").stdout.strip(), identity)
        self.vm("exec", name, "--", "poweroff")
        self.vm("wait", name, "--for", "stopped")
        self.assertEqual(json.loads(self.vm("show", name, "--json").stdout)["last"]["how"], "the guest shut down")

    def test_a_command_in_a_disposable_machine(self):
        result = self.run_imgforge("vm", "run", "kodeimage", "--", "sh", "-c", "hostname; cat /proc/cmdline; exit 3", timeout=400)
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertRegex(result.stdout, r"^disposable-[0-9a-f]{8}\nroot=")
        self.assertNotIn("BOOT_IMAGE", result.stdout, "a boot loader was there")
        self.assertEqual(list(self.machines.glob("*")), [])
        self.assertEqual(list((self.out / ".clones").glob("*")), [])

    def test_a_release_that_is_not_what_was_signed_does_not_run(self):
        result = self.vm_fails(2, "run", "kodeimage", "--name", "kodeimage", says="name of a line")
        reference = f"kodeimage@{self.version()}"
        self.assertIn(reference, self.vm("base", "golden", "kodeimage").stdout)
        self.assertEqual(json.loads(self.vm("base", "--json").stdout)["bases"], {"golden": reference})
        self.vm("run", "golden", "--name", "good", "--for", "process", "--firmware", "kernel")
        settings = json.loads(self.vm("show", "good", "--json").stdout)["settings"]
        manifest = json.loads((self.out / "releases" / "kodeimage" / "current" / "manifest.json").read_text())
        self.assertEqual((settings["firmware"], settings["cmdline"]), ("kernel", manifest["kernel"]["cmdline"]))
        self.fails(1, "remove", f"kodeimage@{self.version()}")
        self.vm("remove", "good", "--kill")
        disk = next((self.out / "releases" / "kodeimage" / "current").glob("*.qcow2")).resolve()
        content = disk.read_bytes()
        disk.chmod(0o644)
        try:
            disk.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
            result = self.vm_fails(3, "run", "kodeimage", "--name", "bad")
            self.assertIsNone(self.state("bad"))
        finally:
            disk.write_bytes(content)
        self.assertNotIn("bad", result.stdout)


@NEEDS_ALPINE
class QuetzalCore(MachineCase, Case):
    """The story of a server as a virtual machine: it grows while it runs, and moves while it runs."""

    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        build_with_agent(cls, "quetzalcore-vm", "--format", "qcow2")

    def setUp(self):
        self.addCleanup(self.remove_all)

    def grow(self, name):
        def has():
            text = self.vm("exec", name, "--", "sh", "-c", "nproc; awk '/MemTotal/ {print $2}' /proc/meminfo").stdout
            return [int(word) for word in text.split()]
        cpus, memory = has()
        self.assertEqual(cpus, 1)
        self.vm("resize", name, "--memory", "640M", "--cpus", "2")
        wait_for(lambda: has()[0] == 2 and has()[1] > memory + 200_000, "what was added does not arrive")
        self.vm_fails(2, "resize", name, "--memory", "2G", says="at most 1G")
        self.vm_fails(2, "resize", name, "--cpus", "1", says="none can be taken away")

    def test_a_machine_that_grew_moves_while_it_runs(self):
        self.vm("run", "quetzalcore-vm", "--name", "grown", "--for", "agent", "--cpus", "1", "--max-cpus", "2", "--max-memory", "1G", timeout=400)
        self.grow("grown")
        self.vm("exec", "grown", "--", "sh", "-c", "echo here > /run/state; nproc > /run/before")
        there = self.scratch / "there"
        there.mkdir()
        self.vm("migrate", "grown", "--live", "--to", there, "--name", "moved", timeout=400)
        self.assertEqual(self.state("grown"), "gone")

        def other(*words):
            return self.run_imgforge("vm", *words, env={"XDG_STATE_HOME": str(there)})
        self.addCleanup(other, "remove", "moved", "--kill")
        result = wait_for(lambda: (done := other("exec", "moved", "--", "sh", "-c", "cat /run/state /run/before; nproc; "
                                                 "awk '/MemTotal/ {print $2}' /proc/meminfo; echo more > /root/file; sync")).returncode == 0
                          and done, "the agent does not answer there")
        state, before, now, memory = result.stdout.split()
        self.assertEqual((state, before, now), ("here", "2", "2"))
        self.assertGreater(int(memory), 450_000)  # it began with 384M
        self.assertEqual(other("stop", "moved", "--kill").returncode, 0)
        subprocess.run(["qemu-img", "check", "-q", there / "imgforge" / "machines" / "moved" / "disk.qcow2"], check=True)


if __name__ == "__main__":
    main()
