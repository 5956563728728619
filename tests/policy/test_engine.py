"""What the engine decides, says, remembers and reloads."""

import os
from dataclasses import replace

import cedarpy
import pytest

from gatekeep.aws.call import AccessLevel
from gatekeep.errors import OperatorError
from gatekeep.policy.decision import Effect, Obligations, Quorum
from tests.policy.setting import (
    AGENT,
    GIVEN,
    NO_CACHE,
    OTHER_TABLE,
    TABLE,
    StillClock,
    call,
    engine,
    write_policies,
)

READ = """
@id("read")
@mask("pii")
permit (principal in Group::"agents", action in Action::"Read", resource);
"""
WRITE = """
@id("write-regulated")
@approve("2 of dba")
permit (principal, action in Action::"dynamodb:Write", resource)
when { resource.labels.contains("regulated") };
"""
NO_DROP = """
@id("no-drop")
forbid (principal, action, resource)
when { context.statement_verbs.contains("DROP") };
"""


@pytest.fixture
def decide(tmp_path):
    """Decide one call by a policy text, without any cache."""
    engines = []

    def decide(text, *actions, given=GIVEN, principal=AGENT, clock=None, **fields):
        options = {"clock": clock} if clock else {}
        made = engine(tmp_path, text, settings=NO_CACHE, **options)
        engines.append(made)
        return made.decide(principal, call(*actions, **fields), given)

    return decide


# --- effects and messages ---------------------------------------------------------


def test_a_permit_allows_with_its_obligations_and_says_nothing(decide):
    decision = decide(READ, "dynamodb:GetItem")
    assert decision.effect is Effect.ALLOW
    assert decision.reasons == ("read",)
    assert decision.obligations == Obligations(mask=("pii",))
    assert decision.message == ""
    assert len(decision.policy_version) == 16


def test_what_no_policy_permits_is_denied_and_the_message_says_what_to_do(decide):
    decision = decide(READ, "dynamodb:DeleteItem")
    assert (decision.effect, decision.reasons) == (Effect.DENY, ())
    assert decision.message == (
        f"gatekeep: dynamodb:DeleteItem on {TABLE} is not permitted for agent-7:"
        " no policy permits it; ask the owner of the gatekeep policy"
    )


def test_a_forbid_wins_and_is_named(decide):
    decision = decide(
        READ + NO_DROP,
        "athena:GetQueryResults",
        resource="*",
        statements=("select 1; drop table x",),
    )
    assert (decision.effect, decision.reasons) == (Effect.DENY, ("no-drop",))
    assert decision.obligations == Obligations()
    assert decision.message == (
        "gatekeep: athena:GetQueryResults is not permitted for agent-7:"
        " forbidden by policy `no-drop`; ask the owner of the gatekeep policy"
    )


def test_an_approval_holds_and_the_message_says_by_whom(decide):
    decision = decide(WRITE, "dynamodb:PutItem")
    assert decision.effect is Effect.HOLD
    assert decision.obligations.approve == (Quorum(2, "dba"),)
    assert decision.message == (
        f"gatekeep: dynamodb:PutItem on {TABLE} is held for agent-7:"
        " permitted by policy `write-regulated` after approval by 2 of dba"
    )
    assert decide(WRITE, "dynamodb:PutItem", resource=OTHER_TABLE).effect is Effect.DENY


def test_a_broad_permit_does_not_cancel_a_narrow_ones_approval(decide):
    broad = '@id("all") permit (principal, action, resource);'
    decision = decide(broad + WRITE + READ, "dynamodb:PutItem")
    assert decision.effect is Effect.HOLD
    assert decision.reasons == ("all", "write-regulated")


def test_a_justification_is_asked_for_and_blanks_are_none(decide):
    text = '@id("why") @justify("ticket") permit (principal, action, resource);'
    for ticket in ("", "  "):
        decision = decide(text, "s3:GetObject", given={**GIVEN, "ticket": ticket})
        assert (decision.effect, decision.reasons) == (Effect.DENY, ("why",))
        assert decision.message == (
            f"gatekeep: s3:GetObject on {TABLE} is not permitted for agent-7:"
            " permitted only with a ticket by policy `why`;"
            " open a session that carries a ticket"
        )
    decision = decide(text, "s3:GetObject", given={**GIVEN, "ticket": "T-1"})
    assert decision.effect is Effect.ALLOW
    assert decision.obligations.justify == ("ticket",)


