"""How many people of which groups have to approve, and who is still missing.

People are counted, not groups: every approver fills one seat, so somebody who is in
two groups that both have to approve still counts once, and a second person is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gatekeep import limits
from gatekeep.errors import OperatorError


class QuorumLike(Protocol):
    """What policy asks for: so many people of that group."""

    @property
    def count(self) -> int:
        """How many people, at least 1."""

    @property
    def group(self) -> str:
        """The group they are in."""


@dataclass(frozen=True, slots=True)
class Quorum:
    """So many distinct people of that group."""

    count: int
    group: str

    def __str__(self) -> str:
        return f"{self.count} of {self.group}"


@dataclass(frozen=True, slots=True)
class Missing:
    """What has to come before the quorums are met."""

    people: int
    """How many more approvals; 0 when the quorums are met."""
    groups: tuple[str, ...]
    """The next approval counts when it is of a member of one of these."""

    def __str__(self) -> str:
        return f"{self.people} more of {' or '.join(self.groups)}"


def merge_quorums(quorums: Iterable[QuorumLike]) -> tuple[Quorum, ...]:
    """Return the quorums with one for each group, the greatest, sorted by group.

    Raises:
        OperatorError: there is none (`access.quorum`: no approval would be needed),
            one asks for less than one person or names no group, or together they ask
            for more than `limits.QUORUM_PEOPLE_MAX` people.
    """
    counts: dict[str, int] = {}
    for quorum in quorums:
        if quorum.count < 1 or not quorum.group:
            raise OperatorError(
                "access.quorum", "a quorum is at least 1 person of a named group"
            )
        counts[quorum.group] = max(quorum.count, counts.get(quorum.group, 0))
    if not 1 <= sum(counts.values()) <= limits.QUORUM_PEOPLE_MAX:
        raise OperatorError(
            "access.quorum",
            f"a hold needs 1 to {limits.QUORUM_PEOPLE_MAX} people to approve it, "
            f"not {sum(counts.values())}",
        )
    return tuple(Quorum(counts[group], group) for group in sorted(counts))


def missing_approvals(
    quorums: Sequence[Quorum], approvers: Sequence[Iterable[str]]
) -> Missing:
    """Return what is missing when people with these groups have approved.

    Args:
        quorums: from `merge_quorums`.
        approvers: the groups of each approver, one entry a person.
    """
    seats = [quorum.group for quorum in quorums for _ in range(quorum.count)]
    taken: dict[int, int] = {}
    groups = [frozenset(approver) for approver in approvers]
    for person in range(len(groups)):
        _sit(person, groups, seats, taken, set())
    open_groups = [
        quorum.group
        for quorum in quorums
        if _sit(len(groups), [*groups, {quorum.group}], seats, dict(taken), set())
    ]
    return Missing(len(seats) - len(taken), tuple(open_groups))


def _sit(
    person: int,
    groups: Sequence[Iterable[str]],
    seats: Sequence[str],
    taken: dict[int, int],
    tried: set[int],
) -> bool:
    """Give a person a seat, moving others if need be (augmenting path); or False."""
    for seat, group in enumerate(seats):
        if group not in groups[person] or seat in tried:
            continue
        tried.add(seat)
        if seat not in taken or _sit(taken[seat], groups, seats, taken, tried):
            taken[seat] = person
            return True
    return False
