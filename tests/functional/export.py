#!/usr/bin/env python3
"""`imgforge export` and `imgforge serve` from outside: what stock clients (virt-builder, gpg, minisign, sha256sum,
curl, a browser) make of an exported tree."""

import concurrent.futures
import hashlib
import html
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

from browser import Browser
from harness import PROGRAM, SOURCE, Case, flip_byte, main

HELLO = SOURCE / "recipes" / "hello-boot.yaml"
DAYS = (1795000000, 1795200000)  # of the two releases


class Export(Case):
    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.web = cls.scratch / "web"
        cls.gpg = cls.scratch / "gpg"
        cls.gpg.mkdir(mode=0o700)
        os.environ["GNUPGHOME"] = str(cls.gpg)
        cls.check("gpg", "--batch", "--quick-gen-key", "--passphrase", "", "Release <release@test>", "ed25519", "sign",
                  "never")
        listing = cls.check("gpg", "--batch", "--with-colons", "--list-keys")
        cls.fingerprint = re.search(r"^fpr:+([0-9A-F]{40}):", listing, re.M).group(1)
        for words in (["key", "generate", "release@test", "--no-passphrase"],
                      ["build", HELLO, "--format", "qcow2", "--format", "iso", "--boot-path", "disk BIOS"],
                      ["build", HELLO, "--format", "qcow2", "--format", "iso", "--set", "disk.size=160M"]):
            epoch = DAYS[0] if "--boot-path" in words else DAYS[1]
            result = cls.run_imgforge(*words, env={"SOURCE_DATE_EPOCH": str(epoch)})
            assert result.returncode == 0, result.stderr
        result = cls.run_imgforge("export", cls.web, "--gpg-key", "release@test", "--title", "Tom & <Jerry>", "--json")
        assert result.returncode == 0, result.stderr
        cls.exported = json.loads(result.stdout)
        cls.current, cls.older = cls.exported["lines"][0]["versions"]
        cls.image = f"releases/hello-boot/{cls.current}/hello-boot-{cls.current}.qcow2"

    @classmethod
    def tearDownClass(cls):
        subprocess.run(["gpgconf", "--kill", "all"], check=False)
        super().tearDownClass()

    @staticmethod
    def check(*words, **options):
        result = subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)
        assert result.returncode == 0, f"{words}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def virt_builder(self, *words, config=None):
        """Without the system's own repositories, which are on the internet. `config` holds virt-builder/repos.d."""
        empty = self.scratch / "empty"
        empty.mkdir(exist_ok=True)
        env = self.environment(VIRT_BUILDER_DIRS=str(empty), XDG_CONFIG_HOME=str(config or empty),
                               GNUPGHOME=str(self.gpg), LIBGUESTFS_BACKEND="direct", LIBGUESTFS_BACKEND_SETTINGS="force_tcg")
        return subprocess.run(["virt-builder", *map(str, words)], env=env, capture_output=True, text=True, timeout=400)

    def test_01_sums_and_signatures_hold_with_stock_tools(self):
        self.assertEqual(self.check("sha256sum", "--quiet", "-c", "SHA256SUMS", cwd=self.web), "")
        self.check("minisign", "-Vm", "SHA256SUMS", "-p", "signing-key.pub", cwd=self.web)
        for words in (["SHA256SUMS.asc", "SHA256SUMS"], ["index.asc"], ["streams/v1/index.sjson"],
                      ["streams/v1/images.sjson"]):
            status = subprocess.run(["gpg", "--batch", "--status-fd", "1", "--verify", *words], cwd=self.web,
                                    capture_output=True, text=True)
            self.assertIn(f"VALIDSIG {self.fingerprint}", status.stdout, words)
        for version in (self.current, self.older):
            folder = self.web / "releases" / "hello-boot" / version
            self.check("minisign", "-Vm", "SHA256SUMS", "-p", self.web / "signing-key.pub", cwd=folder)
            self.check("sha256sum", "--quiet", "-c", "SHA256SUMS", cwd=folder)
        self.ok("verify", "--strict", self.web / "releases" / "hello-boot" / self.current)
        # Nothing is there that neither the sums list nor is a signature or the marker.
        listed = {line.split("  ")[1] for line in (self.web / "SHA256SUMS").read_text().splitlines()}
        others = {p.relative_to(self.web).as_posix() for p in self.web.rglob("*") if p.is_file()} - listed
        self.assertEqual({n for n in others if not n.endswith((".minisig", ".asc", ".sjson"))},
                         {"SHA256SUMS", ".imgforge-export"})

    def test_01_the_page_checks_one_file_with_any_system(self):
        page = html.unescape((self.web / "index.html").read_text())
        script = re.search(r"(?m)^file=.*\n.*-c -$", page).group()
        name = re.match("file=(.*)", script).group(1)
        folder = next(self.web.glob(f"releases/*/*/{name}")).parent
        for tool, shell in (("sha256sum", ["sh", "-c"]), ("busybox", ["busybox", "sh", "-c"]), ("shasum", ["sh", "-c"])):
            download, programs = self.scratch / f"one-{tool}", self.scratch / f"path-{tool}"
            download.mkdir()
            programs.mkdir()
            for program in ("grep", "sha256sum") if tool == "busybox" else ("grep", tool, "perl"):
                (programs / program).symlink_to(shutil.which("busybox" if tool == "busybox" else program))
            for file in (name, "SHA256SUMS"):
                shutil.copy(folder / file, download)

            def run(text):
                words = [shutil.which(shell[0]), *shell[1:], text]
                return subprocess.run(words, cwd=download, env={"PATH": str(programs)}, capture_output=True, text=True)
            good = run(script)
            self.assertEqual((good.returncode, good.stdout), (0, f"{name}: OK\n"), (tool, good.stderr))
            self.assertNotEqual(run(script.replace(name, "other.img")).returncode, 0, tool)
            flip_byte(download / name, 4096)
            self.assertNotEqual(run(script).returncode, 0, tool)

    def test_02_virt_builder_reads_the_signed_index(self):
        source = ["--source", f"file://{self.web}/index.asc", "--fingerprint", self.fingerprint]
        result = self.assert_exit(self.virt_builder(*source, "--list"), 0)
        self.assertRegex(result.stdout, rf"(?m)^hello-boot +x86_64 +hello-boot {self.current}$")
        self.assertNotIn(self.older, result.stdout)
        notes = self.assert_exit(self.virt_builder(*source, "--notes", f"hello-boot-{self.older}"), 0).stdout
        self.assertIn("Kernel", notes)
        listing = self.assert_exit(self.virt_builder(*source, "--list", "--list-format", "json"), 0).stdout
        template = [t for t in json.loads(listing)["templates"] if t["os-version"] == "hello-boot"][0]
        self.assertEqual(template["size"], 160 << 20)
        # Another key is not trusted, and a changed index is refused.
        self.assertNotEqual(self.virt_builder(*source[:3], "F" * 40, "--list").returncode, 0)
        bad = self.scratch / "bad.asc"
        bad.write_text((self.web / "index.asc").read_text().replace("size=", "size=1", 1))
        self.assertNotEqual(self.virt_builder("--source", f"file://{bad}", *source[2:], "--list").returncode, 0)

    def test_03_virt_builder_reads_simple_streams(self):
        config = self.scratch / "config"
        repositories = config / "virt-builder" / "repos.d"
        repositories.mkdir(parents=True)
        (repositories / "here.conf").write_text(
            f"[here]\nuri=file://{self.web}/\ngpgkey=file://{self.web}/signing-key.asc\nformat=simplestreams\n")
        result = self.assert_exit(self.virt_builder("--list", "--long", config=config), 0)
        self.assertRegex(result.stdout, r"os-version: +hello-boot:x86_64")
        self.assertRegex(result.stdout, r"Aliases: +hello-boot")

    def test_04_virt_builder_makes_a_disk_of_it(self):
        disk = self.scratch / "made.qcow2"
        self.assert_exit(self.virt_builder(
            "hello-boot", "--source", f"file://{self.web}/index.asc", "--fingerprint", self.fingerprint, "--format",
            "qcow2", "--output", disk, "--no-network", "--root-password", "locked:disabled"), 0)
        info = json.loads(self.check("qemu-img", "info", "--output=json", disk))
        self.assertEqual((info["format"], info["virtual-size"]), ("qcow2", 160 << 20))
        self.check("qemu-img", "check", disk)

    def test_05_incus_metadata_is_an_archive_with_a_true_combined_digest(self):
        images = json.loads((self.web / "streams/v1/images.json").read_text())
        for name, version in images["products"]["hello-boot:x86_64"]["versions"].items():
            self.assertRegex(name, r"^\d{8}")
            meta, disk = version["items"]["incus.tar.xz"], version["items"]["disk.img"]
            both = hashlib.sha256()
            for item in (meta, disk):
                content = (self.web / item["path"]).read_bytes()
                self.assertEqual((len(content), hashlib.sha256(content).hexdigest()), (item["size"], item["sha256"]))
                both.update(content)
            self.assertEqual(both.hexdigest(), meta["combined_disk-kvm-img_sha256"])
            listing = self.check("tar", "-xJOf", self.web / meta["path"], "metadata.yaml")
            self.assertEqual(json.loads(listing)["properties"]["os"], "hello-boot")

    def test_06_the_page_sorts_and_shows_in_a_browser(self):
        browser = Browser(self.scratch / "chromium")
        try:
            browser.open(f"file://{self.web}/index.html")
            self.assertEqual(browser.run("document.title"), "Tom & <Jerry>")
            versions = "[...document.querySelectorAll('table.releases tbody tr')].map(r => r.cells[1].dataset.key)"
            self.assertEqual(browser.run(versions), [self.current, self.older])
            head = "document.querySelectorAll('table.releases thead th')[2]"
            browser.run(f"{head}.querySelector('button').click()")
            self.assertEqual(browser.run(f"{head}.getAttribute('aria-sort')"), "descending")
            browser.run(f"{head}.querySelector('button').focus()")
            browser.press("Enter", 13)
            self.assertEqual(browser.run(f"{head}.getAttribute('aria-sort')"), "ascending")
            self.assertEqual(browser.run(versions), [self.older, self.current])
            cell = "document.querySelector('table.releases tbody tr').cells[5].textContent"
            self.assertRegex(browser.run(cell), r"^\d+\.\d s$")
            self.assertGreater(browser.run("document.querySelectorAll('svg polyline').length"), 0)
            link = browser.run("document.querySelector('.files a').href")
            self.assertTrue(pathlib.Path(link.removeprefix("file://")).is_file(), link)
            command = browser.run("document.querySelector('#verify pre code').textContent")
            self.assertIn((self.web / "signing-key.pub").read_text().splitlines()[1], command)
            self.assertEqual(browser.run("document.querySelectorAll('button.copy').length"),
                             browser.run("document.querySelectorAll('pre').length"))
            # Nothing sticks out of a phone's screen.
            browser.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
            self.assertLessEqual(browser.run("document.documentElement.scrollWidth"), 360)
            self.assertEqual(browser.log, [], "no error, no refusal by the page's own policy")
            browser.call("Emulation.setScriptExecutionDisabled", value=True)
            browser.open(f"file://{self.web}/index.html?")
            self.assertIn("minisign -Vm", browser.run("document.body.innerText"), "readable without its script")
            self.assertEqual(browser.run("document.querySelectorAll('button').length"), 0)
        finally:
            browser.close()

    def test_07_the_same_store_gives_the_same_tree(self):
        again = self.scratch / "again"
        env = {"SOURCE_DATE_EPOCH": str(int(time.time()))}
        self.ok("export", again, "--gpg-key", "release@test", "--title", "Tom & <Jerry>", "--link", "copy", env=env)
        first = self.snapshot(again)
        self.ok("export", again, "--gpg-key", "release@test", "--title", "Tom & <Jerry>", env=env)
        self.assertEqual(self.snapshot(again), first, "with GPG signatures, whose time is fixed")
        unlike = {name for name, digest in self.snapshot(self.web).items() if first[name] != digest}
        self.assertEqual({name for name in unlike if not name.endswith((".asc", ".sjson"))}, set())
        self.ok("export", again, "--keep-last", "1")
        self.assertFalse((again / "releases" / "hello-boot" / self.older).exists())
        self.assertFalse((again / "index.asc").exists())

    def test_08_a_killed_export_leaves_one_whole_tree(self):
        target = self.scratch / "killed"
        self.ok("export", target, "--title", "new")
        new = self.snapshot(target)
        self.ok("export", target, "--title", "old")
        old = self.snapshot(target)
        self.assertNotEqual(old, new)
        killed = 0
        for delay in (0.1, 0.2, 0.4, 0.6, 0.8, 1.0):
            process = subprocess.Popen([PROGRAM, "--output-dir", self.out, "export", target, "--link", "copy", "--title",
                                        "new"],
                                       env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            process.kill()
            killed += process.wait() == -signal.SIGKILL
            self.assertIn(self.snapshot(target), (old, new), delay)
        self.assertGreater(killed, 0)
        self.ok("export", target, "--title", "new")
        self.assertEqual(self.snapshot(target), new)
        self.assertFalse((self.scratch / ".killed.export").exists())

    def test_09_what_does_not_verify_is_not_exported(self):
        store = self.scratch / "damaged"
        shutil.copytree(self.out, store, symlinks=True)
        target = self.scratch / "from-damaged"
        # As a copy: a hard link would change with the store's file.
        self.ok("export", target, "--link", "copy", output_dir=store)
        before = self.snapshot(target)
        flip_byte(store / self.image, 5000)
        self.fails(3, "export", target, output_dir=store, says=["does not verify", "sha256"])
        self.assertEqual(self.snapshot(target), before)
        self.fails(1, "export", self.out / "inside", says="overlap")
        self.fails(3, "export", target, "--gpg-key", "nobody@test", says="gpg knows no secret key")
        self.fails(2, "export")


class Serve(Case):
    """A folder of plain files is enough for the server."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.web = cls.scratch / "tree"
        (cls.web / "sub").mkdir(parents=True)
        cls.content = os.urandom(1 << 20) * 24
        (cls.web / "big.bin").write_bytes(cls.content)
        (cls.web / "index.html").write_text("<p>hello")
        (cls.web / "odd & ünïcode.txt").write_text("odd")
        (cls.scratch / "secret").write_text("secret")
        (cls.web / "out").symlink_to("../secret")
        (cls.web / "SHA256SUMS").write_text(hashlib.sha256(cls.content).hexdigest() + "  big.bin\n")
        cls.server = subprocess.Popen([PROGRAM, "serve", cls.web, "--port", "0", "--json", "-v"],
                                      env=cls.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                      text=True)
        text = ""
        while not text.endswith("}\n"):
            text += cls.server.stdout.readline()
        cls.started = json.loads(text)
        cls.url = cls.started["url"].rstrip("/")

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()
        cls.server.wait()
        cls.server.stdout.close()
        super().tearDownClass()

    def curl(self, path, *words):
        """Status, headers in lower case, body."""
        head = self.scratch / "head"
        result = subprocess.run(["curl", "-sS", "--path-as-is", "-D", head, *words, self.url + path],
                                capture_output=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = head.read_text().splitlines()
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), headers, result.stdout

    def test_01_whole_files_heads_and_types(self):
        status, headers, body = self.curl("/big.bin")
        self.assertEqual((status, hashlib.sha256(body).digest()), (200, hashlib.sha256(self.content).digest()))
        self.assertEqual(headers["etag"], f'"{hashlib.sha256(self.content).hexdigest()}"')
        self.assertEqual(headers["content-type"], "application/octet-stream")
        self.assertEqual(self.curl("/")[1]["content-type"], "text/html; charset=utf-8")
        self.assertEqual(self.curl("/odd%20%26%20%C3%BCn%C3%AFcode.txt?x=y")[2], b"odd")
        status, headers, body = self.curl("/big.bin", "-I")
        self.assertEqual((status, headers["content-length"]), (200, str(len(self.content))))
        self.assertEqual(self.curl("/sub")[0], 301)
        self.assertEqual(self.curl("/sub/")[0], 404)
        self.assertEqual(self.curl("/", "-X", "POST", "-d", "x")[0], 405)

    def test_02_ranges(self):
        size = len(self.content)
        for text, first, last in (("0-99", 0, 99), (f"{size - 7}-", size - 7, size - 1), ("-5", size - 5, size - 1),
                                  (f"10-{size * 2}", 10, size - 1)):
            status, headers, body = self.curl("/big.bin", "-r", text)
            self.assertEqual((status, headers["content-range"]), (206, f"bytes {first}-{last}/{size}"))
            self.assertEqual(body, self.content[first:last + 1])
        status, headers, body = self.curl("/big.bin", "-r", f"{size}-")
        self.assertEqual((status, headers["content-range"], body), (416, f"bytes */{size}", b""))
        partial = self.scratch / "partial.bin"
        partial.write_bytes(self.content[:5_000_001])
        subprocess.run(["curl", "-sS", "-C", "-", "-o", partial, self.url + "/big.bin"], check=True, timeout=60)
        self.assertEqual(partial.read_bytes(), self.content)

    def test_03_validators(self):
        tag = self.curl("/big.bin", "-I")[1]["etag"]
        status, headers, body = self.curl("/big.bin", "-H", f"If-None-Match: {tag}")
        self.assertEqual((status, headers["etag"], body), (304, tag, b""))
        self.assertEqual(self.curl("/big.bin", "-H", f"If-Range: {tag}", "-r", "0-3")[0], 206)
        self.assertEqual(self.curl("/big.bin", "-H", 'If-Range: "old"', "-r", "0-3")[0], 200)
        page = self.curl("/", "-I")[1]["etag"]
        (self.web / "index.html").write_text("<p>other")
        self.assertEqual(self.curl("/", "-H", f"If-None-Match: {page}")[0], 200)

    def test_04_nothing_outside_is_served(self):
        for path in ("/../secret", "/sub/../../secret", "/%2e%2e/secret", "/..%2fsecret", "/out", "//../secret",
                     "/.hidden", "/%00", "/big.bin%00.html", "/%zz"):
            self.assertIn(self.curl(path)[0], (400, 404), path)

    def test_05_twenty_clients_at_once_beside_idle_ones(self):
        idle = [socket.create_connection(("127.0.0.1", self.started["port"])) for _ in range(50)]
        try:
            for client in idle[:25]:
                client.sendall(b"GET / HTTP/1.1\r\nHost:")
            want = hashlib.sha256(self.content).hexdigest()

            def fetch(_):
                with urllib.request.urlopen(self.url + "/big.bin", timeout=60) as answer:
                    return hashlib.sha256(answer.read()).hexdigest()
            with concurrent.futures.ThreadPoolExecutor(20) as pool:
                self.assertEqual(list(pool.map(fetch, range(20))), [want] * 20)
        finally:
            for client in idle:
                client.close()

    def test_06_several_requests_in_one_packet(self):
        with socket.create_connection(("127.0.0.1", self.started["port"]), timeout=10) as client:
            one = b"GET /sub HTTP/1.1\r\nHost: a\r\n\r\n"
            client.sendall(one + one + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            text = b""
            while data := client.recv(65536):
                text += data
        self.assertEqual(text.count(b"HTTP/1.1 301 "), 3)

    def test_07_an_exchanged_folder_is_served_at_once(self):
        folder = self.scratch / "swap"
        folder.mkdir()
        (folder / "name").write_text("old")
        with subprocess.Popen([PROGRAM, "serve", folder, "--port", "0"], env=self.environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            url = server.stdout.readline().strip()
            read = lambda: urllib.request.urlopen(url + "name", timeout=10).read()
            self.assertEqual(read(), b"old")
            folder.rename(self.scratch / "aside")
            folder.mkdir()
            (folder / "name").write_text("new")
            self.assertEqual(read(), b"new")
            server.send_signal(signal.SIGINT)
            self.assertEqual(server.wait(timeout=10), 130)

    def test_08_mistakes(self):
        self.fails(2, "serve", self.scratch / "missing", says="is no folder")
        self.fails(2, "serve", self.web, "--bind", "example.org", says="is no address")
        self.fails(1, "serve", self.web, "--port", self.started["port"], says="cannot listen")
        for command in ("export", "serve"):
            self.assertIn("Example:", self.ok(command, "--help").stdout)


if __name__ == "__main__":
    main()
