"""An agent's connection: heads in, answers out, one exchange after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gatekeep import limits
from gatekeep.errors import FramingError, LimitError
from gatekeep.gateway.client import ClientGoneError
from gatekeep.gateway.wire import Wire
from gatekeep.http.events import Closed, Data, EndOfMessage, NeedData, Signal
from gatekeep.http.h1 import ClientSide
from gatekeep.http.messages import RequestHead, ResponseHead


class ClientConnection(Wire):
    """One connection from an agent, and the task that serves it."""

    __slots__ = ("_on_close", "_serve", "_task", "on_lost", "side")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        serve: Callable[[ClientConnection], Coroutine[Any, Any, None]],
        on_close: Callable[[ClientConnection], None],
    ) -> None:
        super().__init__(loop)
        self._serve = serve
        self._on_close = on_close
        self._task: asyncio.Task[None] | None = None
        self.side = ClientSide()
        self.on_lost: Callable[[], None] | None = None
        """Called when the client is gone: what it alone wanted stops too."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the task that serves this connection."""
        super().connection_made(transport)
        self._task = self._loop.create_task(self._serve(self))

    def connection_lost(self, error: BaseException | None) -> None:
        """Tell the worker, then whoever waits."""
        super().connection_lost(error)
        self._on_close(self)
        if self.on_lost is not None:
            self.on_lost()

    def bytes_arrived(self, data: bytes) -> None:
        """Hand bytes to the HTTP reader."""
        self.side.receive(data)

    @property
    def body_length(self) -> int | None:
        """Bytes of the request body as its head says; None when it is chunked."""
        return self.side.body_length

    @property
    def answer_began(self) -> bool:
        """Whether a final head was written."""
        return self.side.answer_began

    def stop(self) -> None:
        """Nothing: an idle connection is closed, a busy one closes after its answer."""

    @property
    def is_idle(self) -> bool:
        """Whether the connection waits between two exchanges."""
        return self.side.is_idle

    # --- reading ----------------------------------------------------------------

    async def next_head(self) -> RequestHead | None:
        """The next request's head, or None when the client has no more.

        Raises:
            FramingError: bytes that are not HTTP.
            LimitError: a head over its bounds.
        """
        began_s = 0.0
        while True:
            event = self._next_event()
            if isinstance(event, RequestHead):
                return event
            if event is not NeedData or self.closed:
                return None
            if self.side.is_idle:
                await self.wait_for_bytes(limits.IDLE_TIMEOUT_S)
                continue
            # A head that trickles gets no more time than one that stops: the clock
            # runs from its first byte.
            now_s = self._loop.time()
            began_s = began_s or now_s
            await self.wait_for_bytes(began_s + limits.HEAD_TIMEOUT_S - now_s)

    async def body_piece(self) -> bytes | None:
        """The next piece of the request body, or None at its end.

        The client that waits for ``100 Continue`` gets it with the first call.

        Raises:
            ClientGoneError: the client stopped before the body's end.
            FramingError: the body's framing is broken.
        """
        if self.side.expects_continue:
            self.write(self.side.informational(100))
        while True:
            event = self._next_event()
            if isinstance(event, Data):
                return event.data
            if event is EndOfMessage:
                return None
            if event is Closed:
                raise ClientGoneError
            await self.wait_for_bytes(limits.BODY_STALL_TIMEOUT_S)

    def _next_event(self) -> RequestHead | Data | Signal:
        """The reader's next event; a message cut short by the end is `Closed`."""
        try:
            return self.side.next_event()
        except FramingError:
            if self.ended:
                return Closed
            raise

    async def discard_body(self) -> None:
        """Read what is left of a request body that nobody wants, within bounds.

        Nothing when the connection goes on: then the body is here to its end.
        A connection closed with unread bytes is reset by the kernel, and the reset
        can overtake the answer: so the refused client gets a moment to stop.
        """
        if self.side.keeps_alive:
            return
        left = limits.DISCARDED_BODY_BYTES_MAX
        try:
            async with asyncio.timeout(limits.DISCARD_TIMEOUT_S):
                while left > 0:
                    event = self.side.next_event()
                    if isinstance(event, Data):
                        left -= len(event.data)
                    elif event is NeedData and not self.ended:
                        await self.wait_for_bytes(limits.DISCARD_TIMEOUT_S)
                    else:
                        return
        except (TimeoutError, FramingError, LimitError):
            return

    # --- writing ----------------------------------------------------------------

    def send_whole(self, head: ResponseHead, body: bytes, *, method: bytes) -> None:
        """Send a whole answer in one write."""
        side = self.side
        parts = side.head(head, request_method=method)
        if body:
            parts += side.data(body)
        self.write(parts + side.end())

    def send_head(self, head: ResponseHead, *, method: bytes) -> None:
        """Send the head of an answer whose body follows."""
        self.write(self.side.head(head, request_method=method))

    async def send_data(self, data: bytes) -> None:
        """Send a piece of the body and wait until the client takes it.

        Raises:
            ClientGoneError: it does not any more.
        """
        if data:
            self.write(self.side.data(data))
            await self.drain()
        if self.closed:
            raise ClientGoneError

    def send_end(self, last: bytes) -> None:
        """Send the last piece of the body and its end in one write."""
        self.write((self.side.data(last) if last else b"") + self.side.end())

    def still_here(self) -> None:
        """Tell a client that waits for people that its request is alive."""
        self.write(self.side.informational(100))
