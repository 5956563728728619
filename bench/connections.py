"""Scenarios of many connections: made, kept idle, and held for people."""

from __future__ import annotations

import contextlib
import hashlib
import ssl
import time

from bench import evidence, machine
from bench.agents import Agent, credentials_of
from bench.load import connect, receive
from bench.peers import Gatekeep, Haproxy, Mitmproxy, Proxy
from bench.small_requests import get_item, same
from bench.stage import Session, Table, Work
from bench.upstream import ITEM, WRITTEN
from gatekeep.access.request import State
from gatekeep.access.requests import AccessRequests
from gatekeep.clock import SYSTEM_CLOCK
from gatekeep.principal import Principal

IDLE = 10_000
HELD = 1_000
_HELD_EACH = 100
"""Requests that one principal may have waiting (`limits.ACCESS_OPEN_PER_PRINCIPAL_MAX`)."""
_AT_ONCE = 200
_WATCH_S = 10.0


def handshakes(session: Session) -> Table:
    """A new connection for each small read: a full TLS handshake, no resumption."""
    table = Table("TLS connections with one read each", "requests_per_s")

    def requests(agent: Agent) -> list[bytes]:
        whole = get_item("orders")(agent)
        return [
            each.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
            for each in whole
        ]

    works = [
        Work(proxy.name, proxy, requests, same(ITEM, proxy))
        for proxy in session.proxies
        if not isinstance(proxy, Mitmproxy)
    ]
    session.closed_loop(table, works, 32)
    return table


def idle(session: Session) -> Table:
    """Connections that each had one small read and then wait, kept alive."""
    table = Table("10,000 idle connections", "kib_each", higher_is_better=False)
    for proxy in session.proxies:
        if isinstance(proxy, Mitmproxy):
            table.notes.append("mitmproxy: left out, it takes minutes to make them")
            continue
        # HAProxy counts two descriptors a connection against this machine's limit.
        count = IDLE - 200 if isinstance(proxy, Haproxy) else IDLE
        sample = _idle(session, proxy, count)
        table.row(proxy.name).samples.append(sample)
    return table


def _idle(session: Session, proxy: Proxy, count: int) -> dict[str, float]:
    agent = session.agent(proxy)
    before = machine.resident_bytes(proxy.pids())
    kept: list[ssl.SSLSocket] = []
    with contextlib.ExitStack() as stack, machine.on_core(machine.LOAD_CORE):
        for start in range(0, count, _AT_ONCE):
            # Together, so that they share the commits of their records.
            fresh = [
                stack.enter_context(connect(proxy.port))
                for _ in range(min(_AT_ONCE, count - start))
            ]
            request = get_item("orders")(agent)[0]
            for each in fresh:
                each.sendall(request)
            for each in fresh:
                assert receive(each).body == ITEM
            kept += fresh
        grown = machine.resident_bytes(proxy.pids()) - before
        used_s = machine.cpu_s(proxy.pids())
        time.sleep(_WATCH_S)
        used_s = machine.cpu_s(proxy.pids()) - used_s
        for each in kept[:: count // 50]:
            each.sendall(request)
            assert receive(each).body == ITEM
    return {
        "connections": count,
        "kib_each": grown / 1024 / count,
        "idle_core_share": used_s / _WATCH_S,
    }


def holds(session: Session) -> Table:
    """Writes that wait for a person, all at once; then each is approved."""
    gateway = session.gateway
    table = Table(f"{HELD:,} requests held at once", "kib_each", higher_is_better=False)
    expected = evidence.Expected(sha256s={hashlib.sha256(WRITTEN).hexdigest()})
    requests = _writes(gateway)
    reviewer = Principal("https://issuer.example", "dana", ("dba",))
    pids = gateway.pids()
    before_bytes, before_s = machine.resident_bytes(pids), machine.cpu_s(pids)
    with contextlib.ExitStack() as stack:
        access = AccessRequests(
            gateway.directory / "state" / "access", clock=SYSTEM_CLOCK
        )
        stack.callback(access.close)
        with machine.on_core(machine.LOAD_CORE):
            waiting = [stack.enter_context(connect(gateway.port)) for _ in requests]
            began = time.perf_counter()
            for connection, request in zip(waiting, requests, strict=True):
                connection.sendall(request)
            pending = _await_pending(access, len(requests))
        held_s = time.perf_counter() - began
        to_hold_s = machine.cpu_s(pids) - before_s
        grown = machine.resident_bytes(pids) - before_bytes
        used_s = machine.cpu_s(pids)
        time.sleep(_WATCH_S)
        used_s = machine.cpu_s(pids) - used_s
        began = time.perf_counter()
        for each in pending:
            access.approve(each, approver=reviewer, comment="bench")
        approved_s = time.perf_counter() - began
        for connection in waiting:
            answer = receive(connection)
            assert (answer.status, answer.body) == (200, WRITTEN), answer
        answered_s = time.perf_counter() - began
    expected.answered = len(requests)
    exchanges = evidence.verify(gateway, expected)
    table.row(gateway.name).samples.append(
        {
            "held_per_s": len(requests) / held_s,
            "cpu_us": to_hold_s / len(requests) * 1e6,
            "kib_each": grown / 1024 / len(requests),
            "idle_core_share": used_s / _WATCH_S,
            "approved_per_s": len(requests) / approved_s,
            "last_answer_after_s": answered_s - approved_s,
        }
    )
    table.notes.append(
        f"{exchanges} writes ran, each once, with its two records; `gatekeep audit"
        " verify` holds. Approvals go straight to the store, one after the other"
    )
    return table


def _writes(gateway: Gatekeep) -> list[bytes]:
    """Writes that policy holds, each of its own content, of as many agents as needed."""
    found: list[bytes] = []
    for number in range(HELD // _HELD_EACH):
        agent = Agent(gateway.port, credentials_of(gateway, f"holder-{number}"))
        items = [
            {"TableName": "ledger", "Item": {"id": {"S": f"{number}-{n}"}}}
            for n in range(_HELD_EACH)
        ]
        found += agent.requests("dynamodb", "put_item", items)
    return found


def _await_pending(access: AccessRequests, count: int) -> list[str]:
    until_s = time.monotonic() + 300
    while True:
        pending = [each.id for each in access.list(State.PENDING)]
        if len(pending) == count:
            return pending
        assert time.monotonic() < until_s, f"{len(pending)} of {count} wait"
        time.sleep(0.05)