def test_a_message_is_one_printable_line_of_bounded_length(decide):
    decision = decide(
        READ,
        "dynamodb:DeleteItem",
        resource="arn:aws:s3:::b/\n\x1b[31m" + "x" * 2000,
        principal=replace(AGENT, subject="agent\r\n\u202e7"),
    )
    assert decision.message.isprintable()
    assert "for agent???7:" in decision.message
    assert len(decision.message) < 1000


# --- several needs ----------------------------------------------------------------


def test_every_need_has_to_be_permitted(decide):
    both = decide(READ, "dynamodb:GetItem", "dynamodb:PutItem")
    assert both.effect is Effect.DENY
    assert "dynamodb:PutItem" in both.message
    assert decide(READ, "dynamodb:GetItem", "s3:GetObject").effect is Effect.ALLOW


def test_obligations_of_all_needs_are_owed(decide):
    other = '@id("put") @mask("pan") permit (principal, action == Action::"s3:PutObject", resource);'
    decision = decide(
        READ + WRITE + other, "s3:GetObject", "s3:PutObject", "dynamodb:PutItem"
    )
    assert decision.effect is Effect.HOLD
    assert decision.obligations == Obligations(
        mask=("pan", "pii"), approve=(Quorum(2, "dba"),)
    )
    assert decision.reasons == ("put", "read", "write-regulated")


def test_an_ambiguous_call_has_to_be_permitted_as_each_operation(decide):
    text = """
    @id("get") permit (principal, action, resource)
    when { ["GetItem", "Get"].contains(context.operation) };
    """
    fields = {
        "operation": "GetItem",
        "ambiguous": ("dynamodb:GetItem", "dynamodb:Get"),
    }
    assert decide(text, "dynamodb:GetItem", **fields).effect is Effect.ALLOW
    fields["ambiguous"] = ("dynamodb:GetItem", "dynamodb:PutItem")
    assert decide(text, "dynamodb:GetItem", **fields).effect is Effect.DENY


# --- facts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [
        'principal == Agent::"https://issuer.example#agent-7"',
        'principal.issuer == "https://issuer.example"',
        'principal in Group::"agents" && principal in Group::"night"',
        'action == Action::"dynamodb:GetItem"',
        'action in Action::"Read" && action in Action::"dynamodb:*"',
        'action in Action::"dynamodb:Read"',
        f'resource == Resource::"{TABLE}"',
        'resource.arn like "arn:aws:dynamodb:*:table/customers"',
        'resource.service == "dynamodb" && resource.region == "us-east-1"',
        'resource.account == "111122223333" && resource.name == "table/customers"',
        'resource.labels == ["pii", "regulated"]',
        'context.service == "dynamodb" && context.operation == "GetItem"',
        'context.protocol == "json" && context.region == "us-east-1"',
        "!context.changes && !context.statement_unparsed",
        "context.statement_verbs.isEmpty() && context.statement_tables.isEmpty()",
        'context.source_ip.isInRange(ip("10.1.0.0/16"))',
        'context.justification == "" && context.ticket == ""',
        'context.session_name == "job"',
        'context.hour_utc == 0 && context.weekday == "Thursday"',
    ],
)
def test_policies_see_the_facts(decide, condition):
    text = f'@id("a") permit (principal, action, resource) when {{ {condition} }};'
    decision = decide(text, "dynamodb:GetItem", clock=StillClock())
    assert decision.effect is Effect.ALLOW


def test_what_is_no_arn_has_a_name_and_blanks(decide):
    text = """
    @id("a") permit (principal, action, resource)
    when { resource.arn == "*" && resource.name == "*" && resource.service == ""
           && resource.account == "" && resource.labels.isEmpty() };
    """
    assert decide(text, "dynamodb:ListTables", resource="*").effect is Effect.ALLOW


