"""A hub like Hugging Face's, a registry like those of the OCI distribution specification and of Ollama, and the content network
that both send large files to: three servers on this machine, under three host names, that write down what they are asked."""

import contextlib
import hashlib
import http.server
import json
import struct
import threading
import urllib.parse

HUB_TOKEN = "hf_ForTheHubAlone"
REGISTRY_TOKEN = "Reg.istry-T0ken"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def git_blob(content):
    """git's name of a file, which the hub gives for small ones."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def safetensors(name, count, fill):
    """A valid safetensors file with one tensor of `count` bytes."""
    header = json.dumps({name: {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}}).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + bytes([fill]) * count


class Server:
    """One HTTP server in a thread. `requests` has (path, authorization) of each, oldest first."""

    address = "127.0.0.1"

    def __init__(self):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.requests.append((self.path, self.headers.get("Authorization", "")))
                status, headers, body = server.answer(self.path, self.headers)
                if status == 200 and "Range" in self.headers:
                    first = int(self.headers["Range"].split("=")[1].split("-")[0])
                    headers = {**headers, "Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"}
                    status, body = 206, body[first:]
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # a client that wants no more
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.requests = []
        self.server = http.server.ThreadingHTTPServer((self.address, 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path, headers):
        raise NotImplementedError

    def paths(self):
        return [path for path, _ in self.requests]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Content(Server):
    """Large files by digest, by signed URLs on a host of their own."""

    address = "127.0.0.2"

    def __init__(self):
        super().__init__()
        self.files = {}
        self.spoiled = set()

    def url(self, content):
        self.files[sha256(content)] = content
        return f"http://{self.address}:{self.port}/blobs/{sha256(content)}?X-Signature=S3cretSignature"

    def answer(self, path, headers):
        digest = path.split("?")[0].rsplit("/", 1)[1]
        content = self.files[digest]
        if digest in self.spoiled:
            content = content[:-1] + bytes([content[-1] ^ 1])
        return 200, {"ETag": f'"{digest}"', "Accept-Ranges": "bytes"}, content

    def count(self, content):
        return sum(sha256(content) in path for path in self.paths())


class Hub(Server):
    """org/repo with its commits; answers only who shows the token."""

    def __init__(self, content):
        super().__init__()
        self.content = content
        self.commits = {}
        self.main = ""
        self.name = "org/repo"  # another one: the repository was renamed, and its old name leads there

    def publish(self, files):
        """A new commit of main with these files; those of 1 KB and more are large ones."""
        self.main = hashlib.sha1(repr(sorted(files)).encode() + b"".join(files.values())).hexdigest()
        self.commits[self.main] = dict(files)
        return self.main

    def listing(self, commit):
        rows = []
        for path, content in self.commits[commit].items():
            row = {"rfilename": path, "size": len(content), "blobId": git_blob(content)}
            if len(content) >= 1024:
                row["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 130}
            rows.append(row)
        return json.dumps({"id": self.name, "sha": commit, "cardData": {"license": "mit"}, "siblings": rows}).encode()

    def answer(self, path, headers):
        if headers.get("Authorization") != f"Bearer {HUB_TOKEN}":
            return 401, {}, b"who?"
        path, _, query = path.partition("?")
        path = urllib.parse.unquote(path)
        if self.name != "org/repo":
            if "org/repo" in path:
                return 307, {"Location": path.replace("org/repo", self.name) + "?" + query}, b""
            path = path.replace(self.name, "org/repo")
        if path.startswith("/api/models/org/repo/revision/"):
            commit = path.rsplit("/", 1)[1]
            commit = self.main if commit == "main" else commit
            return (200, {}, self.listing(commit)) if commit in self.commits else (404, {}, b"none")
        _, _, _, _, commit, name = path.split("/", 5)
        content = self.commits.get(commit, {}).get(name)
        if content is None:
            return 404, {}, b"none"
        if len(content) < 1024:
            return 200, {"ETag": f'"{git_blob(content)}"'}, content
        return 302, {"Location": self.content.url(content)}, b""


class Registry(Server):
    """Manifests by name and digest, blobs on the content network; wants a token that it gives to everybody."""

    def __init__(self, content):
        super().__init__()
        self.content = content
        self.manifests = {}

    def host(self):
        return f"localhost:{self.port}"

    def push(self, name, tag, layers, config=b"{}"):
        """`layers`: (media type, content, title). Returns the manifest's bytes."""
        def row(kind, content, title=""):
            self.content.url(content)
            found = {"mediaType": kind, "digest": f"sha256:{sha256(content)}", "size": len(content)}
            return {**found, "annotations": {"org.opencontainers.image.title": title}} if title else found
        manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                               "config": row("application/vnd.oci.empty.v1+json", config),
                               "layers": [row(*layer) for layer in layers]}).encode()
        for reference in (tag, f"sha256:{sha256(manifest)}"):
            self.manifests[f"/v2/{name}/manifests/{reference}"] = manifest
        return manifest

    def answer(self, path, headers):
        path, _, query = path.partition("?")
        if path == "/token":
            return 200, {}, json.dumps({"token": REGISTRY_TOKEN}).encode()
        if headers.get("Authorization") != f"Bearer {REGISTRY_TOKEN}":
            scope = f'repository:{path.split("/v2/")[1].rsplit("/", 2)[0]}:pull'
            return 401, {"WWW-Authenticate":
                         f'Bearer realm="http://{self.host()}/token",service="registry",scope="{scope}"'}, b""
        if path in self.manifests:
            return 200, {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}, self.manifests[path]
        digest = path.rsplit("sha256:", 1)[-1]
        if "/blobs/" in path and digest in self.content.files:
            return 307, {"Location": self.content.url(self.content.files[digest])}, b""
        return 404, {}, b"none"
