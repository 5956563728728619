"""A wire that says nothing in time is cut; who waits is told, and nobody sleeps."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from gatekeep import limits
from gatekeep.gateway.connection import ClientConnection, ClientGoneError
from gatekeep.http.messages import RequestHead

Serve = Callable[[ClientConnection], Awaitable[None]]


def connected(
    test: Callable[[ClientConnection, socket.socket], Awaitable[None]],
) -> None:
    """Run a test with a served connection and the client's end of it."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        made: asyncio.Future[ClientConnection] = loop.create_future()

        async def idle(connection: ClientConnection) -> None:
            made.set_result(connection)

        server = await loop.create_server(
            lambda: ClientConnection(loop, idle, lambda _: None), "127.0.0.1", 0
        )
        client = socket.create_connection(server.sockets[0].getsockname())
        connection = await made
        try:
            await test(connection, client)
        finally:
            client.close()
            connection.abort()
            server.close()
            await server.wait_closed()

    asyncio.run(main())


async def until_waiting(connection: ClientConnection, *, after_s: float) -> None:
    """Return once the connection waits with a deadline of about that length."""
    loop = asyncio.get_running_loop()
    while abs(connection.deadline_s - loop.time() - after_s) > 1:
        await asyncio.sleep(0)


def test_a_slow_head_is_cut_when_its_time_is_up() -> None:
    async def test(connection: ClientConnection, client: socket.socket) -> None:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        head = asyncio.ensure_future(connection.next_head())
        await until_waiting(connection, after_s=limits.HEAD_TIMEOUT_S)
        now_s = asyncio.get_running_loop().time()
        connection.expire(now_s + limits.HEAD_TIMEOUT_S - 2)
        assert not connection.timed_out
        connection.expire(now_s + limits.HEAD_TIMEOUT_S + 1)
        assert await head is None
        assert connection.timed_out

    connected(test)


def test_a_head_that_trickles_gets_no_more_time_than_one_that_stops() -> None:
    async def test(connection: ClientConnection, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        client.sendall(b"POST / HTTP/1.1\r\n")
        head = asyncio.ensure_future(connection.next_head())
        await until_waiting(connection, after_s=limits.HEAD_TIMEOUT_S)
        first_s = connection.deadline_s
        for _ in range(5):
            client.sendall(b"X-A: b\r\n")
            while connection.untaken_bytes == 0:
                await asyncio.sleep(0)
            await until_waiting(connection, after_s=limits.HEAD_TIMEOUT_S)
        assert connection.deadline_s == pytest.approx(first_s, abs=0.01)
        connection.expire(loop.time() + limits.HEAD_TIMEOUT_S + 1)
        assert await head is None

    connected(test)


def test_an_idle_connection_is_closed_quietly() -> None:
    async def test(connection: ClientConnection, _client: socket.socket) -> None:
        head = asyncio.ensure_future(connection.next_head())
        await until_waiting(connection, after_s=limits.IDLE_TIMEOUT_S)
        connection.expire(asyncio.get_running_loop().time() + limits.IDLE_TIMEOUT_S + 1)
        assert await head is None

    connected(test)


def test_a_body_that_stalls_is_a_client_that_is_gone() -> None:
    async def test(connection: ClientConnection, client: socket.socket) -> None:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert isinstance(await connection.next_head(), RequestHead)
        assert await connection.body_piece() == b"abc"
        piece = asyncio.ensure_future(connection.body_piece())
        await until_waiting(connection, after_s=limits.BODY_STALL_TIMEOUT_S)
        connection.expire(
            asyncio.get_running_loop().time() + limits.BODY_STALL_TIMEOUT_S + 1
        )
        with pytest.raises(ClientGoneError):
            await piece

    connected(test)


def test_bytes_that_nobody_takes_stop_the_socket() -> None:
    """The body of a slow exchange stays in the client's kernel, not in our memory."""

    async def test(connection: ClientConnection, client: socket.socket) -> None:
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        head = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"
        await loop.sock_sendall(client, head)
        assert isinstance(await connection.next_head(), RequestHead)
        sending = asyncio.ensure_future(loop.sock_sendall(client, b"x" * 64_000_000))
        while not connection.is_paused:
            await asyncio.sleep(0)
        one_read = 256 * 1024  # uvloop's and asyncio's
        assert connection.untaken_bytes <= limits.BODY_QUEUE_BYTES_MAX + one_read
        sending.cancel()

    connected(test)
