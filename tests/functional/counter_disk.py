"""A disk whose boot sector counts: 18 times a second it writes the number to its second sector and says it on the serial port,
eight hexadecimal digits a line. Whoever is moved, copied or restarted can be told apart by it."""

import pathlib
import re
import subprocess

# Real mode: hlt until the timer; add one to EDI; int 0x13 writes it to sector 2 from 0x7e00; eight digits to port 0x3f8; again.
CODE = bytes.fromhex(
    "31c08ed88ec08ed0bc007c6631fffbf4664766893e007eb80103bb007eb90200ba8000cd13668b3e007e6689fbb9080066c1c30488d8240f04303c39"
    "76020427e80900e2ebb00ae80200ebc350bafd03eca82074fb58baf803eec3")


def make(disk, size="64M"):
    """Writes it as a qcow2."""
    raw = pathlib.Path(f"{disk}.raw")
    raw.write_bytes(CODE.ljust(510, b"\0") + b"\x55\xaa")
    subprocess.run(["qemu-img", "resize", "-q", "-f", "raw", raw, size], check=True)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, disk], check=True)
    raw.unlink()


def said(text):
    """The numbers in what a console said."""
    return [int(word, 16) for word in re.findall(r"^([0-9a-f]{8})\r?$", text, re.MULTILINE)]


def written(disk):
    """The number on a disk that nobody has open."""
    raw = subprocess.run(["qemu-io", "-r", "-f", "qcow2", "-c", "read -v 512 4", disk], check=True, capture_output=True, text=True)
    return int.from_bytes(bytes.fromhex("".join(re.search(r"^[0-9a-f]{8}:\s+((?:[0-9a-f]{2} ?){4})", raw.stdout, re.MULTILINE)
                                               .group(1).split())), "little")
