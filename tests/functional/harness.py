"""What the functional tests share: the installed program in an environment of its own, a real mirror of Alpine
files over HTTP, and small checks on files. Every test class gets fresh cache, configuration and output folders."""

import fcntl
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("IMGFORGE", str(SOURCE / "build" / "imgforge"))
ALPINE = pathlib.Path(os.environ.get("IMGFORGE_TEST_ALPINE", SOURCE / ".." / "shared" / "alpine")).resolve()
RELEASE = "3.19"
FULL = os.environ.get("IMGFORGE_TEST_FULL") == "1"  # ci/test --full


def have_alpine():
    return (ALPINE / "make-mirror").is_file()


NEEDS_ALPINE = unittest.skipUnless(
    have_alpine(), f"no Alpine test material in {ALPINE} (set IMGFORGE_TEST_ALPINE)")


class Mirror:
    """A signed Alpine mirror served over HTTP, with faults on demand."""

    def __init__(self, folder, *options, copy_of=None):
        self.folder = pathlib.Path(folder) / "mirror"
        self.log = pathlib.Path(folder) / "requests.log"
        if copy_of:
            shutil.copytree(copy_of.folder, self.folder, copy_function=os.link)
        else:
            subprocess.run([ALPINE / "make-mirror", self.folder, *options], check=True, capture_output=True)
        self.process = subprocess.Popen(
            [ALPINE / "serve", self.folder, "--stdin", "--log", self.log],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.key = self.folder / "keys" / "imgforge-test.rsa.pub"

    def url(self, fault=""):
        return f"http://127.0.0.1:{self.port}{'/fault/' + fault if fault else ''}"

    def requests(self):
        """The requests so far, oldest first."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()


def link_or_copy(source, target):
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def warm(cache):
    """Gives an empty cache folder what the first build on a machine makes: the appliance, what is known of the accelerator, and
    hello-boot's root file system. Made once per program, beside it."""
    prepared = pathlib.Path(PROGRAM).parent / "test-cache"
    with open(f"{prepared}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = prepared / "program"
        program = str(os.stat(PROGRAM).st_mtime_ns)
        if not stamp.exists() or stamp.read_text() != program:
            shutil.rmtree(prepared, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix="imgforge-functional.") as folder:
                keep = {k: v for k, v in os.environ.items() if not k.startswith(("IMGFORGE_", "XDG_", "LIBGUESTFS_"))}
                subprocess.run([PROGRAM, "--output-dir", f"{folder}/out", "--cache-dir", prepared, "build",
                                SOURCE / "recipes" / "hello-boot.yaml", "--format", "rootfs", "--unsigned",
                                "--isolation", "appliance"],
                               env={**keep, "HOME": folder, "CI": "true"}, check=True, capture_output=True, timeout=600)
            stamp.write_text(program)
        for part in prepared.iterdir():
            if part.name == "appliance":  # large, and only read
                shutil.copytree(part, cache / part.name, copy_function=link_or_copy)
            elif part.is_dir():
                shutil.copytree(part, cache / part.name)
            elif part != stamp:
                cache.mkdir(parents=True, exist_ok=True)
                shutil.copy2(part, cache / part.name)


def generic_kernel():
    """Debian's generic kernel as a package file, fetched once per build folder by the first test that wants it."""
    folder = pathlib.Path(os.environ.get("IMGFORGE_TEST_KERNEL", SOURCE / "build" / "test-kernel"))
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(folder.glob("linux-image-*.deb")):
            depends = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True, check=True)
            name = re.search(r"Depends: (linux-image-6\S+)", depends.stdout).group(1)
            subprocess.run(["apt-get", "download", "-q", name], cwd=folder, check=True, capture_output=True)
    return sorted(folder.glob("linux-image-*.deb"))[-1]


def served_names(mirror):
    """Names of the packages that the mirror has."""
    names = set()
    for index in mirror.folder.glob(f"v{RELEASE}/*/x86_64/APKINDEX.tar.gz"):
        with tarfile.open(index) as tar:
            text = tar.extractfile("APKINDEX").read().decode()
        names.update(re.findall(r"^P:(.*)$", text, re.M))
    return names


# Services of packages that a mirror may lack.
SERVICES = {"dbus": "dbus", "seatd": "seatd", "sshd": "openssh", "qemu-guest-agent": "qemu-guest-agent", "chronyd": "chrony"}


class Case(unittest.TestCase):
    """A test with its own folders; `run_imgforge` runs the program in them."""

    WARM = False  # whether the cache begins with what every machine has after its first build

    @classmethod
    def setUpClass(cls):
        cls.scratch = pathlib.Path(tempfile.mkdtemp(prefix="imgforge-functional."))
        cls.out = cls.scratch / "out"
        cls.home = cls.scratch / "home"
        cls.home.mkdir()
        if cls.WARM:
            warm(cls.home / "cache" / "imgforge")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.scratch, ignore_errors=True)

    @classmethod
    def environment(cls, **extra):
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("IMGFORGE_", "XDG_", "LIBGUESTFS_"))}
        keep.pop("SOURCE_DATE_EPOCH", None)
        if "IMGFORGE_ACCELERATOR" in os.environ:
            keep["IMGFORGE_ACCELERATOR"] = os.environ["IMGFORGE_ACCELERATOR"]
        keep.update(HOME=str(cls.home), XDG_CACHE_HOME=str(cls.home / "cache"),
                    XDG_CONFIG_HOME=str(cls.home / "config"), CI="true")
        keep.update(extra)
        return keep

    @classmethod
    def run_imgforge(cls, *args, env=None, output_dir=None, timeout=300, **options):
        """Runs the program to its end; the result's `args`, `returncode`, `stdout`, `stderr` are for asserts."""
        words = [PROGRAM, "--output-dir", str(output_dir or cls.out), *map(str, args)]
        return subprocess.run(words, env=cls.environment(**(env or {})), capture_output=True, text=True,
                              timeout=timeout, stdin=subprocess.DEVNULL, **options)

    def assert_exit(self, result, code):
        self.assertEqual(result.returncode, code, f"{result.args}\n{result.stdout}\n{result.stderr}")
        return result

    def ok(self, *args, **options):
        return self.assert_exit(self.run_imgforge(*args, **options), 0)

    def fails(self, code, *args, says=(), **options):
        """The program must fail with that code, and its standard error must hold each text of `says`."""
        result = self.assert_exit(self.run_imgforge(*args, **options), code)
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, result.stderr)
        return result

    def recipe(self, text, name="recipe.yaml"):
        path = self.scratch / name
        path.write_text(text)
        return path

    @classmethod
    def served_copy(cls, recipe, mirror):
        """A shipped recipe with the packages that the mirror has; tests of the resolver see the rest. It stands beside the
        original, whose files it names."""
        names = served_names(mirror)

        def kept(wanted):
            def filtered(match):
                names = [name for name in re.split(r",\s*", match.group(2)) if wanted(name)]
                return f"{match.group(1)}[{', '.join(names)}]"
            return filtered

        text = re.sub(r"(\badd: )\[([^\]]*)\]", kept(names.__contains__), recipe.read_text())
        text = re.sub(r"(\bdefault: )\[([^\]]*)\]", kept(lambda n: SERVICES.get(n, n) in names or n not in SERVICES), text)
        if "seatd" not in names:
            text = text.replace("input, seat]", "input]")
        copy = recipe.parent / f".{recipe.stem}-{os.getpid()}-test.yaml"  # several test programs run at once
        copy.write_text(text)
        cls.addClassCleanup(copy.unlink, True)
        return copy

    def snapshot(self, folder=None):
        """Every path below the store with its link target or content digest: equal before and after a failure."""
        import hashlib
        rows = {}
        folder = folder or self.out
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if name.startswith(".lock") or path.is_dir() and not path.is_symlink():
                continue
            rows[name] = os.readlink(path) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
        return rows

    def assert_nothing_left(self):
        """No temporary folder or file of a build is left in the store or the cache."""
        left = [p for p in (self.home / "cache").rglob("*") if p.parent.name in ("tmp", "staging")]
        left += [p for p in self.out.glob(".staging/*")]
        self.assertEqual(left, [])


