"""One worker: an event loop, its rooms, and the connections it serves."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import ssl

import structlog
import uvloop

from gatekeep import limits
from gatekeep.access.requests import AccessRequests
from gatekeep.audit.client import LedgerClient
from gatekeep.audit.record import GatewayEvent
from gatekeep.aws.catalogue import Catalogue
from gatekeep.aws.endpoints import Endpoints
from gatekeep.aws.recognise import Recogniser
from gatekeep.aws.signer import Signer
from gatekeep.aws.signing_keys import SigningKey
from gatekeep.clock import SYSTEM_CLOCK
from gatekeep.credentials.source import CredentialSource
from gatekeep.errors import FramingError, LimitError, OperatorError
from gatekeep.gateway.arrival import Arrival, Served
from gatekeep.gateway.client import Client
from gatekeep.gateway.connection import ClientConnection
from gatekeep.gateway.exchange import Exchange
from gatekeep.gateway.gate import Gate
from gatekeep.gateway.hold import HoldDesk
from gatekeep.gateway.refusal import send_bad_framing
from gatekeep.gateway.streams import Http2Connection
from gatekeep.gateway.upstream import UpstreamPool
from gatekeep.http.messages import RequestHead
from gatekeep.identity.issuers import Issuers
from gatekeep.identity.revocation import Revocations
from gatekeep.identity.sessions import SessionKeyring
from gatekeep.identity.sts import Door
from gatekeep.masking.masking import Masking
from gatekeep.policy.engine import PolicyEngine
from gatekeep.principal import Secret
from gatekeep.settings import Settings

log = structlog.get_logger()


def run_worker(
    settings: Settings,
    *,
    catalogue: Catalogue,
    listener: socket.socket,
    plain_listener: socket.socket | None,
    ready_fd: int,
) -> None:
    """Serve until SIGTERM, then drain; the worker process's whole life.

    Args:
        settings: the whole file.
        catalogue: loaded before the fork, shared between workers.
        listener: bound and listening; TLS is spoken on it.
        plain_listener: the same without TLS, or None.
        ready_fd: a byte is written to it once requests are served.

    Raises:
        OperatorError: a file that settings name does not hold what it should.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop = runner.get_loop()
        gate = open_gate(settings, catalogue, loop)
        # What was made so far lives as long as the worker: the collector need not
        # walk it. And an exchange leaves few cycles behind, so it may look rarely:
        # with Python's own thresholds it took 8 % of a small request.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 10, 20)
        runner.run(
            Worker(gate).serve(
                listener, plain_listener, tls_context(settings), ready_fd
            )
        )


def open_gate(
    settings: Settings, catalogue: Catalogue, loop: asyncio.AbstractEventLoop
) -> Gate:
    """The rooms of one worker, opened on its own loop and after the fork."""
    clock = SYSTEM_CLOCK
    issuers = Issuers(settings.issuer, clock=clock)
    keyring = SessionKeyring.read(settings.session.keyring)
    access = AccessRequests(settings.state_path("access"), clock=clock)
    return Gate(
        settings=settings,
        loop=loop,
        clock=clock,
        issuers=issuers,
        keyring=keyring,
        revocations=Revocations(settings.state_path("revocations")),
        door=Door(issuers, keyring, settings.role, settings.session, clock),
        recogniser=Recogniser(catalogue, hostnames=settings.gateway.hostnames),
        endpoints=Endpoints(settings.upstream, catalogue),
        signer=Signer(),
        policy=PolicyEngine(
            settings,
            cache_directory=settings.state_path("decisions"),
            actions=catalogue,
        ),
        masking=Masking(settings.masking),
        access=access,
        hold_desk=HoldDesk(loop, access, clock),
        credentials=CredentialSource(
            settings.credentials, settings.upstream, settings.role, clock
        ),
        ledger=LedgerClient(settings.state_path("ledger.sock")),
        pool=UpstreamPool(loop, settings.upstream),
        digest_key=SigningKey(Secret.read(settings.audit.digest_key).reveal()),
    )


