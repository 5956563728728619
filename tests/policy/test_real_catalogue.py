"""With every action that AWS has: the example policies, groups, and load time."""

import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from gatekeep.aws.call import Need
from gatekeep.aws.catalogue import load_catalogue
from gatekeep.errors import OperatorError
from gatekeep.policy.decision import Effect, Quorum
from gatekeep.policy.engine import PolicyEngine
from gatekeep.policy.vocabulary import LEVELS, Vocabulary, groups_of
from gatekeep.principal import Principal
from gatekeep.settings import PolicySettings, read_settings
from tests.policy.setting import GIVEN, NO_CACHE, call, engine

CONF = Path(__file__).parents[2] / "conf"
AGENT = Principal("https://issuer.example", "agent-7", ("agents",))
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/customers"


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return load_catalogue(tmp_path_factory.getbasetemp().parent / "catalogue")


@pytest.fixture(scope="module")
def example(catalogue, tmp_path_factory):
    """The engine of the example settings and policies."""
    settings = read_settings(CONF / "gatekeep.toml")
    policy = PolicySettings(directory=CONF / "policies", cache_entries_max=0)
    return PolicyEngine(
        settings.model_copy(update={"policy": policy}),
        cache_directory=tmp_path_factory.mktemp("decisions"),
        actions=catalogue,
    )


@pytest.fixture
def decide(example, catalogue):
    def decide(action, resource, *statements, principal=AGENT):
        need = Need(action, resource, catalogue.access_level(action))
        asked = replace(
            call("s3:GetObject", statements=statements),
            service=action.partition(":")[0],
            needs=(need,),
        )
        return example.decide(principal, asked, GIVEN)

    return decide


def test_no_action_is_named_like_a_group_of_actions(catalogue):
    names = {action for action, _ in catalogue.actions()}
    groups = {
        group
        for action, level in catalogue.actions()
        for group in groups_of(action, level.value)
    }
    assert len(names) > 15_000
    assert not names & groups


def test_every_action_and_every_group_may_be_named(catalogue):
    vocabulary = Vocabulary(catalogue)
    groups = defaultdict(set)
    for action, level in catalogue.actions():
        vocabulary.check_action(action)
        groups[action.partition(":")[0]].add(level.value)
    for prefix, levels in groups.items():
        vocabulary.check_action(f"{prefix}:*")
        for level in levels:
            vocabulary.check_action(f"{prefix}:{level}")
    for level in set(LEVELS) - groups["sqs"]:
        with pytest.raises(ValueError, match="there is no action or group"):
            vocabulary.check_action(f"sqs:{level}")


def test_stand_ins_for_operations_without_an_action_may_be_named(catalogue, tmp_path):
    names = sorted({name for _, _, name in catalogue.unmapped()})
    assert names
    actions = ", ".join(f'Action::"{name}"' for name in names[:50])
    text = f'@id("a") permit (principal, action in [{actions}], resource);'
    made = engine(tmp_path, text, actions=catalogue, settings=NO_CACHE)
    need = Need(names[0], "*", catalogue.access_level(names[0]))
    asked = replace(call("s3:GetObject"), needs=(need,))
    assert made.decide(AGENT, asked, GIVEN).effect is Effect.ALLOW


def test_a_misspelt_action_is_found_and_mended(catalogue, tmp_path):
    text = '@id("a") permit (principal, action == Action::"s3:GetObjcet", resource);'
    with pytest.raises(OperatorError, match="did you mean `s3:GetObject`"):
        engine(tmp_path, text, actions=catalogue)


def test_a_set_of_many_services_loads_in_time(catalogue, tmp_path):
    services = catalogue.action_prefixes()[:100]
    text = "".join(
        f'@id("p{index}") permit (principal, action in Action::"{name}:*", resource)'
        ' when { context.ticket != "" };\n'
        for index, name in enumerate(services)
    )
    started = time.perf_counter()
    made = engine(tmp_path, text, actions=catalogue, settings=NO_CACHE)
    assert time.perf_counter() - started < 10
    assert len(made.policies.policies) == 100


def test_the_example_masks_reads_of_the_customers_table(decide):
    for action in ("GetItem", "Query", "Scan", "BatchGetItem", "PartiQLSelect"):
        decision = decide(f"dynamodb:{action}", TABLE)
        assert decision.effect is Effect.ALLOW
        assert decision.obligations.mask == ("customer",)
    other = TABLE.replace("customers", "payroll")
    assert decide("dynamodb:GetItem", other).effect is Effect.DENY


def test_the_example_reads_buckets_by_their_label(decide):
    for action, name in (("ListBucket", ""), ("GetObject", "/2026/10.csv")):
        arn = f"arn:aws:s3:::corp-statements{name}"
        decision = decide(f"s3:{action}", arn)
        assert decision.effect is Effect.ALLOW
        assert decision.obligations.mask == ("customer",)
    assert decide("s3:GetObject", "arn:aws:s3:::corp-secrets/x").effect is Effect.DENY
    assert decide("s3:PutObject", arn).effect is Effect.DENY


def test_the_example_holds_writes_to_regulated_tables(decide):
    for action in ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"):
        decision = decide(f"dynamodb:{action}", TABLE)
        assert decision.effect is Effect.HOLD
        assert decision.obligations.approve == (Quorum(1, "dba"),)
        assert decision.obligations.mask == ("customer",)


@pytest.mark.parametrize(
    ("action", "resource", "statement", "effect"),
    [
        ("athena:StartQueryExecution", "workgroup/primary", "SELECT 1", Effect.ALLOW),
        ("athena:StartQueryExecution", "workgroup/primary",
         "SELECT 1; drop /**/ table customers", Effect.DENY),
        ("athena:StartQueryExecution", "workgroup/primary", "EXECUTE p", Effect.DENY),
        ("dynamodb:PartiQLInsert", "table/customers",
         "INSERT INTO customers VALUE {'id': '1'}", Effect.HOLD),
        ("dynamodb:PartiQLDelete", "table/customers",
         "DELETE FROM customers WHERE id = '1'", Effect.DENY),
    ],
)  # fmt: skip
def test_the_example_reads_statements(decide, action, resource, statement, effect):
    arn = f"arn:aws:{action.partition(':')[0]}:eu-west-1:123456789012:{resource}"
    assert decide(action, arn, statement).effect is effect


def test_the_example_denies_everything_else(decide, catalogue):
    every = [action for action, _ in catalogue.actions()]
    allowed = {
        action
        for action in [*every[::100], "sts:GetCallerIdentity"]
        if decide(action, "*").effect is not Effect.DENY
    }
    assert allowed == {"sts:GetCallerIdentity"}
    stranger = Principal("https://issuer.example", "somebody", ("people",))
    assert decide("dynamodb:GetItem", TABLE, principal=stranger).effect is Effect.DENY
