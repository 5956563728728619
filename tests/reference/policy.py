"""Rules whose Cedar text and whose meaning in plain Python stand side by side.

The slow twin of the policy engine: what `decide` must say about a call, worked out
rule by rule, with no Cedar and no cache.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gatekeep.aws.call import Call, Need
from gatekeep.policy.decision import Effect, Obligations, merge_obligations
from gatekeep.principal import Principal


@dataclass(frozen=True)
class Request:
    """What a rule may look at."""

    principal: Principal
    call: Call
    need: Need
    given: Mapping[str, str]
    labels: tuple[str, ...]
    verbs: tuple[str, ...]
    hour_utc: int


class EvaluationError(Exception):
    """A condition has no value."""


def _overflows(request: Request) -> bool:
    if request.hour_utc > 0:
        raise EvaluationError
    return True


CONDITIONS: dict[str, Callable[[Request], bool]] = {
    'resource.labels.contains("regulated")': lambda r: "regulated" in r.labels,
    'resource.arn like "*table/ord*"': lambda r: "table/ord" in r.need.resource,
    'resource.service == "dynamodb"': lambda r: r.need.resource != "*",
    'principal.subject == "agent-7"': lambda r: r.principal.subject == "agent-7",
    'principal in Group::"night"': lambda r: "night" in r.principal.groups,
    'action in Action::"Read"': lambda r: r.need.level.value == "Read",
    'context.ticket == ""': lambda r: not r.given.get("ticket"),
    'context.operation == "GetItem"': lambda r: r.call.operation == "GetItem",
    "context.changes": lambda r: r.call.changes,
    'context.statement_verbs.contains("DROP")': lambda r: "DROP" in r.verbs,
    "context.hour_utc < 12": lambda r: r.hour_utc < 12,
    'context.source_ip.isInRange(ip("10.0.0.0/8"))': (
        lambda r: r.given.get("source_ip", "").startswith("10.")
    ),
    "context.hour_utc + 9223372036854775807 > 0": _overflows,
}


@dataclass(frozen=True)
class Rule:
    """One policy."""

    id: str
    permits: bool
    group: str
    """Empty: any principal."""
    actions: tuple[str, ...]
    """Actions or groups of actions; empty: any."""
    clauses: tuple[tuple[bool, str], ...]
    """Of each: whether it is ``when`` (or ``unless``), and a key of `CONDITIONS`."""
    mask: str = ""
    approve: str = ""
    justify: str = ""

    def text(self) -> str:
        """The policy in Cedar."""
        annotations = [
            f'@{name}("{value}")'
            for name, value in vars(self).items()
            if name in ("mask", "approve", "justify") and value and self.permits
        ]
        principal = f'principal in Group::"{self.group}"' if self.group else "principal"
        names = ", ".join(f'Action::"{name}"' for name in self.actions)
        action = f"action in [{names}]" if names else "action"
        clauses = " ".join(
            f"{'when' if wanted else 'unless'} {{ {condition} }}"
            for wanted, condition in self.clauses
        )
        effect = "permit" if self.permits else "forbid"
        return (
            f'@id("{self.id}") {" ".join(annotations)}\n'
            f"{effect} ({principal}, {action}, resource) {clauses};\n"
        )

    def applies(self, request: Request) -> bool:
        """Whether scope and clauses hold, in Cedar's order."""
        action, level = request.need.action, request.need.level.value
        service = action.partition(":")[0]
        named = {action, level, f"{service}:*", f"{service}:{level}"}
        if self.group and self.group not in request.principal.groups:
            return False
        if self.actions and not named.intersection(self.actions):
            return False
        return all(
            CONDITIONS[condition](request) is wanted
            for wanted, condition in self.clauses
        )


def decide(
    rules: Sequence[Rule],
    requests: Sequence[Request],
    owed: Mapping[str, Obligations],
) -> tuple[Effect, tuple[str, ...], Obligations]:
    """What the rules say about a call: one request for each of its needs.

    Args:
        rules: the policy set.
        requests: all of one call.
        owed: obligations by the id of a permit.

    Returns:
        Effect, reasons and obligations of the decision.
    """
    denials: list[set[str]] = []
    permits: set[str] = set()
    for request in requests:
        applying: dict[bool, set[str]] = {True: set(), False: set()}
        errors = set()
        for rule in rules:
            try:
                if rule.applies(request):
                    applying[rule.permits].add(rule.id)
            except EvaluationError:
                errors.add(f"{rule.id}: evaluation error")
        if errors or applying[False] or not applying[True]:
            denials.append(errors or applying[False])
        permits |= applying[True]
    if denials:
        return Effect.DENY, tuple(sorted(set.union(*denials))), Obligations()
    obligations = merge_obligations(owed[name] for name in permits)
    effect = Effect.HOLD if obligations.approve else Effect.ALLOW
    given = requests[0].given
    if any(not given.get(name) for name in obligations.justify):
        effect, obligations = Effect.DENY, Obligations()
    return effect, tuple(sorted(permits)), obligations
