"""The facts of a call that policies may read, and the Cedar request made of them.

Only the attributes that a policy set mentions are computed, and exactly those are in
the cache key: a policy that asks for the hour makes decisions last an hour, and no
other policy set pays for it. To Cedar the context is total all the same, because no
policy of the set can read another attribute (`policies` checks that).
"""

from __future__ import annotations

import functools
import ipaddress
import json
from collections.abc import Callable, Mapping
from typing import Any

from gatekeep.aws.call import Call, Need
from gatekeep.clock import Clock
from gatekeep.policy.labels import Labels
from gatekeep.policy.statements import StatementFacts, read_statements
from gatekeep.policy.vocabulary import CONTEXT, groups_of
from gatekeep.principal import Principal

Fact = str | bool | int | tuple[str, ...]
Context = Mapping[str, object]

GIVEN = frozenset(["source_ip", "justification", "ticket", "session_name"])
"""Facts that the caller of the engine passes; the others come from the call and the
clock. One that is missing is the empty string."""

_NO_STATEMENTS = StatementFacts()

_WEEKDAYS = ("Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday",
             "Wednesday")  # fmt: skip
"""From 1970-01-01 on."""


def fact_readers(
    mentioned: tuple[str, ...], clock: Clock
) -> tuple[Callable[[Call, Context], Any], ...]:
    """Return for each mentioned attribute what reads it from a call.

    Values are `Fact`, except that those of `GIVEN` are whatever the caller passed:
    `check_facts` tells.
    """
    readers: dict[str, Callable[[Call, Context], Any]] = {
        "service": lambda call, given: call.service,
        "operation": lambda call, given: call.operation,
        "protocol": lambda call, given: call.protocol.value,
        "region": lambda call, given: call.region,
        "changes": lambda call, given: call.changes,
        "statement_verbs": lambda call, given: _statements(call).verbs,
        "statement_tables": lambda call, given: _statements(call).tables,
        "statement_unparsed": lambda call, given: _statements(call).unparsed,
        "hour_utc": lambda call, given: int(clock.now_s()) // 3600 % 24,
        "weekday": lambda call, given: _WEEKDAYS[int(clock.now_s()) // 86_400 % 7],
        **{name: functools.partial(_given, name) for name in GIVEN},
    }
    return tuple(readers[name] for name in mentioned)


def _statements(call: Call) -> StatementFacts:
    if not call.statements:
        return _NO_STATEMENTS
    return read_statements(call.service, call.statements)


def _given(name: str, call: Call, given: Context) -> object:
    return given.get(name, "")


_KINDS: dict[str, type] = {
    "String": str, "Bool": bool, "Long": int, "Set": tuple, "ipaddr": str
}  # fmt: skip


def cedar_context(names: tuple[str, ...], values: tuple[Any, ...]) -> dict[str, object]:
    """Return a context for Cedar.

    Raises:
        ValueError: a value is not of its attribute's type; the message names it.
    """
    context: dict[str, object] = {}
    for name, value in zip(names, values, strict=True):
        kind = CONTEXT[name]
        if type(value) is not _KINDS[kind]:
            raise ValueError(f"context attribute `{name}` is no {kind}")
        context[name] = value
        if kind == "ipaddr":
            address = _address(name, str(value))
            context[name] = {"__extn": {"fn": "ip", "arg": address}}
    return context


def _address(name: str, text: str) -> str:
    """The address as Cedar takes it: no zone, an IPv4 address never mapped."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0] or "::")
    except ValueError:
        raise ValueError(f"context attribute `{name}` is no IP address") from None
    return str(getattr(address, "ipv4_mapped", None) or address)


def cedar_entities(principal: Principal, need: Need, labels: Labels) -> str:
    """Return the JSON of the three entities of a request and their parents."""
    return json.dumps(
        [
            {
                "uid": {"type": "Agent", "id": principal.id},
                "attrs": {"issuer": principal.issuer, "subject": principal.subject},
                "parents": [{"type": "Group", "id": name} for name in principal.groups],
            },
            {
                "uid": {"type": "Action", "id": need.action},
                "attrs": {},
                "parents": [
                    {"type": "Action", "id": group}
                    for group in groups_of(need.action, need.level.value)
                ],
            },
            {
                "uid": {"type": "Resource", "id": need.resource},
                "attrs": _resource(need.resource, labels),
                "parents": [],
            },
        ]
    )


def _resource(resource: str, labels: Labels) -> dict[str, object]:
    parts = resource.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        parts = ["", "", "", "", "", resource]
    return {
        "arn": resource,
        "service": parts[2],
        "region": parts[3],
        "account": parts[4],
        "name": parts[5],
        "labels": labels.of(resource),
    }