def test_wildcards_in_a_resource_are_no_patterns(decide):
    text = f'@id("a") permit (principal, action, resource == Resource::"{TABLE}");'
    for resource in ("*", "arn:aws:dynamodb:us-east-1:111122223333:table/*", "${}"):
        assert decide(text, "dynamodb:GetItem", resource=resource).effect is Effect.DENY


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1/32"),
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ("fe80::1%eth0", "fe80::/10"),
        ("2001:DB8::1", "2001:db8::/32"),
        ("", "::/128"),
    ],
)
def test_addresses_are_what_they_mean(decide, address, network):
    text = f"""
    @id("a") permit (principal, action, resource)
    when {{ context.source_ip.isInRange(ip("{network}")) }};
    """
    given = {**GIVEN, "source_ip": address}
    assert decide(text, "s3:GetObject", given=given).effect is Effect.ALLOW


@pytest.mark.parametrize("address", ["10.0.0.256", "x", "10.0.0.0/8", "1"])
def test_an_address_that_is_none_denies_where_a_policy_reads_it(decide, address):
    given = {**GIVEN, "source_ip": address}
    text = """
    @id("a") permit (principal, action, resource);
    @id("b") forbid (principal, action, resource) when { context.source_ip.isLoopback() };
    """
    decision = decide(text, "s3:GetObject", given=given)
    assert (decision.effect, decision.reasons) == (Effect.DENY, ("evaluation error",))
    assert "`source_ip` is no IP address" in decision.message
    assert decide(READ, "s3:GetObject", given=given).effect is Effect.ALLOW


def test_time_passes_for_policies_that_ask_for_it(tmp_path):
    clock = StillClock()
    text = """
    @id("night") permit (principal, action, resource)
    when { context.hour_utc >= 22 || context.weekday == "Saturday" };
    """
    night = engine(tmp_path, text, clock=clock)
    asked = call("s3:GetObject")
    effects = {}
    for hour in (21, 22, 23, 24, 47, 48, 71, 72):
        clock.at_s = hour * 3600 + 3599.9
        effects[hour] = night.decide(AGENT, asked, GIVEN).effect is Effect.ALLOW
        clock.at_s = hour * 3600
        assert (night.decide(AGENT, asked, GIVEN).effect is Effect.ALLOW) is effects[
            hour
        ]
    night.close()
    assert [hour for hour, allowed in effects.items() if allowed] == [
        22, 23, 47, 48, 71
    ]  # fmt: skip


# --- errors deny ------------------------------------------------------------------

OVERFLOW = """
@id("overflows")
{effect} (principal, action, resource)
when {{ context.hour_utc + 9223372036854775807 > 0 }};
"""


@pytest.mark.parametrize("effect", ["permit", "forbid"])
def test_a_policy_that_cannot_be_evaluated_denies_and_is_named(decide, effect):
    clock = StillClock()
    clock.at_s = 3600
    decision = decide(
        READ + OVERFLOW.format(effect=effect), "s3:GetObject", clock=clock
    )
    assert decision.effect is Effect.DENY
    assert decision.reasons == ("overflows: evaluation error",)
    assert "an error in policy `overflows`" in decision.message


def test_an_error_is_not_remembered(tmp_path):
    clock = StillClock()
    clock.at_s = 3600
    text = READ + OVERFLOW.format(effect="forbid").replace("forbid", "permit")
    made = engine(tmp_path, text, clock=clock)
    for _ in range(2):
        assert made.decide(AGENT, call("s3:GetObject"), GIVEN).effect is Effect.DENY
    assert len(made._recent) == 0
    made.close()


class Unlike:
    """Cedar giving an answer that its own reasons do not bear out."""

    decision = cedarpy.Decision.Allow

    class diagnostics:  # noqa: N801
        reasons = ()
        errors = ()


def test_an_answer_at_odds_with_its_reasons_denies(decide, monkeypatch):
    monkeypatch.setattr(cedarpy, "is_authorized", lambda *_: Unlike)
    decision = decide(READ, "s3:GetObject")
    assert (decision.effect, decision.reasons) == (Effect.DENY, ("evaluation error",))


