#!/usr/bin/env python3
"""UEFI Secure Boot from recipe to running system: signed disks start in firmware that trusts their keys, and
nothing that was changed or signed by somebody else does."""

import json
import os
import shutil
import subprocess

from harness import SOURCE, Case, main

ESP = 1 << 20  # where the boot partition begins


class SecureBoot(Case):
    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for words in (["release@test", "--no-passphrase"], ["lab", "--secure-boot"], ["other", "--secure-boot"]):
            assert cls.run_imgforge("key", "generate", *words).returncode == 0
        shutil.copytree(SOURCE / "recipes" / "files", cls.scratch / "files")
        hello = (SOURCE / "recipes" / "hello-boot.yaml").read_text()
        cls.text = "".join(line for line in hello.splitlines(True) if not line.startswith("formats:"))
        cls.image = cls.out / "images" / "hello-boot.img"

    def secure_recipe(self, more="", name="secure.yaml"):
        return self.recipe(self.text + "formats: [raw]\nsecure_boot: { keys: lab }\n" + more, name)

    def test_1_a_signed_disk_boots_in_firmware_that_trusts_its_keys(self):
        result = self.ok("build", self.secure_recipe(), "--boot-test", "--json")
        boots = json.loads(result.stdout)["profiles"][0]["boots"]
        self.assertEqual([boot["path"] for boot in boots], ["disk UEFI", "disk UEFI Secure Boot"])
        self.ok("verify")
        table = subprocess.run(["sfdisk", "-V", self.image], capture_output=True, text=True, check=True)
        self.assertIn("No errors detected", table.stdout)

    def test_2_equal_inputs_equal_bytes(self):
        before = self.image.resolve().read_bytes()
        shutil.rmtree(self.home / "cache")
        self.ok("build", self.secure_recipe(), output_dir=self.scratch / "again")
        self.assertEqual(before, (self.scratch / "again" / "images" / "hello-boot.img").read_bytes())

    def refused(self, image, *words, keys="lab", path="disk UEFI Secure Boot", says):
        result = self.fails(1, "boot", image, "--path", path, "--memory", "256M", "--timeout", 90, *words,
                            *(["--secure-boot-keys", keys] if keys else []), says=says)
        self.assertNotRegex(result.stderr, r"\| .*hello world", "the system came up")

    def changed_copy(self, name):
        copy = self.scratch / name
        shutil.copyfile(self.image, copy)
        return copy

    def test_3_firmware_with_other_keys_refuses_it(self):
        self.refused(self.image, keys="other", says="Secure Boot refused a program")

    def test_4_a_changed_kernel_image_is_refused(self):
        image = self.changed_copy("kernel.img")
        uki = self.scratch / "imgforge.efi"
        where = f"{image}@@{ESP}"
        environment = {**os.environ, "MTOOLS_SKIP_CHECK": "1"}
        subprocess.run(["mcopy", "-n", "-i", where, "::EFI/Linux/imgforge.efi", uki], check=True, env=environment)
        content = uki.read_bytes()
        self.assertEqual(content.count(b"imgforge.overlay=tmpfs"), 1)
        uki.write_bytes(content.replace(b"imgforge.overlay=tmpfs", b"imgforge.shell        "))
        subprocess.run(["mcopy", "-o", "-i", where, uki, "::EFI/Linux/imgforge.efi"], check=True, env=environment)
        self.refused(image, says="Secure Boot refused a program")

    def test_5_a_changed_block_of_root_is_found(self):
        image = self.changed_copy("root.img")
        table = json.loads(subprocess.run(["sfdisk", "--json", image], capture_output=True, check=True).stdout)
        root = next(row for row in table["partitiontable"]["partitions"] if row["name"].startswith("root-"))
        with open(image, "r+b") as file:
            file.seek(root["start"] * 512)
            self.assertEqual(file.read(4), b"hsqs")
            file.seek(root["start"] * 512 + 8)  # the time in the superblock: squashfs itself would not mind
            file.write(b"\0\0\0\0")
        self.refused(image, says="imgforge: ERROR")

    def test_6_it_does_not_start_on_bios(self):
        self.refused(self.image, keys="", path="disk BIOS", says="This disk starts by UEFI only")

    def test_7_the_image_enrols_its_keys_when_told_to(self):
        recipe = self.secure_recipe().read_text().replace("keys: lab", "keys: lab, enroll: force")
        self.ok("build", self.recipe(recipe, "force.yaml"), output_dir=self.scratch / "force")
        image = self.scratch / "force" / "images" / "hello-boot.img"
        variables = self.scratch / "variables.fd"
        shutil.copyfile("/usr/share/OVMF/OVMF_VARS_4M.fd", variables)
        words = ["boot", image, "--uefi-variables", variables, "--path", "disk UEFI Secure Boot"]
        self.fails(1, *words, says="QEMU ended: the guest powered off or restarted")
        result = self.ok(*words, "--run", "dmesg", "--run", "cat /proc/mounts /proc/cmdline", "--json")
        commands = json.loads(result.stdout)["boots"][0]["commands"]
        self.assertIn("secureboot: Secure boot enabled", commands[0]["output"])
        self.assertIn("/dev/mapper/root /run/imgforge/lower squashfs ro", commands[1]["output"])
        self.assertIn("imgforge.verity=", commands[1]["output"])
        # Those variables hold the image's own keys: another owner's image is refused.
        other = self.secure_recipe().read_text().replace("keys: lab", "keys: other")
        self.ok("build", self.recipe(other, "other.yaml"), output_dir=self.scratch / "other")
        self.refused(self.scratch / "other" / "images" / "hello-boot.img", "--uefi-variables", variables, keys="",
                     says="Secure Boot refused a program")

    def test_8_mistakes_are_told_with_their_place(self):
        before = self.snapshot()
        recipe = self.secure_recipe().read_text()
        for text, says in ((recipe.replace("keys: lab", "keys: nobody"), "there are no Secure Boot keys nobody"),
                           (recipe.replace("[raw]", "[raw, iso]"), "the format iso cannot be had"),
                           (recipe.replace("size: 128M", "size: 128M, root: writable"), "needs a read-only root")):
            path = self.recipe(text, "wrong.yaml")
            result = self.fails(2, "build", path, says=says)
            self.assertIn(f"{path}:", result.stderr)
        self.assertEqual(before, self.snapshot())


if __name__ == "__main__":
    main()
