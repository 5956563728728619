"""The ledger: the process that owns the log.

Workers connect to its Unix socket and send batches of records. Everything that
arrived in one turn of its event loop becomes one LMDB transaction, for all workers
together, and every batch gets its receipts when that transaction is durable. The
commit runs on the loop itself: meanwhile the next batches gather in the sockets, so
the slower the disk, the larger the batch, and no thread is woken. (A writer thread
was measured beside it, with 1 to 512 exchanges at once: a fifth to two thirds fewer
records a second up to 32, the same above, and a fifth more CPU a record.)

What the ledger does when a commit fails: a full or read-only disk refuses every
batch, and the store is opened anew and verified before the next commit; any other
failure ends the process, since what is durable is in doubt. It starts again only if
the end of the log holds.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import structlog
import uvloop

from gatekeep.audit.wire import FrameReader, encode_frame
from gatekeep.audit.writer import PRINCIPAL_KEY_BYTES, Item, LogWriter
from gatekeep.clock import SYSTEM_CLOCK, Clock
from gatekeep.errors import (
    FatalError,
    FramingError,
    GatekeepError,
    OperatorError,
    UnavailableError,
)
from gatekeep.limits import EXCHANGE_ID_BYTES_MAX, LEDGER_REOPEN_S
from gatekeep.settings import Settings
from gatekeep.store import make_directory

log = structlog.get_logger()


def run_ledger(settings: Settings, *, ready_fd: int | None = None) -> None:
    """Own the log of these settings until SIGTERM; blocks, in a process of its own.

    Args:
        settings: ``audit/`` and ``ledger.sock`` are in its state directory.
        ready_fd: gets one byte, and is closed, when workers can connect.

    Raises:
        OperatorError: another ledger has the log, or the log has another origin.
        UnavailableError: the store cannot be opened.
        VerificationError: the end of the log does not hold.
        FatalError: a commit failed.
    """
    directory = settings.state_path("audit")
    socket_path = settings.state_path("ledger.sock")
    with _sole_owner(directory / "ledger.lock"):
        writer = LogWriter(
            directory,
            origin=settings.audit.origin,
            map_bytes=settings.audit.map_bytes,
        )
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                ledger = Ledger(writer)
                runner.run(ledger.serve(socket_path, ready_fd))
        finally:
            socket_path.unlink(missing_ok=True)
            writer.close()


class Ledger:
    """Gathers batches from workers and commits them together."""

    def __init__(self, writer: LogWriter, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._writer = writer
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Future[None]
        self._arrived: list[tuple[_WorkerConnection, int, list[Item]]] = []
        self._connections: set[_WorkerConnection] = set()
        self._next_reopen_s = 0.0
        self._refusing = ""
        """Code of the refusal that was logged last; empty while all is well."""
        self._failure: GatekeepError | None = None

    async def serve(self, socket_path: Path, ready_fd: int | None = None) -> None:
        """Serve until SIGTERM; then commit and answer what has arrived.

        Raises:
            FatalError: a commit failed; whoever waits gets no answer.
            OperatorError: the socket cannot be made.
        """
        self._loop = asyncio.get_running_loop()
        self._stop = self._loop.create_future()
        self._loop.add_signal_handler(signal.SIGTERM, self._end)
        server = await self._loop.create_unix_server(
            lambda: _WorkerConnection(self), sock=_listen(socket_path)
        )
        if ready_fd is not None:
            os.write(ready_fd, b"\n")
            os.close(ready_fd)
        log.info("ledger ready", entries=self._writer.tail.size)
        try:
            await self._stop
            # Two turns: what lies in the sockets is read, then it is committed.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        finally:
            server.close()
            for connection in list(self._connections):
                connection.close()
        if self._failure is not None:
            raise self._failure
        log.info("ledger stopped", entries=self._writer.tail.size)

    def submit(
        self, connection: _WorkerConnection, number: int, items: list[Item]
    ) -> None:
        """Take a worker's batch; it is committed at the end of this turn."""
        if not self._arrived:
            self._loop.call_soon(self._commit)
        self._arrived.append((connection, number, items))

    def connected(self, connection: _WorkerConnection) -> None:
        """A worker is there."""
        self._connections.add(connection)

    def disconnected(self, connection: _WorkerConnection) -> None:
        """A worker has gone; what it sent is committed all the same."""
        self._connections.discard(connection)

    def _commit(self) -> None:
        """Make durable what has arrived and answer every batch of it."""
        batches, self._arrived = self._arrived, []
        if self._failure is not None:
            return
        try:
            self._reopen_if_failed()
            items = [item for _, _, items in batches for item in items]
            index, hashes = self._writer.append(items, now_ns=self._clock.now_ns())
        except UnavailableError as error:
            if self._refusing != error.code:
                self._refusing = error.code
                log.error("refusing records", code=error.code, reason=error.message)
            for connection, number, _ in batches:
                connection.answer((number, error.code, error.message))
            return
        except GatekeepError as error:
            self._end(error)
            return
        except Exception as error:
            # Whatever it is, what is durable is in doubt now.
            fatal = FatalError("audit.ledger", f"the ledger failed: {error!r}")
            fatal.__cause__ = error
            self._end(fatal)
            return
        if self._refusing:
            self._refusing = ""
            log.info("recording again", entries=self._writer.tail.size)
        place = 0
        for connection, number, items in batches:
            after = place + len(items)
            connection.answer((number, index + place, b"".join(hashes[place:after])))
            place = after

    def _reopen_if_failed(self) -> None:
        if not self._writer.failed:
            return
        now_s = self._clock.monotonic_s()
        if now_s < self._next_reopen_s:
            raise UnavailableError("store.full", "the audit store cannot be written")
        self._next_reopen_s = now_s + LEDGER_REOPEN_S
        self._writer.reopen()

    def _end(self, failure: GatekeepError | None = None) -> None:
        self._failure = self._failure or failure
        if not self._stop.done():
            self._stop.set_result(None)


