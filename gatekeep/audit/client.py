"""A worker's line to the ledger: append a record, get a receipt when it is durable.

Everything that is appended in one turn of the event loop goes out as one message.
When the ledger is gone, stalls or cannot store, every append is refused (I3) until
it is there again; nothing is sent twice, so nothing is recorded twice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from pathlib import Path
from typing import NamedTuple, cast

import structlog

from gatekeep.audit.codec import encode_record
from gatekeep.audit.record import Receipt, Record
from gatekeep.audit.wire import FrameReader, encode_frame
from gatekeep.audit.writer import Item, principal_key
from gatekeep.errors import FramingError, UnavailableError
from gatekeep.limits import (
    CAPTURE_BYTES_MAX,
    EXCHANGE_ID_BYTES_MAX,
    LEDGER_BATCH_BYTES_MAX,
    LEDGER_PENDING_BYTES_MAX,
    LEDGER_STALL_TIMEOUT_S,
)

log = structlog.get_logger()

_RECONNECT_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Waits between attempts; the last one repeats."""


class _Batch(NamedTuple):
    """A message whose answer is still to come."""

    number: int
    futures: list[asyncio.Future[Receipt]]
    size_bytes: int
    sent_s: float


class LedgerClient(asyncio.Protocol):
    """One worker's connection to the ledger; it lives on one event loop.

    Args:
        socket_path: the ledger's socket.
        stall_timeout_s: how long a receipt may take.
    """

    def __init__(
        self, socket_path: Path, *, stall_timeout_s: float = LEDGER_STALL_TIMEOUT_S
    ) -> None:
        self._path = socket_path
        self._stall_timeout_s = stall_timeout_s
        self._loop: asyncio.AbstractEventLoop
        self._transport: asyncio.Transport | None = None
        self._reader = FrameReader()
        self._items: list[Item] = []
        self._futures: list[asyncio.Future[Receipt]] = []
        self._items_bytes = 0
        self._pending_bytes = 0
        self._sent: deque[_Batch] = deque()
        self._next_number = 0
        self._stall_timer: asyncio.TimerHandle | None = None
        self._reconnecting: asyncio.Task[None] | None = None
        self._closing = False

    async def connect(self) -> None:
        """Connect; from now on a lost connection is made again in the background.

        Raises:
            UnavailableError: no ledger is there.
        """
        self._loop = asyncio.get_running_loop()
        try:
            await self._loop.create_unix_connection(lambda: self, str(self._path))
        except OSError as error:
            raise UnavailableError(
                "audit.ledger_gone", f"{self._path}: no ledger is there: {error}"
            ) from error

    @property
    def connected(self) -> bool:
        """Whether appends are taken now."""
        return self._transport is not None

    def append(
        self, record: Record, *, captures: tuple[bytes, ...] = ()
    ) -> asyncio.Future[Receipt]:
        """Send a record to the log; the future has its receipt once it is durable.

        Args:
            record: its ``captures`` name the bodies given here.
            captures: masked bodies, each at most `limits.CAPTURE_BYTES_MAX`.

        Raises, or sets on the future:
            UnavailableError: ``audit.ledger_gone``, ``audit.stalled``,
                ``audit.backlog``, or the store's own code. Raised, nothing was
                stored; on the future, what was sent may be in the log yet, and
                whoever waits must go on as if it were not.
            LimitError, TypeError: as `encode_record`.
            ValueError: the exchange id or a capture is too long, or the captures are
                not those that the record names.
        """
        if self._transport is None:
            raise _gone()
        payload = encode_record(record)
        exchange = record.exchange_id.encode()
        if len(exchange) > EXCHANGE_ID_BYTES_MAX:
            raise ValueError("an exchange id is too long")
        principals = record.principals
        item = Item(
            payload,
            exchange,
            [principal_key(each) for each in principals] if principals else (),
            captures,
        )
        size = len(payload)
        if captures or record.captures:
            size += _captures_size(record, captures)
        if self._pending_bytes + size > LEDGER_PENDING_BYTES_MAX:
            raise UnavailableError(
                "audit.backlog", "too much waits for the audit ledger"
            )
        self._pending_bytes += size
        if not self._items:
            self._loop.call_soon(self._flush)
        elif self._items_bytes + size > LEDGER_BATCH_BYTES_MAX:
            self._send()
        future = self._loop.create_future()
        self._items.append(item)
        self._futures.append(future)
        self._items_bytes += size
        return future

    async def close(self) -> None:
        """Wait for the receipts that are due, then disconnect."""
        self._closing = True
        if self._reconnecting is not None:
            self._reconnecting.cancel()
        waiting = [
            *self._futures,
            *(each for one in self._sent for each in one.futures),
        ]
        if waiting:
            await asyncio.wait(waiting, timeout=self._stall_timeout_s)
        if self._transport is not None:
            self._transport.close()
            self._lost("audit.ledger_gone", "the connection to the ledger was closed")

    def _flush(self) -> None:
        """Send what this turn of the loop has brought."""
        if self._items:
            self._send()

    def _send(self) -> None:
        transport = self._transport
        if transport is None:
            return
        batch = _Batch(
            self._next_number, self._futures, self._items_bytes, self._loop.time()
        )
        frame = encode_frame((batch.number, self._items))
        self._next_number += 1
        self._items, self._futures, self._items_bytes = [], [], 0
        self._sent.append(batch)
        if self._stall_timer is None:
            self._stall_timer = self._loop.call_later(
                self._stall_timeout_s, self._check_stall
            )
        transport.write(frame)

    def _check_stall(self) -> None:
        """Give the ledger up when the oldest batch has waited too long."""
        self._stall_timer = None
        if not self._sent:
            return
        left_s = self._sent[0].sent_s + self._stall_timeout_s - self._loop.time()
        if left_s > 0:
            self._stall_timer = self._loop.call_later(left_s, self._check_stall)
            return
        self._give_up("audit.stalled", "the audit ledger does not answer")

    def _give_up(self, code: str, message: str) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._lost(code, message)

    def _lost(self, code: str, message: str) -> None:
        """Refuse everything that waits, and everything new until connected again."""
        if self._transport is None:
            return
        self._transport = None
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
        waiting = [
            *(each for one in self._sent for each in one.futures),
            *self._futures,
        ]
        self._sent.clear()
        self._items, self._futures, self._items_bytes = [], [], 0
        self._pending_bytes = 0
        for future in waiting:
            _refuse(future, UnavailableError(code, message))
        if not self._closing:
            log.error("ledger lost", code=code, refused=len(waiting))
            self._reconnecting = self._loop.create_task(self._reconnect())

    async def _reconnect(self) -> None:
        waits = iter(_RECONNECT_S)
        wait_s = 0.0
        while not self._closing:
            wait_s = next(waits, wait_s)
            await asyncio.sleep(wait_s)
            with contextlib.suppress(UnavailableError):
                await self.connect()
                log.info("ledger connected again")
                return

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take appends from now on."""
        self._transport = cast("asyncio.Transport", transport)
        self._reader = FrameReader()
        self._next_number = 0

    def data_received(self, data: bytes) -> None:
        """Resolve the futures of the batches that these bytes answer."""
        try:
            for message in self._reader.feed(data):
                self._resolve(message)
        except FramingError as error:
            self._give_up(error.code, error.message)

    def connection_lost(self, error: Exception | None) -> None:
        """Refuse what waits."""
        self._lost("audit.ledger_gone", "the audit ledger has gone")

    def _resolve(self, message: object) -> None:
        """Hand out the receipts, or the refusal, of the oldest batch."""
        if self._transport is None:
            return
        match message:
            case (int(number), int(index), bytes(hashes)) if (
                self._sent
                and number == self._sent[0].number
                and len(hashes) == 32 * len(self._sent[0].futures)
            ):
                batch = self._sent.popleft()
                for place, future in enumerate(batch.futures):
                    # Whoever waited may have been cancelled: its client has gone.
                    if not future.done():
                        future.set_result(
                            Receipt(index + place, hashes[32 * place : 32 * place + 32])
                        )
            case (int(number), str(code), str(reason)) if (
                self._sent and number == self._sent[0].number
            ):
                batch = self._sent.popleft()
                for future in batch.futures:
                    _refuse(future, UnavailableError(code, reason))
            case _:
                raise FramingError("audit.frame", "the ledger's answer makes no sense")
        self._pending_bytes -= batch.size_bytes


def _captures_size(record: Record, captures: tuple[bytes, ...]) -> int:
    """How many bytes the captures have, once they are those of the record."""
    sizes = [len(body) for body in captures]
    if sizes != [each.kept_bytes for each in record.captures]:
        raise ValueError("the captures are not those that the record names")
    if any(size > CAPTURE_BYTES_MAX for size in sizes):
        raise ValueError("a capture is too large")
    return sum(sizes)


def _gone() -> UnavailableError:
    return UnavailableError("audit.ledger_gone", "the audit ledger is not there")


def _refuse(future: asyncio.Future[Receipt], error: UnavailableError) -> None:
    """Fail a future, quietly when nobody looks at it any more."""
    if not future.done():
        future.set_exception(error)
        future.exception()
