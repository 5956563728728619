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
from gatekeep.aws.arns import Place, fill, look_up, render
from gatekeep.aws.call import AccessLevel, Need
from gatekeep.aws.catalogue import Catalogue, Operation, Service
from gatekeep.aws.readers import refuse
from gatekeep.aws.references import has_owner, place_of, rewriter_of
from gatekeep.aws.special import BESIDES, SPECIAL


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
    described = service.operation(operation)
    recipe = described.recipe
    if recipe is None:
        recipe = described.recipe = _Recipe(service.name, described)
    if recipe.path is not None:
        # Most calls: one action on the one resource that one parameter names.
        name = parameters.get(recipe.path)
        if type(name) is str and name and not name.startswith("arn:"):
            action, level, resources = described.plan[0]
            return (Need(action, render(resources[0][0], place, (name,)), level),)
    return _all_needs(catalogue, service.name, recipe, parameters, place)


class _Recipe:
    """What is known of an operation's needs before its parameters are."""

    __slots__ = ("besides", "path", "plan", "rewriter", "special")

    def __init__(self, service: str, operation: Operation) -> None:
        self.plan = operation.plan
        self.special = SPECIAL.get((service, operation.name))
        self.besides = BESIDES.get(service)
        self.rewriter = rewriter_of(service, operation.name)
        self.path: str | None = None
        if not (self.special or self.besides or self.rewriter or has_owner(service)):
            self.path = _only_path(self.plan)


def _only_path(plan: list[tuple[str, AccessLevel, list[Any]]]) -> str | None:
    """The parameter that alone names the one resource of a plan, if there is one."""
    if len(plan) != 1 or len(plan[0][2]) != 1:
        return None
    _, sources, required, each = plan[0][2][0]
    if required is None or each or len(sources) != 1 or len(sources[0]) != 1:
        return None
    path = sources[0][0]
    return str(path[0]) if len(path) == 1 else None


def _all_needs(
    catalogue: Catalogue,
    service: str,
    recipe: _Recipe,
    parameters: Mapping[str, Any],
    place: Place,
) -> tuple[Need, ...]:
    place = place_of(service, parameters, place)
    levels: dict[tuple[str, str], AccessLevel] = {}
    if recipe.special is not None:
        for action, arn in recipe.special(parameters, place):
            levels[action, arn] = catalogue.access_level(action)
    else:
        plain = parameters
        if recipe.rewriter is not None:
            plain = recipe.rewriter(parameters, place)
        for action, level, resources in recipe.plan:
            for arn in _resources(resources, plain, place):
                levels[action, arn] = level
    if recipe.besides is not None:
        for action, arn in recipe.besides(parameters, place):
            levels[action, arn] = catalogue.access_level(action)
    if len(levels) > limits.NEEDS_MAX:
        refuse("the call names more resources than any AWS call", "aws.too_many_needs")
    return tuple([Need(*pair, level) for pair, level in levels.items()])


def _resources(
    resources: list[Any], parameters: Mapping[str, Any], place: Place
) -> list[str]:
    arns: list[str] = []
    unknown: list[str] = []
    for resource in resources:
        filled = fill(resource, parameters, place)
        _, sources, required, _ = resource
        if required is None:
            # A role to pass: without one there is no need at all.
            return filled.arns if filled.named else []
        if required and not filled.named:
            unknown.extend(filled.arns)
        elif required or (filled.complete and (sources or len(resources) == 1)):
            arns.extend(filled.arns)
    if arns:
        return arns + unknown
    given = _given_arns(resources, parameters)
    if unknown and not (given and len(resources) == 1):
        return given + unknown
    return given or ["*"]


def _given_arns(resources: list[Any], parameters: Mapping[str, Any]) -> list[str]:
    """Whole ARNs that stand where a resource is named, whatever their type."""
    found: dict[str, None] = {}
    for _, sources, _, _ in resources:
        for path in (path for paths in sources for path in paths):
            if path[0] == "~":
                continue
            for value in look_up(parameters, path[1:] if path[0] == "=" else path):
                if value.startswith("arn:"):
                    found[value] = None
    return list(found)
