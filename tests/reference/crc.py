"""CRC-32C and CRC-64/NVME bit by bit: the definition, to hold `_fast.crc` against."""

from __future__ import annotations


def crc32c(data: bytes, value: int = 0) -> int:
    return _crc(data, value, polynomial=0x82F63B78, ones=0xFFFF_FFFF)


def crc64nvme(data: bytes, value: int = 0) -> int:
    return _crc(data, value, polynomial=0x9A6C9329AC4BC9B5, ones=0xFFFF_FFFF_FFFF_FFFF)


def _crc(data: bytes, value: int, *, polynomial: int, ones: int) -> int:
    crc = value ^ ones
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (polynomial if crc & 1 else 0)
    return crc ^ ones
