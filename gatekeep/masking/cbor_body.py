"""CBOR documents (RFC 8949), as the smithy-rpc-v2-cbor protocol answers with them.

What names mean, and what is protected, is the JSON walker's to say: the document is
told to it as JSON, and what comes back changed is written anew. All other bytes stay
as they were, whatever their encoding chose among.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from gatekeep._fast.splice import MalformedTextError
from gatekeep.limits import MASKED_COLLECTED_BYTES_MAX, MASKED_DEPTH_MAX
from gatekeep.masking.codec import Codec, WholeCodec

UNSIGNED, NEGATIVE, BYTES, TEXT, LIST, MAP, TAG, SIMPLE = range(8)
BREAK = 0xFF
SIZES = {24: ">B", 25: ">H", 26: ">I", 27: ">Q"}
FLOATS = {25: ">e", 26: ">f", 27: ">d"}


@dataclass(slots=True)
class Item:
    """One data item and where it stands."""

    kind: int
    start: int
    end: int = 0
    value: object = None
    """bytes, str, int, float, bool or None of a leaf."""
    parts: list[Item] = field(default_factory=list)
    """Elements; names and values in turn; the one item of a tag."""
    opening: int = 0
    """Where the first part begins."""


class CborCodec(WholeCodec):
    """Masks one CBOR document."""

    def __init__(
        self, json_codec: Codec, bytes_codec: Callable[[bytes], Codec]
    ) -> None:
        """Begin a body.

        Args:
            json_codec: masks the document told as JSON.
            bytes_codec: bytes of the document -> what masks them.
        """
        super().__init__(MASKED_COLLECTED_BYTES_MAX)
        self._json = json_codec
        self._bytes = bytes_codec

    def mask(self, body: bytes) -> bytes:
        """Return a whole document, masked."""
        item = _Reader(body).document()
        told = json.dumps(_told(item), ensure_ascii=False).encode("utf-8", "replace")
        masked = self._json.feed(told) + self._json.finish()
        before = json.loads(told, object_pairs_hook=_flat)
        after = json.loads(masked, object_pairs_hook=_flat)
        self.findings.update(self._json.findings)
        return self._written(body, item, before, after)

    def _written(self, body: bytes, item: Item, before: object, after: object) -> bytes:
        """The bytes of an item as it is after masking."""
        if item.kind == TAG:
            inner = self._written(body, item.parts[0], before, after)
            return body[item.start : item.opening] + inner
        if item.kind in (LIST, MAP):
            assert isinstance(before, list)
            assert isinstance(after, list)
            parts = [
                self._written(body, *each)
                for each in zip(item.parts, before, after, strict=True)
            ]
            end = item.parts[-1].end if item.parts else item.opening
            return b"".join(
                [body[item.start : item.opening], *parts, body[end : item.end]]
            )
        if before != after or type(before) is not type(after):
            return _encode(item, after)
        if item.kind == BYTES and isinstance(item.value, bytes):
            codec = self._bytes(item.value)
            masked = codec.feed(item.value) + codec.finish()
            for name, count in codec.findings.items():
                self.findings[name] = self.findings.get(name, 0) + count
            if masked != item.value:
                return _head(BYTES, len(masked)) + masked
        return body[item.start : item.end]


def _flat(pairs: list[tuple[str, object]]) -> list[object]:
    """Names and values in turn, as `Item.parts` has them."""
    return [one for pair in pairs for one in pair]


def _told(item: Item) -> object:
    """An item as `json.dumps` takes it."""
    if item.kind == TAG:
        return _told(item.parts[0])
    if item.kind == LIST:
        return [_told(part) for part in item.parts]
    if item.kind == MAP:
        names = iter(item.parts)
        # A dictionary could not hold one name twice.
        return _Pairs(
            [
                (_name(name), _told(value))
                for name, value in zip(names, names, strict=True)
            ]
        )
    if isinstance(item.value, bytes):
        # Masked on their own; told only so that a hidden field hides them too.
        return "(bytes)"
    if isinstance(item.value, float) and not math.isfinite(item.value):
        return None
    return item.value


class _Pairs(dict[str, object]):
    """What `json.dumps` writes as an object whose names may come twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def items(self) -> list[tuple[str, object]]:  # type: ignore[override]
        return self._pairs


