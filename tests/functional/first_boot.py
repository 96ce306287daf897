#!/usr/bin/env python3
"""First boot: the scripts of the image under busybox with a server that misbehaves and disks that fill.
first_boot_machine.py boots an image."""

import base64
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from first_boot_testing import BUSYBOX, Image, Server, Signer, model_list  # noqa: E402
from harness import PROGRAM, main, wait_for  # noqa: E402

VERIFIER = pathlib.Path(PROGRAM).parent / "first_boot" / "verify-signature"
SMALL = bytes(range(256)) * 16
DATA = bytes((i * 7 + i // 251) & 0xFF for i in range(300_000))
NEWER = DATA[::-1]


class Scripts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="first-boot.")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.server = Server()
        self.addCleanup(self.server.close)
        self.server.files = {"data": DATA, "newer": NEWER, "small": SMALL}

    def image(self, serial=1, rows=None, signer=None, **settings):
        image = Image(self.folder / f"root{len(list(self.folder.iterdir()))}", VERIFIER, **settings)
        if rows is None:
            rows = [("talker", "1", "talker.gguf", DATA, self.server.url("data"))]
        image.put_list(model_list(serial, rows), signer)
        image.answer(unattended="yes")
        return image

    def ok(self, image, program="setup", *arguments, **options):
        code, said = image.run(program, *arguments, **options)
        self.assertEqual(code, 0, said)
        return said

    def fails(self, code, text, image, program="setup", *arguments, **options):
        got, said = image.run(program, *arguments, **options)
        self.assertEqual(got, code, said)
        self.assertIn(text, said)
        return said

    def assert_installed(self, image, model="talker", version="1", file="talker.gguf", data=DATA):
        self.assertEqual(image.current(model), version)
        self.assertEqual((image.store / model / version / file).read_bytes(), data)
        names = [row["name"] + " " + row["version"] for row in json.loads((image.config / "model.json").read_text())["models"]]
        self.assertIn(f"{model} {version}", names)


class Downloads(Scripts):
    def test_unattended_set_up(self):
        image = self.image()
        self.ok(image, "setup", "--boot")
        self.assert_installed(image)
        self.assertEqual(json.loads((image.config / "config.json").read_text()),
                         {"schema": 1, "network": "dhcp", "model": "smallest", "interface": "text", "hostname": "factory",
                          "timezone": "UTC"})
        self.assertRegex((image.config / "setup_complete").read_text(), r"^\d{4}-\d\d-\d\dT[\d:]{8}Z\n$")
        self.assertIn("set-up is complete", image.log.read_text())
        asked = len(self.server.log)
        self.assertEqual(self.ok(image, "setup", "--boot"), "")
        self.assertEqual(len(self.server.log), asked)

    def test_cut_connections_go_on_where_they_stopped(self):
        self.server.faults["data"] = [("cut", 100_000), ("cut", 1), 503, ("stall", 50_000), ("cut", 10)]
        image = self.image()
        said = self.ok(image)
        self.assert_installed(image)
        begins = self.server.ranges("data")
        self.assertEqual(begins, [None, 100_000, 100_001, 100_001, 150_001, 150_011], said)

    def test_a_server_without_ranges(self):
        self.server.faults["data"] = [("cut", 100_000), "whole"]
        image = self.image()
        self.ok(image)
        self.assert_installed(image)

    def test_parts_of_different_files_are_thrown_away(self):
        other = bytes(len(DATA))
        self.server.files["other"] = other
        self.server.faults["other"] = [("cut", 100_000), 503, 503, 503, 503]
        rows = [("talker", "1", "talker.gguf", DATA, self.server.url("other") + " " + self.server.url("data"))]
        image = self.image(rows=rows)
        self.assertIn("starting over", self.ok(image))
        self.assert_installed(image)

    def test_wrong_bytes_are_never_used(self):
        self.server.files["data"] = DATA[:-1] + b"!"
        image = self.image()
        self.fails(3, "none of its sources has the right file", image)
        self.assertIsNone(image.current("talker"))
        self.assertEqual(list(image.store.rglob("*.gguf")), [])
        self.assertFalse((image.config / "setup_complete").exists())
        self.server.files["data"] = DATA
        self.ok(image)
        self.assert_installed(image)

    def test_another_source_has_the_right_bytes(self):
        self.server.files["bad"] = bytes(len(DATA))
        urls = " ".join(map(self.server.url, ["missing", "bad", "data"]))
        image = self.image(rows=[("talker", "1", "talker.gguf", DATA, urls)])
        self.ok(image)
        self.assert_installed(image)

    def test_more_than_announced_ends_at_the_size(self):
        self.server.files["data"] = DATA + bytes(50 << 20)
        image = self.image()
        self.fails(3, "wrong bytes", image)
        parts = [p.stat().st_size for p in (image.root / "var/lib/demo/first-boot/parts").iterdir()]
        self.assertLessEqual(max(parts, default=0), len(DATA) + 1024)

    def test_log_in_page_of_a_network(self):
        self.server.faults["data"] = [("bytes", b"<!DOCTYPE html><html>Welcome to the hotel</html>")] * 2
        image = self.image()
        self.assertIn("does this network want a log-in", self.ok(image))
        self.assert_installed(image)

    def test_unreachable(self):
        rows = [("talker", "1", "talker.gguf", DATA, "http://127.0.0.1:9/data")]
        self.fails(5, "not reached after 3 attempts", self.image(rows=rows))

    def test_more_than_the_disk_holds_is_not_begun(self):
        rows = [("talker", "1", "talker.gguf", (DATA, 10 ** 14, "0" * 64), self.server.url("data"))]
        self.fails(4, "of disk space", self.image(rows=rows))
        self.assertEqual(self.server.log, [])

    def test_several_files_make_one_model(self):
        rows = [("talker", "1", "parts/a.bin", DATA, self.server.url("data")),
                ("talker", "1", "b.json", SMALL, self.server.url("small")), ("talker", "1", "empty", b"", self.server.url("none"))]
        image = self.image(rows=rows)
        self.ok(image)
        self.assert_installed(image, file="parts/a.bin")
        self.assert_installed(image, file="b.json", data=SMALL)
        self.assertIn("talker 1: good", self.ok(image, "model", "verify"))
        (image.store / "talker/1/b.json").write_bytes(b"rot")
        self.fails(3, "b.json is not what the list says", image, "model", "verify")

    def test_models_that_came_with_the_image(self):
        image = self.image()
        folder = image.store / "ear" / "7"
        folder.mkdir(parents=True)
        (folder / "ear.safetensors").write_bytes(SMALL)
        (image.store / "ear" / "current").symlink_to("7")
        (image.config / "models.built").write_bytes(model_list(0, [("ear", "7", "ear.safetensors", SMALL, "-")]))
        self.ok(image)
        self.assert_installed(image)
        self.assert_installed(image, "ear", "7", "ear.safetensors", SMALL)
        self.assertEqual(self.ok(image, "model", "verify"), "ear 7: good\ntalker 1: good\n")
        (folder / "ear.safetensors").write_bytes(b"rot")
        said = self.fails(3, "ear.safetensors is not what the list says", image, "model", "verify")
        self.assertIn("talker 1: good", said)
        (image.config / "models.built").unlink()
        self.fails(3, "ear 7: the list does not know it", image, "model", "verify")

    def test_killed_again_and_again(self):
        self.server.slow = 400_000
        image = self.image(longest_wait="1")
        kills = 0
        while image.run_and_kill("setup", "--boot", after=0.05 + 0.13 * (kills % 5)):
            kills += 1
            self.assertLess(kills, 60)
        self.assert_installed(image)
        self.assertTrue((image.config / "setup_complete").exists())
        begins = [begin for begin in self.server.ranges("data") if begin]
        self.assertGreater(len(begins), 1)
        self.assertEqual([p.name for p in (image.store / "talker").iterdir() if p.name.startswith(".new")], [])
        print("killed", kills, "times, went on at", begins, file=sys.stderr)

    def test_two_runs_at_once(self):
        self.server.slow = 400_000
        image = self.image()
        first = image.start("setup")
        wait_for(lambda: self.server.ranges("data"), "nothing was asked for")
        self.assertIn("another run is at work", self.ok(image))
        self.assertEqual(first.wait(20), 0)
        self.assertEqual(self.server.ranges("data"), [None])


class Lists(Scripts):
    def test_a_signed_list_counts_and_a_changed_one_does_not(self):
        signer = Signer(self.folder)
        image = self.image(signer=signer)
        listed = (image.config / "models.list").read_bytes()
        for text, damage in {"not what was signed": lambda: (image.config / "models.list").write_bytes(listed + b"# more\n"),
                             "has no signature": (image.config / "models.list.minisig").unlink,
                             "signed with another key": lambda: (image.config / "models.list.minisig").write_bytes(
                                 Signer(self.folder, "stranger").sign(listed))}.items():
            damage()
            self.fails(3, text, image)
            self.assertEqual(self.server.log, [])
            image.put_list(listed, signer)
        verifier = image.library / "verify-signature"
        verifier.rename(verifier.with_suffix(".away"))
        self.fails(3, "nothing in this image can check", image)
        verifier.with_suffix(".away").rename(verifier)
        self.ok(image)
        self.assert_installed(image)

    def test_a_trusted_comment_and_a_key_that_were_changed(self):
        signer = Signer(self.folder)
        image = self.image(signer=signer)
        signature = image.config / "models.list.minisig"
        good = signature.read_text()
        signature.write_text(good.replace("timestamp:", "timestamp:1"))
        self.fails(3, "trusted comment was changed", image)
        signature.write_text(good)
        (image.config / "models.pub").write_text("untrusted comment: x\nRWQ\n")
        self.fails(3, "not a public key of minisign", image)

    def test_the_verifier_refuses_every_change(self):
        signer = Signer(self.folder)
        message = os.urandom(300)
        signature = signer.sign(message)
        key = signer.public.read_bytes()
        raw = [base64.b64decode(line) for line in (key.splitlines()[1], *signature.splitlines()[1::2])]

        def verdict(message, key, over_file, over_comment, comment=signature.splitlines()[2]):
            texts = {"m": message, "k": b"untrusted comment: k\n" + base64.b64encode(key) + b"\n",
                     "s": b"untrusted comment: s\n" + base64.b64encode(over_file) + b"\n" + comment + b"\n" +
                     base64.b64encode(over_comment) + b"\n"}
            for name, text in texts.items():
                (self.folder / name).write_bytes(text)
            return subprocess.run([VERIFIER, *(self.folder / n for n in "kms")], capture_output=True).returncode

        self.assertEqual(verdict(message, *raw), 0)
        parts = [message, *raw]
        for index, part in enumerate(parts):
            for at in range(0, len(part), max(1, len(part) // 40)):
                changed = part[:at] + bytes([part[at] ^ (1 << at % 8)]) + part[at + 1:]
                self.assertEqual(verdict(*parts[:index], changed, *parts[index + 1:]), 1, (index, at))
        # The same signature written with a number that is larger by the order of the group.
        order = 2 ** 252 + 27742317777372353535851937790883648493
        number = int.from_bytes(raw[1][42:], "little") + order
        self.assertEqual(verdict(message, raw[0], raw[1][:42] + number.to_bytes(32, "little"), raw[2]), 1)
        # A key of order one, for which R = s B is all that is asked.
        weak = raw[0][:10] + (1).to_bytes(32, "little")
        self.assertEqual(verdict(message, weak, raw[1][:10] + (1).to_bytes(32, "little") + bytes(32), raw[2]), 1)
        self.assertEqual(verdict(message, raw[0], b"Ed" + raw[1][2:], raw[2]), 1)

    def test_keys_and_signatures_of_imgforge(self):
        """What a build signs with: the key files that `imgforge key generate` writes."""
        environment = {**os.environ, "XDG_CONFIG_HOME": str(self.folder), "XDG_CACHE_HOME": str(self.folder)}
        subprocess.run([PROGRAM, "key", "generate", "lab", "--no-passphrase"], check=True, capture_output=True, env=environment)
        (public,) = {path.read_text() for path in self.folder.rglob("lab*.pub")}
        signer = Signer(self.folder)
        image = self.image(signer=signer)
        (image.config / "models.pub").write_text(public)
        self.fails(3, "signed with another key", image)

    def test_damaged_lists(self):
        image = self.image()
        sha256 = "0" * 64
        for row in ["a\t1\tf\t5\t" + sha256, "a\t1\t../f\t5\t" + sha256 + "\thttp://h/f", "a\t1\t/f\t5\t" + sha256 + "\thttp://h/f",
                    "a/b\t1\tf\t5\t" + sha256 + "\thttp://h/f", "a\tcurrent\tf\t5\t" + sha256 + "\thttp://h/f",
                    "a\t1\tf\t-5\t" + sha256 + "\thttp://h/f", "a\t1\tf\t5\t" + sha256[1:] + "\thttp://h/f",
                    "a\t1\tf\t5\t" + sha256 + "\tfile:///etc/passwd", "a\t1\tf\t5\t" + sha256 + "\thttp://h/$(id)`x`",
                    "a\t1\t$(id)\t5\t" + sha256 + "\thttp://h/f", "a\t1\t.f\t5\t" + sha256 + "\thttp://h/f"]:
            image.put_list((row + "\n").encode())
            self.fails(3, "the list of models is damaged, line 1", image)


class Answers(Scripts):
    def test_each_place_and_their_order(self):
        image = self.image()
        image.answer(hostname="from-file")
        (image.root / "proc/cmdline").write_text(
            "quiet imgforge.answer.hostname=from-cmdline imgforge.answer.interface=voice imgforge.unattended\n")
        fw_cfg = image.root / "sys/firmware/qemu_fw_cfg/by_name/opt/imgforge/answers"
        fw_cfg.mkdir(parents=True)
        (fw_cfg / "raw").write_bytes(b"interface=graphical\ntimezone=Europe/Vienna\n\0")
        (image.root / "shared").mkdir()
        (image.root / "shared/answers.conf").write_text("timezone=UTC\nmodel=none\r\nnetwork=10.1.2.3/24,10.1.2.1,9.9.9.9\n")
        self.ok(image, "setup", "--boot")
        self.assertEqual(json.loads((image.config / "config.json").read_text()),
                         {"schema": 1, "network": "10.1.2.3/24,10.1.2.1,9.9.9.9", "model": "none", "interface": "voice",
                          "hostname": "from-file", "timezone": "Europe/Vienna"})
        self.assertEqual((image.root / "etc/hostname").read_text(), "from-file\n")
        self.assertEqual(os.readlink(image.root / "etc/localtime"), "/usr/share/zoneinfo/Europe/Vienna")
        self.assertIn("set-up is complete", (image.root / "shared/demo-first-boot.log").read_text())
        self.assertEqual(self.server.log, [])

    def test_answers_that_cannot_be_used(self):
        image = self.image()
        image.answer(hostname="-bad-", network="10.1.2.300/24", timezone="../../etc/passwd", interface="$(reboot)", model="nobody",
                     unattended="yes")
        said = self.ok(image)
        for key in ("hostname", "network", "timezone", "interface", "model"):
            self.assertIn(f"the answer for {key} in the answers file cannot be used", said)
        self.assertEqual(json.loads((image.config / "config.json").read_text())["interface"], "text")

    def test_on_the_console(self):
        rows = [("talker", "1", "talker.gguf", DATA, self.server.url("data")), ("mute", "1", "m", SMALL, self.server.url("small"))]
        image = self.image(rows=rows)
        (image.config / "answers").unlink()
        said = self.ok(image, say="\nnothing\ntalker\nvoice\nstudio\n\n")
        self.assertIn("That cannot be used", said)
        self.assertRegex(said, r"mute +5 kB\n  talker +300 kB")
        self.assert_installed(image)
        config = json.loads((image.config / "config.json").read_text())
        self.assertEqual([config["model"], config["interface"], config["hostname"]], ["talker", "voice", "studio"])

    def test_without_a_list_there_is_no_question_about_it(self):
        image = self.image()
        (image.config / "answers").unlink()
        (image.config / "models.list").unlink()
        self.assertNotIn("Model:", self.ok(image, say="\n\n\n\n"))
        self.assertEqual(json.loads((image.config / "config.json").read_text())["model"], "none")
        self.assertEqual(json.loads((image.config / "model.json").read_text())["models"], [])

    def test_nobody_at_the_console(self):
        image = self.image()
        (image.config / "answers").unlink()
        self.fails(1, "asked again at the next start", image, "setup", "--boot")
        self.assertFalse((image.config / "config.json").exists())

    def test_what_was_answered_is_not_asked_again(self):
        image = self.image()
        (image.config / "answers").unlink()
        self.server.faults["data"] = [503] * 3
        self.fails(5, "not reached", image, say="dhcp\ntalker\nvoice\nstudio\nUTC\n")
        self.assertNotIn("first start of", self.ok(image, "setup", "--boot"))
        self.assert_installed(image)


class Updates(Scripts):
    def setUp(self):
        super().setUp()
        self.signer = Signer(self.folder)
        self.first = self.image(signer=self.signer, updates=self.server.url("models.list"))
        self.ok(self.first)

    def publish(self, serial, version="2", path="newer", data=NEWER, signer=None):
        listed = model_list(serial, [("talker", version, "talker.gguf", data, self.server.url(path))])
        self.server.files["models.list"] = listed
        self.server.files["models.list.minisig"] = (signer or self.signer).sign(listed)

    def check(self, script):
        (self.first.config / "model-check").write_text(f"#!{BUSYBOX} sh\n{script}\n")
        os.chmod(self.first.config / "model-check", 0o755)

    def test_update_and_rollback(self):
        self.publish(2)
        self.check('test "$1" = talker && test -f "$2/talker.gguf"')
        self.ok(self.first, "model", "update")
        self.assert_installed(self.first, version="2", data=NEWER)
        self.assertIn("is the newest", self.ok(self.first, "model", "update"))
        self.assertEqual(self.ok(self.first, "model", "status"), "talker 2 (before: 1)\n")
        self.ok(self.first, "model", "rollback")
        self.assert_installed(self.first)
        self.assertIn("talker 2 failed", self.ok(self.first, "model", "status"))
        self.fails(1, "there is no version before", self.first, "model", "rollback")
        self.fails(1, "is left alone", self.first, "model", "update")
        asked = len(self.server.ranges("newer"))
        self.ok(self.first, "model", "update", "--again")
        self.assert_installed(self.first, version="2", data=NEWER)
        self.assertEqual(len(self.server.ranges("newer")), asked)

    def test_a_failing_check_takes_the_update_back(self):
        self.publish(2)
        self.check("false")
        self.fails(1, "talker: back to 1", self.first, "model", "update")
        self.assert_installed(self.first)
        self.assertIn("talker 2 failed", self.ok(self.first, "model", "status"))

    def test_an_older_or_strange_list_is_refused(self):
        self.publish(5)
        self.ok(self.first, "model", "update")
        self.publish(4, version="3")
        self.fails(3, "has serial 4, older than 5", self.first, "model", "update")
        self.publish(5, version="3")
        self.fails(3, "another list with the serial 5", self.first, "model", "update")
        self.publish(6, version="3", signer=Signer(self.folder, "stranger"))
        self.fails(3, "signed with another key", self.first, "model", "update")
        self.server.files["models.list"] = b"x" * (9 << 20)
        self.fails(5, "the transfer broke off", self.first, "model", "update")
        self.assert_installed(self.first, version="2", data=NEWER)

    def test_without_a_key_nothing_from_the_network_counts(self):
        self.publish(2)
        (self.first.config / "models.pub").unlink()
        self.fails(3, "without the public key", self.first, "model", "update")

    def test_killed_at_many_points(self):
        """Whatever the moment, the model in use is whole and one of the two; the next starts end the update."""
        self.server.slow = 1_000_000
        self.publish(2)
        self.check(f"{BUSYBOX} sleep 0.3")
        kills = 0
        words = ("model", "update")
        while self.first.run_and_kill(*words, after=0.1 + 0.09 * kills):
            kills += 1
            version = self.first.current("talker")
            data = (self.first.store / "talker" / version / "talker.gguf").read_bytes()
            self.assertEqual(data, {"1": DATA, "2": NEWER}[version])
            self.assertLess(kills, 30)
        self.ok(self.first, "setup", "--boot")
        self.assertEqual(list((self.first.root / "var/lib/demo/first-boot").glob("checking")), [])
        version = self.first.current("talker")
        self.assert_installed(self.first, version=version, data={"1": DATA, "2": NEWER}[version])
        print("killed", kills, "times, ended with version", version, file=sys.stderr)

    def test_the_next_start_ends_a_killed_update(self):
        self.server.slow = 150_000
        self.publish(2)
        self.assertTrue(self.first.run_and_kill("model", "update", when=lambda: self.server.ranges("newer")))
        self.assertEqual(self.first.current("talker"), "1")
        self.server.slow = None
        self.assertIn("going on with an update", self.ok(self.first, "setup", "--boot"))
        self.assert_installed(self.first, version="2", data=NEWER)

    def test_a_check_that_takes_the_machine_down(self):
        self.publish(2)
        at_work = self.folder / "check-at-work"
        self.check(f": >'{at_work}'\n{BUSYBOX} sleep 60")
        self.assertTrue(self.first.run_and_kill("model", "update", when=at_work.exists))
        self.assertEqual(self.first.current("talker"), "2")
        at_work.unlink()
        self.assertTrue(self.first.run_and_kill("setup", "--boot", when=at_work.exists))
        self.fails(1, "did not survive its check", self.first, "setup", "--boot")
        self.assert_installed(self.first)

    def test_words_that_make_no_sense(self):
        for words in ([], ["updaet"], ["update", "now"], ["rollback", "../x"], ["install"]):
            self.fails(2, "usage: demo-model", self.first, "model", *words)


@unittest.skipUnless(os.geteuid() == 0, "mounts a small file system")
class FullDisks(Scripts):
    """A disk of 14 MB with version 1 in use, on which somebody else writes while version 2 comes."""

    def setUp(self):
        super().setUp()
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=14m", "tmpfs", self.disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)
        signer = Signer(self.folder)
        self.one = Image(self.disk, VERIFIER, updates=self.server.url("models.list"))
        self.one.put_list(model_list(1, [("talker", "1", "talker.gguf", SMALL, self.server.url("small"))]), signer)
        self.one.answer(unattended="yes")
        self.ok(self.one)
        self.server.files["large"] = self.large = DATA * 20
        listed = model_list(2, [("talker", "2", "talker.gguf", self.large, self.server.url("large"))])
        self.server.files.update({"models.list": listed, "models.list.minisig": signer.sign(listed)})

    def free(self):
        row = os.statvfs(self.disk)
        return row.f_bavail * row.f_frsize

    def part(self):
        return sum(path.stat().st_size for path in (self.one.root / "var/lib/demo/first-boot/parts").glob("*"))

    def fill(self, leave):
        with open(self.disk / "of-somebody-else", "wb", buffering=0) as file:
            try:
                while self.free() > leave:
                    file.write(bytes(min(65536, self.free() - leave)))
            except OSError:
                self.assertEqual(leave, 0)

    def update_while_the_disk_fills(self, speed, leave):
        self.server.slow = speed
        with concurrent.futures.ThreadPoolExecutor() as pool:
            done = pool.submit(self.one.run, "model", "update")
            while self.part() < 4_500_000:
                self.assertFalse(done.done(), "the update ended early")
                time.sleep(0.02)
            self.fill(leave)
            code, said = done.result()
        self.server.slow = None
        self.assertEqual(code, 4, said)
        message = r"talker 2 talker.gguf: the disk is full: [\d.]+ (MB|kB) are still to come, [\d.]+ (MB|kB) are free"
        self.assertRegex(said, message)
        self.assertRegex(self.one.log.read_text(), message)
        self.assert_installed(self.one, data=SMALL)

    def goes_on_when_there_is_room(self):
        part, asked = self.part(), len(self.server.ranges("large"))
        self.assertGreater(part, 400_000)
        self.fails(4, "of disk space", self.one, "setup", "--boot")
        self.assertEqual(len(self.server.ranges("large")), asked, "without room nothing is fetched")
        self.assert_installed(self.one, data=SMALL)
        (self.disk / "of-somebody-else").unlink()
        self.assertIn("going on with an update", self.ok(self.one, "setup", "--boot"))
        self.assertEqual(self.server.ranges("large")[asked:], [part])
        self.assert_installed(self.one, version="2", data=self.large)

    def test_filled_to_the_last_byte(self):
        self.update_while_the_disk_fills(speed=4_000_000, leave=0)
        # What came last is given back, so that the machine can write its log.
        self.assertGreater(self.free(), 3_900_000)
        self.goes_on_when_there_is_room()

    def test_stopped_before_it_is_full(self):
        self.update_while_the_disk_fills(speed=1_200_000, leave=1_900_000)
        self.assertGreater(self.free(), 4_300_000, "it did not wait until nothing was left")
        self.goes_on_when_there_is_room()

    def test_a_list_that_finds_no_room_is_not_called_forged(self):
        (self.one.config / "setup_complete").unlink()
        shutil.rmtree(self.one.root / "var/lib/demo/first-boot/believed")
        self.fill(leave=0)
        said = self.fails(1, "the list of models cannot be copied", self.one)
        self.assertNotIn("refused", said)
        (self.disk / "of-somebody-else").unlink()
        self.ok(self.one)


if __name__ == "__main__":
    main()
