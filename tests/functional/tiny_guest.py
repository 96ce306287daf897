"""A guest of one sector that talks over the serial port, so that machines can be seen alive without an operating system.

It says "tiny guest" and then what it is sent, letter by letter, and counts: `+` makes its number greater, `?` prints it. `r` restarts the machine,
`o` switches it off (ACPI, as QEMU's q35 has it)."""

import pathlib
import subprocess
import tempfile

SOURCE = r"""
.code16
.globl _start
_start:
    cli                     # the firmware would read the serial port at each tick of its clock
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov $0x7c00, %sp
    mov $greeting, %si
1:  lodsb
    test %al, %al
    jz next
    call say
    jmp 1b
next:
    call hear
    cmp $'r', %al
    je restart
    cmp $'o', %al
    je off
    cmp $'?', %al
    je tell
    cmp $'+', %al
    jne echo
    incb number
echo:
    call say
    jmp next
tell:
    mov number, %al
    call say
    mov $'\n', %al
    jmp echo
restart:
    mov $0xfe, %al          # the keyboard controller pulls the line
    out %al, $0x64
    hlt
off:
    mov $0x604, %dx         # PM1a_CNT of the ICH9: SLP_EN, type 0
    mov $0x2000, %ax
    out %ax, %dx
    hlt
say:                        # a letter to COM1 once it is free
    push %ax
    mov $0x3fd, %dx
2:  in %dx, %al
    test $0x20, %al
    jz 2b
    pop %ax
    mov $0x3f8, %dx
    out %al, %dx
    ret
hear:                       # the next letter of COM1
    mov $0x3fd, %dx
3:  in %dx, %al
    test $1, %al
    jz 3b
    mov $0x3f8, %dx
    in %dx, %al
    ret
greeting: .asciz "tiny guest\r\n"
number: .byte '0'
.org 510
.byte 0x55, 0xaa
"""


def make_disk(target, size="16M"):
    """A qcow2 disk that BIOS boots into the guest."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "guest.s").write_text(SOURCE)
        subprocess.run(["as", "--32", "-o", folder / "guest.o", folder / "guest.s"], check=True)
        subprocess.run(["ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary", "-o", folder / "guest.bin", folder / "guest.o"],
                       check=True)
        subprocess.run(["truncate", "-s", size, folder / "guest.bin"], check=True)
        subprocess.run(["qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", folder / "guest.bin", target], check=True)
