"""The main job: a masked read, a refused statement, an approved write, the evidence."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto_server import Moto
from stand import Stand, run_gatekeep

pytestmark = pytest.mark.e2e

SSN, PAN, EMAIL = "536-22-8726", "4111111111111111", "zoe.quill@example.net"

BLOB = f"SSN {SSN}".encode()
"""Protected data one level of base64 deep, as DynamoDB's binary type sends it."""

POLICIES = """
@id("read")
@mask("customer")
permit (principal in Group::"agents", action in [Action::"Read", Action::"List"], resource);

@id("write")
@approve("1 of dba")
permit (principal in Group::"agents", action in Action::"dynamodb:Write", resource)
when { resource.labels.contains("regulated") };

@id("query")
permit (principal in Group::"agents", action == Action::"athena:StartQueryExecution", resource);

@id("no-drop")
forbid (principal, action, resource)
when { context.statement_verbs.containsAny(["DROP", "DELETE", "TRUNCATE"]) };
"""

EXTRA = """
[[resource]]
arn = "arn:aws:dynamodb:*:*:table/customers"
labels = ["regulated"]
[[masking.profile]]
name = "customer"
[[masking.profile.mask]]
field = "ssn"
style = "keep-last-4"
[[masking.profile.mask]]
detector = "pan"
style = "keep-last-4"
[[masking.profile.mask]]
detector = "email"
style = "fixed"
"""


