"""A guest of one sector that talks over the serial port, so that machines can be seen alive without an operating system.

It says "tiny guest" and then what it is sent, letter by letter, and counts: `+` makes its number greater, `?` prints it. `r` restarts the machine,
`o` switches it off (ACPI, as QEMU's q35 has it), `f` floods the port for ever, `w` fills the disk from its second megabyte on and says "." for each
megabyte."""

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
    cmp $'f', %al
    je flood
    cmp $'w', %al
    je fill
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
flood:
    mov $'f', %al
    call say
    jmp flood
fill:                       # 32 KiB at a time out of a segment of its own (INT 13h, function 43h)
    mov $0x80, %dl
    mov $0x4300, %ax
    mov $packet, %si
    int $0x13
    jc failed
    addl $64, lba
    testl $2047, lba
    jnz fill
    mov $'.', %al
    call say
    jmp fill
failed:
    mov $'!', %al
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
packet: .byte 16, 0
    .word 64, 0, 0x1000    # sectors, offset and segment
lba: .long 2048, 0
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
