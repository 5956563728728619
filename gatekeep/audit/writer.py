"""The log's one writer: entries, indexes, bodies and tail in one transaction.

Databases of the log's environment, all keys big-endian so that they sort:

- ``entries``: index (8 bytes) to hash (32 bytes) and entry.
- ``exchanges``: exchange id and index to nothing.
- ``principals``: `principal_key` and index to nothing.
- ``bodies``: SHA-256 of the body and number of the piece (4 bytes) to the piece.
- ``meta``: ``log`` to msgpack ``[1, origin]``; ``tail`` to msgpack ``[entry count,
  hash of the last entry, its received_at_ns]``.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gatekeep.audit.canonical import pack, unpack
from gatekeep.audit.chain import (
    HASH_BYTES,
    encode_entry,
    entry_hash,
    genesis_hash,
    parse_entry,
)
from gatekeep.errors import FatalError, OperatorError, VerificationError
from gatekeep.limits import LEDGER_TAIL_RECORDS
from gatekeep.store import Environment, Transaction

DATABASES = ("entries", "exchanges", "principals", "bodies", "meta")

PRINCIPAL_KEY_BYTES = 16

_PIECE_PAGES = 16
"""Pages of the largest piece of a body: 65,520 bytes."""


class Item(NamedTuple):
    """One record as it goes to the log, with what it is found by."""

    payload: bytes
    exchange: bytes
    """Its exchange id in UTF-8; empty when it has none."""
    principals: Sequence[bytes]
    """`principal_key` of each principal it is about."""
    captures: Sequence[bytes]
    """The bodies it refers to, masked."""


class Tail(NamedTuple):
    """Where the log ends."""

    size: int
    """Entries in the log; the index of the next one."""
    hash: bytes
    """Hash of the last entry, or the genesis hash."""
    received_at_ns: int
    """When the last one was received; 0 when there is none."""


@functools.lru_cache(maxsize=4096)
def principal_key(principal_id: str) -> bytes:
    """What a principal's records are indexed under: 16 bytes of its id's SHA-256.

    An id may be longer than a key can be, so its digest stands for it.
    """
    text = principal_id.encode("utf-8", "backslashreplace")
    return hashlib.sha256(text).digest()[:PRINCIPAL_KEY_BYTES]


def index_key(index: int) -> bytes:
    """An index as a key: 8 bytes."""
    return index.to_bytes(8, "big")


def pieces(body: bytes) -> list[bytes]:
    """Cut a body so that it fills LMDB's pages.

    A value that takes pages of its own has 16 bytes of header in the first one, so
    pieces of ``n * 4096 - 16`` bytes waste nothing; a short rest shares a page.
    """
    cut = []
    place = 0
    while len(body) - place >= 4096 - 16:
        pages = min((len(body) - place + 16) // 4096, _PIECE_PAGES)
        cut.append(body[place : place + pages * 4096 - 16])
        place += pages * 4096 - 16
    if place < len(body) or not cut:
        cut.append(body[place:])
    return cut


class LogWriter:
    """Appends to the log. Owned by the ledger; one at a time over all processes.

    Raises:
        UnavailableError, FatalError: as `store.Environment`.
        VerificationError: the end of the log does not hold.
        OperatorError: the log there has another origin.
    """

    def __init__(self, path: Path, *, origin: str, map_bytes: int) -> None:
        self._path = path
        self._origin = origin
        self._map_bytes = map_bytes
        self._environment = self._open()
        self.tail = self._verified_tail()

    def append(self, items: Sequence[Item], *, now_ns: int) -> tuple[int, list[bytes]]:
        """Chain and store records; durable when it returns.

        Returns:
            The index of the first one and the hash of each, in order.

        Raises:
            UnavailableError: nothing was stored; see `Environment.begin`.
            FatalError: what is stored is in doubt, or somebody else wrote.
        """
        index, previous, received_at_ns = self.tail
        # The host's clock may be set back; the log's does not go back, so that a
        # time is found in it by halving.
        received_at_ns = max(received_at_ns, now_ns)
        hashes = []
        with self._environment.begin(write=True) as transaction:
            self._check_tail(transaction)
            for payload, exchange, principals, captures in items:
                entry = encode_entry(index, previous, received_at_ns, payload)
                previous = entry_hash(entry)
                hashes.append(previous)
                key = index_key(index)
                transaction.put("entries", key, previous + entry, append=True)
                if exchange:
                    transaction.put("exchanges", exchange + key, b"")
                for principal in principals:
                    transaction.put("principals", principal + key, b"")
                for body in captures:
                    _put_body(transaction, body)
                index += 1
            tail = Tail(index, previous, received_at_ns)
            transaction.put("meta", b"tail", pack(tail))
        first, self.tail = self.tail.size, tail
        return first, hashes

    @property
    def failed(self) -> bool:
        """Whether nothing more is written until `reopen`."""
        return self._environment.failed

    def reopen(self) -> None:
        """Open the environment anew after a failed commit and verify where it ends.

        Raises:
            UnavailableError: it cannot be opened yet.
            FatalError, VerificationError: what was acknowledged is not there.
        """
        self._environment.close()
        self._environment = self._open()
        if self._verified_tail() != self.tail:
            raise FatalError(
                "audit.tail_moved", f"{self._path}: acknowledged entries are not there"
            )

    def statistics(self) -> dict[str, int]:
        """See `Environment.statistics`."""
        return self._environment.statistics()

    def close(self) -> None:
        """Close the environment."""
        self._environment.close()

    def _open(self) -> Environment:
        return Environment(self._path, map_bytes=self._map_bytes, databases=DATABASES)

    def _check_tail(self, transaction: Transaction) -> None:
        """Hold that the log ends where this writer left it."""
        if transaction.get("meta", b"tail") != pack(self.tail):
            raise FatalError(
                "audit.tail_moved", f"{self._path}: somebody else wrote to the log"
            )

    def _verified_tail(self) -> Tail:
        """Where the log ends, once its last entries hold; a new log is begun."""
        with self._environment.begin() as transaction:
            described = transaction.get("meta", b"log")
            if described is not None:
                return _verify_tail(transaction, self._origin, described)
            if any(transaction.count(database) for database in DATABASES):
                raise VerificationError(
                    "audit.meta", f"{self._path}: the log has lost its description"
                )
        tail = Tail(0, genesis_hash(self._origin), 0)
        self._environment.commit_batch(
            [("meta", b"log", pack((1, self._origin))), ("meta", b"tail", pack(tail))]
        )
        return tail


def parse_tail(data: bytes | None) -> Tail:
    """The tail that ``meta`` holds.

    Raises:
        VerificationError: it is not there or makes no sense.
    """
    match unpack(data or b""):
        case (int(size), bytes(last), int(received_at_ns)) if (
            size >= 0 and len(last) == HASH_BYTES
        ):
            return Tail(size, last, received_at_ns)
    raise VerificationError("audit.tail", "the log's tail makes no sense")


def _verify_tail(transaction: Transaction, origin: str, described: bytes) -> Tail:
    """The tail, once the last `limits.LEDGER_TAIL_RECORDS` entries lead to it."""
    if described != pack((1, origin)):
        raise OperatorError(
            "audit.origin",
            f"audit.origin: `{origin}` is not whose log this is; expected what it was"
            " when the log began",
        )
    tail = parse_tail(transaction.get("meta", b"tail"))
    if transaction.count("entries") != tail.size:
        raise VerificationError(
            "audit.tail",
            f"the tail counts {tail.size} entries, the log has"
            f" {transaction.count('entries')}",
        )
    first = max(tail.size - LEDGER_TAIL_RECORDS, 0)
    previous = genesis_hash(origin) if first == 0 else None
    received_at_ns = 0
    for index in range(first, tail.size):
        stored = transaction.get("entries", index_key(index)) or b""
        entry = parse_entry(stored[HASH_BYTES:])
        hash_ = entry_hash(stored[HASH_BYTES:])
        if (
            entry.index != index
            or hash_ != stored[:HASH_BYTES]
            or (previous is not None and entry.previous_hash != previous)
            or entry.received_at_ns < received_at_ns
        ):
            raise VerificationError(
                "audit.chain", f"the chain is broken at index {index}"
            )
        previous, received_at_ns = hash_, entry.received_at_ns
    if (previous, received_at_ns) != (tail.hash, tail.received_at_ns):
        raise VerificationError(
            "audit.tail", "the tail is not the hash of the last entry"
        )
    return tail


def _put_body(transaction: Transaction, body: bytes) -> None:
    """Store a body under its digest, unless it is there."""
    digest = hashlib.sha256(body).digest()
    if transaction.get("bodies", digest + bytes(4)) is not None:
        return
    for number, piece in enumerate(pieces(body)):
        transaction.put("bodies", digest + number.to_bytes(4, "big"), piece)
