r"""Check an exported audit log, without trusting the program that wrote it.

    python -m gatekeep.verify FILE        (or: python verify.py FILE)

This file stands alone: Python's standard library, nothing of gatekeep. It can be
read in one sitting and copied to another machine. It says either what the log holds
and the hash it ends with, or the first thing that is wrong and where.

What it holds against the log:

1. Entries are numbered 0, 1, 2, … with none missing, repeated or out of order.
2. Each entry carries the hash of the one before it, the first one a hash made of the
   log's origin. So changing, removing, adding or moving anything breaks the chain at
   that place, unless everything after it is made anew too.
3. The last hash is the one that the tail tells. Whoever noted an earlier tail
   elsewhere finds a log that was made anew from some place on: that is all a chain
   can prove by itself.
4. The bytes are in canonical form: there is one way only to write each entry.
5. Times of receipt never go back.
6. Every outcome has an intent before it, and no intent has two.
7. Every body that a record refers to is there, has the digest and the size that the
   record names, and no other body is there.

What an entry is, in msgpack (https://github.com/msgpack/msgpack/blob/master/spec.md):

    [1, index, previous hash (32 bytes), received at (ns since 1970), payload (bytes)]

    hash of an entry = SHA-256(0x00 || entry)           (a leaf hash of RFC 6962)
    previous hash of entry 0 = SHA-256("gatekeep audit log 1\n" || origin || "\n")

The payload is a record, again msgpack:

    [kind, exchange id, at (ns since 1970), what was shortened, captures, …]

where a capture is ``[part, SHA-256, kept bytes, total bytes, content type]``.

What an exported file is: the 8 bytes ``GKAUDIT1``, then blocks, each of one letter,
a size (4 bytes, big-endian) and so many bytes:

    O   the origin, in UTF-8; first and once
    B   a captured body; before the first entry that refers to it
    E   an entry
    T   the number of entries (8 bytes, big-endian) and the last hash; last and once
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

MAGIC = b"GKAUDIT1"
BLOCK_BYTES_MAX = 1 << 20
"""No block is larger: entries end at 64 KiB, bodies at 256 KiB."""

DEPTH_MAX = 100


class LogError(Exception):
    """The log does not hold.

    Attributes:
        index: of the entry it was found at; None when it is about the whole log.
        byte: place within the entry or the file; None when it is about all of it.
    """

    def __init__(
        self, reason: str, *, index: int | None = None, byte: int | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.index = index
        self.byte = byte

    def __str__(self) -> str:
        place = "" if self.index is None else f"entry {self.index}: "
        if self.byte is not None:
            place += f"byte {self.byte}: "
        return place + self.reason


@dataclass
class Summary:
    """What a log that holds has in it."""

    entries: int
    exchanges: int
    """Intents: requests that were let through."""
    open_exchanges: int
    """Intents with no outcome: under way, or cut off by a crash."""
    bodies: int
    first_ns: int
    last_ns: int
    tail_hash: bytes

    def __str__(self) -> str:
        if not self.entries:
            return f"0 records; tail {self.tail_hash.hex()}"
        return (
            f"{self.entries} records, {self.exchanges} exchanges"
            f" ({self.open_exchanges} without an outcome), {self.bodies} bodies;"
            f" {time_text(self.first_ns)} to {time_text(self.last_ns)};"
            f" tail {self.tail_hash.hex()}"
        )


class Verifier:
    """Takes the entries of one log in order and raises LogError at the first fault.

    Bodies may come at any time before `end`.
    """

    def __init__(self, origin: str) -> None:
        self.count = 0
        self.last_hash = hashlib.sha256(
            b"gatekeep audit log 1\n" + origin.encode() + b"\n"
        ).digest()
        self._first_ns = 0
        self._last_ns = 0
        self._exchanges = 0
        self._open: set[str] = set()
        self._referred: dict[bytes, tuple[int, int]] = {}
        """Digest to the entry that referred to it first, and the size it named."""
        self._bodies: dict[bytes, int] = {}
        """Digest to size of the bodies that are there."""

    def entry(self, index: int, data: bytes) -> list[bytes]:
        """Check the next entry; the digests of the bodies it refers to."""
        if index != self.count:
            raise LogError(
                f"found where entry {self.count} belongs: removed, added or moved",
                index=index,
            )
        try:
            received_ns, payload = self._link(data)
            digests = self._record(payload)
        except LogError as error:
            error.index = index
            raise
        if index == 0:
            self._first_ns = received_ns
        self._last_ns = received_ns
        self.last_hash = hashlib.sha256(b"\x00" + data).digest()
        self.count += 1
        return digests

    def body(self, data: bytes) -> None:
        """Take a captured body."""
        self._bodies[hashlib.sha256(data).digest()] = len(data)

    def end(self, count: int, tail_hash: bytes) -> Summary:
        """Hold the whole against the tail."""
        if count != self.count:
            raise LogError(f"the tail counts {count} entries, there are {self.count}")
        if tail_hash != self.last_hash:
            raise LogError(
                "the tail is not the hash of the last entry: one of them was changed",
                index=count - 1 if count else None,
            )
        for digest, (index, size) in self._referred.items():
            if digest not in self._bodies:
                raise LogError(
                    f"the body {digest.hex()} is not there, or was changed",
                    index=index,
                )
            if self._bodies[digest] != size:
                raise LogError(
                    f"the body {digest.hex()} has {self._bodies[digest]} bytes, the"
                    f" record says {size}",
                    index=index,
                )
        for digest in self._bodies:
            if digest not in self._referred:
                raise LogError(f"no record refers to the body {digest.hex()}")
        return Summary(
            self.count,
            self._exchanges,
            len(self._open),
            len(self._bodies),
            self._first_ns,
            self._last_ns,
            self.last_hash,
        )

    def _link(self, data: bytes) -> tuple[int, bytes]:
        """Check what chains an entry; its time of receipt and its payload."""
        fields = decode(data)
        if not isinstance(fields, list) or len(fields) != 5:
            raise LogError("not an array of five")
        version, index, previous, received_ns, payload = fields
        if type(version) is not int or version != 1:
            raise LogError("of a version that this verifier does not know")
        if type(index) is not int or index != self.count:
            raise LogError(f"calls itself {index}")
        if previous != self.last_hash:
            before = f"entry {self.count - 1}" if self.count else "the origin"
            raise LogError(
                f"does not carry the hash of {before}: one of the two was changed,"
                " or something between them removed or added"
            )
        if type(received_ns) is not int or received_ns < self._last_ns:
            raise LogError("received before the entry before it")
        if type(payload) is not bytes:
            raise LogError("has no payload")
        return received_ns, payload

    def _record(self, payload: bytes) -> list[bytes]:
        """Check what holds between records; the digests of this one's bodies."""
        fields = decode(payload)
        if not isinstance(fields, list) or len(fields) < 5:
            raise LogError("its payload is no record")
        kind, exchange, at_ns, _, captures = fields[:5]
        if not (
            type(kind) is str
            and type(exchange) is str
            and type(at_ns) is int
            and type(captures) is list
        ):
            raise LogError("its payload is no record")
        if kind == "intent":
            if exchange in self._open:
                raise LogError(f"a second intent of exchange {exchange!a}")
            self._open.add(exchange)
            self._exchanges += 1
        elif kind == "outcome":
            if exchange not in self._open:
                raise LogError(f"an outcome of exchange {exchange!a} without an intent")
            self._open.remove(exchange)
        digests = []
        for capture in captures:
            if type(capture) is not list or len(capture) != 5:
                raise LogError("one of its captures is none")
            _, digest, size, _, _ = capture
            if type(digest) is not bytes or len(digest) != 32 or type(size) is not int:
                raise LogError("one of its captures is none")
            if self._referred.setdefault(digest, (self.count, size))[1] != size:
                raise LogError("names another size for a body than an earlier entry")
            digests.append(digest)
        return digests