def test_a_failing_cedar_denies(decide, monkeypatch):
    def fails(*_):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(cedarpy, "is_authorized", fails)
    decision = decide(READ, "s3:GetObject")
    assert decision.effect is Effect.DENY
    assert "secret" not in decision.message


@pytest.mark.parametrize("value", [None, 5, ["x"], b"x", True])
def test_a_fact_of_another_type_denies_where_a_policy_reads_it(decide, value):
    text = READ + (
        '@id("b") forbid (principal, action, resource) when { context.ticket == "x" };'
    )
    decision = decide(text, "s3:GetObject", given={**GIVEN, "ticket": value})
    assert decision.effect is Effect.DENY


def test_an_unknown_fact_denies(decide):
    decision = decide(READ, "s3:GetObject", given={**GIVEN, "sourceip": "10.0.0.1"})
    assert decision.effect is Effect.DENY
    assert "`sourceip` is unknown" in decision.message


def test_missing_facts_are_empty(decide):
    text = """
    @id("a") permit (principal, action, resource)
    when { context.ticket == "" && context.source_ip == ip("::") };
    """
    assert decide(text, "s3:GetObject", given={}).effect is Effect.ALLOW


def test_a_call_without_needs_denies(decide):
    assert decide(READ, "s3:GetObject", needs=()).effect is Effect.DENY


def test_a_name_that_is_no_unicode_denies(decide):
    agent = replace(AGENT, subject="\ud800")
    text = '@id("a") permit (principal, action, resource);'
    decision = decide(text, "s3:GetObject", principal=agent)
    assert decision.effect is Effect.DENY
    decision.message.encode()


# --- the caches -------------------------------------------------------------------


@pytest.fixture
def asked_cedar(monkeypatch):
    """How often Cedar was asked."""
    count = []
    ask = cedarpy.is_authorized

    def counting(*arguments):
        count.append(1)
        return ask(*arguments)

    monkeypatch.setattr(cedarpy, "is_authorized", counting)
    return count


VARIED = READ + (
    '@id("b") forbid (principal, action, resource) when { context.ticket == "x" };'
)


def test_the_second_answer_comes_from_memory_and_the_third_from_the_store(
    tmp_path, asked_cedar
):
    first = engine(tmp_path, VARIED)
    decision = first.decide(AGENT, call("s3:GetObject"), GIVEN)
    assert first.decide(AGENT, call("s3:GetObject"), GIVEN) is decision
    first.close()
    second = engine(tmp_path)
    assert second.decide(AGENT, call("s3:GetObject"), GIVEN) == decision
    second.close()
    assert len(asked_cedar) == 1


def test_everything_that_counts_is_in_the_key(tmp_path, asked_cedar):
    made = engine(tmp_path, VARIED)
    base = call("s3:GetObject")
    need = base.needs[0]
    for count, (principal, asked, given) in enumerate(
        [
            (AGENT, base, GIVEN),
            (replace(AGENT, issuer="https://other.example"), base, GIVEN),
            (replace(AGENT, subject="agent-8"), base, GIVEN),
            (replace(AGENT, groups=("agents",)), base, GIVEN),
            (
                AGENT,
                replace(base, needs=(replace(need, action="s3:PutObject"),)),
                GIVEN,
            ),
            (AGENT, replace(base, needs=(replace(need, resource="*"),)), GIVEN),
            (
                AGENT,
                replace(base, needs=(replace(need, level=AccessLevel.WRITE),)),
                GIVEN,
            ),
            (AGENT, base, {**GIVEN, "ticket": "x"}),
        ],
        start=1,
    ):
        made.decide(principal, asked, given)
        made.decide(principal, asked, given)
        assert len(asked_cedar) == count
    # No policy reads these.
    made.decide(AGENT, base, {**GIVEN, "session_name": "y", "source_ip": "1.2.3.4"})
    made.decide(AGENT, replace(base, operation="Other", statements=("DROP",)), GIVEN)
    assert len(asked_cedar) == 8
    made.close()


