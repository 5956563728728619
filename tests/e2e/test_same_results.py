"""An unmodified client cannot tell the gateway from AWS (masking off, all permitted)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from moto_server import Moto
from stand import Stand

pytestmark = pytest.mark.e2e

AGENT = Path(__file__).parent / "agent_boto3.py"
BIG_MIB = 64


def directly(moto: Moto, home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_ENDPOINT_URL": moto.url,
        "AWS_ACCESS_KEY_ID": "AKIADIRECTDIRECTDIRE",
        "AWS_SECRET_ACCESS_KEY": "direct",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }


def run(command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, (
        f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    )
    return done.stdout


def resident_kib(stand: Stand) -> int:
    """Resident memory of the gateway's worker and ledger together."""
    assert stand.process is not None
    children = Path(f"/proc/{stand.process.pid}/task/{stand.process.pid}/children")
    total = 0
    for pid in [*children.read_text().split()]:
        status = Path(f"/proc/{pid}/status").read_text()
        total += int(status.split("RssAnon:")[1].split()[0])
    return total


def test_boto3_gets_equal_results_directly_and_through_the_gateway(
    direct: Moto, gateway: Stand, tmp_path: Path
) -> None:
    """The table of calls, a 64 MiB upload and download among them, with flat memory."""
    expected = json.loads(
        run([sys.executable, str(AGENT), str(BIG_MIB)], directly(direct, tmp_path))
    )
    # A first small pass warms what is made once: catalogue, masks, pools.
    run([sys.executable, "-c", "import boto3; boto3.client('sts').get_caller_identity()"],
        gateway.agent())  # fmt: skip
    before_kib = resident_kib(gateway)
    actual = json.loads(
        run([sys.executable, str(AGENT), str(BIG_MIB)], gateway.agent())
    )
    grown_kib = resident_kib(gateway) - before_kib
    assert actual == expected
    assert expected["s3.same"] is True
    assert grown_kib < 16 * 1024, f"grew by {grown_kib} KiB"
    records = gateway.dump()
    intents = [r for r in records if r["kind"] == "intent"]
    outcomes = [r for r in records if r["kind"] == "outcome"]
    assert len(intents) == len(outcomes) >= 60
    assert {r["result"] for r in outcomes} == {"completed"}


CLI_TABLE = [
    "dynamodb create-table --table-name cli --billing-mode PAY_PER_REQUEST"
    " --key-schema AttributeName=id,KeyType=HASH"
    " --attribute-definitions AttributeName=id,AttributeType=S"
    " --query TableDescription.TableName",
    'dynamodb put-item --table-name cli --item {"id":{"S":"1"},"n":{"N":"7"}}',
    'dynamodb get-item --table-name cli --key {"id":{"S":"1"}}',
    "dynamodb scan --table-name cli --max-items 1",
    "s3 mb s3://cli-bucket",
    "s3 cp {big} s3://cli-bucket/big --no-progress",
    "s3 cp s3://cli-bucket/big {back} --no-progress",
    "s3api head-object --bucket cli-bucket --key big --query [ContentLength,ETag]",
    "s3api list-objects-v2 --bucket cli-bucket --query Contents[].[Key,Size]",
    "s3api get-object --bucket cli-bucket --key big --range bytes=10-19 {back}.part"
    " --query ContentRange",
    "sqs create-queue --queue-name cli --query length(QueueUrl)>`0`",
    "sqs get-queue-url --queue-name cli --query length(QueueUrl)>`0`",
    "secretsmanager create-secret --name cli --secret-string s --query Name",
    "secretsmanager get-secret-value --secret-id cli --query SecretString",
    "sts get-caller-identity --query length(Arn)>`0`",
]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param([sys.executable, "-m", "awscli"], id="v1"),
        pytest.param(
            ["/usr/bin/aws"],
            id="v2",
            marks=pytest.mark.skipif(
                not Path("/usr/bin/aws").exists(), reason="Debian package awscli"
            ),
        ),
    ],
)
def test_the_aws_cli_gets_equal_results_directly_and_through_the_gateway(
    tmp_path: Path,
    command: list[str],
    issuer: object,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    one, two = Moto(), Moto()
    stand = Stand(tmp_path_factory.mktemp("cli"), two.url, issuer, PERMIT_ALL)  # type: ignore[arg-type]
    stand.write()
    stand.start()
    try:
        big = tmp_path / "big"
        big.write_bytes(bytes(range(256)) * 4096 * BIG_MIB)
        for line in CLI_TABLE:
            outputs = []
            for number, env in enumerate((directly(one, tmp_path), stand.agent())):
                back = tmp_path / f"back{number}"
                words = [
                    w.format(big=big, back=back) if "{b" in w else w
                    for w in line.split()
                ]
                out = run([*command, *words, "--output", "json"], env)
                outputs.append(out.replace(str(back), "BACK"))
            assert outputs[0] == outputs[1], line
        assert (tmp_path / "back1").read_bytes() == big.read_bytes()
    finally:
        stand.stop()
        one.close()
        two.close()


PERMIT_ALL = '@id("all")\npermit (principal in Group::"agents", action, resource);\n'
