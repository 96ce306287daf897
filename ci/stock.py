"""The job of a nightly build done with stock tools, for ci/bench: qcow2, ISO image and stick of one profile out of the same base and
packages. Its images have no initramfs but the one that the packages make, no boot menu worth the name and no release around them:
imgforge makes these too."""

import os
import pathlib
import shutil
import subprocess
import time

MIB = 1 << 20
LOADER = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"


class StockFailed(Exception):
    pass


class Stock:
    """One profile after the other, each program timed by its name."""

    def __init__(self, scratch, mirror, release, emulated):
        self.work = scratch / "stock"
        self.mirror = mirror
        self.release = release
        self.environment = dict(os.environ, LIBGUESTFS_BACKEND="direct", TMPDIR=str(self.work))
        if emulated:
            self.environment["LIBGUESTFS_BACKEND_SETTINGS"] = "force_tcg"
        self.repository = self.work / "repository" / "alpine"
        self.repository.parent.mkdir(parents=True)
        shutil.copytree(mirror.folder / f"v{release}", self.repository)
        self.base = next((mirror.folder / f"v{release}" / "releases" / "x86_64").glob("alpine-minirootfs-*.tar.gz"))

    def run(self, seconds, *words, given=None):
        words = [str(word) for word in words]
        start = time.monotonic()
        done = subprocess.run(words, env=self.environment, input=given, capture_output=True, text=True)
        if done.returncode != 0:
            raise StockFailed(f"{' '.join(words)[:200]} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-400:]}")
        seconds[words[0]] = seconds.get(words[0], 0) + time.monotonic() - start

    def start(self):
        """Seconds of an appliance that starts, answers and ends: what guestfish alone takes."""
        disk = self.work / "empty.raw"
        with open(disk, "wb") as file:
            file.truncate(10 * MIB)
        seconds = {}
        self.run(seconds, "guestfish", "--ro", "-a", disk, "run", ":", "ping-daemon")
        return seconds["guestfish"]

    def qcow2(self, packages, size):
        """Seconds of each program that makes the disk; it does not start by itself, for it has no boot loader."""
        seconds = {}
        disk, result = self.work / "disk.qcow2", self.work / "out.qcow2"
        for old in (disk, result):
            old.unlink(missing_ok=True)
        self.run(seconds, "virt-make-fs", "--type=ext4", f"--size={size}", "--format=qcow2", self.base, disk)
        self.run(seconds, "virt-customize", "-q", "-a", disk, "--no-network", "--copy-in", f"{self.repository}:/tmp",
                 "--copy-in", f"{self.mirror.key}:/etc/apk/keys", "--run-command",
                 "apk add --no-network --repositories-file /dev/null -X /tmp/alpine/main -X /tmp/alpine/community " + " ".join(packages),
                 "--run-command", "rm -rf /tmp/alpine")
        self.run(seconds, "qemu-img", "convert", "-c", "-O", "qcow2", "-o", "compression_type=zstd", disk, result)
        self.run(seconds, "sha256sum", result)
        return seconds

    def live_media(self):
        """Seconds of each program that makes ISO image and stick out of the disk that `qcow2` left."""
        seconds = {}
        tree, tar, squashfs = (self.work / name for name in ("tree", "root.tar", "root.squashfs"))
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        squashfs.unlink(missing_ok=True)
        self.run(seconds, "virt-tar-out", "-a", self.work / "disk.qcow2", "/", tar)
        self.run(seconds, "tar", "-xf", tar, "-C", tree)
        self.run(seconds, "mksquashfs", tree, squashfs, "-comp", "zstd", "-quiet", "-no-progress")
        boot = [path for pattern in ("vmlinuz-*", "initramfs-*") for path in sorted((tree / "boot").glob(pattern))]
        self.iso(seconds, squashfs, boot)
        self.usb(seconds, squashfs, boot)
        return seconds

    def boot_partition(self, seconds, image, offset, size, boot):
        where = f"{image}@@{offset}"
        entry = self.work / "entry.conf"
        entry.write_text("title stock\nlinux /vmlinuz\ninitrd /initramfs\n")
        self.run(seconds, "mkfs.vfat", "-F", "16", "--offset", offset // 512, image, size // 1024)
        self.run(seconds, "mmd", "-i", where, "::/EFI", "::/EFI/BOOT", "::/loader", "::/loader/entries")
        self.run(seconds, "mcopy", "-i", where, LOADER, "::/EFI/BOOT/BOOTX64.EFI")
        self.run(seconds, "mcopy", "-i", where, entry, "::/loader/entries/stock.conf")
        for file in boot:
            self.run(seconds, "mcopy", "-i", where, file, f"::/{file.name.split('-')[0]}")

    @staticmethod
    def sparse(path, size):
        path.unlink(missing_ok=True)
        with open(path, "wb") as file:
            file.truncate(size)

    @staticmethod
    def room(boot):
        """Size of a boot partition for these files."""
        return max(20, sum(path.stat().st_size for path in boot) // MIB + 4) * MIB

    def iso(self, seconds, squashfs, boot):
        esp, folder, result = self.work / "esp.img", self.work / "cd", self.work / "stock.iso"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "isolinux").mkdir(parents=True)
        for file in ("/usr/lib/ISOLINUX/isolinux.bin", "/usr/lib/syslinux/modules/bios/ldlinux.c32"):
            shutil.copy(file, folder / "isolinux")
        for file in (squashfs, *boot):
            shutil.copy(file, folder)
        self.sparse(esp, self.room(boot))
        self.boot_partition(seconds, esp, 0, self.room(boot), boot)
        self.run(seconds, "xorriso", "-as", "mkisofs", "-quiet", "-r", "-o", result, "-isohybrid-mbr",
                 "/usr/lib/ISOLINUX/isohdpfx.bin", "-c", "isolinux/boot.cat", "-b", "isolinux/isolinux.bin", "-no-emul-boot",
                 "-boot-load-size", "4", "-boot-info-table", "-append_partition", "2", "0xef", esp, "-appended_part_as_gpt",
                 "-eltorito-alt-boot", "-e", "--interval:appended_partition_2:all::", "-no-emul-boot", folder)
        self.run(seconds, "sha256sum", result)

    def usb(self, seconds, squashfs, boot):
        image = self.work / "stock-usb.img"
        room, system, data = self.room(boot), -(-squashfs.stat().st_size // MIB) * MIB, 64 * MIB
        self.sparse(image, MIB + room + system + data + MIB)
        starts = [MIB, MIB + room, MIB + room + system]
        rows = [f"start={start // 512}, size={size // 512}, type={kind}\n"
                for start, size, kind in zip(starts, (room, system, data), ("uefi", "linux", "linux"))]
        self.run(seconds, "sfdisk", "-q", image, given="label: gpt\n" + "".join(rows))
        self.boot_partition(seconds, image, starts[0], room, boot)
        self.run(seconds, "dd", f"if={squashfs}", f"of={image}", "bs=1M", f"seek={starts[1] // MIB}", "conv=notrunc", "status=none")
        self.run(seconds, "mke2fs", "-q", "-F", "-t", "ext4", "-E", f"offset={starts[2]}", image, f"{data // 1024}k")
        self.run(seconds, "sha256sum", image)


def unpack_floor(scratch, base):
    """Seconds of the least that a sandbox can do: a namespace, the base unpacked there, one program of it run."""
    tree = pathlib.Path(scratch) / "floor"
    times = []
    for _ in range(3):
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        start = time.monotonic()
        subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--net", "sh", "-ec",
                        'tar -xzf "$0" --no-same-owner -C "$1"; exec chroot "$1" /bin/true', base, tree], check=True, capture_output=True)
        times.append(time.monotonic() - start)
    shutil.rmtree(tree, ignore_errors=True)
    return sorted(times)[1]
