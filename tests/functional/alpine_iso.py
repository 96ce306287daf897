"""An ISO image laid out as Alpine's, made of the mirror's packages, and the entry of it in the mirror's release
file. Its initramfs is a stand-in for Alpine's that does the same with the medium: it unpacks the configuration
(apkovl) over an empty root, lets apk install the world from the medium's packages, and starts /sbin/init."""

import gzip
import hashlib
import io
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

RELEASE, VERSION, ARCH = "v3.19", "3.19.4", "x86_64"
CMDLINE = "quiet console=tty0 console=ttyS0,115200"
VOLUME = f"alpine-virt {VERSION} {ARCH}"
DATE = "2024090612000000"

INIT = r"""#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
modprobe -a ata_piix virtio_pci virtio_scsi sr_mod isofs 2>/dev/null
mkdir -p /media/cdrom /sysroot
for second in 1 2 3 4 5 6 7 8 9 10; do
  for device in /dev/sr0 /dev/vda /dev/sda; do
    mount -t iso9660 -o ro $device /media/cdrom 2>/dev/null && break 2
  done
  sleep 1
done
[ -f /media/cdrom/.alpine-release ] || { echo "no medium" >/dev/ttyS0; poweroff -f; }
mount -t tmpfs -o mode=0755 tmpfs /sysroot
: >/tmp/files
set -- /media/cdrom/*.apkovl.tar.gz
if [ $# = 1 ] && [ -f "$1" ]; then
  echo "loading $1" >/dev/ttyS0
  tar -C /sysroot -zxvf "$1" >/tmp/files || echo "BROKEN CONFIGURATION" >/dev/ttyS0
fi
service() { mkdir -p /sysroot/etc/runlevels/$2; ln -sf /etc/init.d/$1 /sysroot/etc/runlevels/$2/$1; }
if [ -f /sysroot/etc/.default_boot_services ] || [ ! -f "$1" ]; then
  for name in hostname bootmisc sysctl; do service $name boot; done
  for name in mount-ro killprocs; do service $name shutdown; done
  rm -f /sysroot/etc/.default_boot_services
fi
mkdir -p /sysroot/etc/apk/keys /sysroot/dev /sysroot/proc /sysroot/sys /sysroot/media/cdrom
cp /etc/apk/keys/* /sysroot/etc/apk/keys
[ -f /sysroot/etc/apk/repositories ] || echo /media/cdrom/apks >/sysroot/etc/apk/repositories
mount --bind /dev /sysroot/dev
apk add --root /sysroot --initdb --quiet --no-network --clean-protected --overlay-from-stdin \
  --repository /media/cdrom/apks alpine-base $(cat /sysroot/etc/apk/world) </tmp/files >/dev/ttyS0 2>&1 ||
  echo "PACKAGES FAILED" >/dev/ttyS0
grep -q ^ttyS0: /sysroot/etc/inittab || echo "ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100" >>/sysroot/etc/inittab
mount --move /media/cdrom /sysroot/media/cdrom
mount --move /proc /sysroot/proc; mount --move /sys /sysroot/sys
exec switch_root /sysroot /sbin/init
"""


def newc(folder):
    """The folder as a cpio archive (newc), as the kernel unpacks it."""
    out = io.BytesIO()

    def member(name, mode, data):
        fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        out.write(b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0")
        out.write(b"\0" * (-out.tell() % 4) + data)
        out.write(b"\0" * (-out.tell() % 4))

    for path in sorted(folder.rglob("*")):
        data = os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        member(path.relative_to(folder).as_posix(), path.lstat().st_mode, data)
    member("TRAILER!!!", 0, b"")
    return out.getvalue()


def unpack(archive, folder):
    # An apk is several gzip members; together they are one tar.
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive.read_bytes())), ignore_zeros=True) as tar:
        tar.extractall(folder, filter="fully_trusted" if hasattr(tarfile, "fully_trusted_filter") else None)


def efi_image(target, kernel, initramfs):
    """The EFI system partition that El Torito names: systemd-boot, kernel and initramfs."""
    entry = target.parent / "alpine.conf"
    entry.write_text(f"title Alpine\nlinux /vmlinuz-virt\ninitrd /initramfs-virt\noptions {CMDLINE}\n")
    size = (kernel.stat().st_size + initramfs.stat().st_size + (3 << 20)) >> 10
    subprocess.run(["mkfs.vfat", "-C", "--invariant", target, str(size)], check=True, capture_output=True)
    subprocess.run(["mmd", "-i", target, "::/EFI", "::/EFI/BOOT", "::/loader", "::/loader/entries"], check=True)
    for source, name in (("/usr/lib/systemd/boot/efi/systemd-bootx64.efi", "EFI/BOOT/BOOTX64.EFI"),
                         (entry, "loader/entries/alpine.conf"), (kernel, "vmlinuz-virt"),
                         (initramfs, "initramfs-virt")):
        subprocess.run(["mcopy", "-i", target, source, f"::/{name}"], check=True)
    entry.unlink()


