"""Verify the log where it lies: chain, bodies, indexes and tail.

`gatekeep.verify`, which shares no code with the writer, checks entries and bodies.
What it cannot see in an export is checked here: that the hashes kept beside the
entries, the index databases and the tail say exactly what the entries say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from gatekeep import verify
from gatekeep.audit.chain import HASH_BYTES, parse_entry
from gatekeep.audit.codec import parse_record
from gatekeep.audit.log import LogReader, stored_body
from gatekeep.audit.writer import (
    DATABASES,
    index_key,
    parse_tail,
    pieces,
    principal_key,
)
from gatekeep.errors import FatalError, UnavailableError, VerificationError
from gatekeep.limits import LOG_WINDOW_RECORDS
from gatekeep.store import Transaction

Progress = Callable[[int, int], None]
"""Called now and then with the number of entries done, and that of all."""


def verify_log(
    path: Path, *, map_bytes: int, progress: Progress = lambda done, size: None
) -> verify.Summary:
    """Return what the log holds, once all of it is consistent.

    The ledger may be appending meanwhile: what it appends is verified too.

    Raises:
        VerificationError: ``audit.broken``: the first thing that does not hold.
        UnavailableError: ``store.missing``: there is no log.
    """
    try:
        with LogReader(path, map_bytes=map_bytes) as reader:
            check = _Check(reader.origin())
            while True:
                with reader.begin() as transaction:
                    size = parse_tail(transaction.get("meta", b"tail")).size
                    for index in range(
                        check.size, min(check.size + LOG_WINDOW_RECORDS, size)
                    ):
                        check.entry(transaction, index)
                    if check.size >= size:
                        # In the same snapshot: nothing can come in between.
                        return check.end(transaction)
                progress(check.size, size)
    except verify.LogError as error:
        raise VerificationError("audit.broken", str(error)) from error
    except FatalError as error:
        raise VerificationError(
            "audit.broken", f"the store's pages are damaged: {error.message}"
        ) from error
    except UnavailableError as error:
        if error.code != "store.database_missing":
            raise
        raise VerificationError("audit.broken", error.message) from error


class _Check:
    """What has been verified so far."""

    def __init__(self, origin: str) -> None:
        self.size = 0
        self._verifier = verify.Verifier(origin)
        self._bodies: set[bytes] = set()
        self._expected = dict.fromkeys(DATABASES, 0) | {"meta": 2}
        """How many keys each database must have."""

    def entry(self, transaction: Transaction, index: int) -> None:
        """Verify one entry, its bodies and what the log finds it by."""
        key = index_key(index)
        stored = transaction.get("entries", key)
        if stored is None:
            raise verify.LogError("not there: removed", index=index)
        data = stored[HASH_BYTES:]
        # First of all: then a changed entry is named, and not the one after it.
        if hashlib.sha256(b"\x00" + data).digest() != stored[:HASH_BYTES]:
            raise verify.LogError(
                "does not have the hash that is kept beside it: one of the two was"
                " changed",
                index=index,
            )
        digests = self._verifier.entry(index, data)
        try:
            record = parse_record(parse_entry(data).payload)
        except VerificationError as error:
            raise verify.LogError(error.message, index=index) from error
        if record.exchange_id:
            self._indexed(
                transaction, "exchanges", record.exchange_id.encode() + key, index
            )
        for principal in set(record.principals):
            self._indexed(
                transaction, "principals", principal_key(principal) + key, index
            )
        for digest in digests:
            if digest not in self._bodies:
                self._body(transaction, digest, index)
        self.size += 1

    def end(self, transaction: Transaction) -> verify.Summary:
        """Hold the whole against the tail and the number of keys there are."""
        tail = parse_tail(transaction.get("meta", b"tail"))
        summary = self._verifier.end(tail.size, tail.hash)
        if tail.received_at_ns != summary.last_ns:
            raise verify.LogError("the tail tells another time than the last entry")
        self._expected["entries"] = summary.entries
        for database, expected in self._expected.items():
            count = transaction.count(database)
            if count != expected:
                raise verify.LogError(
                    f"the database `{database}` has {count} keys, the entries account"
                    f" for {expected}"
                )
        return summary

    def _indexed(
        self, transaction: Transaction, database: str, key: bytes, index: int
    ) -> None:
        if transaction.get(database, key) != b"":
            raise verify.LogError(
                f"the index `{database}` does not lead to it", index=index
            )
        self._expected[database] += 1

    def _body(self, transaction: Transaction, digest: bytes, index: int) -> None:
        body, count = stored_body(transaction, digest)
        if body is None or hashlib.sha256(body).digest() != digest:
            raise verify.LogError(
                f"the body {digest.hex()} {'was changed' if body else 'is not there'}",
                index=index,
            )
        if count != len(pieces(body)):
            raise verify.LogError(f"the body {digest.hex()} is cut anew", index=index)
        self._verifier.body(body)
        self._bodies.add(digest)
        self._expected["bodies"] += count


def export_log(
    path: Path,
    target: BinaryIO,
    *,
    map_bytes: int,
    progress: Progress = lambda done, size: None,
) -> int:
    """Write the log as `gatekeep.verify` reads it; the number of its entries.

    What is appended meanwhile is not in it. Nothing is verified here: that is what
    the file is for, so a damaged log can be exported too.

    Raises:
        VerificationError: an entry is not there.
        UnavailableError: ``store.missing``: there is no log.
    """
    exported: set[bytes] = set()
    with LogReader(path, map_bytes=map_bytes) as reader:
        tail = reader.tail()
        target.write(verify.MAGIC)
        _write_block(target, b"O", reader.origin().encode())
        for start in range(0, tail.size, LOG_WINDOW_RECORDS):
            with reader.begin() as transaction:
                for index in range(start, min(start + LOG_WINDOW_RECORDS, tail.size)):
                    stored = transaction.get("entries", index_key(index))
                    if stored is None:
                        raise VerificationError(
                            "audit.entry", f"entry {index}: not there"
                        )
                    data = stored[HASH_BYTES:]
                    for digest in _digests(data):
                        body, _ = stored_body(transaction, digest)
                        if body is not None and digest not in exported:
                            exported.add(digest)
                            _write_block(target, b"B", body)
                    _write_block(target, b"E", data)
            progress(min(start + LOG_WINDOW_RECORDS, tail.size), tail.size)
        _write_block(target, b"T", index_key(tail.size) + tail.hash)
    return tail.size


def _digests(entry: bytes) -> list[bytes]:
    """The bodies that an entry refers to; none when it is no entry."""
    try:
        captures = parse_record(parse_entry(entry).payload).captures
    except VerificationError:
        return []
    return [reference.sha256 for reference in captures]


def _write_block(target: BinaryIO, letter: bytes, data: bytes) -> None:
    target.write(letter + len(data).to_bytes(4, "big") + data)
