"""Open loop: requests leave on time whether or not answers came back.

A closed loop measures fewer requests while the proxy is slow, which hides the slow
ones. Here arrivals are Poisson at a fixed rate, each on an idle kept connection, and
latency counts from when a request was due.
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import os
import random
import statistics
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import cast

import uvloop

from bench import evidence, machine
from bench.agents import Agent, credentials_of
from bench.load import TLS, wrk
from bench.peers import Gatekeep, Mitmproxy
from bench.small_requests import get_item
from bench.stage import Sample, Session, Table
from bench.upstream import ITEM

CONNECTIONS = 64
_CALIBRATIONS = 3

_libc = ctypes.CDLL(None, use_errno=True)


def added(session: Session) -> Table:
    """What the proxy adds to a direct call, at half of what gatekeep can do."""
    table = Table(
        "latency at half of gatekeep's load", "added_p50_ms", higher_is_better=False
    )
    gateway = session.gateway
    rate = _capacity(session) / 2
    table.notes.append(
        f"{rate:,.0f} requests/s, Poisson, {CONNECTIONS} kept connections; direct is TLS"
        " to the upstream itself. The generator is Python and shares its core with the"
        " upstream, so what counts is the difference to direct"
    )
    ports = {"direct": session.upstream.tls_port} | {
        proxy.name: proxy.port
        for proxy in session.proxies
        if not isinstance(proxy, Mitmproxy)
    }
    expected = evidence.Expected(sha256s={hashlib.sha256(ITEM).hexdigest()})
    credentials = credentials_of(gateway)
    for _ in range(session.rounds):
        direct: Sample = {}
        for label, port in ports.items():
            requests = get_item("orders")(Agent(port, credentials))
            latencies_ms = open_loop(port, requests, rate, session.seconds)
            sample = {
                name: _quantile(latencies_ms, share)
                for name, share in _QUANTILES.items()
            }
            direct = direct or sample
            sample |= {
                f"added_{name}": sample[name] - direct[name] for name in _QUANTILES
            }
            table.row(label).samples.append(sample)
            if label == Gatekeep.name:
                expected.answered += len(latencies_ms)
    exchanges = evidence.verify(gateway, expected)
    table.notes.append(
        f"{exchanges:,} exchanges left intent and outcome; `gatekeep audit verify` holds"
    )
    return table


_QUANTILES = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999}


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def _capacity(session: Session) -> float:
    """Requests a second of gatekeep in a closed loop of 32, the median of a few tries."""
    gateway = session.gateway
    found = []
    for _ in range(_CALIBRATIONS):
        requests = get_item("orders")(session.agent(gateway))
        burst = wrk(
            gateway.port,
            requests,
            connections=32,
            seconds=session.seconds,
            script=session.directory / "wrk.lua",
        )
        found.append(burst.per_s)
    # What this left in the log is not counted: let it end first.
    time.sleep(1)
    return statistics.median(found)


def open_loop(
    port: int, requests: list[bytes], rate_per_s: float, seconds: float
) -> list[float]:
    """Milliseconds from when each request was due to when its answer was there."""
    with (
        machine.on_core(machine.LOAD_CORE),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(_Generator(requests, rate_per_s, seconds).run(port))


class _Generator:
    def __init__(
        self, requests: list[bytes], rate_per_s: float, seconds: float
    ) -> None:
        chance = random.Random(20261123)
        at, self._due = 0.0, deque[float]()
        while at < seconds:
            at += chance.expovariate(rate_per_s)
            self._due.append(at)
        self._count = len(self._due)
        self._requests = requests
        self._idle: list[_Connection] = []
        self._late: deque[float] = deque()
        self._latencies_ms: list[float] = []
        self._began = 0.0

    async def run(self, port: int) -> list[float]:
        loop = asyncio.get_running_loop()
        self._done = loop.create_future()
        made = [
            (
                await loop.create_connection(
                    lambda: _Connection(self.answered), "127.0.0.1", port, ssl=TLS
                )
            )[1]
            for _ in range(CONNECTIONS)
        ]
        self._idle = list(made)
        self._began = time.perf_counter()
        alarm = _Alarm(loop, self._tick)
        alarm.set(self._due[0])
        self._alarm = alarm
        await asyncio.wait_for(self._done, 120)
        alarm.close()
        for connection in made:
            connection.transport.close()
        return self._latencies_ms

    def _tick(self) -> None:
        now = time.perf_counter() - self._began
        while self._due and self._due[0] <= now:
            due = self._due.popleft()
            if self._idle:
                self._send(self._idle.pop(), due)
            else:
                self._late.append(due)
        if self._due:
            self._alarm.set(
                max(1e-6, self._due[0] - (time.perf_counter() - self._began))
            )

    def _send(self, connection: _Connection, due: float) -> None:
        connection.due = due
        connection.transport.write(
            self._requests[len(self._latencies_ms) % len(self._requests)]
        )

    def answered(self, connection: _Connection) -> None:
        now = time.perf_counter() - self._began
        self._latencies_ms.append((now - connection.due) * 1e3)
        if self._late:
            self._send(connection, self._late.popleft())
        else:
            self._idle.append(connection)
        if len(self._latencies_ms) == self._count:
            self._done.set_result(None)


class _Connection(asyncio.Protocol):
    """Sends one request at a time; the answer is done when its item is here."""

    transport: asyncio.Transport

    def __init__(self, answered: Callable[[_Connection], None]) -> None:
        self._answered = answered
        self._data = b""
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._data.endswith(ITEM):
            assert self._data.startswith(b"HTTP/1.1 200"), self._data
            self._data = b""
            self._answered(self)


class _Alarm:
    """Wakes the loop to the microsecond; its own timers are of whole milliseconds."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, call: Callable[[], None]
    ) -> None:
        self._loop, self._call = loop, call
        self._fd = _libc.timerfd_create(1, os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._fd >= 0, os.strerror(ctypes.get_errno())
        loop.add_reader(self._fd, self._rang)

    def set(self, after_s: float) -> None:
        """Ring once, so many seconds from now."""
        whole = int(after_s)
        times = struct.pack("qqqq", 0, 0, whole, max(1, int((after_s - whole) * 1e9)))
        _libc.timerfd_settime(self._fd, 0, times, None)

    def _rang(self) -> None:
        os.read(self._fd, 8)
        self._call()

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
