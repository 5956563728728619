"""``python -m bench.sink SOCKET``: takes uploads, counts them, says how many bytes.

The body is HTTP-chunked or has a length; it is read to its end before the answer, as
S3 does. What came last is told in ``x-bench-last``, so that the sender can check that
its trailer arrived.
"""

from __future__ import annotations

import socketserver
import sys
from typing import BinaryIO


class _Handler(socketserver.StreamRequestHandler):
    rbufsize = 1 << 18

    def handle(self) -> None:
        while head := _head(self.rfile):
            if head.get("transfer-encoding") == "chunked":
                size, last = _chunked(self.rfile)
            else:
                size, last = _plain(self.rfile, int(head.get("content-length", "0")))
            shown = last[-64:].hex()
            self.wfile.write(
                b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: "sunk"\r\n'
                b"x-amz-request-id: SINK\r\nx-bench-size: %d\r\nx-bench-last: %s\r\n\r\n"
                % (size, shown.encode())
            )


def _head(stream: BinaryIO) -> dict[str, str]:
    if not stream.readline():
        return {}
    fields = {"": ""}
    while line := stream.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        fields[name.lower()] = value.strip()
    return fields


def _plain(stream: BinaryIO, size: int) -> tuple[int, bytes]:
    left, last = size, b""
    while left:
        piece = stream.read(min(left, 1 << 18))
        if not piece:
            raise ConnectionError
        left -= len(piece)
        last = (last + piece)[-64:]
    return size, last


def _chunked(stream: BinaryIO) -> tuple[int, bytes]:
    total, last = 0, b""
    while size := int(stream.readline(), 16):
        last = (last + _plain(stream, size)[1])[-64:]
        total += size
        stream.readline()
    while stream.readline().strip():
        pass
    return total, last


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    _Server(sys.argv[1], _Handler).serve_forever()
