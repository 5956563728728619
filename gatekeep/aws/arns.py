"""ARNs from templates: which resources a call names.

IAM describes a resource type by a template such as
``arn:${Partition}:dynamodb:${Region}:${Account}:table/${TableName}``; the compiled
catalogue says for each variable which parameter holds it. What the request does not
tell is left as ``${}``: such a resource is matched only by a pattern whose wildcard
spans the whole part, so a permission for some resources of a type never covers an
unknown one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice, product
from typing import Any, NamedTuple

from gatekeep import limits
from gatekeep.aws.readers import refuse

UNKNOWN = "${}"
"""A part of an ARN that the request does not tell."""

PARTITION, REGION, ACCOUNT = -1, -2, -3
"""Parts of a compiled template that the place fills, as `render` indexes them; other
parts are text or the number of a variable."""

_PLACES = (None, PARTITION, None, REGION, ACCOUNT)
"""What a variable in each of the first fields of an ARN is, whatever its name."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call goes: what every ARN it names has in common."""

    partition: str
    region: str
    account_id: str


def compile_template(template: str) -> tuple[list[str | int], list[str]]:
    """A template as parts, text and numbers, and the names behind the numbers."""
    parts: list[str | int] = []
    variables: list[str] = []
    field = 0
    for position, piece in enumerate(_VARIABLE.split(template)):
        if position % 2 == 0:
            field += piece.count(":")
            if piece:
                parts.append(piece)
            continue
        place = _PLACES[field] if field < len(_PLACES) else None
        if place is None:
            parts.append(len(variables))
            variables.append(piece)
        else:
            parts.append(place)
    return parts, variables


def render(parts: list[str | int], place: Place, values: tuple[str, ...]) -> str:
    """The ARN of a compiled template."""
    # Negative numbers count from the end: account, region and partition stand there.
    slots = (*values, place.account_id, place.region, place.partition)
    return "".join([part if type(part) is str else slots[part] for part in parts])  # type: ignore[index]


def matches(parts: list[str | int], arn: str) -> bool:
    """Whether an ARN is of the compiled template's type, in any account or region.

    Checks the literal text between variables, in order; a variable is not empty.
    """
    position = 0
    after_variable = False
    for part in parts:
        if type(part) is not str:
            after_variable = True
            continue
        if after_variable:
            found = arn.find(part, position + (part[:1] != ":"))
            if found < 0:
                return False
        elif arn.startswith(part, position):
            found = position
        else:
            return False
        position = found + len(part)
        after_variable = False
    return position < len(arn) if after_variable else position == len(arn)


def look_up(parameters: Any, path: list[str]) -> list[str]:
    """The texts at a parameter path; ``*`` steps into each element of a list."""
    if len(path) == 1 and path[0] != "*":
        value = parameters.get(path[0])
        if type(value) is str:
            return [value] if value else []
        level = [value]
    else:
        level = _descend(parameters, path)
    texts = []
    for value in level:
        for item in value if type(value) is list else (value,):
            if type(item) is str:
                if item:
                    texts.append(item)
            elif type(item) is int:
                texts.append(str(item))
    return texts


def _descend(parameters: Any, path: list[str]) -> list[Any]:
    level = [parameters]
    for step in path:
        if step == "*":
            level = [item for outer in level for item in _elements(outer)]
        else:
            level = [
                outer[step]
                for outer in level
                if isinstance(outer, Mapping) and step in outer
            ]
    return level


def _elements(value: Any) -> Iterable[Any]:
    if type(value) is list:
        return value
    return value.values() if isinstance(value, Mapping) else ()


_MARKERS = ("=", "~")
"""First in a path: the parameter counts only where it holds a whole ARN. ``=`` is a
parameter for the resource of the call, ``~`` one for anything."""


class Filled(NamedTuple):
    """What the parameters of a call say about one resource type."""

    arns: list[str]
    """ARNs, with `UNKNOWN` for what is not told."""
    named: bool
    """The parameters name at least a part."""
    complete: bool
    """They name every part of at least one resource."""


def fill(resource: list[Any], parameters: Mapping[str, Any], place: Place) -> Filled:
    """The ARNs of one resource type that the parameters name.

    Args:
        resource: ``[parts, sources, required, each]``: a compiled template; for
            each variable the paths of the parameters that may hold it (`_MARKERS`); and
            the path of a list of structures of which each names a resource, or
            nothing.
        parameters: of the call.
        place: of the call.

    A parameter that holds a whole ARN of this type stands for the resource itself.
    """
    parts, sources, _, each = resource
    if len(sources) == 1 and len(sources[0]) == 1 and not each:
        # Nearly every call: one name in one parameter.
        name = parameters.get(sources[0][0][0])
        if type(name) is str and name and not name.startswith("arn:"):
            return Filled([render(parts, place, (name,))], True, True)
    if not each:
        return _fill_one(parts, sources, parameters, place)
    elements = _descend(parameters, each)
    filled = [
        _fill_one(
            parts, _within(sources, each), {"whole": parameters, "own": element}, place
        )
        for element in elements
    ]
    if not filled:
        return _fill_one(parts, [[] for _ in sources], parameters, place)
    if len(filled) > limits.NEEDS_MAX:
        refuse("the call names more resources than any AWS call", "aws.too_many_needs")
    return Filled(
        list(dict.fromkeys(arn for one in filled for arn in one.arns)),
        any(one.named for one in filled),
        any(one.complete for one in filled),
    )


def _within(sources: list[list[list[str]]], each: list[str]) -> list[list[list[str]]]:
    """Paths as seen from one element of the list at ``each``."""
    depth = len(each)
    return [
        [
            ["own", *path[depth:]]
            if path[:depth] == each
            else [path[0], "whole", *path[1:]]
            if path[0] in _MARKERS
            else ["whole", *path]
            for path in paths
        ]
        for paths in sources
    ]


def _fill_one(
    parts: list[str | int],
    sources: list[list[list[str]]],
    parameters: Any,
    place: Place,
) -> Filled:
    columns: list[list[str]] = []
    arns: list[str] = []
    foreign = False
    for paths in sources:
        values: list[str] = []
        for path in paths:
            marker = path[0] if path[0] in _MARKERS else ""
            for value in look_up(parameters, path[1:] if marker else path):
                if value.startswith("arn:"):
                    if matches(parts, value):
                        arns.append(value)
                    elif marker != "~":
                        foreign = True
                elif not marker:
                    values.append(value)
        columns.append(values)
    named = any(columns)
    if not named and (arns or foreign):
        # Only ARNs, of this type or of another: nothing is left to render.
        return Filled(arns, bool(arns), bool(arns))
    complete = all(columns)
    if arns and not complete:
        # A whole ARN names what the other parameters only name in part.
        return Filled(arns, True, True)
    combinations = list(
        islice(product(*(c or [UNKNOWN] for c in columns)), limits.NEEDS_MAX + 1)
    )
    if len(combinations) > limits.NEEDS_MAX:
        refuse("the call names more resources than any AWS call", "aws.too_many_needs")
    rendered = [render(parts, place, values) for values in combinations]
    return Filled(arns + rendered, named or not sources, complete)