def decode(data: bytes) -> object:
    """The one value of canonical msgpack bytes; arrays are lists.

    Raises:
        LogError: they are not msgpack, or it could be written shorter or otherwise.
    """
    value, end = _decode(data, 0, DEPTH_MAX)
    if end != len(data):
        raise LogError("bytes follow the value", byte=end)
    return value


def _decode(data: bytes, at: int, depth: int) -> tuple[object, int]:
    """The value at a place, and the place after it."""
    if at >= len(data):
        raise LogError("ends too early", byte=at)
    if depth == 0:
        raise LogError("nested too deep", byte=at)
    code = data[at]
    if code <= 0x7F:
        return code, at + 1
    if code >= 0xE0:
        return code - 0x100, at + 1
    if code in _CONSTANTS:
        return _CONSTANTS[code], at + 1
    if code in _INTEGERS:
        return _decode_integer(data, at, code)
    family, start, length = _header(data, at, code)
    if family == "array":
        return _decode_array(data, start, length, depth)
    if family == "map":
        return _decode_map(data, start, length, depth)
    content = _take(data, start, length)
    if family == "bin":
        return content, start + length
    try:
        return content.decode(), start + length
    except UnicodeDecodeError:
        raise LogError("text that is not UTF-8", byte=start) from None


def _decode_integer(data: bytes, at: int, code: int) -> tuple[int, int]:
    size, signed, low, high = _INTEGERS[code]
    number = int.from_bytes(_take(data, at + 1, size), "big", signed=signed)
    if not low <= number <= high:
        raise LogError("an integer that could be shorter", byte=at)
    return number, at + 1 + size


def _decode_array(
    data: bytes, at: int, length: int, depth: int
) -> tuple[list[object], int]:
    items = []
    for _ in range(length):
        item, at = _decode(data, at, depth - 1)
        items.append(item)
    return items, at


