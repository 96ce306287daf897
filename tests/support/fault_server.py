#!/usr/bin/env python3
"""HTTP server for tests of fetching: serves a directory, well or badly.

usage: fault_server.py DIRECTORY LOG [CERTIFICATE KEY]

Prints its port on 127.0.0.1 and serves until killed. LOG gets one line a request: method, path, and "conditional"
when it was. A path /x/NAME/FILE serves FILE with a fault:

  cut           half the body, Content-Length whole        cut-unannounced  the same without length (HTTP/1.0)
  cut-chunked   chunked, ends in the middle                endless          zeros for ever, no length
  longer        Content-Length one too much, body too      flip             one byte in the middle is wrong
  stall         100 bytes, then silence                    slow             10 bytes every 0.2 s
  reset         half the body, then a TCP reset            gzip             Content-Encoding: gzip
  portal        200 with an HTML page                      http09           body without any head
  headers       400 KB of headers                          status-NNN       that status with a short text
  flaky-N       503 for the first N requests of this path  cut-first        cut, for the first request only
  loop          redirects to itself                        to-file          redirects to file:///etc/passwd
  to-ftp        redirects to ftp://                        to-good          redirects to FILE
  no-etag       no validators
"""

import collections
import gzip
import hashlib
import os
import socket
import ssl
import struct
import sys
import threading
import time

COUNTS = collections.Counter()
LOCK = threading.Lock()


def read_request(connection):
    request = b""
    while b"\r\n\r\n" not in request:
        piece = connection.recv(4096)
        if not piece:
            return None
        request += piece
    lines = request.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
    method, path = lines[0].split()[:2]
    return method, path.partition("?")[0], headers


class Answer:
    def __init__(self, connection, root, log):
        self.connection, self.root, self.log = connection, root, log

    def send(self, status, headers, body=b""):
        head = "HTTP/1.1 %s\r\n" % status + "".join("%s: %s\r\n" % pair for pair in headers) + "Connection: close\r\n\r\n"
        self.connection.sendall(head.encode() + body)

    def serve(self):
        request = read_request(self.connection)
        if request is None:
            return
        method, path, headers = request
        conditional = "if-none-match" in headers
        with LOCK:
            COUNTS[path] += 1
            count = COUNTS[path]
            with open(self.log, "a") as log:
                log.write("%s %s%s\n" % (method, path, " conditional" if conditional else ""))
        fault = ""
        if path.startswith("/x/"):
            fault, _, path = path[3:].partition("/")
        name = os.path.join(self.root, path.lstrip("/"))
        if not os.path.isfile(name):
            return self.send("404 Not Found", [("Content-Length", 9)], b"not here\n")
        with open(name, "rb") as file:
            body = file.read()
        self.answer(fault, "/" + path.lstrip("/"), body, count, headers)

    def answer(self, fault, path, body, count, headers):
        etag = '"%s"' % hashlib.sha256(body).hexdigest()[:20]
        length = ("Content-Length", len(body))
        half = body[: len(body) // 2]
        kind, _, number = fault.partition("-")
        if fault in ("", "no-etag") or (fault == "cut-first" and count > 1) or (
                kind == "flaky" and count > int(number)):
            validators = [] if fault == "no-etag" else [("ETag", etag)]
            if validators and headers.get("if-none-match") == etag:
                return self.send("304 Not Modified", validators)
            return self.send("200 OK", [length] + validators, body)
        if fault in ("cut", "cut-first"):
            return self.send("200 OK", [length], half)
        if fault == "cut-unannounced":
            return self.connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + half)
        if fault == "cut-chunked":
            chunk = b"%x\r\n" % (len(half) + 10) + half
            return self.send("200 OK", [("Transfer-Encoding", "chunked")], chunk)
        if fault == "endless":
            self.send("200 OK", [])
            while True:
                self.connection.sendall(bytes(1 << 16))
        if fault == "longer":
            return self.send("200 OK", [("Content-Length", len(body) + 1)], body + b"!")
        if fault == "flip":
            middle = len(body) // 2
            return self.send("200 OK", [length], half + bytes([body[middle] ^ 1]) + body[middle + 1:])
        if fault == "stall":
            self.send("200 OK", [length], body[:100])
            return time.sleep(30)
        if fault == "slow":
            self.send("200 OK", [length])
            for at in range(0, len(body), 10):
                self.connection.sendall(body[at:at + 10])
                time.sleep(0.2)
            return None
        if fault == "reset":
            self.send("200 OK", [length], half)
            time.sleep(0.05)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return None
        if fault == "gzip":
            packed = gzip.compress(body)
            return self.send("200 OK", [("Content-Encoding", "gzip"), ("Content-Length", len(packed))], packed)
        if fault == "portal":
            page = b"<!DOCTYPE html><html><body>Please log in.</body></html>"
            return self.send("200 OK", [("Content-Type", "text/html"), ("Content-Length", len(page))], page)
        if fault == "http09":
            return self.connection.sendall(b"<html>captive portal</html>")
        if fault == "headers":
            return self.send("200 OK", [("X-%d" % i, "a" * 1000) for i in range(400)] + [length], body)
        if kind == "status":
            return self.send(number + " Status", [("Content-Length", 0 if number in ("204", "304") else 4)],
                             b"" if number in ("204", "304") else b"oops")
        if kind == "flaky":
            return self.send("503 Busy", [("Content-Length", 4)], b"busy")
        target = {"loop": "/x/loop" + path, "to-file": "file:///etc/passwd", "to-ftp": "ftp://127.0.0.1:1/x",
                  "to-good": path + "?token=SECRET"}[fault]
        return self.send("302 Found", [("Location", target), ("Content-Length", 0)])


def main():
    root, log = sys.argv[1:3]
    context = None
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])

    def handle(connection):
        try:
            if context:
                connection = context.wrap_socket(connection, server_side=True)
            Answer(connection, root, log).serve()
        except OSError:
            pass  # the client went away, as many of the tests make it do
        finally:
            connection.close()

    open(log, "a").close()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=handle, args=(listener.accept()[0],), daemon=True).start()


main()
