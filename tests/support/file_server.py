#!/usr/bin/env python3
"""Fast HTTP server for measuring: sendfile, kept connections, ranges, ETag. usage: file_server.py DIRECTORY [RATE]

RATE: bytes per second that each connection gets. Prints its port on 127.0.0.1 and serves until killed."""

import os
import re
import socket
import sys
import threading
import time

ROOT = sys.argv[1]
RATE = int(sys.argv[2]) if len(sys.argv) > 2 else 0


def send_body(connection, file, first, count):
    begin, done = time.monotonic(), 0
    while done < count:
        if RATE:
            allowed = int((time.monotonic() - begin) * RATE) + 4096 - done
            if allowed <= 0:
                time.sleep(0.01)
                continue
        else:
            allowed = 8 << 20
        done += os.sendfile(connection.fileno(), file.fileno(), first + done, min(allowed, count - done))


def serve(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = b""
    while True:
        while b"\r\n\r\n" not in buffer:
            piece = connection.recv(65536)
            if not piece:
                return
            buffer += piece
        head, buffer = buffer.split(b"\r\n\r\n", 1)
        text = head.decode("latin-1")
        name = os.path.join(ROOT, text.split(" ")[1].lstrip("/"))
        if not os.path.isfile(name):
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            continue
        with open(name, "rb") as file:
            status = os.fstat(file.fileno())
            etag = '"%x-%x"' % (status.st_size, status.st_mtime_ns)
            if etag in text.partition("If-None-Match:")[2].partition("\r\n")[0]:
                connection.sendall(b"HTTP/1.1 304 Not Modified\r\nETag: %s\r\n\r\n" % etag.encode())
                continue
            first, last, code, more = 0, status.st_size - 1, "200 OK", ""
            match = re.search(r"^Range: bytes=(\d+)-(\d*)", text, re.M | re.I)
            if match:
                first, last = int(match[1]), int(match[2] or last)
                code, more = "206 Partial Content", "Content-Range: bytes %d-%d/%d\r\n" % (first, last, status.st_size)
            connection.sendall(("HTTP/1.1 %s\r\nContent-Length: %d\r\nETag: %s\r\nAccept-Ranges: bytes\r\n%s\r\n"
                                % (code, last - first + 1, etag, more)).encode(), socket.MSG_MORE)
            send_body(connection, file, first, last - first + 1)


def main():
    def handle(connection):
        try:
            serve(connection)
        except OSError:
            pass  # the client has enough
        finally:
            connection.close()

    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=handle, args=(listener.accept()[0],), daemon=True).start()


main()
