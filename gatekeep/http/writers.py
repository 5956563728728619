"""Heads and bodies as bytes for the wire.

What is written can be read in one way only: the framing fields are decided here,
from what the body writer will do, and a name or value that could end its line is
refused whoever made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Protocol, TypeAlias

from gatekeep._fast.head import write_head
from gatekeep.errors import FramingError
from gatekeep.http.messages import Field, RequestHead

_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode()
    for status in HTTPStatus
}


class BodyWriter(Protocol):
    """Puts a body's framing on."""

    ended: bool

    def data(self, chunk: bytes) -> bytes:
        """A piece of the body, framed; an empty piece gives nothing."""
        ...

    def end(self) -> bytes:
        """The end of the body."""
        ...


class LengthWriter:
    """A body whose length was declared.

    Raises:
        FramingError: it turns out longer or shorter. The connection must be
            aborted, so that the other side does not take it for whole.
    """

    __slots__ = ("_left", "ended")

    def __init__(self, length: int) -> None:
        self._left = length
        self.ended = False

    def data(self, chunk: bytes) -> bytes:
        """As `BodyWriter.data`; the piece itself, not a copy."""
        self._left -= len(chunk)
        if self._left < 0:
            raise _misfit()
        return chunk

    def end(self) -> bytes:
        """As `BodyWriter.end`; nothing is written."""
        if self._left:
            raise _misfit()
        self.ended = True
        return b""


class ChunkedWriter:
    """A body in chunks, one for each piece."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended = False

    def data(self, chunk: bytes) -> bytes:
        """As `BodyWriter.data`."""
        if not chunk:
            return b""
        return b"%x\r\n%b\r\n" % (len(chunk), chunk)

    def end(self) -> bytes:
        """As `BodyWriter.end`: the last chunk, without trailers."""
        self.ended = True
        return b"0\r\n\r\n"


class UntilCloseWriter:
    """A body for an HTTP/1.0 client: it ends with the connection."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended = False

    def data(self, chunk: bytes) -> bytes:
        """As `BodyWriter.data`."""
        return chunk

    def end(self) -> bytes:
        """As `BodyWriter.end`; whoever writes closes the connection."""
        self.ended = True
        return b""


class NoBodyWriter:
    """An answer that has no body (HEAD, 204, 304): what it is given is dropped."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended = False

    def data(self, _chunk: bytes) -> bytes:
        """Nothing."""
        return b""

    def end(self) -> bytes:
        """Nothing."""
        self.ended = True
        return b""


WrittenHead: TypeAlias = tuple[bytes, int, bool]
"""A head without the empty line that ends it, so that lines can be added; its
Content-Length, -1 without one; whether it is chunked."""


def write_request_head(head: RequestHead) -> WrittenHead:
    """A request head in HTTP/1.1, its fields in order.

    Raises:
        FramingError: it could not be read in one way only.
    """
    line = b"%b %b HTTP/1.1" % (head.method, head.target)
    if line.count(b" ") != 2:
        raise FramingError("wire.head_unwritable", "a head to send: a space in a part")
    return _write(line, head.fields, False)


def write_response_head(status: int, fields: Sequence[Field]) -> WrittenHead:
    """A response head in HTTP/1.1 with the usual reason phrase, its fields in order.

    Fields that speak about a connection (connection, keep-alive, transfer-encoding)
    are left out: whoever owns the connection adds its own.

    Raises:
        FramingError: it could not be read in one way only.
    """
    line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d " % status
    return _write(line, fields, True)


def _write(
    first_line: bytes, fields: Sequence[Field], without_own: bool
) -> WrittenHead:
    try:
        return write_head(first_line, fields, without_own)
    except ValueError as error:
        raise FramingError("wire.head_unwritable", f"a head to send: {error}") from None


def _misfit() -> FramingError:
    return FramingError("wire.length_broken", "a body does not fit its Content-Length")


def out_of_turn() -> FramingError:
    """The error for an answer or a request begun, continued or ended out of turn."""
    return FramingError("wire.out_of_turn", "a message in the wrong place")
