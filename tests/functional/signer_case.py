"""Tests of keys that are elsewhere: a key "far" that each test attaches anew, real agents and one that lies."""

import os
import socket
import subprocess
import threading

from harness import wait_for
from store_case import StoreCase


class FakeAgent:
    """An agent that gives one answer to each request, whatever it was; `None`: none at all."""

    def __init__(self, path, answers):
        self.answers = list(answers)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.open = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(client)
            client.recv(4096)
            answer = self.answers.pop(0) if self.answers else None
            if answer is not None:
                client.sendall(answer)
                client.close()

    def close(self):
        self.listener.close()
        for client in self.open:
            client.close()


def field(content):
    return len(content).to_bytes(4, "big") + content


class SignerCase(StoreCase):
    def setUp(self):
        super().setUp()
        self.config = self.home / "config" / "imgforge"
        for folder in ("keys", "trusted"):
            for file in (self.config / folder).glob("far.*"):
                file.unlink()
        self.signer = self.config / "keys" / "far.signer"
        self.folder = self.scratch / self.id().rsplit(".", 1)[1]
        self.folder.mkdir()

    def attached(self):
        return sorted(file.name for folder in ("keys", "trusted") for file in (self.config / folder).glob("far.*"))

    def companions(self, version="v20260102"):
        """What a release has besides what it was published with."""
        return sorted(file.name for file in self.release(version).glob("manifest.json.*") if file.name != "manifest.json.minisig")

    def agent(self, *keys):
        process = subprocess.Popen(["ssh-agent", "-D", "-a", self.folder / "agent"], stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_for((self.folder / "agent").exists, "the agent")
        environment = {"SSH_AUTH_SOCK": str(self.folder / "agent")}
        for key in keys:
            subprocess.run(["ssh-add", "-q", key], env={**os.environ, **environment}, check=True, stderr=subprocess.DEVNULL)
        return environment

    def ssh_key(self, kind="ed25519", bits=()):
        file = self.folder / f"{kind}{''.join(bits)}"
        subprocess.run(["ssh-keygen", "-q", "-t", kind, *bits, "-N", "", "-f", file], check=True)
        return file
