"""Durable state in LMDB: the one importer of `lmdb`.

An `Environment` is a directory with named databases of byte keys and values. Every
commit is synchronous (data pages, ``fdatasync``, then the meta page through an
``O_DSYNC`` descriptor); no flag that weakens this is ever set. Put many records
into one transaction instead: one sync carries them all.

Rules that LMDB sets and that this module does not lift:

- Open after ``fork``; a transaction begun in a forked child raises `FatalError`.
- Open an environment once per process, and never open ``data.mdb`` or ``lock.mdb``
  by hand in a process that has it open: closing that descriptor drops the locks.
- One write transaction at a time over all processes. ``begin(write=True)`` waits
  for the others (the GIL is released, the calling thread blocks), so an event loop
  writes from a thread, or writes where nobody else holds a transaction for long.
- A write transaction stays on the thread that began it. Read transactions may be
  used from any thread, by one at a time; the `Environment` may be shared.
- A read transaction pins every page that its snapshot sees: while it is open the
  file grows and does not reuse space. Keep it short; walk long ranges in windows.
- Keys are 1 to 511 bytes. A value over about 2,000 bytes takes whole 4 KiB pages,
  so large values are best cut to ``n * 4096 - 16`` bytes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import lmdb

from gatekeep.errors import FatalError, GatekeepError, UnavailableError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_ROOM_BYTES = 1 << 20
"""With less than this left a disk is as good as full: a commit takes some pages."""
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})

_forks = 0
"""How often this process is a forked copy; environments remember its value."""


def _count_fork() -> None:
    global _forks  # noqa: PLW0603  # the one fact that a fork changes
    _forks += 1


os.register_at_fork(after_in_child=_count_fork)


class Transaction:
    """Reads and writes on one snapshot; made by `Environment.begin`.

    A context manager: leaving it normally commits a write transaction, leaving it
    by an exception aborts it, and nothing of it is kept. Values are copies and may
    outlive it. Databases are named as they were to the `Environment`.

    Errors come when the context is left: see `Environment.begin`. A key that is empty
    or over 511 bytes is a `ValueError`.
    """

    __slots__ = ("_databases", "_environment", "_transaction")

    def __init__(
        self, environment: Environment, transaction: lmdb.Transaction[bytes]
    ) -> None:
        self._environment = environment
        self._databases = environment._databases  # one class in two
        self._transaction = transaction

    def get(self, database: str, key: bytes) -> bytes | None:
        """The value of a key, or None."""
        return self._transaction.get(key, db=self._databases[database])

    def put(
        self,
        database: str,
        key: bytes,
        value: bytes,
        *,
        overwrite: bool = True,
        append: bool = False,
    ) -> bool:
        """Set a key; False when it was there and ``overwrite`` is false.

        With ``append`` the key must be greater than every other one; that skips the
        search and fills pages to the brim.
        """
        return self._transaction.put(
            key,
            value,
            overwrite=overwrite,
            append=append,
            db=self._databases[database],
        )

    def delete(self, database: str, key: bytes) -> bool:
        """Remove a key; False when it was not there."""
        return self._transaction.delete(key, db=self._databases[database])

    def clear(self, database: str) -> None:
        """Remove every key of a database."""
        self._transaction.drop(self._databases[database], delete=False)

    def count(self, database: str) -> int:
        """How many keys a database has."""
        return self._transaction.stat(self._databases[database])["entries"]

    def last(self, database: str) -> tuple[bytes, bytes] | None:
        """The greatest key and its value, or None when the database is empty."""
        with self._transaction.cursor(self._databases[database]) as cursor:
            return cursor.item() if cursor.last() else None

    def items(
        self, database: str, start: bytes = b"", *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values in byte order of the keys.

        Args:
            database: its name.
            start: the first key is the least one ``>= start``; in reverse the
                greatest one ``<= start``. Empty: from the very end.
            reverse: from greater to lesser keys.
        """
        with self._transaction.cursor(self._databases[database]) as cursor:
            if not reverse:
                if cursor.set_range(start) if start else cursor.first():
                    yield from cursor.iternext()
                return
            if start and cursor.set_range(start):
                if cursor.key() > start and not cursor.prev():
                    return
            elif not cursor.last():
                return
            yield from cursor.iterprev()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            try:
                self._transaction.commit()
            except lmdb.Error as failure:
                raise self._environment._commit_failed(failure) from failure
            return
        self._transaction.abort()
        if isinstance(error, lmdb.BadValsizeError):
            raise ValueError("a key is 1 to 511 bytes long") from error
        if isinstance(error, lmdb.Error):
            raise self._environment._declared(error) from error


