"""What policy says about a call: the decision, its reasons and its obligations.

Obligations only ever add up: what one policy asks for, no other can take away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from gatekeep import limits

_QUORUM = re.compile(r"(?P<count>[0-9]{1,4}) of (?P<group>\S(?:.*\S)?)")


class Effect(Enum):
    """What happens to a call."""

    ALLOW = "allow"
    DENY = "deny"
    HOLD = "hold"
    """Permitted once people have approved exactly this request."""


@dataclass(frozen=True, slots=True)
class Quorum:
    """So many distinct people of a group have to approve."""

    count: int
    """At least 1."""
    group: str

    def __str__(self) -> str:
        return f"{self.count} of {self.group}"


CAPTURES = ("none", "masked", "full")
"""How much of the masked bodies the record keeps, from least to most: nothing, up
to the capture limit, everything. More evidence is the stricter duty, so the last
one wins. A permit without ``@capture`` asks for ``masked``, so ``none`` holds only
when every permit that applies says so."""

JUSTIFICATIONS = ("justification", "ticket")
"""What ``@justify`` can ask a session to carry."""


@dataclass(frozen=True, slots=True)
class Obligations:
    """What has to be done with a permitted call."""

    mask: tuple[str, ...] = ()
    """Masking profiles to apply, sorted."""
    approve: tuple[Quorum, ...] = ()
    """Every one has to be met; one a group, sorted by group."""
    justify: tuple[str, ...] = ()
    """Members of `JUSTIFICATIONS` that the session has to carry, sorted."""
    capture: str = "masked"
    """One of `CAPTURES`."""
    block_on: tuple[str, ...] = ()
    """Detectors that stop a request whose body they find something in, sorted."""


NO_OBLIGATIONS = Obligations()


def merge_obligations(obligations: Iterable[Obligations]) -> Obligations:
    """Return obligations that are met only when each of the given ones is.

    Sets are united; of two quorums of one group the greater holds both; of captures
    the last of `CAPTURES`. The order of the arguments does not matter.
    """
    merged = list(obligations)
    counts: dict[str, int] = {}
    for quorum in (quorum for each in merged for quorum in each.approve):
        counts[quorum.group] = max(quorum.count, counts.get(quorum.group, 0))
    return Obligations(
        mask=_union(each.mask for each in merged),
        approve=tuple(Quorum(counts[group], group) for group in sorted(counts)),
        justify=_union(each.justify for each in merged),
        capture=max(
            (each.capture for each in merged),
            key=CAPTURES.index,
            default=NO_OBLIGATIONS.capture,
        ),
        block_on=_union(each.block_on for each in merged),
    )


def _union(names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({name for each in names for name in each}))


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy says about one call."""

    effect: Effect
    reasons: tuple[str, ...]
    """The ``@id`` of each policy that made it so, sorted; empty when no policy
    permits. Where a policy could not be evaluated: ``<id>: evaluation error``."""
    obligations: Obligations
    """Of a denial: none."""
    policy_version: str
    """`PolicyEngine.version` that decided."""
    message: str = ""
    """For the developer of a refused or held agent: one line that says what was
    asked, why not and what to do; empty when allowed."""


def merge_decisions(decisions: Iterable[Decision]) -> Decision:
    """Return the decision on a call from those on each of its needs, at least one.

    One denial denies; else one hold holds.
    """
    each = list(decisions)
    if each and each.count(each[0]) == len(each):
        return each[0]
    for effect in (Effect.DENY, Effect.HOLD, Effect.ALLOW):
        decisive = [one for one in each if one.effect is effect]
        if not decisive:
            continue
        counted = each if effect is not Effect.DENY else decisive
        obligations = merge_obligations(one.obligations for one in counted)
        return Decision(
            effect,
            _union(one.reasons for one in counted),
            obligations,
            each[0].policy_version,
            decisive[0].message,
        )
    raise ValueError("a call has at least one need")


def obligations_of(annotations: Mapping[str, str]) -> Obligations:
    """Return the obligations that a policy's annotations name.

    ``@mask("pii,pan")``, ``@approve("2 of dba, 1 of risk")``, ``@justify("ticket")``,
    ``@capture("full")``, ``@block_on("pan")``; other names are not looked at.

    Raises:
        ValueError: a value has another form; the message says what was expected.
    """
    capture = annotations.get("capture", NO_OBLIGATIONS.capture)
    if capture not in CAPTURES:
        raise ValueError(f"@capture: expected {_either(CAPTURES)}, not `{capture}`")
    justify = _names("justify", annotations)
    if wrong := [name for name in justify if name not in JUSTIFICATIONS]:
        raise ValueError(
            f"@justify: expected {_either(JUSTIFICATIONS)}, not `{wrong[0]}`"
        )
    quorums = [_quorum(text) for text in _names("approve", annotations)]
    return merge_obligations(
        [
            Obligations(
                mask=_names("mask", annotations),
                approve=tuple(quorums),
                justify=justify,
                capture=capture,
                block_on=_names("block_on", annotations),
            )
        ]
    )


def _names(annotation: str, annotations: Mapping[str, str]) -> tuple[str, ...]:
    """The comma-separated parts of an annotation's value; none when it is absent."""
    if annotation not in annotations:
        return ()
    names = tuple(part.strip() for part in annotations[annotation].split(","))
    if not all(names):
        raise ValueError(f"@{annotation}: expected a name, or several with commas")
    return names


def _quorum(text: str) -> Quorum:
    form = _QUORUM.fullmatch(text)
    if form is None:
        raise ValueError(
            f'@approve: expected a quorum like "2 of dba", not `{text[:80]}`'
        )
    count = int(form["count"])
    if not 1 <= count <= limits.QUORUM_PEOPLE_MAX:
        raise ValueError(
            f"@approve: expected 1 to {limits.QUORUM_PEOPLE_MAX} people, not {count}"
        )
    return Quorum(count, form["group"])


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(f"`{name}`" for name in names)
