"""Scenarios of one large S3 object at a time."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import ssl
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from bench import evidence, machine
from bench.load import Answer, connect, receive, receive_head
from bench.peers import Gatekeep, Mitmproxy, Proxy
from bench.stage import Sample, Session, Table
from bench.upstream import OBJECTS, object_pieces

_ROUNDS_MAX = 3
_AWS_CHUNK_BYTES = 1 << 20
_HTTP_CHUNK_BYTES = 1 << 14
"""Sizes of botocore's chunks: of the AWS framing, and of the HTTP framing around it."""


def download(session: Session, *, masked: bool) -> Table:
    """GetObject, 1 GiB of CSV without a match; mitmproxy gets 64 MiB."""
    what = "masked" if masked else "passed through"
    table = Table(f"S3 download, 1 GiB, {what}", "mib_per_s")
    if masked:
        table.notes.append("only gatekeep and mitmproxy mask; the others pass through")
    prefix = "masked/" if masked else ""

    def transfer(proxy: Proxy, key: str, size: int) -> Callable[[], str]:
        request = session.agent(proxy).request(
            "s3", "get_object", Bucket="bucket", Key=prefix + key
        )
        return lambda: _downloaded(proxy.port, request, size)

    _measure(session, table, transfer)
    return table


def upload(session: Session) -> Table:
    """PutObject, 1 GiB, aws-chunked with a CRC-32 trailer as boto3 sends it."""
    table = Table("S3 upload, 1 GiB, trailer checksum", "mib_per_s")

    def transfer(proxy: Proxy, key: str, size: int) -> Callable[[], str]:
        content = _Sized(size)
        head = session.agent(proxy).request(
            "s3", "put_object", Bucket="bucket", Key=key, Body=content
        )
        return lambda: _uploaded(proxy.port, head, size)

    _measure(session, table, transfer)
    return table


def _measure(
    session: Session,
    table: Table,
    prepare: Callable[[Proxy, str, int], Callable[[], str]],
) -> None:
    """Transfer through each proxy in turn; what it returns is the SHA-256 delivered."""
    expected = evidence.Expected()
    refused: set[str] = set()
    for _ in range(min(session.rounds, _ROUNDS_MAX)):
        for proxy in session.proxies:
            if proxy.name in refused:
                continue
            key = "few-orders.csv" if isinstance(proxy, Mitmproxy) else "orders.csv"
            transfer = prepare(proxy, key, OBJECTS[key])
            try:
                sample, sha256 = _timed(proxy, OBJECTS[key], transfer)
            except (AssertionError, OSError) as error:
                refused.add(proxy.name)
                said = str(error)[:300].replace("\n", " ")
                table.notes.append(f"{proxy.name} did not do it: {said}")
                continue
            table.row(proxy.name).samples.append(sample)
            if isinstance(proxy, Gatekeep):
                expected.answered += 1
                expected.sha256s.add(sha256)
    if Gatekeep.name not in refused:
        exchanges = evidence.verify(session.gateway, expected)
        table.notes.append(
            f"{exchanges} gatekeep exchanges left intent and outcome, each with the"
            " SHA-256 of what was delivered; `gatekeep audit verify` holds"
        )


def _timed(proxy: Proxy, size: int, transfer: Callable[[], str]) -> tuple[Sample, str]:
    pids = proxy.pids()
    before_bytes = machine.peak_begins(pids)
    before_s = machine.cpu_s(pids)
    began = time.perf_counter()
    with machine.on_core(machine.LOAD_CORE):
        sha256 = transfer()
    seconds = time.perf_counter() - began
    used_s = machine.cpu_s(pids) - before_s
    gib = size / 2**30
    return {
        "mib_per_s": size / 2**20 / seconds,
        "mib_per_cpu_s": size / 2**20 / used_s,
        "cpu_s_per_gib": used_s / gib,
        "grown_mib": (machine.peak_bytes(pids) - before_bytes) / 2**20,
        "core_share": used_s / seconds,
    }, sha256


