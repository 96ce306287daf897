"""A folder that stands for an image with first boot in it, whose scripts run under the host's busybox and nothing else, and a
server that misbehaves. The files are those that imgforge puts into images."""

import hashlib
import http.server
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time

from harness import wait_for

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SCRIPTS = SOURCE / "builder" / "first_boot" / "scripts"
BUSYBOX = shutil.which("busybox")
SETTINGS = {"name": "demo", "questions": "network model interface hostname timezone", "updates": "", "attempts": "3",
            "longest_wait": "0", "stall": "2", "shared_tag": "shared", "log_file": "/var/log/demo-first-boot.log"}


class Server:
    """Serves `files` (path: bytes). A path's faults are taken one a request: a status, ("cut", n) ends the connection after n
    bytes, ("stall", n) says no more, ("bytes", data) sends that with status 200, "whole" ignores the range. `slow` is bytes a
    second. With `tls`, the files of a certificate and its key, it talks https; `connections` counts those that never get to a
    request, too."""

    def __init__(self, tls=None):
        self.files, self.faults, self.log, self.slow = {}, {}, [], None
        self.connections, self.scheme = 0, "https" if tls else "http"
        self.ended = threading.Event()
        server = self

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def verify_request(self, request, address):
                server.connections += 1
                return True

            def handle_error(self, request, address):
                """A client that hangs up is none of the server's business."""

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            do_HEAD = do_GET

            def log_message(self, *words):
                pass

        self.http = Listener(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def url(self, path, host="127.0.0.1"):
        return f"{self.scheme}://{host}:{self.port}/{path}"

    def ranges(self, path):
        """Where each request for the path began, None for the whole."""
        return [begin for requested, begin in self.log if requested == path]

    def answer(self, request):
        path = request.path.lstrip("/")
        wanted = request.headers.get("Range")
        begin = int(wanted.split("=")[1].split("-")[0]) if wanted else None
        self.log.append((path, begin))
        fault = self.faults.get(path, [])
        fault = fault.pop(0) if fault else None
        data = self.files.get(path)
        if data is None and not isinstance(fault, tuple):
            fault = 404
        if isinstance(fault, int):
            request.send_error(fault)
            return
        slow = self.slow
        kind, value = fault if isinstance(fault, tuple) else (fault, None)
        if kind == "bytes":
            data, begin = value, None
        if kind == "whole":
            begin = None
        if begin is not None and begin >= len(data):
            request.send_error(416)
            return
        body = data[begin or 0:]
        request.send_response(200 if begin is None else 206)
        if begin is not None:
            request.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command == "HEAD":
            return
        try:
            if kind in ("cut", "stall"):
                request.wfile.write(body[:value])
                request.wfile.flush()
                if kind == "stall":
                    self.ended.wait(30)
            elif slow:
                for at in range(0, len(body), slow // 10):
                    request.wfile.write(body[at:at + slow // 10])
                    time.sleep(0.1)
            else:
                request.wfile.write(body)
        except OSError:
            pass
        request.close_connection = True

    def close(self):
        self.ended.set()
        self.http.shutdown()
        self.http.server_close()


def model_list(serial, rows):
    """Text of a list: rows of model, version, file, contents, URL; for other sizes or digests give (bytes, size, sha256)."""
    lines = [f"# serial: {serial}"]
    for model, version, file, data, url in rows:
        data, size, sha256 = data if isinstance(data, tuple) else (data, len(data), hashlib.sha256(data).hexdigest())
        lines.append("\t".join([model, version, file, str(size), sha256, url]))
    return ("\n".join(lines) + "\n").encode()


def certificates(folder, address):
    """Files of a certification authority's certificate, and of a server's that it signed for an address, with its key."""
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
    folder.mkdir()
    ca, ca_key, server, key = (folder / name for name in ("ca.pem", "ca.key", "server.pem", "server.key"))
    for more in (["-keyout", ca_key, "-out", ca, "-subj", "/CN=Authority of a test"],
                 ["-CA", ca, "-CAkey", ca_key, "-keyout", key, "-out", server, "-subj", "/CN=Server of a test", "-addext",
                  f"subjectAltName=IP:{address}", "-addext", "basicConstraints=critical,CA:FALSE"]):
        subprocess.run([*words, *more], check=True, capture_output=True)
    return ca, (server, key)


class Signer:
    """A minisign key, and signatures by the real minisign. `secret`: a key that is there already."""

    def __init__(self, folder, name="key", secret=None):
        self.public, self.secret = folder / f"{name}.pub", folder / f"{name}.sec"
        if secret:
            self.public, self.secret = secret.with_suffix(".pub"), secret
            return
        subprocess.run(["minisign", "-G", "-W", "-p", self.public, "-s", self.secret], check=True, capture_output=True)

    def sign(self, data):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "models.list"
            file.write_bytes(data)
            subprocess.run(["minisign", "-S", "-s", self.secret, "-m", file], check=True, capture_output=True)
            return file.with_suffix(".list.minisig").read_bytes()


class Image:
    """The folder. `settings` change what imgforge would write from the recipe."""

    def __init__(self, folder, verifier, **settings):
        self.root = folder
        library = folder / "usr/lib/imgforge/first-boot"
        library.mkdir(parents=True)
        for script in SCRIPTS.glob("*.sh"):
            name = script.stem if script.stem in ("setup", "model", "dhcp") else script.name
            shutil.copy(script, library / name)
        shutil.copy(verifier, library / "verify-signature")
        text = "".join(f"{key}='{value}'\n" for key, value in {**SETTINGS, **settings}.items())
        (library / "settings").write_text(text)
        self.library, self.config, self.store = library, folder / "etc/demo", folder / "var/lib/demo/models"
        self.log = folder / "var/log/demo-first-boot.log"
        for path in ("etc/demo", "proc", "usr/share/zoneinfo/Europe"):
            (folder / path).mkdir(parents=True)
        (folder / "etc/hostname").write_text("factory\n")
        (folder / "proc/cmdline").write_text("root=LABEL=x quiet\n")
        (folder / "usr/share/zoneinfo/Europe/Vienna").write_text("TZif\n")

    def words(self, program, *arguments):
        return [BUSYBOX, "sh", str(self.library / program), *arguments]

    def options(self):
        return {"env": {"IMGFORGE_ROOT": str(self.root), "PATH": "/nowhere"}, "stderr": subprocess.STDOUT}

    def run(self, program, *arguments, say="", timeout=60):
        """Exit code and everything that was said."""
        done = subprocess.run(self.words(program, *arguments), input=say, stdout=subprocess.PIPE, text=True, timeout=timeout,
                              **self.options())
        return done.returncode, done.stdout

    def start(self, program, *arguments):
        return subprocess.Popen(self.words(program, *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                start_new_session=True, **self.options())

    def run_and_kill(self, program, *arguments, after=None, when=None):
        """Kills the run and all it started, after some seconds or when something can be seen. True when it was still at work."""
        process = self.start(program, *arguments)
        if when:
            try:
                wait_for(lambda: process.poll() is not None or when(), "what the run should be killed at was not seen")
            finally:
                after = 0
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGSTOP)  # it comes no further than that
        try:
            process.wait(after)
            return False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True

    def put_list(self, data, signer=None):
        (self.config / "models.list").write_bytes(data)
        if signer:
            (self.config / "models.list.minisig").write_bytes(signer.sign(data))
            shutil.copy(signer.public, self.config / "models.pub")

    def answer(self, **answers):
        (self.config / "answers").write_text("".join(f"{key}={value}\n" for key, value in answers.items()))

    def current(self, model):
        link = self.store / model / "current"
        return os.readlink(link) if link.is_symlink() else None
