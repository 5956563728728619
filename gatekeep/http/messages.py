"""HTTP heads as values: what came over the wire, not yet believed.

Shared by the client side, the upstream side and every room that reads a head.
Names are lower case (HTTP/1.1 names are case-blind, HTTP/2's are lower case);
values are the raw bytes without surrounding white space; order is the wire's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Field = tuple[bytes, bytes]
"""A header field: lower-case name, raw value."""


@dataclass(slots=True)
class RequestHead:
    """A request's first line and fields, exactly as received."""

    method: bytes
    target: bytes
    """The raw request target: path and query, never normalised."""
    fields: Sequence[Field]
    version: bytes = b"1.1"
    path: bytes = field(init=False)
    """The target up to the first ``?``, raw."""
    query: bytes = field(init=False)
    """The target after the first ``?``, raw; empty when there is none."""
    by_name: dict[bytes, bytes] = field(init=False, repr=False)
    """First value by lower-case name. `values` gives repeated ones."""

    def __post_init__(self) -> None:
        self.path, _, self.query = self.target.partition(b"?")
        # Reversed, so that the first of repeated fields is the one that stays.
        self.by_name = dict(reversed(self.fields))

    def get(self, name: bytes, default: bytes = b"") -> bytes:
        """The first value of a field, or the default."""
        return self.by_name.get(name, default)

    def values(self, name: bytes) -> list[bytes]:
        """All values of a field in wire order."""
        return [value for key, value in self.fields if key == name]


@dataclass(slots=True)
class ResponseHead:
    """A final response's status and fields, exactly as received."""

    status: int
    fields: Sequence[Field]
    version: bytes = b"1.1"
    by_name: dict[bytes, bytes] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.by_name = dict(reversed(self.fields))

    def get(self, name: bytes, default: bytes = b"") -> bytes:
        """The first value of a field, or the default."""
        return self.by_name.get(name, default)
