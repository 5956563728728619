"""What policies may speak about: entity types, attributes, actions and their groups.

Everything here is the contract with the people who write policies; the README
explains it to them. The schema that policies are checked against is made from it.

    Agent::"<issuer>#<subject>"  in Group::"<group>"     issuer, subject
    Action::"dynamodb:GetItem"   in Action::"Read", Action::"dynamodb:*" and
                                    Action::"dynamodb:Read"
    Resource::"<arn>"                                    arn, service, region,
                                                         account, name, labels
    context                                              see `CONTEXT`
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from gatekeep.aws.call import AccessLevel

LEVELS = tuple(level.value for level in AccessLevel)

CONTEXT: dict[str, str] = {
    "service": "String",
    "operation": "String",
    "protocol": "String",
    "region": "String",
    "changes": "Bool",
    "source_ip": "ipaddr",
    "justification": "String",
    "ticket": "String",
    "session_name": "String",
    "statement_verbs": "Set",
    "statement_tables": "Set",
    "statement_unparsed": "Bool",
    "hour_utc": "Long",
    "weekday": "String",
}
"""Every attribute of the context and its type; all of them are always present.

``service`` and ``operation`` are botocore's names (``dynamodb``, ``GetItem``);
``changes`` is whether anything can change through the call; ``statement_…`` are
explained in `policy.statements`; ``weekday`` is ``Monday`` to ``Sunday`` in UTC.
A fact that is not known is the empty string; an unknown ``source_ip`` is ``::``.
"""

RESOURCE: dict[str, str] = {
    "arn": "String",
    "service": "String",
    "region": "String",
    "account": "String",
    "name": "String",
    "labels": "Set",
}
"""Attributes of a resource: the parts of its ARN (``name`` is all after the fifth
colon) and the labels that settings give it. Of what is no ARN (``*``) only ``arn``
and ``name`` are not empty."""

PRINCIPAL: dict[str, str] = {"issuer": "String", "subject": "String"}

ATTRIBUTES = {
    "context": CONTEXT,
    "resource": RESOURCE,
    "principal": PRINCIPAL,
    "action": dict[str, str](),
}
"""What may stand after each of Cedar's four variables and a dot."""

_TYPES: dict[str, dict[str, Any]] = {
    "String": {"type": "String"},
    "Bool": {"type": "Boolean"},
    "Long": {"type": "Long"},
    "Set": {"type": "Set", "element": {"type": "String"}},
    "ipaddr": {"type": "Extension", "name": "ipaddr"},
}


class Actions(Protocol):
    """What the engine needs of the catalogue: every IAM action, by its exact name."""

    def actions(self) -> Iterator[tuple[str, AccessLevel]]:
        """Each action once with its access level: ``("s3:GetObject", READ)``."""

    def access_level(self, action: str) -> AccessLevel:
        """Its access level; KeyError when there is no such action."""

    def canonical_action(self, action: str) -> str:
        """The exact name of an action in any letter case; KeyError when unknown."""


def groups_of(action: str, level: str) -> tuple[str, str, str]:
    """Return the action groups that an action is in.

    For ``dynamodb:GetItem`` of level ``Read``: ``Read``, ``dynamodb:*`` and
    ``dynamodb:Read``.
    """
    prefix = action.partition(":")[0]
    return level, f"{prefix}:*", f"{prefix}:{level}"


class Vocabulary:
    """The catalogue's actions, arranged for checking policies."""

    def __init__(self, actions: Actions) -> None:
        self._actions = actions
        self._examples: dict[str, dict[str, str]] = {}
        """One action by prefix and access level: what stands for a group in a
        schema, since actions of one service and level differ in name only."""
        for action, level in actions.actions():
            prefix = action.partition(":")[0]
            self._examples.setdefault(prefix, {}).setdefault(level.value, action)

    def check_action(self, name: str) -> None:
        """Check that a policy may name this action or group of actions.

        Raises:
            ValueError: there is none of that name; the message suggests one.
        """
        prefix, _, rest = name.partition(":")
        levels = self._examples.get(prefix, {})
        if name in LEVELS or rest in levels or (rest == "*" and levels):
            return
        try:
            exact = self._actions.canonical_action(name)
        except KeyError:
            exact = ""
        if exact == name:
            return
        near = [exact] if exact else self._similar(name, prefix)
        meant = f"; did you mean `{near[0]}`" if near else ""
        raise ValueError(f"there is no action or group of actions `{name}`{meant}")

    def _similar(self, name: str, prefix: str) -> list[str]:
        if prefix in self._examples:
            known = [a for a, _ in self._actions.actions() if a.startswith(prefix)]
            known += [f"{prefix}:{level}" for level in ("*", *self._examples[prefix])]
        else:
            known = [*LEVELS, *(f"{prefix}:*" for prefix in self._examples)]
        return difflib.get_close_matches(name, known, n=1)

    def schema(self, mentioned: Iterable[str]) -> str:
        """Return the JSON schema for a policy that names these actions and groups.

        It holds the mentioned actions, an action of each level of the mentioned
        services, and one of each level of any service. A schema of all 21,000 actions
        takes Cedar seconds to read and says no more: the check is whether a scope can
        apply at all, and what types attributes have, the same for every action.
        """
        mentioned = set(mentioned)
        prefixes = {name.partition(":")[0] for name in mentioned if ":" in name}
        every_level = {
            level: action
            for examples in self._examples.values()
            for level, action in examples.items()
        }
        levels = {action: level for level, action in every_level.items()}
        for prefix in prefixes:
            levels.update((a, level) for level, a in self._examples[prefix].items())
        for name in mentioned:
            if ":" in name and name.partition(":")[2] not in ("*", *LEVELS):
                levels[name] = self._actions.access_level(name).value
        applies_to = {
            "principalTypes": ["Agent"],
            "resourceTypes": ["Resource"],
            "context": _record(CONTEXT),
        }
        groups = {name for name in mentioned if name not in levels}
        actions: dict[str, dict[str, Any]] = {}
        for action, level in levels.items():
            parents = groups_of(action, level)
            groups.update(parents)
            actions[action] = {
                "memberOf": [{"id": parent} for parent in parents],
                "appliesTo": applies_to,
            }
        actions.update((group, {}) for group in groups)
        entities = {
            "Group": {},
            "Agent": {"memberOfTypes": ["Group"], "shape": _record(PRINCIPAL)},
            "Resource": {"shape": _record(RESOURCE)},
        }
        return json.dumps({"": {"entityTypes": entities, "actions": actions}})


def _record(attributes: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "Record",
        "attributes": {name: _TYPES[kind] for name, kind in attributes.items()},
    }
