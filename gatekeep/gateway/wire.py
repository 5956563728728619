"""One socket as the exchange sees it: wait for bytes, write, mind the other side.

Both sides of an exchange are a `Wire`: an asyncio protocol that hands its bytes
to a sans-IO reader and lets one coroutine wait for more. There is at most one
waiter, because a connection runs one exchange at a time.

Backpressure: bytes that arrive faster than they are taken are bounded by
`limits.BODY_QUEUE_BYTES_MAX`, then reading is paused; `drain` waits while the
transport's own buffer is full.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from gatekeep import limits


class Wire(asyncio.Protocol):
    """A transport with one reader, one writer and a deadline.

    Attributes:
        closed: the connection is gone; nothing can be written.
        ended: the other side sends nothing more.
        peer_address: the other side's address without its port; empty when unknown.
        deadline_s: loop time at which the worker's sweep aborts this wire;
            infinity when nothing is due. Owned by whoever waits.
    """

    __slots__ = (
        "_drain_waiter",
        "_full",
        "_gone",
        "_loop",
        "_paused",
        "_transport",
        "_untaken",
        "_waiter",
        "closed",
        "deadline_s",
        "ended",
        "peer_address",
        "timed_out",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._drain_waiter: asyncio.Future[None] | None = None
        self._gone: asyncio.Future[None] | None = None
        self._untaken = 0
        self._paused = False
        self._full = False
        self.closed = False
        self.ended = False
        self.timed_out = False
        self.peer_address = ""
        self.deadline_s = float("inf")

    # --- asyncio's calls --------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and where it leads."""
        self._transport = cast("asyncio.Transport", transport)
        peer: Any = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.peer_address = str(peer[0])

    def data_received(self, data: bytes) -> None:
        """Hand bytes to the reader; pause the socket when nobody takes them."""
        self._untaken += len(data)
        self.bytes_arrived(data)
        if self._untaken > limits.BODY_QUEUE_BYTES_MAX and not self._paused:
            self._paused = True
            if self._transport is not None:
                self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """Note that no more will come. False: the transport closes itself."""
        self.ended = True
        self.bytes_arrived(b"")
        self._wake()
        return False

    def connection_lost(self, _error: BaseException | None) -> None:
        """Note that the connection is gone and wake whoever waits."""
        if not self.ended:
            self.ended = True
            self.bytes_arrived(b"")
        self.closed = True
        self._full = False
        self._transport = None
        self._wake()
        for waiter in (self._drain_waiter, self._gone):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self._full = True

    def resume_writing(self) -> None:
        """The transport's buffer has room again."""
        self._full = False
        self.stop_draining()

    # --- for the reader ---------------------------------------------------------

    def bytes_arrived(self, data: bytes) -> None:
        """Take bytes off the wire; empty means the end. The reader overrides it."""
        raise NotImplementedError

    async def wait_for_bytes(self, timeout_s: float) -> None:
        """Return once something arrived or the other side ended.

        Args:
            timeout_s: after this long the worker's sweep aborts the connection,
                which ends the wait too; `timed_out` then says so.
        """
        if self.ended:
            return
        self._untaken = 0
        if self._paused:
            self._paused = False
            if self._transport is not None:
                self._transport.resume_reading()
        self._waiter = self._loop.create_future()
        self.deadline_s = self._loop.time() + timeout_s
        try:
            await self._waiter
        finally:
            self._waiter = None
            self.deadline_s = float("inf")

    @property
    def is_paused(self) -> bool:
        """Whether the socket is not read, because nobody takes what it brings."""
        return self._paused

    @property
    def untaken_bytes(self) -> int:
        """Bytes that arrived since somebody last waited for more."""
        return self._untaken

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- for the writer ---------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Queue bytes; nothing happens on a connection that is gone."""
        if self._transport is not None:
            self._transport.write(data)

    async def drain(self) -> None:
        """Return once the transport takes bytes again, or is gone."""
        if not self._full or self.closed:
            return
        self._drain_waiter = self._loop.create_future()
        self.deadline_s = self._loop.time() + limits.BODY_STALL_TIMEOUT_S
        try:
            await self._drain_waiter
        finally:
            self._drain_waiter = None
            self.deadline_s = float("inf")

    def stop_draining(self) -> None:
        """Let `drain` return, whether or not there is room."""
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_result(None)

    def gone(self) -> asyncio.Future[None]:
        """A future that is done once the connection is lost."""
        if self._gone is None:
            self._gone = self._loop.create_future()
            if self.closed:
                self._gone.set_result(None)
        return self._gone

    def close(self) -> None:
        """Send what is queued, then close."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once; what is queued is dropped."""
        if self._transport is not None:
            self._transport.abort()

    def expire(self, now_s: float) -> None:
        """Abort when the deadline has passed; called by the worker's sweep."""
        if now_s >= self.deadline_s:
            self.deadline_s = float("inf")
            self.timed_out = True
            self.abort()
