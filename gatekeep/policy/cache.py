"""Decisions kept in LMDB, for other workers and for the next start.

The cache may be lost and must never be wrong. Each entry carries a checksum over its
key and value, so a damaged or misplaced one is a miss. Nothing waits for a write:
new entries go into a queue, and a thread commits what has gathered once a second, in
one transaction and so with one sync. What is queued when a process dies is lost. What
the disk refuses is not tried again: the cache is then silent, and `fault` says why.
"""

from __future__ import annotations

import atexit
import hashlib
import itertools
import os
import queue
import threading
from pathlib import Path

from gatekeep import limits
from gatekeep.errors import GatekeepError
from gatekeep.store import Environment, Transaction

_ENTRY_BYTES_MAX = 4 * limits.DECISION_BYTES_MAX
"""Room that an entry can take in half-filled pages, with key and bookkeeping."""


class DecisionCache:
    """A bounded map of byte keys to byte values that survives the process.

    Args:
        directory: of its LMDB environment; made with mode 0700.
        entries_max: beyond it random entries make room for new ones.

    Attributes:
        fault: what made the cache give up; None while it works.
    """

    def __init__(self, directory: Path, *, entries_max: int) -> None:
        self.fault: GatekeepError | None = None
        self._entries_max = entries_max
        self._queue: queue.SimpleQueue[tuple[bytes, bytes] | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._writer = threading.Thread(
            target=self._write, name="decision cache", daemon=True
        )
        try:
            self._environment = Environment(
                directory,
                map_bytes=16 * limits.MIB + entries_max * _ENTRY_BYTES_MAX,
                databases=("decisions",),
            )
        except GatekeepError as error:
            self.fault = error
            self._closing.set()
            return
        self._writer.start()
        # The thread must not be inside LMDB when the interpreter takes itself apart.
        atexit.register(self.close)

    def get(self, key: bytes) -> bytes | None:
        """The value that was put under a key, or None; some 3 µs."""
        if self._closing.is_set() or self.fault is not None:
            return None
        try:
            entry = self._environment.get("decisions", key)
        except GatekeepError as error:
            self.fault = error
            return None
        if entry is None or entry[:8] != _checksum(key, entry[8:]):
            return None
        return entry[8:]

    def put(self, key: bytes, value: bytes) -> None:
        """Keep a value some time soon, if there is room for it."""
        if (
            len(value) <= limits.DECISION_BYTES_MAX
            and self._queue.qsize() < limits.DECISIONS_QUEUED_MAX
            and self.fault is None
        ):
            self._queue.put((key, value))

    def close(self) -> None:
        """Write what is queued and close. A second call does nothing."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._queue.put(None)
        self._writer.join()
        self._environment.close()
        atexit.unregister(self.close)

    def _write(self) -> None:
        """The writer's thread: gather for a second, commit, again."""
        last = False
        while not last:
            batch = [self._queue.get()]
            self._closing.wait(limits.DECISIONS_FLUSH_S)
            while not self._queue.empty():
                batch.append(self._queue.get())
            last = None in batch
            entries = [entry for entry in batch if entry is not None]
            if entries and self.fault is None:
                try:
                    with self._environment.begin(write=True) as transaction:
                        self._store(transaction, entries)
                except GatekeepError as error:
                    self.fault = error

    def _store(
        self, transaction: Transaction, entries: list[tuple[bytes, bytes]]
    ) -> None:
        excess = transaction.count("decisions") + len(entries) - self._entries_max
        if excess > 0:
            # Keys are hashes, so what follows a random key is a random choice.
            found = itertools.chain(
                transaction.items("decisions", os.urandom(8)),
                transaction.items("decisions"),
            )
            for key in [key for key, _ in itertools.islice(found, excess)]:
                transaction.delete("decisions", key)
        for key, value in entries[: self._entries_max]:
            transaction.put("decisions", key, _checksum(key, value) + value)


def _checksum(key: bytes, value: bytes) -> bytes:
    return hashlib.blake2b(value, key=key, digest_size=8).digest()
