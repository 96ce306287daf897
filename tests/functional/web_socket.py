"""A small client of WebSockets (RFC 6455), for tests."""

import base64
import os
import socket
import struct


class WebSocket:
    """`status` is 101 when it is open, else `body` says why not."""

    def __init__(self, port, path, headers, timeout=30, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        rows = {"Host": f"127.0.0.1:{port}", "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), **headers}
        head = f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in rows.items()) + "\r\n"
        self.socket.sendall(head.encode())
        self.stream = self.socket.makefile("rb")
        self.status = int(self.stream.readline().split()[1])
        answered = dict(line.decode().strip().lower().split(": ", 1) for line in iter(self.stream.readline, b"\r\n"))
        self.body = self.stream.read(int(answered.get("content-length", 0)))

    def receive(self):
        """The next message, text or bytes; nothing at the end."""
        whole = b""
        kind = 0
        while True:
            head = self.stream.read(2)
            if len(head) < 2:
                return None
            size = head[1] & 127
            if size >= 126:
                size = struct.unpack("!H" if size == 126 else "!Q", self.stream.read(2 if size == 126 else 8))[0]
            data = self.stream.read(size)
            code = head[0] & 15
            if code == 8:
                return None
            if code in (9, 10):
                continue
            kind = code or kind
            whole += data
            if head[0] & 128:
                return whole.decode() if kind == 1 else whole

    def send(self, data):
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        head = bytes([0x82, 0x80 | len(data)]) if len(data) < 126 else struct.pack("!BBH", 0x82, 0x80 | 126, len(data))
        self.socket.sendall(head + mask + masked)

    def close(self):
        self.stream.close()
        self.socket.close()
