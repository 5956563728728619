"""CRC-32C and CRC-64/NVME of buffers, eight bytes a step.

`zlib.crc32` covers CRC-32; these two are the checksums that AWS SDKs send beside it
and that the standard library lacks. Slicing by eight: table k holds the CRC of a
byte followed by k zero bytes, so that eight look-ups take in eight bytes.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef uint32_t _table32[8][256]
cdef uint64_t _table64[8][256]


cdef void _fill() noexcept:
    # Both polynomials are bit-reversed, as both CRCs take in the lowest bit first.
    cdef int byte, bit, step
    cdef uint32_t narrow
    cdef uint64_t wide
    for byte in range(256):
        narrow = byte
        wide = byte
        for bit in range(8):
            narrow = (narrow >> 1) ^ (0x82F63B78u if narrow & 1 else 0)
            wide = (wide >> 1) ^ (0x9A6C9329AC4BC9B5u if wide & 1 else 0)
        _table32[0][byte] = narrow
        _table64[0][byte] = wide
    for step in range(1, 8):
        for byte in range(256):
            narrow = _table32[step - 1][byte]
            wide = _table64[step - 1][byte]
            _table32[step][byte] = (narrow >> 8) ^ _table32[0][narrow & 0xFF]
            _table64[step][byte] = (wide >> 8) ^ _table64[0][wide & 0xFF]


_fill()


cdef uint32_t _crc32c(const uint8_t *at, Py_ssize_t left, uint32_t crc) noexcept nogil:
    while left >= 8:
        crc ^= at[0] | (at[1] << 8) | (at[2] << 16) | (<uint32_t>at[3] << 24)
        crc = (
            _table32[7][crc & 0xFF]
            ^ _table32[6][(crc >> 8) & 0xFF]
            ^ _table32[5][(crc >> 16) & 0xFF]
            ^ _table32[4][crc >> 24]
            ^ _table32[3][at[4]]
            ^ _table32[2][at[5]]
            ^ _table32[1][at[6]]
            ^ _table32[0][at[7]]
        )
        at += 8
        left -= 8
    while left:
        crc = (crc >> 8) ^ _table32[0][(crc ^ at[0]) & 0xFF]
        at += 1
        left -= 1
    return crc


cdef uint64_t _crc64nvme(const uint8_t *at, Py_ssize_t left, uint64_t crc) noexcept nogil:
    cdef int step
    cdef uint64_t word
    while left >= 8:
        word = 0
        for step in range(8):
            word |= <uint64_t>at[step] << (8 * step)
        crc ^= word
        crc = (
            _table64[7][crc & 0xFF]
            ^ _table64[6][(crc >> 8) & 0xFF]
            ^ _table64[5][(crc >> 16) & 0xFF]
            ^ _table64[4][(crc >> 24) & 0xFF]
            ^ _table64[3][(crc >> 32) & 0xFF]
            ^ _table64[2][(crc >> 40) & 0xFF]
            ^ _table64[1][(crc >> 48) & 0xFF]
            ^ _table64[0][crc >> 56]
        )
        at += 8
        left -= 8
    while left:
        crc = (crc >> 8) ^ _table64[0][(crc ^ at[0]) & 0xFF]
        at += 1
        left -= 1
    return crc


def crc32c(const uint8_t[::1] data not None, uint32_t value=0):
    cdef Py_ssize_t length = data.shape[0]
    if length == 0:
        return value
    cdef const uint8_t *start = &data[0]
    with nogil:
        value = ~_crc32c(start, length, ~value)
    return value


def crc64nvme(const uint8_t[::1] data not None, uint64_t value=0):
    cdef Py_ssize_t length = data.shape[0]
    if length == 0:
        return value
    cdef const uint8_t *start = &data[0]
    with nogil:
        value = ~_crc64nvme(start, length, ~value)
    return value