class _WorkerConnection(asyncio.Protocol):
    """One worker's connection."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._reader = FrameReader()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ledger.connected(self)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._reader.feed(data):
                number, items = _parse_batch(message)
                self._ledger.submit(self, number, items)
        except FramingError as error:
            log.error("worker cut off", code=error.code, reason=error.message)
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._ledger.disconnected(self)

    def answer(self, message: tuple[int, int, bytes] | tuple[int, str, str]) -> None:
        """Send the answer to one batch; nobody may be there any more."""
        self._transport.write(encode_frame(message))

    def close(self) -> None:
        """Close once everything is written."""
        self._transport.close()


def _parse_batch(message: object) -> tuple[int, list[Item]]:
    """A worker's message: the batch's number and its records.

    Raises:
        FramingError: it is none.
    """
    match message:
        case (int(number), tuple(rows)):
            items = [Item._make(row) for row in rows if _is_item(row)]
            if len(items) == len(rows):
                return number, items
    raise FramingError("audit.frame", "expected a number and records")


def _is_item(row: object) -> bool:
    # Spelled out, not matched: it runs for every record, and a match takes 3 µs.
    if type(row) is not tuple or len(row) != len(Item._fields):
        return False
    payload, exchange, principals, captures = row
    if type(payload) is not bytes or type(exchange) is not bytes:
        return False
    if type(principals) is not tuple or type(captures) is not tuple:
        return False
    for key in principals:
        if type(key) is not bytes or len(key) != PRINCIPAL_KEY_BYTES:
            return False
    for body in captures:
        if type(body) is not bytes:
            return False
    return len(exchange) <= EXCHANGE_ID_BYTES_MAX


@contextmanager
def _sole_owner(path: Path) -> Iterator[None]:
    """Hold the lock that says which process owns the log.

    Raises:
        OperatorError: another process holds it.
        UnavailableError: its file cannot be made or opened.
    """
    try:
        make_directory(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UnavailableError(
            "audit.unwritable", f"{path}: cannot be made: {error.strerror}"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            raise OperatorError(
                "audit.locked",
                f"{path.parent}: another gatekeep (process {owner}) owns this log;"
                " stop it, or give this one a state directory of its own",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _listen(path: Path) -> socket.socket:
    """A listening Unix socket that only this user can connect to."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # What a ledger that was killed has left; the lock says that none lives.
    path.unlink(missing_ok=True)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise OperatorError(
            "audit.socket", f"{path}: {error.strerror or error}"
        ) from error
    finally:
        os.umask(mask)
    listener.setblocking(False)
    return listener
