"""The policy engine: from a principal and a call to a decision.

A call needs one or more permissions. Each is a Cedar request of its own; the call is
allowed only if all are, and every obligation of every permit that applied is owed. A
policy that cannot be evaluated denies (I3): Cedar would leave it out, and with it,
maybe, a ``forbid``.

A decision is looked for in memory, then in LMDB, then evaluated. The policy version,
the principal, the permission and the facts that the policies mention are its key, so
nothing is ever invalidated: another policy set asks for other keys.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import cedarpy

from gatekeep import limits
from gatekeep.aws.call import Call, Need
from gatekeep.clock import SYSTEM_CLOCK, Clock
from gatekeep.errors import OperatorError
from gatekeep.policy import wording
from gatekeep.policy.cache import DecisionCache
from gatekeep.policy.decision import (
    NO_OBLIGATIONS,
    Decision,
    Effect,
    Obligations,
    merge_decisions,
    merge_obligations,
)
from gatekeep.policy.facts import (
    GIVEN,
    Context,
    cedar_context,
    cedar_entities,
    fact_readers,
)
from gatekeep.policy.labels import Labels
from gatekeep.policy.policies import Policy, PolicySet, compile_policies
from gatekeep.policy.recent import Recent
from gatekeep.policy.source import read_files
from gatekeep.policy.vocabulary import Actions, Vocabulary
from gatekeep.principal import Principal
from gatekeep.settings import Settings

_ERROR = "evaluation error"
_ERRING = re.compile(r"policy `([^`]+)`")

_FACTS_AT = 6
"""Where the facts begin in a decision's key."""

_CEDAR = {
    Effect.ALLOW: cedarpy.Decision.Allow,
    Effect.HOLD: cedarpy.Decision.Allow,
    Effect.DENY: cedarpy.Decision.Deny,
}


