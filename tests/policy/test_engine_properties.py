"""The engine against its slow twin, with and without its caches."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatekeep.errors import OperatorError
from gatekeep.policy.decision import Decision, Effect
from gatekeep.policy.engine import PolicyEngine
from gatekeep.policy.labels import Labels
from gatekeep.policy.statements import read_statements
from gatekeep.principal import Principal
from tests.policy import setting
from tests.policy.setting import NO_CACHE, SomeActions, StillClock
from tests.reference import policy as reference
from tests.reference.policy import CONDITIONS, Request, Rule

LABELS = Labels(setting.settings(Path()).resource)
ACTION_GROUPS = ["Read", "Write", "List", "dynamodb:*", "s3:*", "dynamodb:Read"]

OVERFLOW = "context.hour_utc + 9223372036854775807 > 0"
clauses = st.tuples(
    st.booleans(), st.sampled_from([*sorted(CONDITIONS), OVERFLOW, OVERFLOW])
)
rules = st.builds(
    Rule,
    id=st.just("?"),
    permits=st.booleans(),
    group=st.sampled_from(["", "agents", "ops"]),
    actions=st.just(())
    | st.lists(
        st.sampled_from([*SomeActions.LEVELS, *ACTION_GROUPS]),
        min_size=1,
        max_size=3,
        unique=True,
    ).map(tuple),
    clauses=st.just(()) | st.lists(clauses, max_size=2).map(tuple),
    mask=st.sampled_from(["", "pii", "pan, pii"]),
    approve=st.sampled_from(["", "", "", "1 of dba", "2 of dba, 1 of risk"]),
    justify=st.sampled_from(["", "", "", "ticket"]),
)
# Many permits without conditions, so that not everything is denied.
permit_all = Rule("?", permits=True, group="", actions=(), clauses=())
rule_sets = st.lists(rules | st.just(permit_all), min_size=1, max_size=5).map(
    lambda each: [replace(rule, id=f"p{index}") for index, rule in enumerate(each)]
)
principals = st.builds(
    Principal,
    issuer=st.just("https://issuer.example"),
    subject=st.sampled_from(["agent-7", 'agent"8 агент']),
    groups=st.lists(st.sampled_from(["agents", "night", "ops"]), unique=True)
    .map(sorted)
    .map(tuple),
)
calls = st.builds(
    lambda actions, resource, statements: setting.call(
        *actions, resource=resource, statements=statements
    ),
    st.lists(
        st.sampled_from(["dynamodb:GetItem", "dynamodb:PutItem", "s3:ListBucket"]),
        min_size=1,
        max_size=2,
        unique=True,
    ),
    st.sampled_from([setting.TABLE, setting.OTHER_TABLE, "*"]),
    st.sampled_from([(), ("SELECT 1",), ("SELECT 1", "drop table x")]),
)
given_facts = st.fixed_dictionaries(
    {},
    optional={
        "source_ip": st.sampled_from(["10.0.0.1", "192.0.2.1", "::1", ""]),
        "ticket": st.sampled_from(["", "T-1"]),
        "session_name": st.just("job"),
    },
)
asked = st.tuples(principals, calls, given_facts, st.sampled_from([0, 5, 13]))
Asked = tuple[Principal, object, dict[str, str], int]


class Stand:
    """An engine whose clock can be set."""

    def __init__(self, directory: Path, extra: str) -> None:
        self.clock = StillClock()
        self.engine = setting.engine(directory, settings=extra, clock=self.clock)

    def decide(self, asked: Asked) -> Decision:
        principal, call, facts, hour = asked
        self.clock.at_s = hour * 3600
        return self.engine.decide(principal, call, facts)


@contextmanager
def standing(rules: list[Rule]) -> Iterator[Stand]:
    """An engine over these rules, without caches."""
    with tempfile.TemporaryDirectory() as name:
        setting.write_policies(Path(name), test="".join(r.text() for r in rules))
        yield Stand(Path(name), NO_CACHE)


def expected(engine: PolicyEngine, rules: list[Rule], asked: Asked):
    principal, call, facts, hour = asked
    requests = [
        Request(
            principal,
            call,
            need,
            facts,
            LABELS.of(need.resource),
            read_statements(call.service, call.statements).verbs,
            hour,
        )
        for need in call.needs
    ]
    owed = {each.id: each.obligations for each in engine.policies.policies.values()}
    return reference.decide(rules, requests, owed)


few = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@few
@given(rule_sets, st.lists(asked, min_size=4, max_size=12))
def test_the_engine_decides_as_its_twin_does(rules, each):
    with standing(rules) as stand:
        for one in each:
            decision = stand.decide(one)
            assert (
                decision.effect,
                decision.reasons,
                decision.obligations,
            ) == expected(stand.engine, rules, one)
            assert bool(decision.message) is (decision.effect is not Effect.ALLOW)


@few
@given(rule_sets, st.lists(asked, min_size=4, max_size=12), st.randoms())
def test_a_cached_decision_is_the_decision(rules, each, random):
    each = [*each, *random.sample(each, len(each))]
    with standing(rules) as bare, tempfile.TemporaryDirectory() as name:
        fresh = [bare.decide(one) for one in each]
        setting.write_policies(Path(name), test="".join(r.text() for r in rules))
        for _ in range(2):
            # The first evaluates and then remembers, the second reads what is stored.
            stand = Stand(Path(name), "")
            assert [stand.decide(one) for one in each] == fresh
            stand.engine.close()
            assert stand.engine._cache.fault is None


@few
@given(rule_sets, rules, st.lists(asked, min_size=1, max_size=5))
def test_another_forbid_never_allows(rules, added, each):
    more = [*rules, replace(added, id="added", permits=False)]
    with standing(rules) as before, standing(more) as after:
        for one in each:
            if before.decide(one).effect is Effect.DENY:
                assert after.decide(one).effect is Effect.DENY


@few
@given(rule_sets, rules, st.lists(asked, min_size=1, max_size=5))
def test_another_permit_never_takes_an_obligation_away(rules, added, each):
    more = [*rules, replace(added, id="added", permits=True)]
    with standing(rules) as before, standing(more) as after:
        for one in each:
            was, now = before.decide(one), after.decide(one)
            if was.effect is Effect.HOLD:
                assert now.effect is not Effect.ALLOW
            if was.effect is not Effect.DENY and now.effect is not Effect.DENY:
                assert set(now.obligations.mask) >= set(was.obligations.mask)
                assert set(now.reasons) >= set(was.reasons)


@few
@given(rule_sets, st.randoms(), st.lists(asked, min_size=1, max_size=5))
def test_the_order_of_policies_does_not_matter(rules, random, each):
    shuffled = random.sample(rules, len(rules))
    with standing(rules) as one, standing(shuffled) as other:
        assert one.engine.version == other.engine.version
        for request in each:
            assert one.decide(request) == other.decide(request)


@few
@given(rule_sets, asked, st.text(min_size=1), st.text())
def test_an_unknown_attribute_in_a_request_never_allows(rules, one, name, value):
    principal, call, facts, hour = one
    with standing(rules) as stand:
        decision = stand.decide((principal, call, {name: value, **facts}, hour))
        if name not in ("source_ip", "justification", "ticket", "session_name"):
            assert decision.effect is Effect.DENY


@settings(max_examples=40, deadline=None)
@given(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.booleans())
def test_an_unknown_attribute_in_a_policy_is_no_policy(name, has):
    condition = f"context has {name}" if has else f'context.{name} == ""'
    text = f'@id("a") permit (principal, action, resource) unless {{ {condition} }};'
    known = [
        "service",
        "operation",
        "protocol",
        "region",
        "changes",
        "source_ip",
        "justification",
        "ticket",
        "session_name",
        "statement_verbs",
        "statement_tables",
        "statement_unparsed",
        "hour_utc",
        "weekday",
    ]
    if name not in known:
        with tempfile.TemporaryDirectory() as directory, pytest.raises(OperatorError):
            setting.engine(Path(directory), text, settings=NO_CACHE)


anything = st.none() | st.integers() | st.text() | st.lists(st.text()) | st.binary()


@few
@given(
    rule_sets,
    calls,
    st.dictionaries(
        st.sampled_from(["source_ip", "ticket", "justification"]), anything
    ),
    st.builds(
        Principal,
        issuer=st.text(st.characters(exclude_categories=())),
        subject=st.text(st.characters(exclude_categories=())),
        groups=st.lists(st.text(st.characters(exclude_categories=()))).map(tuple),
    ),
)
def test_whatever_a_request_holds_the_engine_answers(rules, call, facts, principal):
    with standing(rules) as stand:
        decision = stand.decide((principal, call, facts, 0))
        assert isinstance(decision, Decision)
        decision.message.encode()
        assert "\n" not in decision.message
