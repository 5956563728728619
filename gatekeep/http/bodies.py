"""Bodies with their framing taken off, piece by piece.

A body reader takes what a buffer holds and says how far it got. It never keeps
body bytes, so its memory does not depend on the body (I10).
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Protocol

from gatekeep import limits
from gatekeep._fast.chunks import read_chunks
from gatekeep.http.faults import Sender
from gatekeep.http.heads import read_field_lines

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER_FORBIDDEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Body(Protocol):
    """A body as it arrives.

    Attributes:
        ended: the whole body was taken.
    """

    ended: bool

    def take(self, buffer: bytes, start: int) -> tuple[bytes, int]:
        """Body bytes found from `start` on, and the index after what was used.

        Raises:
            FramingError: the framing is broken.
            LimitError: framing that outweighs what it frames.
        """
        ...


class LengthBody:
    """A body of a declared number of bytes."""

    __slots__ = ("ended", "remaining")

    def __init__(self, length: int) -> None:
        self.remaining = length
        self.ended = length == 0

    def take(self, buffer: bytes, start: int) -> tuple[bytes, int]:
        """As `Body.take`; a whole buffer is handed on without a copy."""
        stop = min(len(buffer), start + self.remaining)
        self.remaining -= stop - start
        self.ended = self.remaining == 0
        return buffer[start:stop], stop


class UntilCloseBody:
    """An answer's body that ends with the connection (RFC 9112 6.3, last rule)."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended = False

    def take(self, buffer: bytes, start: int) -> tuple[bytes, int]:
        """As `Body.take`; all of it is body."""
        return buffer[start:], len(buffer)


class _Place(Enum):
    """Where in a chunked body the next byte belongs."""

    SIZE = "size"
    DATA = "data"
    DATA_END = "data end"
    TRAILER = "trailer"


class ChunkedBody:
    """A chunked body (RFC 9112 7.1). Extensions and trailers are read and dropped."""

    __slots__ = ("_extension_bytes", "_left", "_place", "_sender", "ended")

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._place = _Place.SIZE
        self._left = 0
        self._extension_bytes = 0
        self.ended = False

    def take(self, buffer: bytes, start: int) -> tuple[bytes, int]:
        """As `Body.take`; one run of chunks or a part of one, copied once."""
        while start < len(buffer) and not self.ended:
            if self._place is _Place.DATA:
                return self._take_data(buffer, start)
            if self._place is _Place.SIZE:
                data, stop = read_chunks(buffer, start)
                if data:
                    return data, stop
                stop = self._take_size(buffer, start)
            elif self._place is _Place.DATA_END:
                stop = self._take_data_end(buffer, start)
            else:
                stop = self._take_trailer(buffer, start)
            if stop == start:  # the rest has yet to come
                break
            start = stop
        return b"", start

    def _take_data(self, buffer: bytes, start: int) -> tuple[bytes, int]:
        stop = min(len(buffer), start + self._left)
        self._left -= stop - start
        if not self._left:
            self._place = _Place.DATA_END
        return buffer[start:stop], stop

    def _take_size(self, buffer: bytes, start: int) -> int:
        bound = start + limits.CHUNK_LINE_BYTES_MAX
        end = buffer.find(b"\r\n", start, bound)
        if end < 0:
            if len(buffer) >= bound:
                raise self._sender.limit_error(
                    "chunk_line_too_long", "a chunk's size line without an end"
                )
            return start
        match = _CHUNK_LINE.fullmatch(buffer, start, end)
        if match is None:
            raise self._sender.framing_error("chunk_size", "not a chunk size")
        self._left = int(match[1], 16)
        self._extension_bytes += end - match.end(1)
        if self._extension_bytes > limits.CHUNK_EXTENSIONS_BYTES_MAX:
            raise self._sender.limit_error(
                "chunk_extensions", "more chunk extensions than are worth reading"
            )
        self._place = _Place.DATA if self._left else _Place.TRAILER
        return end + 2

    def _take_data_end(self, buffer: bytes, start: int) -> int:
        ending = buffer[start : start + 2]
        if not b"\r\n".startswith(ending):
            raise self._sender.framing_error(
                "chunk_end", "a chunk does not end where its size says"
            )
        if len(ending) < 2:
            return start
        self._place = _Place.SIZE
        return start + 2

    def _take_trailer(self, buffer: bytes, start: int) -> int:
        if buffer.startswith(b"\r\n", start):
            self.ended = True
            return start + 2
        bound = start + limits.TRAILER_BYTES_MAX
        end = buffer.find(b"\r\n\r\n", start, bound)
        if end < 0:
            if len(buffer) >= bound:
                raise self._sender.limit_error(
                    "trailer_too_large",
                    f"the trailer is over {limits.TRAILER_BYTES_MAX} bytes",
                    status=431,
                )
            return start
        self._check_trailer(buffer[start:end].split(b"\r\n"))
        self.ended = True
        return end + 4

    def _check_trailer(self, lines: list[bytes]) -> None:
        if any(_TRAILER_FORBIDDEN.search(line) for line in lines):
            raise self._sender.framing_error(
                "trailer_control_byte", "a control byte in a trailer"
            )
        for name, _ in read_field_lines(lines, self._sender):
            if name in (b"content-length", b"transfer-encoding", b"host"):
                raise self._sender.framing_error(
                    "trailer_framing", "a trailer that speaks about framing"
                )