class PolicyEngine:
    """Decides with the policies of a directory; one for each worker process.

    Args:
        settings: ``[policy]``, ``[[resource]]`` and the names of masking profiles.
        cache_directory: where decisions are kept; see `DecisionCache`.
        actions: every IAM action there is.
        detectors: what ``@block_on`` may name: the detectors that the caller can
            scan requests with. Without any the annotation is an error, because an
            obligation that nobody meets must not permit anything.
        clock: for policies that ask for the time.

    Attributes:
        policies: the set in force.

    Raises:
        OperatorError: the policies cannot be read or are wrong; a line for each fault
            names file and line.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        cache_directory: Path,
        actions: Actions,
        detectors: Collection[str] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._directory = settings.policy.directory
        self._labels = Labels(settings.resource)
        self._profiles = frozenset(p.name for p in settings.masking.profile)
        self._detectors = detectors
        self._vocabulary = Vocabulary(actions)
        self._clock = clock
        self._in_memory_max = min(
            limits.DECISIONS_IN_MEMORY_MAX, settings.policy.cache_entries_max
        )
        self._texts = read_files(self._directory)
        self._unreadable = ""
        """Why the files could not be read when that was last told."""
        self._take(self._compile())
        self._cache: DecisionCache | None = None
        if settings.policy.cache_entries_max:
            self._cache = DecisionCache(
                cache_directory, entries_max=settings.policy.cache_entries_max
            )

    @property
    def version(self) -> str:
        """Version of the set in force, as decisions carry it: 16 hex digits."""
        return self.policies.version

    def reload(self) -> bool:
        """Take the policies as the files now are; True when another set is in force.

        Cheap when no file changed since the last call: it reads and compares them.

        Raises:
            OperatorError: the changed files are wrong, or cannot be read; the last
                good set stays in force. Raised once for each change.
        """
        try:
            texts = read_files(self._directory)
        except OperatorError as error:
            if error.message == self._unreadable:
                return False
            self._unreadable = error.message
            raise
        self._unreadable = ""
        if texts == self._texts:
            return False
        self._texts = texts
        policies = self._compile()
        changed = policies.version != self.version
        self._take(policies)
        return changed

    def close(self) -> None:
        """Write the queued decisions and close their store."""
        if self._cache is not None:
            self._cache.close()

    def decide(self, principal: Principal, call: Call, context: Context) -> Decision:
        """Return what policy says about a call; never raises, because errors deny.

        Args:
            principal: who asks.
            call: what is asked.
            context: the facts of `facts.GIVEN`; a missing one is the empty string,
                and an unknown one denies, because a misspelt fact would leave a
                policy that reads the right one without it.
        """
        try:
            if not context.keys() <= GIVEN:
                unknown = min(context.keys() - GIVEN)
                raise ValueError(f"context attribute `{unknown}` is unknown")
            if len(call.needs) == 1 and not call.ambiguous:
                facts = [read(call, context) for read in self._readers]
                decision = self._decide_need(principal, call.needs[0], facts)
            else:
                decision = merge_decisions(self._decide_needs(principal, call, context))
            if decision.obligations.justify:
                return self._justified(decision, principal, call, context)
        except Exception as error:
            # Whatever a request can provoke here, in our code or in Cedar's, the
            # answer is no and the request is over (I3).
            return self._unable(principal, call, error)
        else:
            return decision

    def _decide_needs(
        self, principal: Principal, call: Call, context: Context
    ) -> Iterator[Decision]:
        """The decision on each need of each operation that the call may be."""
        for name in call.ambiguous or (f"{call.service}:{call.operation}",):
            service, _, operation = name.partition(":")
            candidate = dataclasses.replace(call, service=service, operation=operation)
            facts = [read(candidate, context) for read in self._readers]
            for need in call.needs:
                yield self._decide_need(principal, need, facts)

    def _decide_need(
        self, principal: Principal, need: Need, facts: list[Any]
    ) -> Decision:
        key = (
            principal.issuer,
            principal.subject,
            principal.groups,
            need.action,
            need.resource,
            need.level._value_,  # `value` is a descriptor, five times as slow
            *facts,
        )
        decision = self._recent.get(key)
        if decision is None:
            decision = self._look_up(key, principal, need)
        return decision

    def _look_up(
        self, key: tuple[Any, ...], principal: Principal, need: Need
    ) -> Decision:
        """Decide by the stored cache, or else by evaluation; remember the result."""
        facts = cedar_context(self.policies.mentioned, key[_FACTS_AT:])
        # Injective: everything in the key is a string, a number or a tuple of them.
        digest = hashlib.sha256(repr((self.version, key)).encode()).digest()
        stored = self._cache.get(digest) if self._cache else None
        reasons = None if stored is None else self._parse(stored)
        if reasons is None:
            reasons, errors = self._evaluate(principal, need, facts)
            if errors:
                return self._faulty(principal, need, errors)
            if self._cache:
                self._cache.put(digest, " ".join(reasons).encode())
        decision = self._decision(principal, need, reasons)
        self._recent.put(key, decision)
        return decision

    def _evaluate(
        self, principal: Principal, need: Need, facts: dict[str, object]
    ) -> tuple[tuple[str, ...], list[str]]:
        """Ask Cedar: the policies that decided, and errors of those that could not."""
        result = cedarpy.is_authorized(
            {
                "principal": {"type": "Agent", "id": principal.id},
                "action": {"type": "Action", "id": need.action},
                "resource": {"type": "Resource", "id": need.resource},
                "context": facts,
            },
            self.policies.cedar,
            cedar_entities(principal, need, self._labels),
        )
        errors = list(result.diagnostics.errors)
        reasons = tuple(sorted(result.diagnostics.reasons))
        if not errors and result.decision is not _CEDAR[self._outcome(reasons)[0]]:
            errors.append("decision and reasons do not agree")
        return reasons, errors

    def _parse(self, stored: bytes) -> tuple[str, ...] | None:
        """The reasons in a stored entry; None when they are not of this set."""
        reasons = tuple(stored.decode("ascii", "replace").split()) if stored else ()
        policies = self.policies.policies
        return reasons if all(name in policies for name in reasons) else None

    def _decision(
        self, principal: Principal, need: Need, reasons: tuple[str, ...]
    ) -> Decision:
        effect, obligations = self._outcome(reasons)
        if effect is Effect.DENY:
            return self._denial(reasons, wording.denied(principal, need, reasons))
        message = ""
        if effect is Effect.HOLD:
            message = wording.held(principal, need, reasons, obligations.approve)
        return Decision(effect, reasons, obligations, self.version, message)

    def _faulty(self, principal: Principal, need: Need, errors: list[str]) -> Decision:
        """The denial when policies could not be evaluated; not remembered."""
        names = sorted({name for error in errors for name in _ERRING.findall(error)})
        reasons = tuple(f"{name}: {_ERROR}" for name in names) or (_ERROR,)
        return self._denial(reasons, wording.faulty(principal, need, names))

    def _unable(self, principal: Principal, call: Call, error: Exception) -> Decision:
        """The denial when a request cannot be judged at all."""
        # Only our own errors are sure to hold nothing of the request.
        why = str(error) if type(error) is ValueError else "it cannot be judged"
        return self._denial((_ERROR,), wording.unable(principal, call, why))

    def _justified(
        self, decision: Decision, principal: Principal, call: Call, context: Context
    ) -> Decision:
        """The decision, or a denial when the session lacks what it asks for."""
        missing = [
            name
            for name in decision.obligations.justify
            if not str(context.get(name, "")).strip()
        ]
        if not missing:
            return decision
        need, reasons = call.needs[0], decision.reasons
        message = wording.unjustified(principal, need, reasons, missing)
        return self._denial(reasons, message)

    def _denial(self, reasons: tuple[str, ...], message: str) -> Decision:
        return Decision(Effect.DENY, reasons, NO_OBLIGATIONS, self.version, message)

    def _compile(self) -> PolicySet:
        return compile_policies(
            {self._directory / name: text for name, text in self._texts.items()},
            vocabulary=self._vocabulary,
            labels=self._labels,
            profiles=self._profiles,
            detectors=self._detectors,
        )

    def _take(self, policies: PolicySet) -> None:
        """Put a policy set in force."""
        self.policies = policies
        self._readers = fact_readers(policies.mentioned, self._clock)
        self._outcome = functools.lru_cache(maxsize=limits.DECISION_OUTCOMES_MAX)(
            functools.partial(_outcome, policies.policies)
        )
        self._recent: Recent[tuple[Any, ...], Decision] = Recent(self._in_memory_max)


def _outcome(
    policies: Mapping[str, Policy], reasons: tuple[str, ...]
) -> tuple[Effect, Obligations]:
    """What it means that these policies decided: Cedar never mixes the two kinds."""
    if not reasons or not all(policies[name].permits for name in reasons):
        return Effect.DENY, NO_OBLIGATIONS
    obligations = merge_obligations(policies[name].obligations for name in reasons)
    return Effect.HOLD if obligations.approve else Effect.ALLOW, obligations
