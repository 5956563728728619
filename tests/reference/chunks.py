"""The slow readable twin of `gatekeep/_fast/chunks.pyx`."""

import re

SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")


def read_chunks(buffer, start):
    """The data of all whole plain chunks from `start` on, and the index after them."""
    data = b""
    while (line := SIZE_LINE.match(buffer, start)) is not None:
        size = int(line[1], 16)
        end = line.end() + size
        if size == 0 or buffer[end : end + 2] != b"\r\n":
            break
        data += buffer[line.end() : end]
        start = end + 2
    return data, start
