"""Scenarios of many small DynamoDB requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bench.agents import Agent
from bench.load import Answer
from bench.peers import ACCESS_KEY_ID, Gatekeep, Mitmproxy, Proxy
from bench.stage import Session, Table, Work
from bench.upstream import ITEM, PAGE, PROTECTED, WRITTEN

KEYS = 64
"""Different requests in one burst, so that no cache holds the one request."""


def small_read(session: Session, connections: int) -> Table:
    """GetItem, 400 bytes: verified, decided, recorded; for gatekeep masked too."""
    table = Table(f"small read, {connections} connections", "requests_per_s")
    works = [
        Work(
            proxy.name,
            proxy,
            get_item("orders"),
            masked(ITEM, proxy) if isinstance(proxy, Mitmproxy) else same(ITEM, proxy),
        )
        for proxy in session.proxies
    ]
    gateway = session.gateway
    works.insert(
        1,
        Work("gatekeep, masked", gateway, get_item("customers"), masked(ITEM, gateway)),
    )
    session.closed_loop(table, works, connections)
    return table


def small_write(session: Session, connections: int) -> Table:
    """PutItem: its intent is durable before it is sent."""
    table = Table(f"small write, {connections} connections", "requests_per_s")
    works = [
        Work(proxy.name, proxy, put_item("orders"), same(WRITTEN, proxy))
        for proxy in session.proxies
    ]
    session.closed_loop(table, works, connections)
    return table


def page(session: Session, connections: int) -> Table:
    """Query, 64 KiB of items with 1,150 protected values; all but two pass through."""
    table = Table(f"64 KiB page, {connections} connections", "requests_per_s")
    works = [
        Work(
            proxy.name,
            proxy,
            query("orders"),
            masked(PAGE, proxy) if isinstance(proxy, Mitmproxy) else same(PAGE, proxy),
        )
        for proxy in session.proxies
    ]
    gateway = session.gateway
    works.insert(
        1, Work("gatekeep, masked", gateway, query("customers"), masked(PAGE, gateway))
    )
    session.closed_loop(table, works, connections)
    return table


def mixed(session: Session, connections: int) -> Table:
    """Of 20 requests 12 reads, 4 masked reads, 3 writes, a masked page."""
    table = Table(f"mixed, {connections} connections", "requests_per_s")

    def requests(agent: Agent) -> list[bytes]:
        reads = get_item("orders")(agent)[:12]
        masked_reads = get_item("customers")(agent)[:4]
        writes = put_item("orders")(agent)[:3]
        pages = query("customers")(agent)[:1]
        return reads[:6] + masked_reads + writes + pages + reads[6:]

    def check(answer: Answer) -> None:
        assert answer.status == 200, answer

    works = [Work(proxy.name, proxy, requests, check) for proxy in session.proxies]
    session.closed_loop(table, works, connections)
    return table


def get_item(table: str) -> Callable[[Agent], list[bytes]]:
    return _many(
        "get_item", lambda key: {"TableName": table, "Key": {"id": {"S": key}}}
    )


def put_item(table: str) -> Callable[[Agent], list[bytes]]:
    return _many(
        "put_item",
        lambda key: {
            "TableName": table,
            "Item": {"id": {"S": key}, "plan": {"S": "standard"}, "visits": {"N": "7"}},
        },
    )


def query(table: str) -> Callable[[Agent], list[bytes]]:
    return _many(
        "query",
        lambda key: {
            "TableName": table,
            "KeyConditionExpression": "id = :id",
            "ExpressionAttributeValues": {":id": {"S": key}},
        },
    )


def _many(
    operation: str, parameters: Callable[[str], dict[str, Any]]
) -> Callable[[Agent], list[bytes]]:
    sets = [parameters(f"c-{number:06}") for number in range(KEYS)]
    return lambda agent: list(agent.requests("dynamodb", operation, sets))


def same(body: bytes, proxy: Proxy) -> Callable[[Answer], None]:
    """Checks that exactly that body comes, of a request signed by whom it should be."""

    def check(answer: Answer) -> None:
        assert answer.status == 200, answer
        assert answer.body == body, answer
        signed_by_proxy = answer.fields["x-amz-id-2"] == ACCESS_KEY_ID
        assert signed_by_proxy is proxy.signs, answer

    return check


def masked(body: bytes, proxy: Proxy) -> Callable[[Answer], None]:
    """Checks that the body came masked, is still JSON, and holds all else.

    mitmproxy's patterns are held to the same values, not to the same quality.
    """

    def check(answer: Answer) -> None:
        assert answer.status == 200, answer
        for value in PROTECTED:
            assert value.encode() not in answer.body, (value, answer)
        assert _without_values(json.loads(answer.body)) == _without_values(
            json.loads(body)
        )
        if isinstance(proxy, Gatekeep):
            assert answer.fields["x-amz-id-2"] == ACCESS_KEY_ID, answer

    return check


def _without_values(value: object) -> object:
    """The tree with every protected attribute emptied."""
    if isinstance(value, dict):
        return {
            name: "" if name in _PROTECTED_NAMES else _without_values(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_without_values(each) for each in value]
    return value


_PROTECTED_NAMES = ("ssn", "card", "email", "phone", "date_of_birth")
