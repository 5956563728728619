"""What member names mean, by service: which are masked, untouched, blobs or pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gatekeep._fast.names import Names
from gatekeep.masking.profiles import Profile, Step
from gatekeep.masking.styles import Style
from gatekeep.masking.untouched import UNTOUCHED_MEMBERS
from gatekeep.masking.wire_facts import BLOBS

# Flags of `gatekeep._fast.names`.
UNTOUCHED, BLOB, PAIR_NAME, PAIR_VALUE, TYPE_NAME, SECURE = 1, 2, 4, 8, 16, 32

PAIR_NAMES = (b"name", b"key", b"attributename")
PAIR_VALUES = (b"value", b"stringvalue", b"attributevalue")
"""Members of one object of which the first names the second: tags, Cognito's user
attributes, CloudWatch's dimensions."""

SECRET_VALUE = "secret-value"  # noqa: S105  # a detector's name, no credential
"""The detector of what Secrets Manager and SSM's ``SecureString`` keep."""

ANY_ELEMENT = -1
TOP = 1

Places = Mapping[tuple[str, Style], int]
"""The place of each style, with the name it counts under, in the kernel's table."""


Cells = Mapping[tuple[Step | int, ...], tuple[int, int]]
"""Paths, with list elements by place, to the style and keyed bits of what is there."""


@dataclass(slots=True)
class _Entry:
    """One name, as the kernel keeps it."""

    style: int = -1
    keyed: int = 0
    flags: int = 0
    step: int = 0


class _Table(dict[bytes, _Entry]):
    def __missing__(self, name: bytes) -> _Entry:
        entry = self[name] = _Entry()
        return entry

    def flag(self, names: Sequence[bytes] | frozenset[bytes], flag: int) -> None:
        for name in names:
            self[name].flags |= flag


def service_names(
    service: str,
    profile: Profile,
    keyed: Sequence[tuple[frozenset[bytes], int]],
    places: Places,
    inside: Names | None,
    cells: Cells | None = None,
) -> Names:
    """Return the names that mean something in the answers of a service.

    Args:
        service: botocore's name; empty: a user's own text.
        profile: what is hidden.
        keyed: telling names, and the bit of the check that they call for.
        places: where each style stands in the kernel's table.
        inside: the names of users' own texts inside of the answers.
        cells: paths that only this answer has: a table's columns.
    """
    table = _Table()
    for names, bit in keyed:
        for name in names:
            table[name].keyed |= bit
    for name, style in profile.names.items():
        table[name].style = places["field", style]
    if service:
        table.flag(UNTOUCHED_MEMBERS, UNTOUCHED)
    table.flag(BLOBS.get(service, frozenset()), BLOB)
    table.flag(PAIR_NAMES, PAIR_NAME)
    table.flag(PAIR_VALUES, PAIR_VALUE)
    secure = _secrets(table, service, profile, places)
    ways, nodes = _tree(table, profile, places, cells or {})
    entries = {
        name: (one.style, one.keyed, one.flags, one.step) for name, one in table.items()
    }
    return Names(entries, ways, nodes, secure, inside)


def _secrets(table: _Table, service: str, profile: Profile, places: Places) -> int:
    """Enter where a service keeps secrets; return the style of SSM's, or -1."""
    style = profile.detectors.get(SECRET_VALUE)
    if style is None:
        return -1
    place = places[SECRET_VALUE, style]
    if service == "secretsmanager":
        for name in (b"secretstring", b"secretbinary"):
            known = table[name].style
            table[name].style = place if known < 0 else min(known, place)
    elif service == "ssm":
        table[b"type"].flags |= TYPE_NAME
        table[b"value"].flags |= SECURE
        return place
    return -1


def _tree(
    table: _Table, profile: Profile, places: Places, cells: Cells
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]]:
    """The paths as a tree: ways from node to node; each node's style and keyed bits."""
    steps: dict[bytes, int] = {}
    ways: dict[tuple[int, int], int] = {}
    nodes = [(-1, 0), (-1, 0)]

    def step_number(step: Step | int) -> int:
        if step is None:
            return ANY_ELEMENT
        if isinstance(step, int):
            return -2 - step
        number = steps.setdefault(step, len(steps) + 1)
        table[step].step = number
        return number

    def enter(path: Sequence[Step | int], style: int, keyed: int) -> None:
        node = TOP
        for step in path:
            way = (node, step_number(step))
            if way not in ways:
                ways[way] = len(nodes)
                nodes.append((-1, 0))
            node = ways[way]
        known = nodes[node][0]
        nodes[node] = (style if known < 0 else min(style, known), keyed)

    for path, style in profile.paths.items():
        enter(path, places["field", style], 0)
    for cell_path, (place, keyed) in cells.items():
        enter(cell_path, place, keyed)
    return [(node, step, to) for (node, step), to in ways.items()], nodes
