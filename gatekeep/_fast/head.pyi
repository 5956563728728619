"""Reads the heads that nearly all traffic has, and writes all heads; see `head.pyx`."""

from collections.abc import Iterable

HEAD_BYTES_READ_MAX: int
TARGET_BYTES_READ_MAX: int
FIELDS_READ_MAX: int

def read_request(
    buffer: bytes, start: int
) -> (
    tuple[bytes, bytes, list[tuple[bytes, bytes]], int | None, bool, bool, int] | None
): ...
def read_response(
    buffer: bytes, start: int, to_head: bool
) -> tuple[int, list[tuple[bytes, bytes]], int | None, bool, bool, int] | None: ...
def write_head(
    first_line: bytes, fields: Iterable[tuple[bytes, bytes]], without_own: bool
) -> tuple[bytes, int, bool]: ...
