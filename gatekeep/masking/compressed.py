"""Compressed bodies: inflated piece by piece, masked, and compressed again."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol as Interface

import zstandard

from gatekeep.limits import (
    INFLATED_PIECE_BYTES,
    INFLATED_RATIO_MAX,
    INFLATED_WINDOW_BYTES_MAX,
    MIB,
)
from gatekeep.masking.codec import Codec
from gatekeep.masking.failure import MaskingError

GZIP_WINDOW = 31
"""zlib's ``wbits`` for a gzip wrapper."""

ZSTD_SLICE_BYTES = 512
"""Input handed to zstd at once: 128 blocks of 4 bytes inflate to at most 16 MiB."""


class Inflater(Interface):
    """Gives what compressed bytes hold, in pieces of bounded size."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take compressed bytes. Raises zlib.error or zstandard.ZstdError."""

    def finish(self) -> None:
        """Say that no more comes. Raises EOFError inside a stream."""


class Gunzip:
    """Inflates gzip, one member or many (RFC 1952)."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(GZIP_WINDOW)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take gzip bytes; give inflated pieces. Raises zlib.error."""
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(GZIP_WINDOW)
            self._begun = True
            member = self._member
            piece = member.decompress(data, INFLATED_PIECE_BYTES)
            while piece:
                yield piece
                # What did not fit comes out as long as full pieces come.
                full = len(piece) == INFLATED_PIECE_BYTES and not member.eof
                rest = member.unconsumed_tail
                piece = member.decompress(rest, INFLATED_PIECE_BYTES) if full else b""
            data = member.unused_data if member.eof else b""

    def finish(self) -> None:
        """Say that no more comes; raises EOFError inside of a member."""
        if self._begun and not self._member.eof:
            raise EOFError


class Unzstd:
    """Inflates zstd, one frame or many (RFC 8878)."""

    def __init__(self) -> None:
        self._context = zstandard.ZstdDecompressor(
            max_window_size=INFLATED_WINDOW_BYTES_MAX
        )
        self._frame = self._context.decompressobj()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take zstd bytes; give inflated pieces. Raises zstandard.ZstdError."""
        for at in range(0, len(data), ZSTD_SLICE_BYTES):
            rest = data[at : at + ZSTD_SLICE_BYTES]
            while rest:
                if self._frame.eof:
                    self._frame = self._context.decompressobj()
                self._begun = True
                piece = self._frame.decompress(rest)
                if piece:
                    yield piece
                rest = self._frame.unused_data if self._frame.eof else b""

    def finish(self) -> None:
        """Say that no more comes; raises EOFError inside of a frame."""
        if self._begun and not self._frame.eof:
            raise EOFError


class _Deflater(Interface):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class CompressedCodec:
    """Masks what a compressed body holds; the result is compressed the same way."""

    length_kept = False

    def __init__(self, inner: Codec, inflater: Inflater, deflater: _Deflater) -> None:
        self._inner = inner
        self._inflater = inflater
        self._deflater = deflater
        self._taken = 0
        self._given = 0

    @property
    def findings(self) -> dict[str, int]:
        """How many values each detector has hidden."""
        return self._inner.findings

    def feed(self, data: bytes) -> bytes:
        """Take compressed bytes; give compressed masked ones.

        Raises:
            MaskingError: not of the format, or it inflates beyond all measure.
        """
        self._taken += len(data)
        output = []
        try:
            for piece in self._inflater.feed(data):
                self._given += len(piece)
                if self._given > MIB + INFLATED_RATIO_MAX * self._taken:
                    raise MaskingError(
                        "masking.ratio", "the body inflates beyond all measure"
                    )
                output.append(self._deflater.compress(self._inner.feed(piece)))
        except (zlib.error, zstandard.ZstdError) as error:
            raise _broken() from error
        return b"".join(output)

    def finish(self) -> bytes:
        """End the body; raises as `feed` does."""
        try:
            self._inflater.finish()
        except EOFError as error:
            raise _broken() from error
        if not self._taken:
            return b""
        return self._deflater.compress(self._inner.finish()) + self._deflater.flush()


def _broken() -> MaskingError:
    return MaskingError(
        "masking.compressed_malformed", "the body is not compressed as it says"
    )


def gzip_codec(inner: Codec) -> CompressedCodec:
    """Return what masks gzip bytes whose content `inner` masks."""
    # Level 1: the masked copy is written once and read once.
    return CompressedCodec(
        inner, Gunzip(), zlib.compressobj(1, zlib.DEFLATED, GZIP_WINDOW)
    )


def zstd_codec(inner: Codec) -> CompressedCodec:
    """Return what masks zstd bytes whose content `inner` masks."""
    return CompressedCodec(
        inner, Unzstd(), zstandard.ZstdCompressor(level=1).compressobj()
    )


COMPRESSIONS: dict[bytes, Callable[[Codec], CompressedCodec]] = {
    b"gzip": gzip_codec,
    b"x-gzip": gzip_codec,
    b"zstd": zstd_codec,
}
"""By Content-Encoding."""
