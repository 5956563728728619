"""An upstream that does exactly what a test says, for faults AWS will not provoke.

Each connection's requests are answered by a script chosen by the test; everything
received is kept, so that a test can say what reached the upstream and what did not.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

Script = Callable[[socket.socket, bytes], bool]
"""Gets the socket and one request (head and body); True keeps the connection."""


def answer(
    body: bytes = b"{}",
    *,
    status: int = 200,
    content_type: str = "application/x-amz-json-1.0",
    extra: str = "",
) -> Script:
    """A script that gives one whole answer."""
    head = (
        f"HTTP/1.1 {status} OK\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nx-amzn-RequestId: UPSTREAM-1\r\n{extra}\r\n"
    ).encode()

    def script(connection: socket.socket, _request: bytes) -> bool:
        connection.sendall(head + body)
        return True

    return script


def raw(data: bytes) -> Script:
    """A script that sends these bytes and closes."""

    def script(connection: socket.socket, _request: bytes) -> bool:
        if data:
            connection.sendall(data)
        return False

    return script


class ScriptedUpstream:
    """A server on loopback; `script` says how the next requests are answered."""

    def __init__(self) -> None:
        self.script: Script = answer()
        self.requests: list[bytes] = []
        self.on_head: Script | None = None
        """Answers before the body is read; gets the head alone."""
        self.accepted = 0
        """Connections, whether or not a request came on them."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(
                target=self._serve, args=(connection,), daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while (request := _read_request(connection, self)) is not None:
                    self.requests.append(request)
                    if not self.script(connection, request):
                        return
            except OSError:
                return

    def close(self) -> None:
        self._listener.close()


def _read_request(
    connection: socket.socket, upstream: ScriptedUpstream
) -> bytes | None:
    """One request, head and body; what came of it when the client cuts it short."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    if upstream.on_head is not None and not upstream.on_head(connection, head):
        return None
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        while not body.endswith(b"0\r\n\r\n"):
            piece = connection.recv(65536)
            if not piece:
                break
            body += piece
    elif b"content-length:" in lower:
        length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length:
            piece = connection.recv(65536)
            if not piece:
                break
            body += piece
    return head + b"\r\n\r\n" + body
