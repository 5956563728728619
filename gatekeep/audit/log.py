"""Reading the log: exchange by exchange, with filters, while the gateway runs.

Reads are cut into windows, each a short read transaction, so that a long listing
does not keep LMDB from reusing pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Self

from gatekeep.audit.canonical import unpack
from gatekeep.audit.chain import HASH_BYTES, parse_entry
from gatekeep.audit.codec import parse_record
from gatekeep.audit.record import HoldRequested, Intent, Record, Refusal
from gatekeep.audit.writer import (
    DATABASES,
    Tail,
    index_key,
    parse_tail,
    principal_key,
)
from gatekeep.errors import VerificationError
from gatekeep.limits import LOG_WINDOW_RECORDS
from gatekeep.store import Environment, Transaction


@dataclass(frozen=True, slots=True)
class LoggedRecord:
    """A record and its place in the log."""

    index: int
    hash: bytes
    received_at_ns: int
    """By the ledger's clock; never less than that of the one before."""
    record: Record


@dataclass(frozen=True, slots=True)
class Query:
    """Which exchanges to read; what is None does not count.

    An exchange is chosen when for each of these some record of it fits.
    """

    principal: str | None = None
    """A principal id, its part after the ``#``, or a pattern with ``*`` and ``?``."""
    action: str | None = None
    """A pattern of an IAM action (``s3:Get*``) or of an operation (``GetItem``)."""
    since_ns: int | None = None
    """Received at this time or later; by the exchange's first record."""
    until_ns: int | None = None
    """Received before this time; by the exchange's first record."""
    exchange: str | None = None
    kind: str | None = None
    """A `Record.KIND`."""
    decision: str | None = None

    @property
    def exact_principal(self) -> str | None:
        """The principal when it is one whole id, which the log is indexed by."""
        principal = self.principal
        if principal is None or "#" not in principal or set("*?[") & set(principal):
            return None
        return principal

    def chooses(self, group: tuple[LoggedRecord, ...]) -> bool:
        """Whether an exchange fits."""
        records = [logged.record for logged in group]
        return (
            _within(group[0].received_at_ns, self.since_ns, self.until_ns)
            and (self.exchange is None or records[0].exchange_id == self.exchange)
            and (self.kind is None or any(self.kind == r.KIND for r in records))
            and (
                self.decision is None
                or any(getattr(r, "decision", None) == self.decision for r in records)
            )
            and (self.principal is None or any(map(self._is_principal, records)))
            and (self.action is None or any(map(self._is_action, records)))
        )

    def _is_principal(self, record: Record) -> bool:
        pattern = self.principal or ""
        return any(
            fnmatchcase(each, pattern)
            or each == pattern
            or each.rpartition("#")[2] == pattern
            for each in record.principals
        )

    def _is_action(self, record: Record) -> bool:
        if not isinstance(record, Intent | Refusal | HoldRequested):
            return False
        pattern = (self.action or "").lower()  # IAM's actions are case-blind
        names = [record.operation, f"{record.service}:{record.operation}"]
        names += [action for action, _ in record.needs]
        return any(fnmatchcase(name.lower(), pattern) for name in names)


EVERYTHING = Query()


class LogReader:
    """Reads the log of a directory; the ledger may be writing to it.

    Args:
        path: the log's directory, ``audit/`` of the state directory.
        map_bytes: as the ledger has it (``audit.map_bytes`` of the settings).

    Raises:
        UnavailableError: ``store.missing``: there is no log.
        VerificationError: what is there makes no sense. Every method may raise it.
    """

    def __init__(self, path: Path, *, map_bytes: int) -> None:
        self._environment = Environment(
            path, map_bytes=map_bytes, databases=DATABASES, readonly=True
        )

    def begin(self) -> Transaction:
        """A read transaction on the log's databases; see `audit.writer` for them."""
        return self._environment.begin()

    def origin(self) -> str:
        """Whose log it is."""
        match unpack(self._environment.get("meta", b"log") or b""):
            case (1, str(origin)):
                return origin
        raise VerificationError("audit.meta", "the log's description makes no sense")

    def tail(self) -> Tail:
        """Where it ends now."""
        return parse_tail(self._environment.get("meta", b"tail"))

    def transaction_id(self) -> int:
        """Number of the log's newest commit; it grows with each."""
        return self._environment.last_transaction_id()

    def records(
        self, query: Query = EVERYTHING, *, newest_first: bool = False
    ) -> Iterator[LoggedRecord]:
        """The records of `exchanges`, one after the other."""
        for group in self.exchanges(query, newest_first=newest_first):
            yield from group

    def exchanges(
        self, query: Query = EVERYTHING, *, newest_first: bool = False
    ) -> Iterator[tuple[LoggedRecord, ...]]:
        """The exchanges that a query chooses, each as its records in log order.

        A record that belongs to no exchange is a group of its own. Groups come in
        the order of their first records.
        """
        with self.begin() as transaction:
            size = parse_tail(transaction.get("meta", b"tail")).size
            first = _first_since(transaction, query.since_ns, size, default=0)
            after = _first_since(transaction, query.until_ns, size, default=size)
        if query.exact_principal is not None:
            # The exchange may have begun before the record that names the principal.
            after = size
        place = after - 1 if newest_first else first
        while first <= place < after:
            with self.begin() as transaction:
                window = list(
                    _window(transaction, query, place, (first, after), newest_first)
                )
            for _, group in window:
                if group is not None and query.chooses(group):
                    yield group
            if not window:
                return
            place = window[-1][0] + (-1 if newest_first else 1)

    def body(self, digest: bytes) -> bytes | None:
        """A captured body by its SHA-256; None when it is not there."""
        with self.begin() as transaction:
            return stored_body(transaction, digest)[0]

    def close(self) -> None:
        """Close the log."""
        self._environment.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_record(transaction: Transaction, index: int) -> LoggedRecord:
    """The record at an index.

    Raises:
        VerificationError: it is not there, or is no record.
    """
    stored = transaction.get("entries", index_key(index))
    if stored is None:
        raise VerificationError("audit.entry", f"entry {index}: not there")
    try:
        entry = parse_entry(stored[HASH_BYTES:])
        record = parse_record(entry.payload)
    except VerificationError as error:
        raise VerificationError(
            error.code, f"entry {index}: {error.message}"
        ) from error
    return LoggedRecord(index, stored[:HASH_BYTES], entry.received_at_ns, record)


