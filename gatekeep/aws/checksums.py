"""The checksums that AWS SDKs send with bodies, by the field that carries them."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from typing import Protocol

from gatekeep._fast.crc import crc32c, crc64nvme


class Checksum(Protocol):
    """A running checksum."""

    def update(self, data: bytes, /) -> None:
        """Take in what comes next."""

    def digest(self) -> bytes:
        """The checksum so far, in network order."""


class _CRC:
    """A CRC with the face of a `hashlib` hash."""

    __slots__ = ("_function", "_size", "_value")

    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


_FIELDS: dict[str, Callable[[], Checksum]] = {
    "x-amz-checksum-crc32": lambda: _CRC(zlib.crc32, 4),
    "x-amz-checksum-crc32c": lambda: _CRC(crc32c, 4),
    "x-amz-checksum-crc64nvme": lambda: _CRC(crc64nvme, 8),
    "x-amz-checksum-md5": lambda: hashlib.md5(usedforsecurity=False),
    "x-amz-checksum-sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "x-amz-checksum-sha256": hashlib.sha256,
    "x-amz-checksum-sha512": hashlib.sha512,
}


def checksum_named(field: str) -> Checksum | None:
    """Return a fresh checksum of the kind that a field carries in base64.

    Args:
        field: lower case, for example ``x-amz-checksum-crc32``. None comes back for
            one that is not known here; AWS checks it.
    """
    make = _FIELDS.get(field)
    return make() if make is not None else None
