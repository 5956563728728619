"""Agents that speak HTTP/2: a connection, and each of its streams as a client.

JavaScript's clients for Bedrock Runtime, Kinesis, Polly, Lex and Q Business speak
nothing else (aws-wire section 8). Behind a stream is the same exchange as behind an
HTTP/1.1 connection; `http.h2` keeps the protocol and its limits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gatekeep import limits
from gatekeep.errors import FramingError, PeerError
from gatekeep.gateway.client import Client, ClientGoneError
from gatekeep.gateway.refusal import send_bad_framing
from gatekeep.gateway.wire import Wire
from gatekeep.http.events import Data, EndOfMessage, NeedData
from gatekeep.http.h2 import ClientSideH2
from gatekeep.http.messages import RequestHead, ResponseHead
from gatekeep.http.streams import ClientStream

Run = Callable[[Client, RequestHead], Coroutine[Any, Any, None]]


class StreamClient:
    """One stream of an HTTP/2 connection."""

    __slots__ = ("_connection", "_waiter", "deadline_s", "on_lost", "stream")

    def __init__(self, connection: Http2Connection, stream: ClientStream) -> None:
        self._connection = connection
        self._waiter: asyncio.Future[None] | None = None
        self.stream = stream
        self.on_lost: Callable[[], None] | None = None
        self.deadline_s = float("inf")

    @property
    def closed(self) -> bool:
        """Whether the stream was reset or its connection is gone."""
        return self.stream.gone or self._connection.closed

    ended = closed

    @property
    def body_length(self) -> int | None:
        """Bytes of the request body as its head says; None when it does not."""
        return self.stream.body_length

    @property
    def answer_began(self) -> bool:
        """Whether a final head was written."""
        return self.stream.answer_began

    @property
    def peer_address(self) -> str:
        """Where the connection comes from."""
        return self._connection.peer_address

    async def body_piece(self) -> bytes | None:
        """The next piece of the request body; see `client.Client`."""
        if self.stream.expects_continue:
            self._connection.write(self.stream.informational(100))
        while True:
            try:
                event = self.stream.next_event()
            except FramingError:
                if self.closed:
                    raise ClientGoneError from None
                raise
            if isinstance(event, Data):
                # To take data is to give the client room for more.
                self._connection.flush()
                return event.data
            if event is EndOfMessage:
                return None
            if event is not NeedData or self.closed:
                raise ClientGoneError
            await self._wait(limits.BODY_STALL_TIMEOUT_S)

    async def discard_body(self) -> None:
        """Nothing: the end of an answer resets what the client still sends."""

    def send_whole(self, head: ResponseHead, body: bytes, *, method: bytes) -> None:
        """Send a whole answer."""
        out = self.stream.head(head, request_method=method)
        if body:
            out += self.stream.data(body)
        self._connection.write(out + self.stream.end())

    def send_head(self, head: ResponseHead, *, method: bytes) -> None:
        """Send the head of an answer whose body follows."""
        self._connection.write(self.stream.head(head, request_method=method))

    async def send_data(self, data: bytes) -> None:
        """Send a piece of the body; return when the client's windows took it."""
        if data and not self.closed:
            self._connection.write(self.stream.data(data))
            while self.stream.unsent and not self.closed:
                await self._wait(limits.BODY_STALL_TIMEOUT_S)
            await self._connection.drain()
        if self.closed:
            raise ClientGoneError

    def send_end(self, last: bytes) -> None:
        """Send the last piece of the body and its end."""
        out = self.stream.data(last) if last else b""
        self._connection.write(out + self.stream.end())

    def still_here(self) -> None:
        """Send an interim 100."""
        self._connection.write(self.stream.informational(100))

    def abort(self) -> None:
        """Reset the stream."""
        self._connection.write(self.stream.abort())

    # --- for the connection -------------------------------------------------------

    def news(self) -> None:
        """Wake who waits; the stream has something to say, or is gone."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self.closed and self.on_lost is not None:
            self.on_lost()

    async def _wait(self, timeout_s: float) -> None:
        loop = self._connection.loop
        self._waiter = loop.create_future()
        self.deadline_s = loop.time() + timeout_s
        try:
            await self._waiter
        finally:
            self._waiter = None
            self.deadline_s = float("inf")


class Http2Connection(Wire):
    """An agent's HTTP/2 connection and the exchanges on its streams."""

    __slots__ = ("_clients", "_on_close", "_run", "_side", "_stopping", "_tasks")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        run: Run,
        on_close: Callable[[Http2Connection], None],
    ) -> None:
        super().__init__(loop)
        self._run = run
        self._on_close = on_close
        self._side = ClientSideH2()
        self._clients: dict[int, StreamClient] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.deadline_s = loop.time() + limits.IDLE_TIMEOUT_S

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop it lives on."""
        return self._loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send our settings."""
        super().connection_made(transport)
        self.flush()

    def connection_lost(self, error: BaseException | None) -> None:
        """Tell every stream, then the worker."""
        super().connection_lost(error)
        for client in list(self._clients.values()):
            client.news()
        self._on_close(self)

    def bytes_arrived(self, data: bytes) -> None:
        """Read frames; start an exchange for each new stream."""
        try:
            news = self._side.receive(data, now_s=self._loop.time())
        except PeerError:
            # The GOAWAY that says why is in `outgoing`.
            self.flush()
            self.close()
            news = []
        for stream in news:
            client = self._clients.get(stream.id)
            if client is None:
                self._begin(stream)
            else:
                client.news()
        # Streams bound what they take by their windows, so nothing is untaken here;
        # a client that does not read our answers is not read either.
        self._untaken = 0
        self.flush()
        self.deadline_s = self._loop.time() + limits.IDLE_TIMEOUT_S

    def _begin(self, stream: ClientStream) -> None:
        client = StreamClient(self, stream)
        self._clients[stream.id] = client
        task = self._loop.create_task(self._serve(client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: StreamClient) -> None:
        try:
            head = client.stream.next_event()
            if isinstance(head, RequestHead):
                await self._run(client, head)
        except PeerError as error:
            # A head that is not one: told like any refusal, on its stream alone.
            await send_bad_framing(client, error)
        finally:
            del self._clients[client.stream.id]

    def pause_writing(self) -> None:
        """Stop reading too: what we owe a client that does not read is bounded."""
        super().pause_writing()
        if self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        super().resume_writing()
        if self._transport is not None and self._paused:
            self._paused = False
            self._transport.resume_reading()

    def flush(self) -> None:
        """Write what waits for the wire."""
        out = self._side.outgoing()
        if out:
            self.write(out)

    @property
    def is_idle(self) -> bool:
        """Whether no stream is open."""
        return not self._clients

    def stop(self) -> None:
        """Ask for no more streams; those that are open go on."""
        self.write(self._side.stop())

    def expire(self, now_s: float) -> None:
        """Abort streams that stall, and a connection that idles."""
        for client in list(self._clients.values()):
            if now_s >= client.deadline_s:
                client.deadline_s = float("inf")
                client.abort()
                client.news()
        if self.is_idle:
            super().expire(now_s)
