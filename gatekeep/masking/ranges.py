"""Byte ranges of masked objects: ask for more, mask, and cut.

A byte's masking depends on no more than `Engine.reach` bytes of meaning around it.
So a range that is widened by as much, masked byte for byte and cut again, is the
same range of the masked whole (I8).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gatekeep.masking.codec import Codec
from gatekeep.masking.failure import MaskingError

SPELLED_BYTES_MAX = 18
"""Wire bytes of one byte of meaning: an escape of six, and two characters that mean
nothing before it, escaped too."""

SLACK_BYTES = 64
"""An escape or character that the widened range's edge cuts in two."""

RANGE = re.compile(rb"bytes=(?:([0-9]{1,19})-([0-9]{0,19})|-([0-9]{1,19}))")
CONTENT_RANGE = re.compile(rb"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})")


@dataclass(frozen=True, slots=True)
class Range:
    """What a client asked for. RFC 9110, section 14.1.2."""

    first: int | None
    """None: a suffix."""
    last: int | None
    """None: to the end. Of a suffix: how many bytes."""

    def widened(self, margin: int) -> bytes:
        """The Range field that brings the margin on both sides too."""
        if self.first is None:
            return b"bytes=-%d" % ((self.last or 0) + margin)
        first = max(0, self.first - margin)
        if self.last is None:
            return b"bytes=%d-" % first
        return b"bytes=%d-%d" % (first, self.last + margin)

    def placed(self, total: int) -> tuple[int, int]:
        """First and last byte of an object of that many.

        Raises:
            MaskingError: it has none of the range (416).
        """
        if self.first is None:
            first, last = max(0, total - (self.last or 0)), total - 1
        else:
            first = self.first
            last = total - 1 if self.last is None else min(self.last, total - 1)
        if first > last:
            raise MaskingError(
                "masking.range_outside",
                "The requested range is not satisfiable",
                status=416,
                aws_code="InvalidRange",
            )
        return first, last


def parse_range(value: bytes) -> Range | None:
    """Return a single byte range, or None for what S3 does not take as one."""
    found = RANGE.fullmatch(value.strip())
    if found is None:
        return None
    if found[3] is not None:
        return Range(None, int(found[3]))
    first, last = int(found[1]), int(found[2]) if found[2] else None
    return None if last is not None and last < first else Range(first, last)


def margin(reach: int) -> int:
    """How far a range is widened so that `reach` bytes of meaning are in it."""
    return reach * SPELLED_BYTES_MAX + SLACK_BYTES


class RangeCodec:
    """Masks a widened range and gives the range that was asked for."""

    length_kept = False

    def __init__(self, inner: Codec, *, skip: int, size: int) -> None:
        """Begin a body.

        Args:
            inner: masks it, every byte at its place.
            skip: bytes before the range.
            size: bytes of the range.
        """
        self._inner = inner
        self._skip = skip
        self._left = size
        self.size = size

    @property
    def findings(self) -> dict[str, int]:
        """How many values each detector has hidden, in the margins too."""
        return self._inner.findings

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the widened range, give those of the range."""
        return self._cut(self._inner.feed(data))

    def finish(self) -> bytes:
        """End the body, give the rest of the range."""
        return self._cut(self._inner.finish())

    def _cut(self, data: bytes) -> bytes:
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        data = data[: self._left]
        self._left -= len(data)
        return data


def cut_codec(
    inner: Codec, asked: Range, content_range: bytes
) -> tuple[RangeCodec, bytes]:
    """Return what cuts an answer's widened range, and its right Content-Range.

    Raises:
        MaskingError: the answer's range is none, or holds not what was asked for.
    """
    found = CONTENT_RANGE.fullmatch(content_range.strip())
    if found is None:
        raise MaskingError(
            "masking.content_range", "the answer's range cannot be understood"
        )
    start, end, total = (int(number) for number in found.groups())
    first, last = asked.placed(total)
    if not start <= first <= last <= end:
        raise MaskingError(
            "masking.content_range", "the answer's range is not the one asked for"
        )
    codec = RangeCodec(inner, skip=first - start, size=last - first + 1)
    return codec, b"bytes %d-%d/%d" % (first, last, total)
