"""Reads the heads that nearly all traffic has; see `head.pyx`."""

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