def make_tree(mirror, tree):
    """The files of the medium."""
    packages = mirror / RELEASE / "main" / ARCH
    linux, root = tree.parent / "linux", tree.parent / "root"
    unpack(next(packages.glob("linux-virt-*.apk")), linux)
    unpack(mirror / RELEASE / "releases" / ARCH / f"alpine-minirootfs-{VERSION}-{ARCH}.tar.gz", root)
    shutil.copytree(linux / "lib" / "modules", root / "lib" / "modules")
    shutil.copy(mirror / "keys" / "imgforge-test.rsa.pub", root / "etc" / "apk" / "keys")
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    boot = tree / "boot"
    for folder in (boot / "syslinux", boot / "grub", tree / "apks" / ARCH):
        folder.mkdir(parents=True)
    shutil.copy(linux / "boot" / "vmlinuz-virt", boot)
    (boot / "initramfs-virt").write_bytes(gzip.compress(newc(root), 6, mtime=0))
    (boot / "modloop-virt").write_bytes(b"stands for the modules of Alpine's kernel\n")
    (tree / ".alpine-release").write_text(f"alpine-virt-{VERSION} 240906\n")
    (tree / "apks" / ".boot_repository").touch()
    for package in packages.iterdir():
        if not package.name.startswith(("linux-virt-", "mkinitfs-", "git-")):
            shutil.copy(package, tree / "apks" / ARCH)
    shutil.copy("/usr/lib/ISOLINUX/isolinux.bin", boot / "syslinux")
    shutil.copy("/usr/lib/syslinux/modules/bios/ldlinux.c32", boot / "syslinux")
    (boot / "syslinux" / "syslinux.cfg").write_text(
        f"SERIAL 0 115200\nDEFAULT virt\nLABEL virt\n  KERNEL /boot/vmlinuz-virt\n  INITRD /boot/initramfs-virt\n"
        f"  APPEND {CMDLINE}\n")
    efi_image(boot / "grub" / "efi.img", boot / "vmlinuz-virt", boot / "initramfs-virt")


def write_iso(tree, output):
    """With the options that Alpine's mkimage gives."""
    subprocess.run(
        ["xorriso", "-as", "mkisofs", "-quiet", "-o", output, "-J", "-R", "-sysid", "LINUX", "-volid", VOLUME,
         f"--modification-date={DATE}",
         "-isohybrid-mbr", "/usr/lib/ISOLINUX/isohdpfx.bin", "-eltorito-boot", "boot/syslinux/isolinux.bin",
         "-eltorito-catalog", "boot/syslinux/boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table",
         "-eltorito-alt-boot", "-e", "boot/grub/efi.img", "-no-emul-boot", "-isohybrid-gpt-basdat", tree],
        check=True, capture_output=True)


def make_iso(mirror, work):
    """An image that starts on BIOS and UEFI; returns its path. `work`/tree keeps its files."""
    work = pathlib.Path(work)
    make_tree(mirror, work / "tree")
    write_iso(work / "tree", work / "alpine.iso")
    return work / "alpine.iso"


def add_release(mirror, flavor, image, release=RELEASE, version=VERSION, arch=ARCH):
    """Puts `image` into the mirror as that flavor of the release, with the digests that belong to it."""
    folder = mirror / release / "releases" / arch
    name = f"alpine-{flavor}-{version}-{arch}.iso"
    shutil.copyfile(image, folder / name)
    data = image.read_bytes()
    digests = {h: hashlib.new(h, data).hexdigest() for h in ("sha256", "sha512")}
    for algorithm, digest in digests.items():
        (folder / f"{name}.{algorithm}").write_text(f"{digest}  {name}\n")
    listing = folder / "latest-releases.yaml"
    entries = re.split(r"^-\n", listing.read_text(), flags=re.M)
    entries = [entry for entry in entries if f"flavor: alpine-{flavor}\n" not in entry]
    entries.append(f"  title: \"{flavor}\"\n  branch: {release}\n  arch: {arch}\n  version: {version}\n"
                   f"  flavor: alpine-{flavor}\n  file: {name}\n  iso: {name}\n  size: {len(data)}\n"
                   f"  sha256: {digests['sha256']}\n  sha512: {digests['sha512']}\n")
    listing.write_text("-\n".join(entries))