def _name(item: Item) -> str:
    return item.value if isinstance(item.value, str) else str(_told(item))


def _encode(item: Item, value: object) -> bytes:
    """A masked value in the place of an item, of its type."""
    if isinstance(value, bool) or value is None:
        return bytes(((SIMPLE << 5) | {False: 20, True: 21, None: 22}[value],))
    if isinstance(value, str):
        raw = value.encode()
        return _head(BYTES if item.kind == BYTES else TEXT, len(raw)) + raw
    assert isinstance(value, int | float)
    if isinstance(item.value, float):
        return struct.pack(">Bd", (SIMPLE << 5) | 27, value)
    number = int(value)
    return _head(UNSIGNED, number) if number >= 0 else _head(NEGATIVE, -1 - number)


def _head(kind: int, number: int) -> bytes:
    """The shortest head of a type and its argument."""
    if number < 24:
        return bytes(((kind << 5) | number,))
    for code, form in SIZES.items():
        if number < 1 << 8 * struct.calcsize(form):
            return struct.pack(">B", (kind << 5) | code) + struct.pack(form, number)
    raise MalformedTextError("malformed", "a number that CBOR has not")


class _Reader:
    """Reads one document into items."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def document(self) -> Item:
        try:
            item = self._item(0)
        except (IndexError, struct.error, UnicodeDecodeError) as error:
            raise _malformed(self._at) from error
        if self._at != len(self._body):
            raise _malformed(self._at)
        return item

    def _item(self, depth: int) -> Item:
        if depth > MASKED_DEPTH_MAX:
            raise MalformedTextError("depth", "CBOR")
        start = self._at
        kind, code = self._body[start] >> 5, self._body[start] & 31
        self._at += 1
        item = Item(kind, start)
        if code == 31 and kind in (BYTES, TEXT, LIST, MAP):
            item.opening = self._at
            self._indefinite(item, depth)
        elif kind == SIMPLE:
            item.value = self._simple(code)
        else:
            argument = self._argument(code)
            item.opening = self._at
            self._definite(item, argument, depth)
        item.end = self._at
        return item

    def _argument(self, code: int) -> int:
        if code < 24:
            return code
        if code not in SIZES:
            raise _malformed(self._at)
        (number,) = struct.unpack_from(SIZES[code], self._body, self._at)
        self._at += struct.calcsize(SIZES[code])
        return int(number)

    def _definite(self, item: Item, argument: int, depth: int) -> None:
        if item.kind == UNSIGNED:
            item.value = argument
        elif item.kind == NEGATIVE:
            item.value = -1 - argument
        elif item.kind in (BYTES, TEXT):
            item.value = self._string(item.kind, argument)
        else:
            count = {LIST: argument, MAP: 2 * argument, TAG: 1}[item.kind]
            if count > len(self._body):
                raise _malformed(self._at)
            item.parts = [self._item(depth + 1) for _ in range(count)]

    def _string(self, kind: int, size: int) -> bytes | str:
        raw = self._body[self._at : self._at + size]
        if len(raw) < size:
            raise _malformed(self._at)
        self._at += size
        return raw if kind == BYTES else raw.decode("utf-8")

    def _indefinite(self, item: Item, depth: int) -> None:
        while self._body[self._at] != BREAK:
            item.parts.append(self._item(depth + 1))
        self._at += 1
        if item.kind in (BYTES, TEXT):
            chunks = [part.value for part in item.parts if part.kind == item.kind]
            if len(chunks) != len(item.parts):
                raise _malformed(self._at)
            item.parts = []
            item.value = (
                b"".join(one for one in chunks if isinstance(one, bytes))
                if item.kind == BYTES
                else "".join(one for one in chunks if isinstance(one, str))
            )
        elif item.kind == MAP and len(item.parts) % 2:
            raise _malformed(self._at)

    def _simple(self, code: int) -> object:
        if code in FLOATS:
            (number,) = struct.unpack_from(FLOATS[code], self._body, self._at)
            self._at += struct.calcsize(FLOATS[code])
            return float(number)
        if code == 24:
            self._at += 1
            return None
        if code > 24:
            raise _malformed(self._at)
        return {20: False, 21: True}.get(code)


def _malformed(at: int) -> MalformedTextError:
    return MalformedTextError("malformed", f"CBOR, byte {at}")