def _downloaded(port: int, request: bytes, size: int) -> str:
    """Get an object; give the SHA-256 that its content must have.

    Every byte is compared with what was stored, by a CRC, which costs the load core
    less than SHA-256 would.
    """
    with connect(port) as connection:
        connection.sendall(request)
        status, fields, first = receive_head(connection)
        assert status == 200, (status, fields, first[:500])
        total, crc = 0, 0
        for piece in _body(connection, fields, first, size):
            crc = zlib.crc32(piece, crc)
            total += len(piece)
    assert total == size, f"{total} of {size} bytes came"
    assert crc == _digests(size)[0], "not the bytes that were stored"
    return _digests(size)[1]


def _body(
    connection: ssl.SSLSocket, fields: dict[str, str], first: bytes, size: int
) -> Iterator[bytes | memoryview]:
    """The pieces of an answer's body; a masked one is chunked, if its length changes."""
    if fields.get("transfer-encoding") == "chunked":
        stream = io.BufferedReader(_Prepended(connection, first), 1 << 18)
        while count := int(stream.readline(), 16):
            yield stream.read(count)
            stream.readline()
        return
    assert int(fields["content-length"]) == size, fields
    yield first
    buffer, left = memoryview(bytearray(1 << 18)), size - len(first)
    while left > 0 and (count := connection.recv_into(buffer)):
        yield buffer[:count]
        left -= count


class _Prepended(io.RawIOBase):
    """A connection, with what was read of it before."""

    def __init__(self, connection: ssl.SSLSocket, first: bytes) -> None:
        self._connection = connection
        self._first = first

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._first:
            return self._connection.recv_into(buffer)
        count = min(len(buffer), len(self._first))
        buffer[:count] = self._first[:count]
        self._first = self._first[count:]
        return count


def _uploaded(port: int, head: bytes, size: int) -> str:
    """Put an object; give the SHA-256 of the answer's body."""
    crc = base64.b64encode(_digests(size)[0].to_bytes(4, "big"))
    trailer = b"0\r\nx-amz-checksum-crc32:" + crc + b"\r\n\r\n"
    with connect(port) as connection:
        connection.sendall(head)
        if b"100-continue" in head.lower():
            status, fields, body = receive_head(connection)
            assert status == 100, (status, fields, body)
        with contextlib.suppress(OSError):  # it answered early: the answer says why
            for piece in _http_chunks(_aws_chunks(size, trailer)):
                connection.sendall(piece)
        answer: Answer = receive(connection)
    assert answer.status == 200, answer
    framed = size + -(-size // _AWS_CHUNK_BYTES) * 10 + len(trailer)
    assert int(answer.fields["x-bench-size"]) == framed, (answer, framed)
    assert bytes.fromhex(answer.fields["x-bench-last"]).endswith(trailer), answer
    return hashlib.sha256(answer.body).hexdigest()


def _aws_chunks(size: int, trailer: bytes) -> Iterator[bytes]:
    """The aws-chunked body, without signatures."""
    pending = b""
    for piece in object_pieces(size):
        pending += piece
        while len(pending) >= _AWS_CHUNK_BYTES:
            yield b"%x\r\n" % _AWS_CHUNK_BYTES + pending[:_AWS_CHUNK_BYTES] + b"\r\n"
            pending = pending[_AWS_CHUNK_BYTES:]
    assert not pending, "sizes are whole chunks"
    yield trailer


def _http_chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same in HTTP's own chunks, 4 of them a write."""
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), _HTTP_CHUNK_BYTES * 4):
            parts: list[bytes | memoryview] = []
            for at in range(
                start, min(start + _HTTP_CHUNK_BYTES * 4, len(view)), _HTTP_CHUNK_BYTES
            ):
                chunk = view[at : at + _HTTP_CHUNK_BYTES]
                parts += [b"%x\r\n" % len(chunk), chunk, b"\r\n"]
            yield b"".join(parts)
    yield b"0\r\n\r\n"


_known: dict[int, tuple[int, str]] = {}


def _digests(size: int) -> tuple[int, str]:
    """CRC-32 and SHA-256 of an object of that size."""
    if size not in _known:
        crc, digest = 0, hashlib.sha256()
        for piece in object_pieces(size):
            crc = zlib.crc32(piece, crc)
            digest.update(piece)
        _known[size] = crc, digest.hexdigest()
    return _known[size]


class _Sized(io.RawIOBase):
    """A file of a size whose content nobody reads: botocore looks at the size."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._at = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at
