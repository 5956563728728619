"""What every codec of a body is, whatever its format."""

from __future__ import annotations

from typing import Protocol

from gatekeep._fast.splice import MalformedTextError


class Codec(Protocol):
    """Masks one body: bytes in, bytes out, however they are cut."""

    @property
    def length_kept(self) -> bool:
        """Every byte stays at its place, so a length told before stays right."""

    @property
    def findings(self) -> dict[str, int]:
        """How many values each detector (``field``: a named field) has hidden."""

    def feed(self, data: bytes, /) -> bytes:
        """Take bytes of the body, give masked bytes that are final.

        Raises:
            MalformedTextError: a kernel found the body wrong.
            MaskingError: the body cannot be masked.
        """

    def finish(self) -> bytes:
        """End the body, give the masked rest. Raises as `feed` does."""


class WholeCodec:
    """Collects a body up to a bound and masks it in one piece, in a subclass."""

    length_kept = False

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._body = bytearray()
        self.findings: dict[str, int] = {}

    def feed(self, data: bytes) -> bytes:
        """Keep bytes; raises MalformedTextError above the bound."""
        self._body += data
        if len(self._body) > self._bytes_max:
            raise MalformedTextError("collected", "an answer that must be read whole")
        return b""

    def finish(self) -> bytes:
        """Give the whole masked body."""
        return self.mask(bytes(self._body)) if self._body else b""

    def mask(self, body: bytes) -> bytes:
        """Return a whole body, masked, and enter what was found."""
        raise NotImplementedError