@pytest.fixture(scope="module")
def customers(behind: Moto) -> Iterator[object]:
    """The table behind the gateway, seeded past it."""
    dynamodb = boto3.client(
        "dynamodb", endpoint_url=behind.url, region_name="us-east-1",
        aws_access_key_id="direct", aws_secret_access_key="direct",
    )  # fmt: skip
    dynamodb.create_table(
        TableName="customers", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    dynamodb.put_item(
        TableName="customers",
        Item={"id": {"S": "c-1"}, "ssn": {"S": SSN}, "card": {"S": PAN},
              "mail": {"S": EMAIL}, "balance": {"N": "120.5"}},
    )  # fmt: skip
    dynamodb.put_item(
        TableName="customers", Item={"id": {"S": "c-2"}, "file": {"B": BLOB}}
    )
    yield dynamodb
    dynamodb.close()


def agent(stand: Stand, code: str) -> subprocess.Popen[str]:
    """Plain boto3 in its own process, started with environment variables only."""
    return subprocess.Popen(
        [sys.executable, "-c", f"import boto3, json\n{code}"],
        env=stand.agent(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    return process.communicate(timeout=60)


GET = "print(json.dumps(boto3.client('dynamodb').get_item(TableName='customers', Key={'id': {'S': 'c-1'}})['Item']))"
PUT = (
    "print(boto3.client('dynamodb').update_item(TableName='customers',"
    " Key={{'id': {{'S': 'c-1'}}}}, UpdateExpression='SET balance = :b',"
    " ExpressionAttributeValues={{':b': {{'N': '{n}'}}}})['ResponseMetadata']['HTTPStatusCode'])"
)


def balance(customers: object) -> str:
    item = customers.get_item(TableName="customers", Key={"id": {"S": "c-1"}})["Item"]  # type: ignore[attr-defined]
    return str(item["balance"]["N"])


def pending(stand: Stand) -> dict[str, object]:
    """The one access request that waits, once it does."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        listed = json.loads(
            run_gatekeep("access", "list", "--json", "--config", config(stand))
        )
        if listed:
            return listed[0]  # type: ignore[no-any-return]
    raise AssertionError("nothing waits for approval")


def config(stand: Stand) -> str:
    return str(stand.directory / "gatekeep.toml")


def decide(
    stand: Stand, verb: str, request_id: object, who: str, *groups: str
) -> subprocess.CompletedProcess[str]:
    """`gatekeep access approve|deny` from another terminal, as that person."""
    return subprocess.run(
        [sys.executable, "-m", "gatekeep.cli.main", "access", verb, str(request_id),
         "--config", config(stand), "--token-file", str(stand.token_file(who, groups))],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_an_agent_reads_masked_values(gateway: Stand, customers: object) -> None:
    out, err = finish(agent(gateway, GET))
    item = json.loads(out or err)
    assert item["id"] == {"S": "c-1"}
    assert item["balance"] == {"N": "120.5"}
    assert item["ssn"]["S"].endswith("8726")
    assert item["card"]["S"].endswith("1111")
    for raw in (SSN, PAN, EMAIL):
        assert raw not in out


def test_a_protected_value_in_a_blob_is_not_recorded_in_base64_either(
    gateway: Stand, customers: object
) -> None:
    """`test_no_protected_value_is_anywhere…` looks for it in all that is kept."""
    code = GET.replace("c-1", "c-2").replace("json.dumps(", "str(")
    out, err = finish(agent(gateway, code))
    assert "c-2" in out, err


def test_a_drop_table_through_athena_is_refused_and_never_sent(
    gateway: Stand, customers: object
) -> None:
    code = (
        "import botocore\n"
        "try:\n boto3.client('athena').start_query_execution(QueryString='DROP /* x */ TABLE customers',"
        " ResultConfiguration={'OutputLocation': 's3://x/'})\n"
        "except botocore.exceptions.ClientError as e: print(e.response['Error']['Code'], e, e.response['ResponseMetadata']['RetryAttempts'])"
    )
    out, err = finish(agent(gateway, code))
    assert out.startswith("AccessDenied"), err
    assert "no-drop" in out
    assert out.rstrip().endswith(" 0")
    record = gateway.dump("--last", "1")[-1]
    assert record["kind"] == "refusal"
    assert record["reasons"] == ["no-drop"]


def test_a_held_write_runs_once_after_another_person_approves(
    gateway: Stand, customers: object
) -> None:
    held = agent(gateway, PUT.format(n=200))
    request = pending(gateway)
    assert held.poll() is None
    assert balance(customers) != "200"
    own = decide(gateway, "approve", request["id"], "agent-7", "agents", "dba")
    assert own.returncode != 0, "who asks cannot approve"
    stranger = decide(gateway, "approve", request["id"], "mallory", "agents")
    assert stranger.returncode != 0, "only a dba can approve"
    assert balance(customers) != "200"
    done = decide(gateway, "approve", request["id"], "dana", "dba")
    assert done.returncode == 0, done.stderr
    out, err = finish(held)
    assert out.strip() == "200", err
    assert balance(customers) == "200"
    kinds = [(r["kind"], r.get("decision")) for r in gateway.dump("--last", "4")]
    assert kinds[-4:] == [
        ("hold", None), ("approval", "approved"), ("intent", "hold"), ("outcome", None),
    ]  # fmt: skip
    # The approval is used up: the same request again waits for its own.
    again = agent(gateway, PUT.format(n=200))
    second = pending(gateway)
    assert second["id"] != request["id"]
    assert decide(gateway, "deny", second["id"], "dana", "dba").returncode == 0
    out, err = finish(again)
    assert "AccessDenied" in err
    assert "a reviewer denied" in err


def test_a_write_whose_client_has_gone_never_runs(
    gateway: Stand, customers: object
) -> None:
    held = agent(gateway, PUT.format(n=666))
    request = pending(gateway)
    held.send_signal(signal.SIGKILL)
    held.communicate()
    deadline = time.monotonic() + 20
    while gateway.dump("--last", "1")[-1].get("code") != "client.gone":
        assert time.monotonic() < deadline
    late = decide(gateway, "approve", request["id"], "dana", "dba")
    assert late.returncode != 0
    assert balance(customers) != "666"


def test_the_evidence_verifies_and_one_flipped_byte_is_found(
    gateway: Stand, customers: object, tmp_path: Path
) -> None:
    """On a copy: one byte of one record changed in LMDB's file, the rest as it was."""
    finish(agent(gateway, GET))
    assert (
        ": holds: "
        in run_gatekeep("audit", "verify", "--config", config(gateway)).lower()
    )
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copytree(gateway.directory / "state" / "audit", copy / "state" / "audit")
    for name in ("session.keys", "digest.key", "server.pem", "server.key", "ca.pem"):
        shutil.copy(gateway.directory / name, copy / name)
    shutil.copytree(gateway.directory / "policies", copy / "policies")
    shutil.copy(gateway.directory / "gatekeep.toml", copy / "gatekeep.toml")
    data_file = copy / "state" / "audit" / "data.mdb"
    # Wherever it stands: LMDB keeps old pages, and only one of these is the record's.
    data_file.write_bytes(data_file.read_bytes().replace(b"c-1", b"c-0"))
    done = subprocess.run(
        [sys.executable, "-m", "gatekeep.cli.main", "audit", "verify",
         "--config", str(copy / "gatekeep.toml")],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr


def test_no_protected_value_is_anywhere_in_what_the_gateway_keeps(
    gateway: Stand, customers: object
) -> None:
    """Canary: every file under the state directory, and the gateway's own log."""
    encoded = base64.b64encode(BLOB).decode()
    secret = (gateway.directory / "session.keys").read_bytes().split()[1]
    for path in gateway.directory.rglob("*"):
        if not path.is_file() or path.suffix in (".keys", ".token", ".key", ".pem"):
            continue
        data = path.read_bytes()
        for canary in (SSN, PAN, EMAIL, encoded, "gateway-own-secret-key"):
            assert canary.encode() not in data, f"{canary} in {path}"
        assert secret not in data
    assert (gateway.directory / "state").stat().st_mode & 0o077 == 0
