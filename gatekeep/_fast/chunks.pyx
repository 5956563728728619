"""Takes whole plain chunks off a chunked body (RFC 9112 7.1), as many as there are.

A chunk is plain when its size has 1 to 15 hex digits, is not zero and has no
extension, and when all of it is there. Anything else, wrong or only unfinished, is
left to the caller, who knows what to refuse. `tests/reference/chunks.py` is the same
in plain Python.

One-byte chunks are why this is compiled: in Python a 256 KiB read of them held the
event loop for 190 ms.

BOUNDS: the buffer is read by pointer, and every index is compared with `size`, the
object's length, before it is read. Chunk sizes are below 16 ** 15, so that no sum of
one and an index overflows.
"""

from cpython.bytes cimport (
    PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE,
)
from libc.string cimport memcpy

cdef enum:
    SIZE_DIGITS = 15


cdef inline int hex_digit(unsigned char byte):
    if 48 <= byte <= 57:
        return byte - 48
    byte |= 32
    if 97 <= byte <= 102:
        return byte - 87
    return -1


cdef Py_ssize_t plain_chunk(
    const unsigned char* data, Py_ssize_t at, Py_ssize_t size, Py_ssize_t* data_at
):
    """The data size of a whole plain chunk at `at`, and where its data is; or 0."""
    cdef Py_ssize_t length = 0
    cdef int digits = 0, digit
    while at < size and digits < SIZE_DIGITS:
        digit = hex_digit(data[at])
        if digit < 0:
            break
        length = length * 16 + digit
        digits += 1
        at += 1
    if digits == 0 or length == 0 or length > size - at - 4:
        return 0
    # Here at + 4 + length <= size, so the four bytes below are inside.
    if data[at] != b"\r" or data[at + 1] != b"\n":
        return 0
    data_at[0] = at + 2
    at += 2 + length
    if data[at] != b"\r" or data[at + 1] != b"\n":
        return 0
    return length


def read_chunks(bytes buffer not None, Py_ssize_t start):
    """The data of all whole plain chunks from `start` on, and the index after them.

    Raises:
        ValueError: start is outside the buffer.
    """
    cdef const unsigned char* data = <const unsigned char*>PyBytes_AS_STRING(buffer)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(buffer)
    cdef Py_ssize_t stop = start, total = 0, length, data_at = 0
    cdef unsigned char* out
    cdef bytes joined
    if not 0 <= start <= size:
        raise ValueError("start outside the buffer", start)
    while True:
        length = plain_chunk(data, stop, size, &data_at)
        if length == 0:
            break
        total += length
        stop = data_at + length + 2
    joined = PyBytes_FromStringAndSize(NULL, total)
    # BOUNDS: the same walk over the same immutable bytes, so the pieces sum to total.
    out = <unsigned char*>PyBytes_AS_STRING(joined)
    while start < stop:
        length = plain_chunk(data, start, size, &data_at)
        memcpy(out, data + data_at, length)
        out += length
        start = data_at + length + 2
    return joined, stop
