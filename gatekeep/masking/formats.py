"""Formats that a masker cannot look into, told by their first bytes."""

from __future__ import annotations

OPAQUE = (
    b"PAR1",  # Parquet
    b"PARE",  # Parquet, encrypted
    b"ORC",
    b"Obj\x01",  # Avro
    b"PK\x03\x04",  # zip, and so OOXML and jar
    b"PK\x05\x06",
    b"\x1f\x8b",  # gzip
    b"\x28\xb5\x2f\xfd",  # zstd
    b"BZh",
    b"\xfd7zXZ\x00",
    b"7z\xbc\xaf\x27\x1c",
    b"\x04\x22\x4d\x18",  # LZ4
    b"\xff\x06\x00\x00sNaPpY",
    b"%PDF-",
    b"\x89HDF",
    b"SQLite format 3\x00",
    b"Salted__",  # openssl enc
    b"\x85\x02",  # OpenPGP, encrypted
    b"-----BEGIN PGP MESSAGE",
    b"age-encryption.org/",
)


def is_opaque(data: bytes) -> bool:
    """Whether bytes begin like a compressed, columnar or encrypted format."""
    return data.startswith(OPAQUE)
