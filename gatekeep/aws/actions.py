"""What a call needs: IAM actions on resource ARNs, from its plan and parameters.

Rules, in order:

1. Each resource type of an action whose variables the parameters fill gives a need;
   lists give one each, and a whole ARN stands for itself.
2. A type that IAM requires and the parameters do not name gives its ARN with ``${}``
   for what is not known (`arns`).
3. An ARN given where a resource is expected and of none of the types stands for
   itself.
4. Otherwise the action is asked for on ``*``: the call is about no one resource.

Every need must be allowed for the call to go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatekeep import limits
from gatekeep.aws.arns import Place, fill, look_up
from gatekeep.aws.call import AccessLevel, Need
from gatekeep.aws.catalogue import Catalogue, Service
from gatekeep.aws.readers import refuse
from gatekeep.aws.special import SPECIAL

_LEVELS = {level.value: level for level in AccessLevel}


def needs_of(
    catalogue: Catalogue,
    service: Service,
    operation: str,
    parameters: Mapping[str, Any],
    place: Place,
) -> tuple[Need, ...]:
    """The needs of one call; at least one, without repeats.

    Raises:
        UnrecognisedError: the parameters do not say what is needed, or name more
            than `limits.NEEDS_MAX` resources.
    """
    special = SPECIAL.get((service.name, operation))
    needs: dict[Need, None] = {}
    if special is not None:
        for action, resource in special(parameters, place):
            needs[Need(action, resource, catalogue.access_level(action))] = None
    else:
        for action, level, resources in service.operation(operation).plan:
            for arn in _resources(resources, parameters, place):
                needs[Need(action, arn, _LEVELS[level])] = None
    if len(needs) > limits.NEEDS_MAX:
        refuse("the call names more resources than any AWS call", "aws.too_many_needs")
    return tuple(needs)


def _resources(
    resources: list[Any], parameters: Mapping[str, Any], place: Place
) -> list[str]:
    arns: list[str] = []
    unknown: list[str] = []
    for parts, sources, required in resources:
        named, filled = fill(parts, sources, parameters, place)
        complete = [arn for arn in named if "${}" not in arn]
        if filled:
            arns.extend(named if required else complete)
        elif required:
            unknown.extend(named)
    if not arns and not unknown:
        given = _given_arns(resources, parameters)
        return given or ["*"]
    if not arns and len(resources) == 1:
        return _given_arns(resources, parameters) or unknown
    return arns + unknown


def _given_arns(resources: list[Any], parameters: Mapping[str, Any]) -> list[str]:
    """Whole ARNs that stand where a resource is named, whatever their type."""
    found: dict[str, None] = {}
    for _, sources, _ in resources:
        for path in sources:
            if path:
                steps = path[1:] if path[0] == "=" else path
                for value in look_up(parameters, steps):
                    if value.startswith("arn:"):
                        found[value] = None
    return list(found)
