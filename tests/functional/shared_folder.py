#!/usr/bin/env python3
"""The shared folder of host and machine: the scripts of the image under the host's busybox, the commands of the host, and
unhinged-os as a machine that is talked to."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import NEEDS_ALPINE, SOURCE, Case, FreshCase, children_of, main, wait_for  # noqa: E402
from machine_case import MachineCase, build_with_agent  # noqa: E402

SCRIPTS = SOURCE / "builder" / "shared_folder" / "scripts"
BUSYBOX = shutil.which("busybox")
ALLOWED = ["shutdown: graceful", "restart: voice-service", "restart: broken", "config: voice-sensitivity=low",
           "config: voice-sensitivity=high"]
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: (.*)")


def texts(file):
    """What the lines of vm-to-host.txt say."""
    return [LINE.fullmatch(line).group(1) for line in file.read_text().splitlines()] if file.exists() else []


class Image:
    """A folder that stands for an image with the service in it. Its rc-service and poweroff only write down what they were asked."""

    def __init__(self, folder):
        self.root = folder
        self.library = folder / "usr/lib/imgforge/shared-folder"
        self.shared = folder / "shared"
        self.orders, self.report = self.shared / "host-to-vm.txt", self.shared / "vm-to-host.txt"
        self.audit, self.asked = folder / "var/log/shared-folder.log", folder / "asked"
        self.library.mkdir(parents=True)
        for script in SCRIPTS.glob("*.sh"):
            shutil.copy(script, self.library / (script.name if script.stem == "common" else script.stem))
        (folder / "etc/shared-folder").mkdir(parents=True)
        (folder / "etc/shared-folder/allowed").write_text("".join(line + "\n" for line in ALLOWED))
        (folder / "sbin").mkdir()
        for name in ("rc-service", "poweroff"):
            (folder / "sbin" / name).write_text(f'#!{BUSYBOX} sh\necho {name} "$@" >> {self.asked}\n[ "$1" != broken ] || exit 3\n')
            (folder / "sbin" / name).chmod(0o755)

    def words(self, program, *arguments):
        return [BUSYBOX, "sh", str(self.library / program), *arguments]

    def run(self, program, *arguments):
        return subprocess.run(self.words(program, *arguments), env=self.environment(), text=True, timeout=60, capture_output=True)

    def environment(self):
        return {"IMGFORGE_ROOT": str(self.root), "PATH": "/nowhere"}

    def order(self, text):
        with open(self.orders, "a") as file:
            file.write(text)

    def value(self, key="voice-sensitivity"):
        file = self.root / "etc/shared-folder/config" / key
        return file.read_text() if file.exists() else None


class Guest(unittest.TestCase):
    """The service of the image, without a machine."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="shared-folder.")
        self.addCleanup(folder.cleanup)
        self.image = Image(pathlib.Path(folder.name))
        self.process = None
        self.addCleanup(self.stop)

    def start(self):
        done = self.image.run("mount")
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        heard = texts(self.image.report).count("listening")
        self.process = subprocess.Popen(self.image.words("serve"), env=self.image.environment(), stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, start_new_session=True)
        wait_for(lambda: texts(self.image.report).count("listening") > heard, "the service does not listen")

    def stop(self):
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            said = self.process.stderr.read().decode()
            self.process.stderr.close()
            self.process = None
            self.assertEqual(said, "")

    def answered(self, text):
        wait_for(lambda: text in texts(self.image.report), f"no answer: {text}")

    def rounds(self, number=3):
        """Waits until the service has looked so often: each time it then sleeps, which is a process."""
        seen = set()
        wait_for(lambda: seen.update(children_of(self.process.pid)) or len(seen) > number, "the service does not look")

    def asked(self):
        return self.image.asked.read_text().splitlines() if self.image.asked.exists() else []

    def test_commands_that_are_allowed_are_carried_out_and_answered(self):
        self.start()
        self.image.order("restart: voice-service #1\n")
        self.answered("#1 done: restart: voice-service")
        self.image.order("config: voice-sensitivity=high #2\nmessage: grüß dich #3\nrestart: broken #4\n")
        self.answered("#2 done: config: voice-sensitivity=high")
        self.answered("#3 done: message: grüß dich")
        self.answered("#4 failed: restart: broken (exit code 3)")
        self.assertEqual(self.image.value(), "high\n")
        self.assertEqual((self.image.shared / "config/voice-sensitivity").read_text(), "high\n")
        self.assertEqual(self.asked(), ["rc-service voice-service restart", "rc-service broken restart"])
        for folder in ("build-artifacts", "logs", "config"):
            self.assertTrue((self.image.shared / folder).is_dir())
        self.image.order("shutdown: graceful #5\n")
        self.answered("#5 done: shutdown: graceful")
        wait_for(lambda: "poweroff" in self.asked(), "it does not shut down")

    def test_lines_as_people_write_them_have_no_number(self):
        self.start()
        self.image.order("# a comment\n\nrestart: voice-service\n")
        self.answered("done: restart: voice-service")
        self.image.order("restart: voi")
        wait_for(lambda: (self.image.root / "run/shared-folder/piece").read_text() == "restart: voi", "the piece is not seen")
        self.image.order("ce-service\n")
        wait_for(lambda: len(self.asked()) == 2, "a line in two pieces is not done")

    def test_what_is_not_allowed_is_refused_and_not_done(self):
        self.start()
        lines = ["restart: sshd", "restart: voice-service; reboot", "restart: $(touch /tmp/x)", "restart: voice-service\trestart",
                 "restart: *", "config: voice-sensitivity=off", "config: ../x=high", "config: voice-sensitivity=high ", "shutdown: now",
                 "run: id", "restart", "restart:", "RESTART: voice-service", "restart: .oice-service", "message: ", "x" * 250, "`id`",
                 "-e restart: voice-service", "restart: voice-service\\n"]
        for number, line in enumerate(lines, 1):
            self.image.order(f"{line} #{number}\n")
        wait_for(lambda: any(text.startswith(f"#{len(lines)} ") for text in texts(self.image.report)), "not all are answered")
        answers = [text for text in texts(self.image.report) if text.startswith("#")]
        self.assertEqual(len(answers), len(lines))
        for number, (line, answer) in enumerate(zip(lines, answers), 1):
            self.assertEqual(answer, f"#{number} refused: {line} (not allowed by this image)".replace("\t", "?"))
        self.assertEqual(self.asked(), [])
        self.assertIsNone(self.image.value())

    def test_nothing_is_done_twice_and_nothing_that_was_there_before(self):
        self.image.shared.mkdir()
        self.image.order("shutdown: graceful #1\n")
        self.start()
        self.image.order("restart: voice-service #7\n")
        self.answered("#7 done: restart: voice-service")
        self.image.order("restart: voice-service #7\nrestart: voice-service #6\n")
        self.answered("#6 refused: restart: voice-service (a later number was used before)")
        self.stop()
        self.image.order("config: voice-sensitivity=low #8\n")
        self.start()  # in the same boot it goes on where it was
        self.answered("#8 done: config: voice-sensitivity=low")
        self.stop()
        shutil.rmtree(self.image.root / "run")
        shutil.rmtree(self.image.root / "etc/shared-folder/config")
        self.image.order("restart: voice-service #9\n")
        self.start()
        self.image.order("restart: voice-service #10\n")
        self.answered("#10 done: restart: voice-service")
        self.assertEqual(self.asked(), ["rc-service voice-service restart"] * 2)
        self.assertEqual(self.image.value(), "low\n", "what the folder keeps does not count after a restart")
        (self.image.shared / "config/voice-sensitivity").write_text("off; reboot\n")
        self.stop()
        self.start()
        self.assertEqual(self.image.value(), "low\n")

    def test_a_service_that_is_killed_does_no_command_twice(self):
        for number in range(1, 16):
            self.start()
            self.image.order(f"restart: voice-service #{number}\n")
            time.sleep(number * 0.01)
            self.stop()
        self.start()
        self.image.order("message: end #99\n")
        self.answered("#99 done: message: end")
        self.assertLessEqual(len(self.asked()), 15)
        notes = self.image.audit.read_text()
        for number in range(1, 16):
            self.assertLessEqual(notes.count(f" #{number} asked: "), 1)

    def test_a_file_that_begins_anew_is_followed_and_the_one_before_read_to_its_end(self):
        self.start()
        self.image.order("restart: voice-service #1\n")
        self.answered("#1 done: restart: voice-service")
        os.killpg(self.process.pid, signal.SIGSTOP)
        self.image.order("restart: voice-service #2\n" * 1 + "".join(f"message: m #{n}\n" for n in range(3, 15)))
        self.image.orders.rename(f"{self.image.orders}.1")
        self.image.order("restart: voice-service #15\n")
        os.killpg(self.process.pid, signal.SIGCONT)
        self.answered("#15 done: restart: voice-service")
        for number in range(2, 15):
            self.assertEqual(sum(text.startswith(f"#{number} done") for text in texts(self.image.report)), 1)

    def test_floods_long_lines_and_bytes_of_all_kinds(self):
        self.start()
        self.image.order("x" * 20_000 + "\nrestart: voice-service #1\n")
        self.answered("refused: a line is too long")
        self.answered("#1 done: restart: voice-service")
        self.image.order("y" * 1000 + " #2\n")
        wait_for(lambda: any(text.startswith("#2 refused: yyy") for text in texts(self.image.report)), "no answer")
        with open(self.image.orders, "ab") as file:
            file.write(b"z" * 100_000 + b"\n")
        wait_for(lambda: any(re.match(r"refused: \d+ bytes at once", text) for text in texts(self.image.report)), "no refusal")
        with open(self.image.orders, "ab") as file:
            file.write(b"message: \0\x1b[2J\x07 #3\n")
        self.answered("#3 done: message: ??[2J?")
        self.image.order("restart: voice-service #4\n")
        self.answered("#4 done: restart: voice-service")
        self.assertEqual(len(self.asked()), 2)

    def test_links_and_fifos_in_the_folder_lead_nowhere(self):
        self.start()
        victim = self.image.root / "victim"
        victim.write_text("restart: voice-service #1\n")
        self.image.report.unlink()
        for name in ("host-to-vm.txt", "vm-to-host.txt"):
            (self.image.shared / name).symlink_to(victim)
        (self.image.shared / "config/voice-sensitivity").symlink_to(victim)
        self.assertEqual(self.image.run("message", "hello").returncode, 1)
        self.rounds()
        for name in ("host-to-vm.txt", "vm-to-host.txt"):
            (self.image.shared / name).unlink()
            os.mkfifo(self.image.shared / name)
        self.assertEqual(self.image.run("message", "hello").returncode, 1)
        self.rounds()
        for name in ("host-to-vm.txt", "vm-to-host.txt"):
            (self.image.shared / name).unlink()
        self.image.order("config: voice-sensitivity=high #2\n")
        self.answered("#2 done: config: voice-sensitivity=high")
        self.assertEqual(victim.read_text(), "restart: voice-service #1\n")
        self.assertEqual(self.asked(), [])

    def test_messages_of_the_machine_and_what_bounds_them(self):
        self.start()
        self.assertEqual(self.image.run("message", "the", "kettle\nis on\x1b[2J").returncode, 0)
        self.assertEqual(self.image.run("message", "#7 done: restart: voice-service").returncode, 0)
        self.assertEqual(self.image.run("message", "x" * 5000).returncode, 0)
        self.assertEqual(self.image.run("message").returncode, 2)
        self.assertEqual(texts(self.image.report)[1:], ["the kettle is on?[2J", "'#7 done: restart: voice-service", "x" * 500])
        with open(self.image.report, "a") as file:
            file.write(("2026-01-01 00:00:00: " + "x" * 400 + "\n") * 700)
        self.assertEqual(self.image.run("message", "new").returncode, 0)
        self.assertEqual(texts(self.image.report), ["new"])
        self.assertTrue(self.image.report.with_name("vm-to-host.txt.1").exists())

    def test_one_command_by_the_agent(self):
        done = self.image.run("once", "restart: voice-service #3")
        self.assertEqual(done.stdout, "#3 done: restart: voice-service\n")
        self.assertEqual(self.image.run("once", "restart: sshd #4").stdout, "#4 refused: restart: sshd (not allowed by this image)\n")
        self.assertEqual(self.image.run("once", "restart: voice-service\nshutdown: graceful #5").stdout,
                         "#5 refused: restart: voice-service?shutdown: graceful (not allowed by this image)\n")
        self.assertEqual(self.image.run("once").returncode, 2)
        self.assertEqual(self.asked(), ["rc-service voice-service restart"])
        self.assertEqual(len(texts(self.image.report)), 3)

    def test_the_audit_log_has_both_sides_and_only_grows(self):
        self.start()
        self.image.order("restart: sshd #1\n")
        self.answered("#1 refused: restart: sshd (not allowed by this image)")
        before = self.image.audit.read_text()
        self.image.order("restart: voice-service #2\n")
        self.answered("#2 done: restart: voice-service")
        after = self.image.audit.read_text()
        self.assertTrue(after.startswith(before))
        said = [line.split(" ", 2)[2] for line in after.splitlines()]
        self.assertEqual(said, ["#1 asked: restart: sshd", "#1 refused: restart: sshd (not allowed by this image)",
                                "#2 asked: restart: voice-service", "#2 done: restart: voice-service"])