class FreshCase(Case):
    """Each test by itself gets what a Case has once for all its tests; `setUp` of such a case calls this one first."""

    def setUp(self):
        super().setUpClass()
        self.addCleanup(super().tearDownClass)

    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass


def link_constants(source, target):
    """For copies of whole folders: what nobody changes in place is linked, the rest copied."""
    constant = {"appliance", "blobs"} & set(pathlib.Path(source).parts)
    (link_or_copy if constant else shutil.copy2)(source, target)


class CopyCase(Case):
    """Its tests do not see each other: what `setUpClass` has made in the scratch folder is put aside by `keep`, and each test
    begins with a copy of it at the same place. Servers need a folder that stays: `aside`."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory(prefix="imgforge-functional-aside.")
        cls.addClassCleanup(folder.cleanup)
        cls.aside = pathlib.Path(folder.name)

    @classmethod
    def keep(cls):
        """The last words of setUpClass."""
        shutil.move(cls.scratch, cls.aside / "kept")

    def setUp(self):
        shutil.copytree(self.aside / "kept", self.scratch, symlinks=True, copy_function=link_constants)

    def tearDown(self):
        shutil.rmtree(self.scratch)


class MirrorCase(Case):
    """A mirror of its own and a key of its own; what they need is said by NEEDS_ALPINE."""

    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mirror = Mirror(cls.scratch)
        cls.addClassCleanup(cls.mirror.close)
        cls.run_imgforge("key", "generate", "mirror@test", "--no-passphrase").check_returncode()


def wait_for(condition, what, seconds=60):
    """What the condition gives as soon as it is true; the test fails with `what` when it never is."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(what)
        time.sleep(0.02)
    return value


def children_of(pid):
    """Process ids of all living descendants."""
    found = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:  # it has ended
        return found
    for task in tasks:
        try:
            children = pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split()
        except OSError:  # likewise
            continue
        for child in children:
            found += [int(child), *children_of(int(child))]
    return found


def flip_byte(path, offset):
    """Changes one byte of a file in place (negative offsets count from the end)."""
    size = path.stat().st_size
    mode = path.stat().st_mode
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        file.seek(offset % size)
        byte = file.read(1)[0]
        file.seek(offset % size)
        file.write(bytes([byte ^ 0x40]))
    os.chmod(path, mode)


def main():
    """Runs the module's tests; 77 (ctest's "skipped") when not one of them could run."""
    result = unittest.main(verbosity=2, exit=False).result
    if not result.wasSuccessful():
        sys.exit(1)
    ran = result.testsRun - len(result.skipped)
    for test, why in result.skipped:
        print(f"skipped {test}: {why}")
    sys.exit(0 if ran > 0 else 77)
