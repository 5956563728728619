"""The chain: how records become a log that cannot be changed unseen.

An entry is the canonical msgpack array ``[version, index, previous hash, received
at, payload]``: version 1, the index from 0, the 32-byte hash of the entry before it,
the ledger's clock in nanoseconds since 1970 (it never goes back along the log) and
the bytes of a record. Its hash is ``SHA-256(0x00 || entry)``, the leaf hash of RFC
6962, so that entries are leaves of a Merkle tree as they stand.

The entry at index 0 carries the genesis hash, which is made of the log's origin: so
every hash depends on whose log it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from gatekeep.audit.canonical import pack, unpack
from gatekeep.errors import VerificationError

ENTRY_VERSION = 1

HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Entry:
    """One link of the chain."""

    index: int
    previous_hash: bytes
    received_at_ns: int
    payload: bytes
    """The bytes of a record; `codec.parse_record` reads them."""


def genesis_hash(origin: str) -> bytes:
    """The previous hash of a log's first entry: 32 bytes."""
    return hashlib.sha256(f"gatekeep audit log 1\n{origin}\n".encode()).digest()


def encode_entry(
    index: int, previous_hash: bytes, received_at_ns: int, payload: bytes
) -> bytes:
    """The bytes of an entry."""
    return pack((ENTRY_VERSION, index, previous_hash, received_at_ns, payload))


def entry_hash(entry: bytes) -> bytes:
    """The leaf hash of an entry's bytes: 32 bytes (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\0" + entry).digest()


def parse_entry(data: bytes) -> Entry:
    """Return the entry of canonical bytes; its payload stays unread.

    Raises:
        VerificationError: they are no entry's canonical bytes. Nothing else.
    """
    match unpack(data):
        case (1, int(index), bytes(previous), int(received_at_ns), bytes(payload)) if (
            len(previous) == HASH_BYTES
            and encode_entry(index, previous, received_at_ns, payload) == data
        ):
            return Entry(index, previous, received_at_ns, payload)
    raise VerificationError("audit.entry", "not an entry in canonical form")
