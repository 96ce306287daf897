#!/usr/bin/python3
"""Writes hostile and odd archives into the current directory, for archives_test.cpp.

argv[1] is a folder outside with the file "victim" and the empty folder "out" (canaries); argv[2] names the
group of archives to write.
"""
import gzip
import io
import os
import subprocess
import sys
import tarfile

OUTSIDE = sys.argv[1]
FILE, LINK, HARD, DIR = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE


def member(name, kind=FILE, data=b"", link="", mode=0o644, pax=None, **more):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    info.size = len(data) if kind == FILE else 0
    info.pax_headers = pax or {}
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def archive(*members, form=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def save(name, data):
    with open(name, "wb") as file:
        file.write(data)


def pack(program, data):
    return subprocess.run(program, input=data, stdout=subprocess.PIPE, check=True).stdout


def escapes():
    save("dotdot.tar", archive(member("a/../../out/dd", data=b"x")))
    save("absolute.tar", archive(member(OUTSIDE + "/out/abs", data=b"x")))
    save("symlink-outside.tar", archive(member("lnk", LINK, link=OUTSIDE + "/out"), member("lnk/pwn", data=b"x")))
    save("symlink-up.tar", archive(member("lnk", LINK, link="../out"), member("lnk/pwn", data=b"x")))
    save("symlink-loop.tar", archive(member("a", LINK, link="b"), member("b", LINK, link="a"), member("a/x", data=b"x")))
    save("symlink-chmod.tar", archive(member("lnk", LINK, link="../out"), member("lnk", DIR, mode=0o777)))
    save("hard-absolute.tar", archive(member("h", HARD, link=OUTSIDE + "/victim"), member("h", data=b"OVERWRITE")))
    save("hard-dotdot.tar", archive(member("h", HARD, link="../victim")))
    save("hard-missing.tar", archive(member("h", HARD, link="later"), member("later", data=b"x")))
    save("hard-symlink.tar", archive(member("s", LINK, link=OUTSIDE + "/victim"), member("h", HARD, link="s"),
                                     member("h", data=b"OVERWRITE")))
    save("hard-folder.tar", archive(member("d", DIR), member("h", HARD, link="d")))
    save("file-over-symlink.tar", archive(member("f", LINK, link=OUTSIDE + "/victim"), member("f", data=b"OVERWRITE")))
    save("below-file.tar", archive(member("f", data=b"x"), member("f/x", data=b"x")))
    save("duplicate.tar", archive(member("dup", data=b"first"), member("dup", data=b"second")))
    save("case-pair.tar", archive(member("dup", data=b"first"), member("Dup", data=b"second")))
    save("twice-folder.tar", archive(member("d", DIR, mode=0o700), member("d", DIR, mode=0o755)))
    save("file-over-implied-folder.tar", archive(member("d/x", data=b"x"), member("d", data=b"x")))
    save("usrmerge.tar", archive(member("usr", DIR, mode=0o755), member("usr/lib", DIR, mode=0o755),
                                 member("lib", LINK, link="usr/lib"), member("lib/a.so", data=b"x"),
                                 member("bin/sh", LINK, link="/bin/busybox"),
                                 member("abs", LINK, link="/usr/lib"), member("abs/b.so", data=b"y"),
                                 member("h.so", HARD, link="lib/a.so")))


def names():
    for name, text in {"empty": "", "double": "x//y", "dot": "x/./y", "long": "y" * 256, "dotdot-only": "..",
                       "folder-name-on-file": "file/"}.items():
        info, data = member(text, data=b"x")
        save("name-%s.tar" % name, raw_name(info, data, text))
    save("name-deep.tar", archive(member("d/" * 200 + "f", data=b"x")))
    save("name-odd.tar", archive(member("a\nb\x1b[31mred", data=b"1"), member("-rf", data=b"2"),
                                 member("z" * 255, data=b"3"), member("r\xe9sum\xe9 e\u0301", data=b"4"),
                                 member("./dot", data=b"5"), member("./", DIR, mode=0o750)))
    latin = archive(member("n\xe9", data=b"x"), form=tarfile.GNU_FORMAT).replace("n\xe9".encode(), b"n\xff\xfe", 1)
    save("name-latin.tar", fix_checksum(bytearray(latin), 0))
    nul = bytearray(archive(member("n" * 150, data=b"x")))
    at = nul.index(b"path=") + 10
    nul[at] = 0
    save("name-nul.tar", bytes(nul))


def raw_name(info, data, text):
    """tarfile strips slashes, so the name is put into the block by hand."""
    info.name = "placeholder"
    block = bytearray(archive((info, data)))
    if len(text) > 100:
        return archive(member(text, data=data))
    block[0:100] = text.encode().ljust(100, b"\0")
    return fix_checksum(block, 0)


def fix_checksum(block, at):
    block[at + 148:at + 156] = b" " * 8
    block[at + 148:at + 156] = b"%06o\0 " % sum(block[at:at + 512])
    return bytes(block)


def field(at, value, **more):
    block = bytearray(archive(member("f", data=b"x" * 1024, **more)))
    block[at:at + len(value)] = value
    return fix_checksum(block, 0)


def oddities():
    save("devices.tar", archive(member("dev", DIR, mode=0o755), member("dev/sda", tarfile.BLKTYPE, devmajor=8, mode=0o666),
                                member("dev/null", tarfile.CHRTYPE, devmajor=1, devminor=3), member("p", tarfile.FIFOTYPE)))
    save("fifo.tar", archive(member("p", tarfile.FIFOTYPE)))
    save("setuid.tar", archive(member("su", data=b"x", mode=0o4755)))
    save("size-differs.tar", archive(member("big", data=b"A" * 1024, pax={"size": "0"}), member("after", data=b"z")))
    save("pax-huge-size.tar", archive(member("big", data=b"", pax={"size": str(1 << 62)})))
    save("pax-negative-size.tar", archive(member("big", data=b"", pax={"size": "-512"})))
    save("pax-text-size.tar", archive(member("big", data=b"", pax={"size": "abc"})))
    save("pax-sparse.tar", archive(member("s", data=b"x", pax={"GNU.sparse.major": "1"})))
    records = bytearray(archive(member("f", data=b"x", pax={"comment": "hello"})))
    at = records.index(b"comment")
    records[at - 3:at] = b"99 "
    save("pax-malformed.tar", bytes(records))
    save("uid.tar", archive(member("f", data=b"x", uid=2 ** 31)))
    save("uid-huge.tar", archive(member("f", data=b"x", uid=2 ** 33)))
    save("time-negative.tar", archive(member("f", data=b"x", mtime=-1)))
    save("time-huge.tar", archive(member("f", data=b"x", mtime=31556926 * 10 ** 9)))
    save("mode-bits.tar", field(100, b"0100755\0"))
    save("mode-unknown.tar", field(100, b"7777777\0"))
    save("size-octal.tar", field(124, b"00000009999\0"))
    save("size-negative.tar", field(124, b"\xff" * 12))
    save("type-unknown.tar", field(156, b"Q"))
    save("folder-with-content.tar", field(156, b"5"))
    save("xattrs.tar", archive(member("c", data=b"x", pax={"SCHILY.xattr.user.k": "v=1\n"})))
    save("global-path.tar", tarfile.TarInfo.create_pax_global_header({"path": "evil"}) + archive(member("f", data=b"x")))
    save("global-comment.tar", tarfile.TarInfo.create_pax_global_header({"comment": "0123"}) + archive(member("f", data=b"x")))
    save("only-folders.tar", archive(member("a", DIR), member("a/b", DIR)))
    save("zero-entries.tar", archive())
    save("empty.tar", b"")
    save("tiny.tar", b"x" * 100)
    with open("sparse.bin", "wb") as file:
        file.truncate(15 << 40)
    subprocess.run(["tar", "-S", "-cf", "sparse.tar", "sparse.bin"], check=True)
    os.unlink("sparse.bin")
    many = archive(*[member("f%d" % i) for i in range(3000)], form=tarfile.GNU_FORMAT)
    save("many.tar", many)


PACKERS = {"xz": ["xz", "-c"], "zst": ["zstd", "-c"], "bz2": ["bzip2", "-c"]}


def pack_as(extension, data):
    return gzip.compress(data, mtime=0) if extension == "gz" else pack(PACKERS[extension], data)


def ends():
    big = archive(member("one", data=os.urandom(200000)), member("two", data=os.urandom(200000)))
    second = archive(member("hidden", data=b"evil"))
    entry = 512 + 200192
    save("good.tar", big)
    save("cut-in-file.tar", big[:250000])
    save("cut-at-entry.tar", big[:entry])
    save("cut-after-all.tar", big[:2 * entry])
    save("cut-in-header.tar", big[:entry + 100])
    save("one-zero-block.tar", big[:2 * entry + 512])
    broken = bytearray(big)
    broken[entry + 10] ^= 0x20
    save("bad-checksum.tar", bytes(broken))
    save("garbage-after.tar", big + b"GARBAGE" * 1000)
    save("garbage-in-padding.tar", big[:2 * entry + 1024] + b"\0" * 700 + b"x")
    save("second-archive.tar", big + second)
    for extension in ["gz", *PACKERS]:
        data = pack_as(extension, big)
        save("good.tar." + extension, data)
        save("garbage-after.tar." + extension, data + b"trailing garbage")
        save("cut.tar." + extension, data[:-9])
        save("cut-half.tar." + extension, data[:len(data) // 2])
        save("second-member.tar." + extension, data + pack_as(extension, second))
        save("cut-at-entry.tar." + extension, pack_as(extension, big[:entry]))
        flipped = bytearray(data)
        flipped[len(data) // 2] ^= 1
        save("flipped.tar." + extension, bytes(flipped))
    gz = pack_as("gz", big)
    save("crc.tar.gz", gz[:-8] + b"\0\0\0\0" + gz[-4:])
    save("isize.tar.gz", gz[:-4] + b"\0\0\0\0")
    save("empty-member.tar.gz", gz + gzip.compress(b""))
    save("twice.tar.gz", gzip.compress(gz))


def greedy():
    small = archive(member("one", data=b"x" * 5000))
    save("window.tar.zst", pack(["zstd", "-q", "--ultra", "--long=31", "-1", "-c"], small))
    save("dictionary.tar.xz", pack(["xz", "--lzma2=preset=0,dict=1536MiB", "-c"], small))
    with open("zeros.bin", "wb") as zeros:
        zeros.truncate(1 << 30)
    with open("bomb.tar.zst", "wb") as out:
        tar = subprocess.Popen(["tar", "-cf", "-", "zeros.bin"], stdout=subprocess.PIPE)
        subprocess.run(["zstd", "-q", "-1", "-c"], stdin=tar.stdout, stdout=out, check=True)
        tar.wait()
    os.unlink("zeros.bin")


def others():
    save("zip.tar", b"PK\x03\x04" + b"\0" * 2000)
    save("cpio.tar", b"070701" + b"0" * 2000)
    save("mtree.tar", b"#mtree\n. type=dir\n" * 100)
    save("xar.tar", b"xar!" + b"\0" * 2000)
    save("sevenzip.tar", b"7z\xbc\xaf\x27\x1c" + b"\0" * 2000)
    save("text.tar.gz", gzip.compress(b"hello world\n" * 100))
    save("lz4.tar", b"\x04\x22\x4d\x18" + b"\0" * 2000)


{"escapes": escapes, "names": names, "oddities": oddities, "ends": ends, "greedy": greedy, "others": others}[sys.argv[2]]()