def tls_context(settings: Settings) -> ssl.SSLContext:
    """The TLS that agents meet: 1.2 or newer, with session tickets.

    Raises:
        OperatorError: the certificate or its key cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls.certificate, settings.tls.private_key)
    except (OSError, ssl.SSLError) as error:
        raise OperatorError(
            "tls.certificate",
            f"tls.certificate `{settings.tls.certificate}` and tls.private_key"
            f" `{settings.tls.private_key}`: {error}",
        ) from error
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


class Worker:
    """Serves connections with one gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._connections: set[Served] = set()
        self._stopping = False

    async def serve(
        self,
        listener: socket.socket,
        plain_listener: socket.socket | None,
        tls: ssl.SSLContext,
        ready_fd: int,
    ) -> None:
        """Open the doors, serve until SIGTERM, drain, close."""
        gate, loop = self._gate, self._gate.loop
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_policy)
        await gate.ledger.connect()
        await gate.issuers.start()
        await gate.credentials.start()
        servers = [
            await loop.create_server(
                self._accept,
                sock=listener,
                ssl=tls,
                ssl_handshake_timeout=limits.TLS_HANDSHAKE_TIMEOUT_S,
                ssl_shutdown_timeout=limits.TLS_SHUTDOWN_TIMEOUT_S,
            )
        ]
        if plain_listener is not None:
            servers.append(await loop.create_server(self._accept, sock=plain_listener))
        await self._record("start")
        sweep = loop.create_task(self._sweep())
        os.write(ready_fd, b"1")
        os.close(ready_fd)
        await stop.wait()
        self._stopping = True
        for server in servers:
            server.close()
        await self._drain()
        await self._record("stop")
        sweep.cancel()
        gate.pool.close()
        gate.policy.close()
        await gate.credentials.close()
        await gate.issuers.close()
        await gate.ledger.close()

    def _accept(self) -> Arrival:
        return Arrival(self._begin)

    def _begin(self, speaks_h2: bool) -> Served:
        """The protocol of a new connection, known to this worker from now on."""
        loop, gone = self._gate.loop, self._connections.discard
        connection: Served = (
            Http2Connection(loop, self._run_exchange, gone)
            if speaks_h2
            else ClientConnection(loop, self._serve_connection, gone)
        )
        self._connections.add(connection)
        return connection

    async def _run_exchange(self, client: Client, head: RequestHead) -> None:
        await Exchange(self._gate, client, head).run()

    async def _serve_connection(self, client: ClientConnection) -> None:
        """One exchange after the other until either side has enough."""
        if len(self._connections) > limits.CONNECTIONS_MAX:
            client.abort()
            return
        try:
            while (head := await client.next_head()) is not None:
                await Exchange(self._gate, client, head).run()
                if client.closed or self._stopping or not client.side.keeps_alive:
                    break
                client.side.next_exchange()
        except (FramingError, LimitError) as error:
            await send_bad_framing(client, error)
        except Exception:
            # A fault of ours must not take the other connections down with it.
            log.exception("connection failed")
            client.abort()
        finally:
            client.close()

    async def _drain(self) -> None:
        """Let exchanges under way end; idle connections close at once."""
        for connection in list(self._connections):
            connection.stop()
        until_s = self._gate.loop.time() + limits.DRAIN_TIMEOUT_S
        while self._connections and self._gate.loop.time() < until_s:
            for connection in list(self._connections):
                if connection.is_idle:
                    connection.close()
            await asyncio.sleep(0.02)
        for connection in list(self._connections):
            connection.abort()

    async def _sweep(self) -> None:
        """Enforce deadlines and notice changed policies, every second."""
        loop = self._gate.loop
        while True:
            await asyncio.sleep(limits.SWEEP_S)
            now_s = loop.time()
            for connection in list(self._connections):
                connection.expire(now_s)
            self._gate.pool.sweep(now_s)
            self._reload_policy()

    def _reload_policy(self) -> None:
        """Read changed policies; a bad set is logged and the last good one stays."""
        policy = self._gate.policy
        before = policy.version
        try:
            policy.reload()
        except OperatorError as error:
            log.error("policy not loaded", error=str(error), in_force=before)
            return
        if policy.version != before:
            log.info("policy loaded", version=policy.version)
            self._gate.loop.create_task(self._record("policy"))

    async def _record(self, event: str) -> None:
        """Record that the gateway started, stopped or took new policies."""
        gate = self._gate
        await gate.ledger.append(
            GatewayEvent(
                at_ns=gate.clock.now_ns(),
                event=event,
                detail={"policy_version": gate.policy.version, "pid": os.getpid()},
            )
        )
