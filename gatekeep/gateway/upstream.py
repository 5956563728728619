"""Connections to AWS: made, kept warm, lent to one exchange at a time.

A connection is lent to exactly one exchange and comes back only when its answer
was read to the end. Anything else closes it, so that no answer is ever given to
the wrong question.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass, field

from gatekeep import limits
from gatekeep.aws.endpoints import Endpoint
from gatekeep.errors import UnavailableError, UpstreamError
from gatekeep.gateway.wire import Wire
from gatekeep.http.events import (
    Closed,
    Data,
    EndOfMessage,
    InformationalHead,
    NeedData,
)
from gatekeep.http.h1 import UpstreamSide
from gatekeep.http.messages import ResponseHead
from gatekeep.settings import UpstreamSettings

Place = tuple[str, str, int]
"""Scheme, host and port: what a connection can be reused for."""


class UpstreamConnection(Wire):
    """One connection to an AWS endpoint."""

    __slots__ = ("answered", "idle_since_s", "place", "reused", "side")

    def __init__(self, loop: asyncio.AbstractEventLoop, place: Place) -> None:
        super().__init__(loop)
        self.place = place
        self.side = UpstreamSide()
        self.reused = False
        """Whether another exchange used this connection before."""
        self.answered = False
        """Whether a byte of the answer to the current exchange has arrived."""
        self.idle_since_s = 0.0

    def bytes_arrived(self, data: bytes) -> None:
        """Hand bytes to the HTTP reader."""
        if data:
            self.answered = True
            # Who answers early may read no more: nobody should wait until it does.
            self.stop_draining()
        self.side.receive(data)

    async def answer_head(self) -> ResponseHead | None:
        """The final head of the answer, or None when the upstream went away.

        Raises:
            FramingError: the upstream does not speak HTTP.
        """
        while True:
            event = self.side.next_event()
            if isinstance(event, ResponseHead):
                return event
            if event is NeedData:
                await self.wait_for_bytes(limits.UPSTREAM_ANSWER_TIMEOUT_S)
            elif event is Closed:
                return None
            elif not isinstance(event, InformationalHead):
                raise UpstreamError(
                    "upstream.disorder", "the upstream sent a body before its head"
                )

    async def answer_data(self) -> bytes | None:
        """The next piece of the answer's body, or None at its end.

        Raises:
            UpstreamError: the upstream stopped before the body's end.
            FramingError: the body's framing is broken.
        """
        while True:
            event = self.side.next_event()
            if isinstance(event, Data):
                return event.data
            if event is EndOfMessage:
                return None
            if event is not NeedData or self.closed:
                raise UpstreamError(
                    "upstream.cut_short", "the upstream stopped in the middle of a body"
                )
            await self.wait_for_bytes(limits.UPSTREAM_STALL_TIMEOUT_S)


@dataclass(slots=True)
class _Host:
    """What the pool knows of one place."""

    idle: deque[UpstreamConnection] = field(default_factory=deque)
    open: int = 0
    waiters: deque[asyncio.Future[None]] = field(default_factory=deque)


class UpstreamPool:
    """Upstream connections of one worker, by place, the warmest first."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, settings: UpstreamSettings
    ) -> None:
        self._loop = loop
        self._hosts: dict[Place, _Host] = {}
        self._all: set[UpstreamConnection] = set()
        self._tls = ssl.create_default_context(
            cafile=str(settings.ca_file) if settings.ca_file else None
        )
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._tls.set_alpn_protocols(["http/1.1"])

    async def lend(
        self, endpoint: Endpoint, *, fresh: bool = False
    ) -> UpstreamConnection:
        """A connection to the endpoint for one exchange.

        Args:
            endpoint: from the closed table of `aws.endpoints` (I7).
            fresh: never one that was used before.

        Raises:
            UnavailableError: no connection could be made; nothing was sent.
        """
        place = (endpoint.scheme, endpoint.host, endpoint.port)
        host = self._hosts.setdefault(place, _Host())
        while True:
            while host.idle and not fresh:
                connection = host.idle.pop()
                if connection.ended:
                    self._forget(connection)
                    continue
                connection.reused = True
                connection.answered = False
                return connection
            if host.open < limits.UPSTREAM_CONNECTIONS_PER_HOST_MAX:
                return await self._connect(place, host)
            waiter = self._loop.create_future()
            host.waiters.append(waiter)
            await waiter

    async def _connect(self, place: Place, host: _Host) -> UpstreamConnection:
        scheme, name, port = place
        host.open += 1
        connection = UpstreamConnection(self._loop, place)
        self._all.add(connection)
        try:
            async with asyncio.timeout(limits.UPSTREAM_CONNECT_TIMEOUT_S):
                await self._loop.create_connection(
                    lambda: connection,
                    name,
                    port,
                    ssl=self._tls if scheme == "https" else None,
                    server_hostname=name if scheme == "https" else None,
                )
        except (OSError, TimeoutError) as error:
            self._forget(connection)
            raise UnavailableError(
                "upstream.unreachable",
                f"the upstream {name}:{port} cannot be reached; nothing was sent",
                detail=repr(error),
            ) from error
        except BaseException:
            self._forget(connection)
            raise
        return connection

    def give_back(self, connection: UpstreamConnection) -> None:
        """Take a connection back: kept when its answer was read to the end."""
        if connection.closed or connection.ended or not connection.side.keeps_alive:
            connection.abort()
            self._forget(connection)
            return
        connection.side.next_exchange()
        connection.idle_since_s = self._loop.time()
        host = self._hosts[connection.place]
        host.idle.append(connection)
        self._wake_one(host)

    def discard(self, connection: UpstreamConnection) -> None:
        """Close a connection whose answer was not read to the end."""
        connection.abort()
        self._forget(connection)

    def sweep(self, now_s: float) -> None:
        """Enforce deadlines and drop connections nobody used for a while."""
        for connection in list(self._all):
            connection.expire(now_s)
        for host in self._hosts.values():
            while host.idle:
                oldest = host.idle[0]
                age_s = now_s - oldest.idle_since_s
                if not oldest.ended and age_s < limits.UPSTREAM_IDLE_TIMEOUT_S:
                    break
                host.idle.popleft()
                self.discard(oldest)

    def close(self) -> None:
        """Close every connection."""
        for connection in list(self._all):
            self.discard(connection)

    def _forget(self, connection: UpstreamConnection) -> None:
        if connection not in self._all:
            return
        self._all.remove(connection)
        host = self._hosts[connection.place]
        host.open -= 1
        self._wake_one(host)

    @staticmethod
    def _wake_one(host: _Host) -> None:
        while host.waiters:
            waiter = host.waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