def stored_body(transaction: Transaction, digest: bytes) -> tuple[bytes | None, int]:
    """A body by its digest and the number of its pieces; None and 0: not there."""
    found: list[bytes] = []
    for key, piece in transaction.items("bodies", digest):
        if key != digest + len(found).to_bytes(4, "big"):
            break
        found.append(piece)
    return (b"".join(found) if found else None), len(found)


def indexes_of(transaction: Transaction, database: str, prefix: bytes) -> Iterator[int]:
    """The indexes that an index database has under a prefix, ascending."""
    for key, _ in transaction.items(database, prefix + bytes(8)):
        if key[:-8] != prefix:
            return
        yield int.from_bytes(key[-8:], "big")


def _window(
    transaction: Transaction,
    query: Query,
    place: int,
    bounds: tuple[int, int],
    newest_first: bool,
) -> Iterator[tuple[int, tuple[LoggedRecord, ...] | None]]:
    """Indexes from a place on, `limits.LOG_WINDOW_RECORDS` at most.

    Each with the exchange that is listed there, or None.
    """
    candidates = _candidates(transaction, query, place, newest_first)
    for index in islice(candidates, LOG_WINDOW_RECORDS):
        if not bounds[0] <= index < bounds[1]:
            return
        yield index, _group_at(transaction, index, query.exact_principal)


def _candidates(
    transaction: Transaction, query: Query, place: int, newest_first: bool
) -> Iterator[int]:
    """Indexes from a place on where a chosen exchange may be listed."""
    if query.exchange is not None:
        for index in indexes_of(transaction, "exchanges", query.exchange.encode()):
            if index <= place if newest_first else index >= place:
                yield index
            return  # the first one alone: the exchange is listed there
    elif query.exact_principal is not None:
        prefix = principal_key(query.exact_principal)
        start = prefix + index_key(place)
        for key, _ in transaction.items("principals", start, reverse=newest_first):
            if key[:-8] != prefix:
                return
            yield int.from_bytes(key[-8:], "big")
    else:
        start = index_key(place)
        for key, _ in transaction.items("entries", start, reverse=newest_first):
            yield int.from_bytes(key, "big")


def _group_at(
    transaction: Transaction, index: int, principal: str | None
) -> tuple[LoggedRecord, ...] | None:
    """The exchange that is listed at an index: once, at its first record.

    With a principal, at its first record that is about that principal.
    """
    logged = read_record(transaction, index)
    if not logged.record.exchange_id:
        return (logged,)
    exchange = logged.record.exchange_id.encode()
    group = []
    for each in indexes_of(transaction, "exchanges", exchange):
        group.append(logged if each == index else read_record(transaction, each))
        if each < index and (
            principal is None or principal in group[-1].record.principals
        ):
            return None
    return tuple(group)


def _first_since(
    transaction: Transaction, time_ns: int | None, size: int, *, default: int
) -> int:
    """The index of the first record received at a time or later, by halving."""
    if time_ns is None:
        return default
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if read_record(transaction, middle).received_at_ns < time_ns:
            low = middle + 1
        else:
            high = middle
    return low


def _within(time_ns: int, since_ns: int | None, until_ns: int | None) -> bool:
    return (since_ns is None or time_ns >= since_ns) and (
        until_ns is None or time_ns < until_ns
    )
