"""What the developer of a refused or held agent is told: one line, and what to do.

It names the action, the resource, who asked and which policy decided; never a fact of
the request beyond those.
"""

from __future__ import annotations

from collections.abc import Sequence

from gatekeep import limits
from gatekeep.aws.call import Call, Need
from gatekeep.policy.decision import Quorum
from gatekeep.principal import Principal

_ASK_OWNER = "ask the owner of the gatekeep policy"


def denied(principal: Principal, need: Need, policies: Sequence[str]) -> str:
    """Policies forbid it or, when none is named, no policy permits it."""
    why = f"forbidden by {_named(policies)}" if policies else "no policy permits it"
    return _refusal(principal, _what(need), why, _ASK_OWNER)


def faulty(principal: Principal, need: Need, policies: Sequence[str]) -> str:
    """Policies could not be evaluated."""
    why = f"an error in {_named(policies)}"
    return _refusal(principal, _what(need), why, _ASK_OWNER)


def unable(principal: Principal, call: Call, why: str) -> str:
    """The request could not be judged at all."""
    what = _clean(f"{call.service}:{call.operation}")
    return _refusal(principal, what, _clean(why), _ASK_OWNER)


def unjustified(
    principal: Principal, need: Need, policies: Sequence[str], missing: Sequence[str]
) -> str:
    """The session lacks a justification or a ticket."""
    things = " and a ".join(missing)
    why = f"permitted only with a {things} by {_named(policies)}"
    todo = f"open a session that carries a {things}"
    return _refusal(principal, _what(need), why, todo)


def held(
    principal: Principal,
    need: Need,
    policies: Sequence[str],
    quorums: Sequence[Quorum],
) -> str:
    """People have to approve it."""
    people = " and ".join(str(quorum) for quorum in quorums)
    return (
        f"gatekeep: {_what(need)} is held for {_clean(principal.subject)}:"
        f" permitted by {_named(policies)} after approval by {people}"
    )


def _refusal(principal: Principal, what: str, why: str, todo: str) -> str:
    subject = _clean(principal.subject)
    return f"gatekeep: {what} is not permitted for {subject}: {why}; {todo}"


def _what(need: Need) -> str:
    place = "" if need.resource == "*" else f" on {_clean(need.resource)}"
    return f"{_clean(need.action)}{place}"


def _named(policies: Sequence[str]) -> str:
    return "policy " + " and ".join(f"`{name}`" for name in policies)


def _clean(text: object) -> str:
    """A text of the client's as a message can hold it: printable and not too long."""
    clean = "".join(c if c.isprintable() else "?" for c in str(text))
    shown = limits.DECISION_NAME_CHARACTERS_MAX
    return clean if len(clean) <= shown else f"{clean[:shown]}…"
