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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from gatekeep import limits
from gatekeep.aws.readers import refuse

UNKNOWN = "${}"
"""A part of an ARN that the request does not tell."""

PARTITION, REGION, ACCOUNT = -1, -2, -3
"""Parts of a compiled template that the place fills; others are text or variables."""

_PLACES = {"Partition": PARTITION, "Region": REGION, "Account": ACCOUNT}
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
    for position, piece in enumerate(_VARIABLE.split(template)):
        if position % 2 == 0:
            if piece:
                parts.append(piece)
        elif piece in _PLACES:
            parts.append(_PLACES[piece])
        else:
            parts.append(len(variables))
            variables.append(piece)
    return parts, variables


def render(parts: list[str | int], place: Place, values: tuple[str, ...]) -> str:
    """The ARN of a compiled template."""
    text = ""
    for part in parts:
        if type(part) is str:
            text += part
        elif part == REGION:
            text += place.region
        elif part == ACCOUNT:
            text += place.account_id
        elif part == PARTITION:
            text += place.partition
        else:
            text += values[part]  # type: ignore[index]  # an int by elimination
    return text


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


def look_up(parameters: Any, path: list[str]) -> Iterator[str]:
    """The texts at a parameter path; ``*`` steps into each element of a list."""
    if not path:
        if type(parameters) is str:
            if parameters:
                yield parameters
        elif type(parameters) is int:
            yield str(parameters)
        elif type(parameters) is list:
            for item in parameters:
                yield from look_up(item, path)
        return
    step, *rest = path
    if step == "*":
        if type(parameters) is list:
            for item in parameters:
                yield from look_up(item, rest)
        elif isinstance(parameters, Mapping):
            for item in parameters.values():
                yield from look_up(item, rest)
    elif isinstance(parameters, Mapping) and step in parameters:
        yield from look_up(parameters[step], rest)


def fill(
    parts: list[str | int],
    sources: list[list[str] | None],
    parameters: Mapping[str, Any],
    place: Place,
) -> tuple[list[str], bool]:
    """ARNs of one resource type that the parameters name.

    Args:
        parts: a compiled template.
        sources: for each variable, the path of the parameter that holds it.
        parameters: of the call.
        place: of the call.

    Returns:
        The ARNs, and whether at least one variable was filled. A parameter that
        holds a whole ARN of this type stands for the resource itself.
    """
    columns: list[list[str]] = []
    arns: list[str] = []
    filled = False
    for path in sources:
        values = list(look_up(parameters, path)) if path else []
        whole = [value for value in values if value.startswith("arn:")]
        if whole:
            arns.extend(value for value in whole if matches(parts, value))
            values = [value for value in values if not value.startswith("arn:")]
            if not values:
                columns.append([])
                continue
        if values:
            filled = True
        columns.append(values or [UNKNOWN])
    if arns and not all(columns):
        return arns, True
    if not all(columns):
        # An ARN of another type stands where this one's name would.
        return [], False
    combinations = list(islice(product(*columns), limits.NEEDS_MAX + 1))
    if len(combinations) > limits.NEEDS_MAX:
        refuse("the call names more resources than any AWS call", "aws.too_many_needs")
    return arns + [render(parts, place, values) for values in combinations], (
        filled or not sources
    )