def test_memory_is_bounded(tmp_path):
    made = engine(tmp_path, READ, settings="[policy]\ncache_entries_max = 20")
    for index in range(100):
        made.decide(AGENT, call("s3:GetObject", resource=f"arn:{index}"), GIVEN)
        assert len(made._recent) <= 20
    made.close()


def test_without_cache_entries_nothing_is_kept(tmp_path, asked_cedar):
    made = engine(tmp_path, READ, settings=NO_CACHE)
    for _ in range(3):
        made.decide(AGENT, call("s3:GetObject"), GIVEN)
    assert len(asked_cedar) == 3
    assert not (tmp_path / "decisions").exists()


# --- reloading --------------------------------------------------------------------


def test_changed_policies_are_taken_and_decide_at_once(tmp_path):
    made = engine(tmp_path, READ)
    before = made.version
    assert made.decide(AGENT, call("s3:GetObject"), GIVEN).effect is Effect.ALLOW
    assert made.reload() is False
    write_policies(tmp_path, more='@id("no") forbid (principal, action, resource);')
    assert made.reload() is True
    assert made.version != before
    decision = made.decide(AGENT, call("s3:GetObject"), GIVEN)
    assert (decision.effect, decision.policy_version) == (Effect.DENY, made.version)
    (tmp_path / "policies" / "more.cedar").unlink()
    assert made.reload() is True
    assert made.version == before
    made.close()


def test_a_change_within_the_same_second_and_size_is_seen(tmp_path):
    made = engine(tmp_path, READ, settings=NO_CACHE)
    path = tmp_path / "policies" / "test.cedar"
    stat = path.stat()
    path.write_text(READ.replace('"Read"', '"List"'))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert made.reload() is True
    assert made.decide(AGENT, call("s3:GetObject"), GIVEN).effect is Effect.DENY


def test_comments_may_change_without_another_version(tmp_path):
    made = engine(tmp_path, READ, settings=NO_CACHE)
    write_policies(tmp_path, test=f"// said better\n{READ}")
    assert made.reload() is False
    assert made.policies.policies["read"].line == 3


def test_a_bad_set_is_told_once_and_the_last_good_one_stays(tmp_path):
    made = engine(tmp_path, READ, settings=NO_CACHE)
    before = made.version
    write_policies(tmp_path, test="\npermit (principal, action, resource);")
    with pytest.raises(OperatorError, match=r"test\.cedar:2: expected an @id"):
        made.reload()
    assert made.reload() is False
    assert made.version == before
    assert made.decide(AGENT, call("s3:GetObject"), GIVEN).effect is Effect.ALLOW
    write_policies(tmp_path, test=READ)
    made.reload()
    assert made.version == before


def test_policies_that_are_gone_are_told_and_the_last_good_set_stays(tmp_path):
    made = engine(tmp_path, READ, settings=NO_CACHE)
    (tmp_path / "policies" / "test.cedar").unlink()
    with pytest.raises(OperatorError, match="expected at least one file"):
        made.reload()
    assert made.reload() is False
    assert made.decide(AGENT, call("s3:GetObject"), GIVEN).effect is Effect.ALLOW


def test_a_bad_set_does_not_start(tmp_path):
    with pytest.raises(OperatorError, match=r"test\.cedar:1: there is no action"):
        engine(
            tmp_path, '@id("a") permit (principal, action == Action::"x:Y", resource);'
        )


def test_profiles_and_detectors_are_those_that_there_are(tmp_path):
    text = '@id("a") @{name}("{value}") permit (principal, action, resource);'
    with pytest.raises(OperatorError, match=r"no profile `all` .there is: pan, pii"):
        engine(tmp_path, text.format(name="mask", value="all"))
    with pytest.raises(OperatorError, match=r"no detector `pan` .there is: none"):
        engine(tmp_path, text.format(name="block_on", value="pan"))
    made = engine(
        tmp_path,
        text.format(name="block_on", value="pan"),
        detectors={"pan"},
        settings=NO_CACHE,
    )
    decision = made.decide(AGENT, call("s3:GetObject"), GIVEN)
    assert decision.obligations.block_on == ("pan",)
