"""A worker's rooms in this process, with AWS, ledger and sockets played by hand.

What is measured is the product's own code and nothing else: no loop turns, no system
call, no other process, so the same request costs the same instructions each time.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from bench.agents import Agent, Credentials
from gatekeep.audit.codec import encode_record
from gatekeep.audit.record import Receipt, Record
from gatekeep.aws.catalogue import load_catalogue
from gatekeep.aws.endpoints import Endpoint
from gatekeep.gateway.connection import ClientConnection
from gatekeep.gateway.exchange import Exchange
from gatekeep.gateway.gate import Gate
from gatekeep.gateway.upstream import UpstreamConnection
from gatekeep.gateway.wire import Wire
from gatekeep.gateway.worker import open_gate
from gatekeep.principal import Principal
from gatekeep.settings import Settings, read_settings
from tests.support.stand import ROLE_ARN

ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: Server\r\nDate: Mon, 23 Nov 2026 10:10:10 GMT\r\n"
    b"Content-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n"
    b"Connection: keep-alive\r\nx-amzn-RequestId: %s\r\nx-amz-crc32: %d\r\n\r\n%s"
)
"""An answer as DynamoDB gives it: length, request id, checksum, body."""


class Played:
    """Gate and client connection; `exchange` passes one request through them."""

    def __init__(self, config: Path) -> None:
        self.settings: Settings = read_settings(config)
        self.loop = asyncio.new_event_loop()
        catalogue = load_catalogue(self.settings.catalogue_path)
        self.gate: Gate = open_gate(self.settings, catalogue, self.loop)
        self.gate.ledger = self.ledger = _Ledger(self.loop)  # type: ignore[assignment]
        self.gate.pool = self.pool = _Pool(self.loop)  # type: ignore[assignment]
        self.client = ClientConnection(self.loop, _nothing, _nothing)  # type: ignore[arg-type]
        self.transport = _Transport()
        # Not ClientConnection's own: that one starts a task to serve the connection.
        Wire.connection_made(self.client, self.transport)  # type: ignore[arg-type]

    def agent(self) -> Agent:
        """An agent with a session sealed by this gate's keyring."""
        sealed = self.gate.keyring.seal(
            principal=Principal("https://issuer.example", "agent-7", ("agents",)),
            role_arn=ROLE_ARN,
            name="agent-7",
            duration_s=3600,
            now_s=time.time(),
        )
        session = self.gate.keyring.open(
            sealed.session_token.encode(),
            access_key_id=sealed.access_key_id,
            now_s=time.time(),
        )
        # Fetched by a task the first time; from then on there is nothing to wait for.
        self.loop.run_until_complete(
            self.gate.credentials.credentials_for(session, exchange_id="0" * 32)
        )
        secret = sealed.secret_access_key.reveal().decode()
        credentials: Credentials = (sealed.access_key_id, secret, sealed.session_token)
        return Agent(8443, credentials)

    def exchange(self, request: bytes, answer: bytes) -> bytes:
        """What the client gets for a request that AWS answers so."""
        self.pool.answer = answer
        self.client.bytes_arrived(request)
        finished(self._serve())
        return self.transport.taken()

    async def _serve(self) -> None:
        head = await self.client.next_head()
        assert head is not None
        await Exchange(self.gate, self.client, head).run()
        self.client.side.next_exchange()


def finished(coroutine: Any) -> Any:
    """What a coroutine returns that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")


def _nothing(*_: object) -> None:
    return None


class _Transport:
    """Takes what is written."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._written.append(data)

    def taken(self) -> bytes:
        data = b"".join(self._written)
        self._written.clear()
        return data

    def get_extra_info(self, _name: str) -> tuple[str, int]:
        return ("192.0.2.7", 40000)

    def abort(self) -> None:
        raise AssertionError("the connection was aborted")


class _Answering(_Transport):
    """Answers each write with the pool's answer, at once."""

    def __init__(self, pool: _Pool) -> None:
        super().__init__()
        self._pool = pool

    def write(self, data: bytes) -> None:
        self._pool.connection.bytes_arrived(self._pool.answer)


class _Pool:
    """One upstream connection, always there."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.answer = b""
        self.connection = UpstreamConnection(loop, ("http", "127.0.0.1", 1))
        self.connection.connection_made(_Answering(self))  # type: ignore[arg-type]

    async def lend(self, _endpoint: Endpoint, **_: object) -> UpstreamConnection:
        self.connection.answered = False
        return self.connection

    def give_back(self, connection: UpstreamConnection) -> None:
        connection.side.next_exchange()

    def discard(self, _connection: UpstreamConnection) -> None:
        raise AssertionError("the upstream connection was discarded")


class _Ledger:
    """Encodes each record and gives its receipt at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.records: list[Record] = []

    def append(self, record: Record, **_: object) -> asyncio.Future[Receipt]:
        self.records = [*self.records[-1:], record]
        encode_record(record)
        receipt: asyncio.Future[Receipt] = self._loop.create_future()
        receipt.set_result(Receipt(0, bytes(32)))
        return receipt
