#!/usr/bin/env python3
"""HTTP server for tests of fetching: serves a directory, well or badly.

usage: fault_server.py DIRECTORY LOG [CERTIFICATE KEY]

Prints its port on 127.0.0.1 and serves until killed. LOG gets one line a request: method, path, "conditional" and
"authorised" when it was, and the range that it asked for. Ranges and If-Range are served as RFC 9110 says. As a proxy it
serves the path of any URL. A path /x/NAME/FILE serves FILE with a fault:

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
  to-NNN        redirects to FILE on that port
  no-etag       no validators                              halves           half of what is asked for, then a cut
  rate-NNN      NNN bytes a second on each connection      rest-NNN         503 with Retry-After once, then good
  new-etag      another ETag in every answer               secret           401 without Authorization
  chunk-NNN     one byte of the NNN-th KiB is wrong        whole-NNN        as rate-NNN; offers ranges and gives none
A path /x/part-NAME/FILE is cut the first time and good when asked for as a whole; a range gets this answer:
  whole         200, all of it      bare    206 without Content-Range     early   starts 100 bytes before
  total         another total       multi   multipart/byteranges          416     416
  garbage       malformed           behind  starts 100 bytes behind       wrong   right head, wrong bytes
"""

import collections
import gzip
import os
import socket
import ssl
import struct
import sys
import threading
import time
import zlib

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
        if path.startswith("http://"):
            path = "/" + path[7:].partition("/")[2]
        notes = [word for word, name in (("conditional", "if-none-match"), ("authorised", "authorization")) if name in headers]
        if "range" in headers:
            notes.append(headers["range"])
        with LOCK:
            COUNTS[path] += 1
            count = COUNTS[path]
            with open(self.log, "a") as log:
                log.write(" ".join([method, path] + notes) + "\n")
        fault = ""
        if path.startswith("/x/"):
            fault, _, path = path[3:].partition("/")
        name = os.path.join(self.root, path.lstrip("/"))
        if not os.path.isfile(name):
            return self.send("404 Not Found", [("Content-Length", 9)], b"not here\n")
        with open(name, "rb") as file:
            body = file.read()
        self.answer(fault, "/" + path.lstrip("/"), body, count, headers)

    def good(self, body, etag, headers, send=None):
        """The whole or the part asked for; `send` turns what should be sent into what is."""
        validators = [("ETag", etag), ("Accept-Ranges", "bytes")] if etag else []
        if etag and headers.get("if-none-match") == etag:
            return self.send("304 Not Modified", validators)
        first, last = 0, len(body) - 1
        wanted = headers.get("range", "")
        part = wanted.startswith("bytes=") and etag and headers.get("if-range", etag) == etag
        if part:
            low, _, high = wanted[6:].partition("-")
            first, last = int(low), min(last, int(high) if high else last)
            if first > last:
                return self.send("416 Range Not Satisfiable", [("Content-Range", "bytes */%d" % len(body)), ("Content-Length", 0)])
            validators.append(("Content-Range", "bytes %d-%d/%d" % (first, last, len(body))))
        head = [("Content-Length", last - first + 1)] + validators
        data = memoryview(body)[first:last + 1]
        self.send("206 Partial Content" if part else "200 OK", head)
        if send:
            return send(data)
        return self.connection.sendall(data)

    def at_rate(self, rate):
        def send(data):
            begin, at = time.monotonic(), 0
            while at < len(data):
                due = min(len(data), int((time.monotonic() - begin) * rate) + 1)
                self.connection.sendall(data[at:due])
                at = due
                time.sleep(0.02)
        return send

    def bad_part(self, kind, body, etag, headers):
        first = int(headers["range"][6:].partition("-")[0])
        total, data, head = len(body), body[first:], []
        if kind == "whole":
            return self.send("200 OK", [("Content-Length", total), ("ETag", etag)], body)
        if kind == "416":
            return self.send("416 Range Not Satisfiable", [("Content-Length", 4)], b"oops")
        if kind == "early":
            first, data = first - 100, body[first - 100:]
        elif kind == "behind":
            first, data = first + 100, body[first + 100:]
        elif kind == "wrong":
            data = bytes(byte ^ 1 for byte in data)
        if kind == "multi":
            head = [("Content-Type", "multipart/byteranges; boundary=x")]
            data = b"--x\r\n\r\n" + data + b"\r\n--x--\r\n"
        elif kind == "garbage":
            head = [("Content-Range", "bytes abc-def/%d" % total)]
        elif kind != "bare":
            head = [("Content-Range", "bytes %d-%d/%d" % (first, total - 1, 30000 if kind == "total" else total))]
        return self.send("206 Partial Content", [("Content-Length", len(data)), ("ETag", etag)] + head, data)

    def answer(self, fault, path, body, count, headers):
        etag = '"%08x-%x"' % (zlib.crc32(body), len(body))
        length = ("Content-Length", len(body))
        half = body[: len(body) // 2]
        kind, _, number = fault.partition("-")
        if fault in ("", "no-etag") or (fault == "cut-first" and count > 1) or (
                kind in ("flaky", "rest") and count > (int(number) if kind == "flaky" else 1)):
            return self.good(body, "" if fault == "no-etag" else etag, headers)
        if kind == "part":
            if "range" in headers:
                return self.bad_part(number, body, etag, headers)
            if count > 1:
                return self.good(body, etag, headers)
            return self.send("200 OK", [length, ("ETag", etag), ("Accept-Ranges", "bytes")], half)
        if fault == "halves":
            return self.good(body, etag, headers, lambda data: self.connection.sendall(data[:max(1, len(data) // 2)]))
        if kind == "rate":
            return self.good(body, etag, headers, self.at_rate(int(number)))
        if kind == "whole":
            self.send("200 OK", [length, ("ETag", etag), ("Accept-Ranges", "bytes")])
            return self.at_rate(int(number))(body)
        if fault == "new-etag":
            return self.good(body, '"%d"' % count, headers, self.at_rate(len(body) // 2))
        if kind == "chunk":
            at = int(number) * 1024
            return self.good(body[:at] + bytes([body[at] ^ 1]) + body[at + 1:], etag, headers)
        if kind == "rest":
            return self.send("503 Busy", [("Content-Length", 4), ("Retry-After", number)], b"busy")
        if fault == "secret":
            if "authorization" not in headers:
                return self.send("401 Unauthorized", [("Content-Length", 4), ("WWW-Authenticate", 'Basic realm="x"')], b"who?")
            return self.good(body, etag, headers)
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
                  "to-good": path + "?token=SECRET"}.get(fault)
        if kind == "to" and number.isdigit():
            target = "http://127.0.0.1:%s%s" % (number, path)
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
