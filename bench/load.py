"""Load: closed loop by wrk, open loop for latency, and single probes that look closely."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import LOAD_CORE, on_core


@dataclass(frozen=True)
class Burst:
    """What one run of wrk saw."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    failed: int
    """Answers over 399, timeouts, and broken connections."""

    @property
    def per_s(self) -> float:
        return self.requests / self.seconds


_SCRIPT = """
local requests = {
%s
}
local at = 0
request = function()
  at = at %% #requests + 1
  return requests[at]
end
done = function(summary, latency)
  local e = summary.errors
  print(string.format(
    '{"requests": %%d, "seconds": %%f, "p50_ms": %%f, "p99_ms": %%f, "p999_ms": %%f, "failed": %%d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def wrk(
    port: int,
    requests: Sequence[bytes],
    *,
    connections: int,
    seconds: float,
    script: Path,
) -> Burst:
    """Send requests in a closed loop over TLS: each connection waits for its answer.

    Args:
        port: of the proxy.
        requests: whole, signed within the last minutes; taken in turn.
        connections: each kept alive, unless a request says ``Connection: close``.
        seconds: how long.
        script: where to write the script that wrk runs.
    """
    script.write_text(_SCRIPT % ",\n".join(_lua(each) for each in requests))
    with on_core(LOAD_CORE):
        done = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "20s",
             "-s", script, f"https://127.0.0.1:{port}/"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    return Burst(**json.loads(done.stdout.strip().rpartition("\n")[2]))


def _lua(data: bytes) -> str:
    plain = set(range(0x20, 0x7F)) - set(b'"\\')
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03}" for b in data) + '"'


@dataclass(frozen=True)
class Answer:
    """One whole answer."""

    status: int
    fields: dict[str, str]
    body: bytes


TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The bench looks at no certificate: they are its own."""
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE


def connect(port: int) -> ssl.SSLSocket:
    """A TLS connection to a proxy."""
    raw = socket.create_connection(("127.0.0.1", port), timeout=60)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return TLS.wrap_socket(raw)


def ask(port: int, request: bytes) -> Answer:
    """Send one request on a connection of its own; give the answer, whole."""
    with connect(port) as connection:
        connection.sendall(request)
        return receive(connection)


def receive_head(connection: ssl.SSLSocket) -> tuple[int, dict[str, str], bytes]:
    """Status and fields of the next answer, and what came of its body with them."""
    head, _, body = _read_past(connection, b"", b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    pairs = [line.split(":", 1) for line in lines[1:]]
    fields = {name.lower(): value.strip() for name, value in pairs}
    return int(lines[0].split()[1]), fields, body


def receive(connection: ssl.SSLSocket) -> Answer:
    """The next answer of a connection, whole; informational ones are skipped."""
    status = 100
    while status < 200:
        status, fields, body = receive_head(connection)
    if fields.get("transfer-encoding") == "chunked":
        whole = b""
        while True:
            size, _, body = _read_past(connection, body, b"\r\n")
            wanted = int(size, 16) + 2
            while len(body) < wanted:
                body += _more(connection)
            whole += body[: wanted - 2]
            body = body[wanted:]
            if wanted == 2:
                return Answer(status, fields, whole)
    pieces, missing = [body], int(fields.get("content-length", "0")) - len(body)
    while missing > 0:
        pieces.append(_more(connection))
        missing -= len(pieces[-1])
    return Answer(status, fields, b"".join(pieces))


def _read_past(
    connection: ssl.SSLSocket, data: bytes, mark: bytes
) -> tuple[bytes, bytes, bytes]:
    while mark not in data:
        data += _more(connection)
    return data.partition(mark)


def _more(connection: ssl.SSLSocket) -> bytes:
    data = connection.recv(1 << 18)
    if not data:
        raise ConnectionError("the proxy closed the connection in the middle")
    return data
