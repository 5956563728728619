"""Formats of what users store: told by media type and name, or by the first bytes."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from gatekeep.masking.codec import Codec

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
    b"\xff\xfe",  # UTF-16
    b"\xfe\xff",
    b"\x89PNG",
    b"\xff\xd8\xff",  # JPEG
    b"GIF8",
    b"\x7fELF",
)
OPAQUE_BYTES_MIN = 12
"""The smallest of them: an empty zstd frame has 9 bytes, every other more."""

MAGIC_BYTES_MAX = max(map(len, OPAQUE))


def is_opaque(data: bytes) -> bool:
    """Whether bytes begin like a compressed, columnar, encrypted or picture format.

    Fewer than `OPAQUE_BYTES_MIN` are none, whatever they begin like.
    """
    return len(data) >= OPAQUE_BYTES_MIN and data.startswith(OPAQUE)


class Format(Enum):
    """How a stored body is read."""

    TEXT = "text"
    JSON = "json"
    """One JSON text, or several (JSON lines)."""
    XML = "xml"
    CSV = "csv"
    TSV = "tsv"
    UNKNOWN = "unknown"
    """Nothing says; the first bytes must."""
    OPAQUE = "opaque"


MEDIA = {
    b"application/json": Format.JSON,
    b"application/x-ndjson": Format.JSON,
    b"application/jsonl": Format.JSON,
    b"application/x-jsonlines": Format.JSON,
    b"application/xml": Format.XML,
    b"text/xml": Format.XML,
    b"text/csv": Format.CSV,
    b"application/csv": Format.CSV,
    b"text/tab-separated-values": Format.TSV,
    b"application/x-yaml": Format.TEXT,
    b"application/yaml": Format.TEXT,
    b"application/sql": Format.TEXT,
    b"application/javascript": Format.TEXT,
    b"application/x-www-form-urlencoded": Format.TEXT,
}

SUFFIXES = {
    "json": Format.JSON,
    "jsonl": Format.JSON,
    "ndjson": Format.JSON,
    "xml": Format.XML,
    "csv": Format.CSV,
    "tsv": Format.TSV,
    "txt": Format.TEXT,
    "log": Format.TEXT,
    "md": Format.TEXT,
    "yaml": Format.TEXT,
    "yml": Format.TEXT,
    "html": Format.TEXT,
    "sql": Format.TEXT,
    "ini": Format.TEXT,
    "conf": Format.TEXT,
    "toml": Format.TEXT,
    "env": Format.TEXT,
    "pem": Format.TEXT,
    "parquet": Format.OPAQUE,
    "orc": Format.OPAQUE,
    "avro": Format.OPAQUE,
    "zip": Format.OPAQUE,
    "pdf": Format.OPAQUE,
    "xlsx": Format.OPAQUE,
    "docx": Format.OPAQUE,
    "jar": Format.OPAQUE,
    "bz2": Format.OPAQUE,
    "xz": Format.OPAQUE,
    "lz4": Format.OPAQUE,
    "snappy": Format.OPAQUE,
    "7z": Format.OPAQUE,
    "gpg": Format.OPAQUE,
    "pgp": Format.OPAQUE,
    "enc": Format.OPAQUE,
    "png": Format.OPAQUE,
    "jpg": Format.OPAQUE,
    "jpeg": Format.OPAQUE,
    "gif": Format.OPAQUE,
}

COMPRESSED_SUFFIXES = {"gz": b"gzip", "gzip": b"gzip", "zst": b"zstd", "zstd": b"zstd"}
COMPRESSED_MEDIA = {
    b"application/gzip": b"gzip",
    b"application/x-gzip": b"gzip",
    b"application/zstd": b"zstd",
}


def format_of(media: bytes, name: str) -> tuple[Format, bytes]:
    """Return how a stored body is read, and how it is compressed (empty: it is not).

    Args:
        media: its media type, lower case, without parameters.
        name: its key or file name.
    """
    suffixes = name.rpartition("/")[2].lower().split(".")[1:]
    compression = COMPRESSED_MEDIA.get(media, b"")
    if suffixes and suffixes[-1] in COMPRESSED_SUFFIXES:
        compression = COMPRESSED_SUFFIXES[suffixes.pop()]
    known = MEDIA.get(media)
    if known is None and (media.endswith((b"+json", b"/json"))):
        known = Format.JSON
    if known is None and media.endswith(b"+xml"):
        known = Format.XML
    if known is None and suffixes:
        known = SUFFIXES.get(suffixes[-1])
    if known is None and media.startswith(b"text/"):
        known = Format.TEXT
    if known is None and media.startswith((b"image/", b"audio/", b"video/", b"font/")):
        known = Format.OPAQUE
    return known or Format.UNKNOWN, compression


class SniffingCodec:
    """Waits for the first bytes of a body, then lets them choose its codec."""

    length_kept = True

    def __init__(self, choose: Callable[[bytes], Codec]) -> None:
        """Begin a body.

        Args:
            choose: first bytes -> codec; raises MaskingError when none reads them.
        """
        self._choose = choose
        self._codec: Codec | None = None
        self._first = b""

    @property
    def findings(self) -> dict[str, int]:
        """How many values each detector has hidden."""
        return {} if self._codec is None else self._codec.findings

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the body, give masked bytes that are final."""
        if self._codec is not None:
            return self._codec.feed(data)
        self._first += data
        if len(self._first) < MAGIC_BYTES_MAX:
            return b""
        self._codec = self._choose(self._first)
        return self._codec.feed(self._first)

    def finish(self) -> bytes:
        """End the body, give the masked rest."""
        if self._codec is not None:
            return self._codec.finish()
        codec = self._codec = self._choose(self._first)
        return codec.feed(self._first) + codec.finish()