def _decode_map(
    data: bytes, at: int, length: int, depth: int
) -> tuple[dict[str, object], int]:
    result: dict[str, object] = {}
    last = b""
    for number in range(length):
        place = at
        key, at = _decode(data, at, depth - 1)
        if not isinstance(key, str):
            raise LogError("a map's key that is no text", byte=place)
        if number and key.encode() <= last:
            raise LogError("a map's keys out of order", byte=place)
        last = key.encode()
        result[key], at = _decode(data, at, depth - 1)
    return result, at


def _header(data: bytes, at: int, code: int) -> tuple[str, int, int]:
    """What follows: its family, where its content begins, its length."""
    if code <= 0x8F:
        return "map", at + 1, code & 0x0F
    if code <= 0x9F:
        return "array", at + 1, code & 0x0F
    if code <= 0xBF:
        return "str", at + 1, code & 0x1F
    if code not in _LENGTHS:
        raise LogError(f"a type that no record has (0x{code:02x})", byte=at)
    family, size, least = _LENGTHS[code]
    length = int.from_bytes(_take(data, at + 1, size), "big")
    if length < least:
        raise LogError("a length that could be shorter", byte=at)
    return family, at + 1 + size, length


def _take(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise LogError("ends too early", byte=len(data))
    return data[at : at + size]


_CONSTANTS: dict[int, object] = {0xC0: None, 0xC2: False, 0xC3: True}

_INTEGERS = {
    # code: (bytes, signed, the least and the greatest that need this form)
    0xCC: (1, False, 0x80, 0xFF),
    0xCD: (2, False, 0x100, 0xFFFF),
    0xCE: (4, False, 0x1_0000, 0xFFFF_FFFF),
    0xCF: (8, False, 0x1_0000_0000, 0xFFFF_FFFF_FFFF_FFFF),
    0xD0: (1, True, -0x80, -0x21),
    0xD1: (2, True, -0x8000, -0x81),
    0xD2: (4, True, -0x8000_0000, -0x8001),
    0xD3: (8, True, -0x8000_0000_0000_0000, -0x8000_0001),
}

_LENGTHS = {
    # code: (family, bytes of the length, the least length that needs this form)
    0xC4: ("bin", 1, 0),
    0xC5: ("bin", 2, 0x100),
    0xC6: ("bin", 4, 0x1_0000),
    0xD9: ("str", 1, 32),
    0xDA: ("str", 2, 0x100),
    0xDB: ("str", 4, 0x1_0000),
    0xDC: ("array", 2, 16),
    0xDD: ("array", 4, 0x1_0000),
    0xDE: ("map", 2, 16),
    0xDF: ("map", 4, 0x1_0000),
}


def verify_file(file: BinaryIO) -> tuple[str, Summary]:
    """Check an exported file; its origin and what it holds.

    Raises:
        LogError: it does not hold.
    """
    blocks = read_blocks(file)
    letter, data, byte = next(blocks, (b"", b"", len(MAGIC)))
    if letter != b"O":
        raise LogError("expected the origin", byte=byte)
    try:
        origin = data.decode()
    except UnicodeDecodeError:
        raise LogError("the origin is not UTF-8", byte=byte) from None
    verifier = Verifier(origin)
    for letter, data, byte in blocks:
        if letter == b"E":
            verifier.entry(verifier.count, data)
        elif letter == b"B":
            verifier.body(data)
        elif letter == b"T" and len(data) == 40:
            summary = verifier.end(int.from_bytes(data[:8], "big"), data[8:])
            for _ in blocks:
                raise LogError("something follows the tail", byte=byte)
            return origin, summary
        else:
            raise LogError("a block that no export has", byte=byte)
    raise LogError("ends without a tail: cut short")


def read_blocks(file: BinaryIO) -> Iterator[tuple[bytes, bytes, int]]:
    """The blocks of an exported file: letter, content, place in the file."""
    if file.read(len(MAGIC)) != MAGIC:
        raise LogError("not an export of an audit log", byte=0)
    place = len(MAGIC)
    while header := file.read(5):
        size = int.from_bytes(header[1:], "big")
        if len(header) != 5 or size > BLOCK_BYTES_MAX:
            raise LogError("a block's header makes no sense", byte=place)
        data = file.read(size)
        if len(data) != size:
            raise LogError("a block is cut short", byte=place)
        yield header[:1], data, place
        place += 5 + size


def time_text(nanoseconds: int) -> str:
    """A time for people, in UTC, to the microsecond."""
    try:
        at = datetime.fromtimestamp(nanoseconds // 10**9, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{nanoseconds} ns"
    return f"{at:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9 // 1000:06d}Z"


def main(arguments: Iterable[str]) -> int:
    """Check the named file; the exit code: 0 it holds, 1 it does not, 2 no file."""
    match list(arguments):
        case [path] if not path.startswith("-"):
            pass
        case _:
            print("usage: python -m gatekeep.verify FILE", file=sys.stderr)
            return 2
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            origin, summary = verify_file(file)
    except OSError as error:
        print(f"{path}: {error.strerror}", file=sys.stderr)
        return 2
    except LogError as error:
        print(f"{path}: does not hold: {error}", file=sys.stderr)
        return 1
    print(f"{path}: holds; origin {origin!a}: {summary}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
