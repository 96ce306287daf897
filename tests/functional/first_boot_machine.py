#!/usr/bin/env python3
"""The recipe digios with a safetensors file in the image and a GGUF file that the machine fetches itself over https: built,
booted, killed while it downloads, booted again; bad updates that are taken back, a good one that is cut off, a rollback."""

import hashlib
import json
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from first_boot_testing import Server, Signer, certificates, model_list  # noqa: E402
from harness import NEEDS_ALPINE, RELEASE, SOURCE, Case, Mirror, generic_kernel, main  # noqa: E402
from machine_console import QEMU, Console  # noqa: E402
from model_files import gguf, safetensors  # noqa: E402

HOST = "10.0.2.2"  # this machine, as QEMU's user network shows it to a guest
STORE = "/var/lib/digios/models"
CHECK = '#!/bin/sh\n# A model in use must be a GGUF file.\n[ "$(head -c 4 "$2/talker.gguf")" = GGUF ]\n'


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@NEEDS_ALPINE
class Machine(Case):
    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mirror = Mirror(cls.scratch, "--kernel-from", generic_kernel())
        cls.addClassCleanup(cls.mirror.close)
        authority, identity = certificates(cls.scratch / "tls", HOST)
        _, strange = certificates(cls.scratch / "strange", HOST)
        cls.server, cls.plain, cls.stranger = Server(identity), Server(), Server(strange)
        for server in (cls.server, cls.plain, cls.stranger):
            cls.addClassCleanup(server.close)
        cls.shared = cls.scratch / "shared"
        cls.shared.mkdir()
        (cls.shared / "answers.conf").write_text("model=talker\ninterface=voice\n")
        cls.talker, cls.newer, cls.ear = gguf(8 << 20, 1), gguf(2 << 20, 2), safetensors()
        (cls.scratch / "ear.safetensors").write_bytes(cls.ear)
        for server in (cls.server, cls.stranger):
            server.files = {"1/talker.gguf": cls.talker, "2/talker.gguf": cls.newer}
        cls.run_imgforge("key", "generate", "digios@test", "--no-passphrase").check_returncode()
        cls.signer = Signer(cls.scratch, secret=cls.home / "config" / "imgforge" / "keys" / "digios@test.key")
        cls.shipped = cls.served_copy(SOURCE / "recipes" / "digios.yaml", cls.mirror)
        cls.text = cls.shipped.read_text()
        cls.authority = authority
        cls.first = cls.build(cls.talker, "1/talker.gguf", cls.out, "qcow2", "rootfs")
        cls.disk = cls.scratch / "disk.qcow2"
        image = (cls.out / "images" / "digios-headless.qcow2").resolve()
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", image, cls.disk], check=True)

    @classmethod
    def build(cls, talker, path, output_dir, *formats, more=()):
        """Builds the recipe with this model. Returns the list and its signature as they are in the image: what a release puts
        where its machines look for updates."""
        models = f"""models:
  - {{ name: ear, source: {cls.scratch}/ear.safetensors, sha256: {sha256(cls.ear)}, licence: MIT }}
  - name: talker
    source: {cls.stranger.url(path, HOST)}
    mirrors: ["{cls.server.url(path, HOST)}"]
    sha256: {sha256(talker)}
    size: {len(talker)}
    format: gguf
    when: first-boot
"""
        files = {"/etc/digios/model-check": ("0755", CHECK),
                 "/etc/ssl/certs/ca-certificates.crt": ("0644", cls.authority.read_text())}
        entries = "".join(f'  - {{ path: {path}, mode: "{mode}", content: {json.dumps(content)} }}\n'
                          for path, (mode, content) in files.items())
        update = f"  update: [{cls.plain.url('models.list', HOST)}]\n  longest_wait: 1\n"
        cls.shipped.write_text(cls.text.replace("first_boot:\n", f"{models}files:\n{entries}first_boot:\n{update}"))
        words = [*more, *(word for name in formats for word in ("--format", name))]
        done = cls.run_imgforge("build", cls.shipped, "--allow-host-files", "--profile", "headless",
                                "--mirror", cls.mirror.url(), "--set",
                                f"base.alpine.release={RELEASE}", "--set", f"packages.keys={cls.mirror.key}", *words,
                                output_dir=output_dir, timeout=600)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        (archive,) = (output_dir / "releases" / "digios-headless" / "current").glob("*-v*.tar.zst")
        return [subprocess.run(["tar", "--zstd", "-xOf", archive, f"etc/digios/{file}"], check=True, capture_output=True).stdout
                for file in ("models.list", "models.list.minisig")]

    def publish(self, listed, signature=None):
        signature = signature or self.signer.sign(listed)
        self.plain.files.update({"models.list": listed, "models.list.minisig": signature})

    @staticmethod
    def serial(listed):
        return int(re.match(rb"# serial: (\d+)\n", listed).group(1))

    def start(self):
        words = list(QEMU)
        words[words.index("-nic") + 1] = "user,model=virtio-net-pci"
        console = Console([*words, "-drive", f"if=virtio,format=qcow2,file={self.disk}", "-virtfs",
                           f"local,path={self.shared},mount_tag=shared,security_model=none", "-fw_cfg",
                           "name=opt/imgforge/answers,string=hostname=fresh"])
        self.addCleanup(lambda: console.process.poll() is None and console.process.kill())
        return console

    def cut_off(self, console):
        console.process.kill()
        console.process.communicate()

    def assert_in_use(self, console, data):
        """The version in use, by its name, and its bytes as the machine's own sha256sum sees them."""
        digest = sha256(data)
        self.assertEqual(console.run(f"readlink {STORE}/talker/current"), digest[:12])
        self.assertEqual(console.run(f"sha256sum {STORE}/talker/current/talker.gguf").split()[0], digest)
        installed = json.loads(console.run("cat /etc/digios/model.json"))["models"]
        self.assertEqual([(row["name"], row["version"]) for row in installed],
                         [("ear", sha256(self.ear)[:12]), ("talker", digest[:12])])

    def test_0_what_the_build_says(self):
        (manifest,) = (self.out / "releases" / "digios-headless" / "current").glob("manifest.json")
        rows = {row["name"]: row for row in json.loads(manifest.read_text())["models"]}
        self.assertEqual({name: (row["when"], row["sha256"]) for name, row in rows.items()},
                         {"ear": ("build", sha256(self.ear)), "talker": ("first-boot", sha256(self.talker))})
        self.assertLess(abs(self.serial(self.first[0]) - time.time()), 86400, "a list has the time of its first build")
        self.assertEqual(self.stranger.connections + self.server.connections, 0, "a build leaves such models alone")
        numbered, _ = self.build(self.talker, "1/talker.gguf", self.scratch / "numbered", "rootfs",
                                 more=["--set", "first_boot.serial=7"])
        self.assertEqual(numbered.splitlines(), [b"# serial: 7", *self.first[0].splitlines()[1:]])

    def test_1_killed_in_mid_download(self):
        self.server.slow = 500_000
        begun = time.monotonic()
        console = self.start()
        console.wait(r"talker \w+ talker.gguf: [\d.]+ MB of 8.4 MB")
        print(f"download under way after {time.monotonic() - begun:.1f} s", file=sys.stderr)
        console.wait(r"[5-8]\.\d MB of 8.4 MB")
        self.cut_off(console)
        self.assertEqual(self.server.ranges("1/talker.gguf"), [None])
        self.assertIn("MB of 8.4 MB", (self.shared / "digios-first-boot.log").read_text(), "the log in the shared folder")

    def test_2_goes_on_and_is_what_was_built(self):
        self.server.slow = None
        begun = time.monotonic()
        console = self.start()
        shown = float(console.wait(r"talker.gguf: going on at ([\d.]+) MB").group(1))
        console.wait(r"talker \w+: in use")
        console.wait(r"set-up is complete")
        print(f"complete {time.monotonic() - begun:.1f} s after the second start", file=sys.stderr)
        first, second, *more = self.server.ranges("1/talker.gguf")
        self.assertIsNone(first)
        # ext4 may have the size of a file on the disk and not yet the end of its content when the machine is killed. That is
        # found by the digest, and told: then, and only then, it begins once more.
        told = "starting over" in (self.shared / "digios-first-boot.log").read_text()
        self.assertEqual(more, [None] if told else [])
        self.assertGreater(second, 1_000_000, "it went on, and did not start over")
        self.assertAlmostEqual(second / 1e6, shown, delta=0.06)
        print(f"went on at byte {second} of {len(self.talker)}", file=sys.stderr)
        # The source that comes first has a certificate of nobody the machine knows: asked, and told nothing.
        self.assertGreaterEqual(self.stranger.connections, 2)
        self.assertEqual(self.stranger.log, [])
        self.assertEqual(console.log_in("root"), "fresh")
        config = json.loads(console.run("cat /etc/digios/config.json"))
        self.assertEqual((config["hostname"], config["model"], config["interface"]), ("fresh", "talker", "voice"))
        self.assertIn("set-up is complete", (self.shared / "digios-first-boot.log").read_text())
        self.assert_in_use(console, self.talker)
        self.assertEqual(console.run("digios-model verify"),
                         f"ear {sha256(self.ear)[:12]}: good\ntalker {sha256(self.talker)[:12]}: good")
        # imgforge reads what the machine has: the files come back through the shared folder.
        console.run(f"cp {STORE}/talker/current/talker.gguf {STORE}/ear/current/ear.safetensors /run/first-boot/shared/")
        for name, data, facts in (("talker.gguf", self.talker, {"format": "gguf", "architecture": "llama", "context_length": 2048}),
                                  ("ear.safetensors", self.ear, {"format": "safetensors", "parameters": 262208})):
            self.assertEqual(sha256((self.shared / name).read_bytes()), sha256(data))
            summary = json.loads(self.ok("model", "inspect", self.shared / name, "--json").stdout)["summary"]
            self.assertEqual({key: summary[key] for key in facts}, facts)
        self.bad_updates(console)
        self.good_update_that_is_cut_off(console)

    def bad_updates(self, console):
        serial = self.serial(self.first[0])
        good = bytes(range(256)) * 1000
        url = self.server.url("new", HOST)
        # The bytes are not those of the signed list.
        self.server.files["new"] = good[:-1] + b"!"
        self.publish(model_list(serial + 1, [("talker", "wrong", "talker.gguf", good, url)]))
        said = console.run("model update; echo status $?")
        self.assertIn(f"the list of models goes from serial {serial} to {serial + 1}", said)
        self.assertIn("none of its sources has the right file", said)
        self.assertIn("status 3", said)
        self.assert_in_use(console, self.talker)
        # They are, but the image's own check does not pass.
        self.server.files["new"] = good
        self.publish(model_list(serial + 2, [("talker", "hollow", "talker.gguf", good, url)]))
        said = console.run("model update; echo status $?")
        self.assertIn("talker hollow: its check failed", said)
        self.assertIn(f"talker: back to {sha256(self.talker)[:12]}", said)
        self.assertIn("status 1", said)
        self.assert_in_use(console, self.talker)
        # A list that somebody else changed.
        listed = model_list(serial + 3, [("talker", "forged", "talker.gguf", good, url)])
        self.publish(listed + b"# more\n", self.signer.sign(listed))
        self.assertIn("not what was signed", console.run("model update; true"))

    def good_update_that_is_cut_off(self, console):
        """The list of the next build of the recipe, with another model."""
        type(self).second = self.build(self.newer, "2/talker.gguf", self.scratch / "second", "rootfs")
        self.assertGreater(self.serial(self.second[0]), self.serial(self.first[0]) + 3)
        self.publish(*self.second)
        self.server.slow = 150_000
        console.type("model update")
        console.wait(r"talker \w+ talker.gguf: [\d.]+ .B of 2.1 MB")
        self.cut_off(console)

    def test_3_the_next_start_ends_the_update_and_the_way_back(self):
        self.server.slow = None
        console = self.start()
        console.wait(r"going on with an update")
        console.wait(rf"talker {sha256(self.newer)[:12]}: in use")
        console.log_in("root")
        self.assert_in_use(console, self.newer)
        self.assertIn(f"back from {sha256(self.newer)[:12]} to {sha256(self.talker)[:12]}", console.run("model rollback talker"))
        self.assert_in_use(console, self.talker)
        self.assertIn(f"talker {sha256(self.newer)[:12]} failed", console.run("model status"))
        # The list of the first image, rightly signed, is older than what the machine has seen.
        self.publish(*self.first)
        said = console.run("model update; echo status $?")
        self.assertIn(f"has serial {self.serial(self.first[0])}, older than {self.serial(self.second[0])}", said)
        self.assertIn("status 3", said)
        self.assert_in_use(console, self.talker)
        console.power_off()


if __name__ == "__main__":
    main()