class Host(MachineCase, FreshCase):
    """The commands of the host on a machine without a system in it; the test writes what one would."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.remove_all)
        self.shared = self.scratch / "shared"
        self.shared.mkdir()
        self.orders, self.report = self.shared / "host-to-vm.txt", self.shared / "vm-to-host.txt"
        disk = self.scratch / "blank.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "64M"], check=True)
        self.run_blank = lambda name, *words: self.vm("run", disk, "--name", name, "--for", "process", *words)

    def say(self, text):
        with open(self.report, "a") as file:
            file.write(text)

    def guest(self, reply):
        """Answers each new line of host-to-vm.txt by what `reply` makes of it."""
        ended = threading.Event()

        def follow():
            seen = 0
            while not ended.wait(0.02):
                lines = self.orders.read_text().splitlines() if self.orders.is_file() else []
                for line in lines[seen:]:
                    self.say(reply(line))
                seen = len(lines)

        thread = threading.Thread(target=follow)
        thread.start()
        self.addCleanup(lambda: (ended.set(), thread.join()))

    @staticmethod
    def answer(outcome="done", reason=""):
        def reply(line):
            command, _, number = line.rpartition(" #")
            return f"2026-11-20 01:02:03: #{number} {outcome}: {command}{reason}\n"
        return reply

    def commands(self, name="a"):
        return [json.loads(line) for line in self.vm("log", name, "--commands").stdout.splitlines()]

    def test_commands_are_numbered_answered_and_written_down(self):
        self.run_blank("a", "--share", self.shared)
        self.guest(lambda line: self.answer("failed", " (exit code 3)")(line) if "broken" in line else self.answer()(line))
        self.assertEqual(self.vm("command", "a", "restart", "voice-service").stdout, "#1 done: restart: voice-service\n")
        self.assertEqual(self.run_imgforge("vm", "command", "a", "restart", "broken").returncode, 1)
        found = json.loads(self.vm("command", "a", "shutdown", "--json").stdout)
        self.assertEqual(found, {"schema": 1, "name": "a", "number": 3, "command": "shutdown: graceful", "way": "folder",
                                 "outcome": "done", "text": "shutdown: graceful"})
        self.vm("message", "a", "grüß", "dich")
        self.assertEqual(self.orders.read_text(), "restart: voice-service #1\nrestart: broken #2\nshutdown: graceful #3\n"
                         "message: grüß dich #4\n")
        rows = self.commands()
        self.assertEqual([(row["number"], row.get("asked"), row.get("outcome")) for row in rows],
                         [(1, "restart: voice-service", None), (1, None, "done"), (2, "restart: broken", None), (2, None, "failed"),
                          (3, "shutdown: graceful", None), (3, None, "done"), (4, "message: grüß dich", None), (4, None, "done")])
        self.vm_fails(2, "command", "a", "restart", "a b", says="is no command")
        self.vm_fails(2, "command", "a", "reboot", says="is no command")
        self.vm_fails(2, "message", "a", "two\nlines", says="one line")
        self.assertEqual(len(self.commands()), 8)
        self.vm("stop", "a", "--kill")
        self.vm_fails(2, "command", "a", "shutdown", says="does not run")

    def test_of_many_at_once_each_has_its_number_and_more_than_a_minute_takes_are_refused(self):
        self.run_blank("a", "--share", self.shared)
        self.guest(self.answer())
        for process in [self.start_vm("command", "a", "restart", "x") for _ in range(12)]:
            self.assertEqual(process.wait(timeout=60), 0, process.stderr.read())
        numbers = [int(line.rpartition("#")[2]) for line in self.orders.read_text().splitlines()]
        self.assertEqual(numbers, list(range(1, 13)))
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with open(self.machines / "a" / "shared.log", "a") as file:
            file.writelines(json.dumps({"time": now, "number": number, "asked": "restart: x"}) + "\n" for number in range(13, 73))
        self.vm_fails(2, "command", "a", "restart", "x", says="60 commands within a minute")

    def test_no_answer_and_answers_that_were_not_asked_for(self):
        self.run_blank("a", "--share", self.shared)
        self.vm_fails(1, "command", "a", "restart", "x", "--timeout", "1", says=["no answer to #1 within 1 s", "a kernel with 9p"])
        self.guest(lambda line: "#2 done: no time\n2026-11-20 01:02:03: #77 done: x\n2026-11-20 01:02:03: #2\n"
                   "2026-11-20 01:02:03: #2 perhaps: x\n2026-11-20 01:02:03: #1 done: late\n" + self.answer("refused")(line))
        result = self.vm_fails(1, "command", "a", "restart", "x", says="#77, which it was never asked")
        self.assertEqual(result.stdout, "#2 refused: restart: x\n")
        self.assertEqual([row["outcome"] for row in self.commands() if "outcome" in row], ["no answer", "refused"])

    def test_the_machine_that_ends_before_it_answers(self):
        self.run_blank("a", "--share", self.shared)
        waiting = self.start_vm("command", "a", "restart", "y")
        wait_for(self.orders.exists, "it is not asked")
        self.vm("stop", "a", "--kill")
        self.assertEqual(waiting.wait(timeout=30), 1)
        self.assertIn("ended before it answered", waiting.stderr.read())

    def test_what_is_no_plain_file_is_not_opened(self):
        self.run_blank("a", "--share", self.shared)
        outside = self.scratch / "outside"
        outside.write_text("secret\n")
        makers = {"a link": lambda file: file.symlink_to(outside), "a FIFO": os.mkfifo, "a folder": pathlib.Path.mkdir,
                  "another name": lambda file: os.link(outside, file)}
        for says, make in makers.items():
            for file in (self.orders, self.report):
                make(file)
                self.vm_fails(3, "command", "a", "restart", "x", says=says)
                if file == self.report:
                    self.assertNotIn("secret", self.vm_fails(3, "log", "a", says=says).stdout)
                file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink()
        self.assertEqual(outside.read_text(), "secret\n")
        self.assertEqual({row["outcome"] for row in self.commands() if "outcome" in row}, {"not sent"})

    def test_the_log_is_escaped_bounded_and_followed_into_a_new_file(self):
        self.run_blank("a", "--share", self.shared)
        self.say("2026-11-20 01:02:03: the kettle \x1b]0;x\x07is on\nno time\n2026-11-20 01:02:04: #5 done: x\n")
        self.report.write_bytes(self.report.read_bytes() + b"\xff\n" + b"y" * 10_000 + b"\n2026-11-20 01:02:05: last\n")
        shown = self.vm("log", "a").stdout.splitlines()
        self.assertEqual(shown[:4], ["2026-11-20 01:02:03: the kettle \\x1b]0;x\\x07is on", "no time", "2026-11-20 01:02:04: #5 done: x",
                                     "\\xff"])
        self.assertLess(len(shown[4]), 3000)
        self.assertEqual(self.vm("log", "a", "--lines", "1").stdout, "2026-11-20 01:02:05: last\n")
        row = json.loads(self.vm("log", "a", "--json").stdout.splitlines()[2])
        self.assertEqual((row["number"], row["outcome"]), (5, "done"))
        follower = self.start_vm("log", "a", "--follow")
        while follower.stdout.readline() != "2026-11-20 01:02:05: last\n":
            pass
        self.say("2026-11-20 01:02:06: one\n")
        self.assertEqual(follower.stdout.readline(), "2026-11-20 01:02:06: one\n")
        self.report.rename(self.shared / "vm-to-host.txt.1")
        self.say("2026-11-20 01:02:07: two\n")
        self.assertEqual(follower.stdout.readline(), "2026-11-20 01:02:07: two\n")
        self.say(("2026-11-20 01:02:08: " + "z" * 200 + "\n") * 30_000)
        self.say("2026-11-20 01:02:09: end\n")
        self.vm("stop", "a", "--kill")
        out, err = follower.communicate(timeout=60)
        self.assertTrue(out.endswith("2026-11-20 01:02:09: end\n"), out[-300:])
        self.assertLess(len(out), 3 << 20)
        self.assertIn("are passed over", err)
        self.assertIn("end\n", self.vm("log", "a", "--lines", "1").stdout)

    def test_ways_that_are_not_there_are_said(self):
        self.run_blank("a")
        self.vm_fails(2, "command", "a", "shutdown", says=["no folder is shared", "--share DIR"])
        self.vm_fails(2, "log", "a", says="no agent listens")
        self.run_blank("b", "--share", f"{self.shared}:ro")
        self.vm_fails(2, "command", "b", "shutdown", says="shared read-only")


@NEEDS_ALPINE
class Story(MachineCase, Case):
    """unhinged-os as a machine that is talked to."""

    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        build_with_agent(cls, "unhinged-os", "--profile", "minimal", "--format", "qcow2")

    def command(self, *words):
        found = json.loads(self.vm("command", "voice", *words, "--json").stdout)
        self.assertEqual(found["outcome"], "done")
        return found

    def inside(self, *words):
        return self.vm("exec", "voice", "--", *words).stdout

    def test_commands_and_messages_until_it_shuts_down(self):
        self.addCleanup(self.remove_all)
        shared = self.scratch / "shared"
        shared.mkdir()
        report = shared / "vm-to-host.txt"
        (shared / "host-to-vm.txt").write_text("shutdown: graceful #1\n")  # of an earlier machine
        self.vm("run", "unhinged-os-minimal", "--name", "voice", "--share", shared, timeout=400)
        self.vm("wait", "voice", "--for", "agent", timeout=400)
        self.assertEqual(self.inside("cat", "/run/voice-service"), "sensitivity=medium\n")
        self.assertIn("listening\n", self.vm("log", "voice").stdout)
        self.assertEqual(self.command("config", "voice-sensitivity=high")["way"], "folder")
        self.assertEqual((shared / "config/voice-sensitivity").read_text(), "high\n")
        self.command("restart", "voice-service")
        self.assertEqual(self.inside("cat", "/run/voice-service"), "sensitivity=high\n")
        self.vm("message", "voice", "tea", "is", "ready")
        self.assertIn("tea is ready", self.inside("grep", "-h", "shared-folder", "/var/log/messages"))
        self.vm_fails(2, "command", "voice", "restart", "sshd", says=["does not allow", "restart: voice-service"])
        with open(shared / "host-to-vm.txt", "a") as file:
            file.write("restart: sshd\n")
        wait_for(lambda: "refused: restart: sshd (not allowed by this image)" in self.vm("log", "voice").stdout, "no refusal")
        follower = self.start_vm("log", "voice", "--follow", "--lines", "1")
        follower.stdout.readline()
        self.inside("shared-message", "the kettle is on")
        self.assertRegex(follower.stdout.readline(), r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: the kettle is on\n$")
        os.utime(report, (1, 1))  # as of a machine whose kernel has no 9p
        result = self.vm("log", "voice", "--lines", "1")
        self.assertIn("the kettle is on", result.stdout)
        self.assertIn("its agent is asked", result.stderr)
        found = self.run_imgforge("vm", "command", "voice", "config", "voice-sensitivity=low", "--json")
        self.assertEqual(json.loads(found.stdout)["way"], "agent", found.stderr)
        self.assertIn("its agent is asked", found.stderr)
        audit = self.inside("cat", "/var/log/shared-folder.log").splitlines()
        self.assertEqual([line.split(" ", 2)[2] for line in audit if " asked: " in line][-1],
                         "#4 asked: config: voice-sensitivity=low")
        self.command("shutdown")
        self.vm("wait", "voice", "--for", "stopped")
        self.assertEqual(json.loads(self.vm("show", "voice", "--json").stdout)["last"]["how"], "the guest shut down")
        self.assertIn("#5 done: shutdown: graceful", follower.communicate(timeout=60)[0])
        self.assertIn("#5 done: shutdown: graceful", self.vm("log", "voice", "--lines", "1").stdout)


if __name__ == "__main__":
    main()