class Environment:
    """One LMDB environment: a directory of named databases.

    Args:
        path: the directory; made with mode 0700, as are its missing parents.
        map_bytes: address space to reserve, not disk; every process must pass the
            same value. What is stored never exceeds it.
        databases: their names. Missing ones are made, unless ``readonly``.
        readonly: open an existing environment and refuse to write.

    Raises:
        UnavailableError: ``store.missing``, ``store.database_missing``: not there and
            ``readonly``; ``store.read_only``, ``store.full``, ``store.unopened``: it
            cannot be opened or made.
        FatalError: ``store.damaged``: what is there is no sound LMDB environment.
    """

    def __init__(
        self,
        path: Path,
        *,
        map_bytes: int,
        databases: tuple[str, ...],
        readonly: bool = False,
    ) -> None:
        self.path = path
        self._failure: GatekeepError | None = None
        self._forks = _forks
        self._databases: dict[str, lmdb._Database] = {}
        if readonly and not (path / "data.mdb").exists():
            raise UnavailableError("store.missing", f"{path}: no store is there")
        try:
            made = [] if readonly else make_directory(path)
            self._lmdb = lmdb.open(
                str(path),
                map_size=map_bytes,
                max_dbs=len(databases),
                mode=0o600,
                readonly=readonly,
                create=not readonly,
                # 64 workers, which is the most, keep up to five slots each (one in
                # use, four spare); the command line and growth have the rest.
                max_readers=1024,
                max_spare_txns=4,
                # The 0.9 format, whatever the host's environment variables say.
                lib_version=0,
            )
        except (lmdb.Error, OSError) as error:
            raise self._declared(error, opening=True) from error
        try:
            self.stale_readers = self._lmdb.reader_check()
            """Slots of dead processes that opening has freed."""
            for name in databases:
                self._databases[name] = self._lmdb.open_db(
                    name.encode(), create=not readonly
                )
            for directory in made:
                _sync_directory(directory)
        except (lmdb.Error, OSError) as error:
            self._lmdb.close()
            raise self._declared(error, opening=True) from error

    @property
    def failed(self) -> bool:
        """Whether a commit failed, so that writes wait for it to be opened anew."""
        return self._failure is not None

    def begin(self, write: bool = False) -> Transaction:
        """Start a transaction; use it as a context manager.

        Raises, here or when the context is left:
            UnavailableError: nothing was changed. ``store.full`` (map or disk) and
                ``store.read_only``; when the disk said so in a commit, each later
                write raises it again until the environment is opened anew.
            FatalError: ``store.commit``: a commit failed, so what is durable is in
                doubt; each later write raises it again. ``store.damaged``: pages
                make no sense. ``store.forked``: opened before a fork.
        """
        if self._forks != _forks:
            raise FatalError(
                "store.forked", f"{self.path}: opened before a fork; open it after"
            )
        if write and self._failure is not None:
            raise self._failure
        try:
            return Transaction(self, self._lmdb.begin(write=write))
        except lmdb.Error as error:
            raise self._declared(error) from error

    def get(self, database: str, key: bytes) -> bytes | None:
        """The value of a key by a read transaction of its own, or None.

        Raises what `begin` does.
        """
        with self.begin() as transaction:
            return transaction.get(database, key)

    def commit_batch(self, batch: Iterable[tuple[str, bytes, bytes | None]]) -> None:
        """Set, or with None delete, ``(database, key, value)``: all or nothing.

        Durable when it returns. Raises what `begin` does.
        """
        with self.begin(write=True) as transaction:
            for database, key, value in batch:
                if value is None:
                    transaction.delete(database, key)
                else:
                    transaction.put(database, key, value)

    def last_transaction_id(self) -> int:
        """Number of the newest commit by any process; it grows with each (1 µs)."""
        return self._lmdb.info()["last_txnid"]

    def statistics(self) -> dict[str, int]:
        """Numbers for operators: bytes in use and reserved, readers, commits."""
        info = self._lmdb.info()
        return {
            "used_bytes": (info["last_pgno"] + 1) * self._lmdb.stat()["psize"],
            "map_bytes": info["map_size"],
            "readers": info["num_readers"],
            "last_transaction_id": info["last_txnid"],
        }

    def close(self) -> None:
        """Close it. No transaction may be open; a second call does nothing."""
        self._lmdb.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _commit_failed(self, error: lmdb.Error) -> GatekeepError:
        """What a failed commit means; remembered, so that no later one is tried.

        After an I/O error LMDB fails one commit and would go on as if nothing were
        wrong with the pages, while the kernel has marked them clean (fsyncgate):
        only opening anew and verifying what is there tells what is durable.
        """
        failure = self._declared(error)
        if error.code == errno.EIO and self._is_full():
            # LMDB's word for a write that was cut short by the end of the disk.
            failure = UnavailableError("store.full", f"{self.path}: the disk is full")
        if not isinstance(failure, UnavailableError):
            failure = FatalError(
                "store.commit",
                f"{self.path}: a commit failed: {error}; open the store anew",
            )
        # The map being full is found before a page is written: nothing is in doubt.
        if not isinstance(error, lmdb.MapFullError):
            self._failure = failure
        return failure

    def _is_full(self) -> bool:
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize < _ROOM_BYTES

    def _declared(
        self, error: Exception, *, opening: bool = False
    ) -> UnavailableError | FatalError:
        """The declared error for one of LMDB's or of the host's."""
        code = error.code if isinstance(error, lmdb.Error) else 0
        if isinstance(error, OSError):
            code = error.errno or 0
        if isinstance(error, lmdb.MapFullError) or code in _NO_ROOM:
            return UnavailableError("store.full", f"{self.path}: full: {error}")
        if isinstance(error, lmdb.ReadonlyError) or code in _READ_ONLY:
            return UnavailableError(
                "store.read_only", f"{self.path}: not permitted: {error}"
            )
        if isinstance(error, lmdb.NotFoundError):
            return UnavailableError(
                "store.database_missing", f"{self.path}: a database is not there"
            )
        if isinstance(error, lmdb.ReadersFullError):
            return UnavailableError("store.readers", f"{self.path}: {error}")
        # LMDB's own codes, which tell of damage, are negative; the host's are not.
        if opening and code >= 0:
            return UnavailableError("store.unopened", f"{self.path}: {error}")
        return FatalError("store.damaged", f"{self.path}: {error}")


def make_directory(path: Path) -> list[Path]:
    """Make a directory and its missing parents, for the owner alone (mode 0700).

    Returns:
        The directories whose entries must be synced once files are in `path`.

    Raises:
        OSError: as `Path.mkdir`.
    """
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for directory in reversed(missing):
        directory.mkdir(mode=0o700, exist_ok=True)
    # Files made in `path` and directories made in their parents must survive a
    # power cut as surely as the records do.
    return [path, *(each.parent for each in missing)]


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
