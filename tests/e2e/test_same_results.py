"""An unmodified client cannot tell the gateway from AWS (masking off, all permitted)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from moto_server import Moto
from stand import Issuer, Stand

pytestmark = pytest.mark.e2e

AGENT = Path(__file__).parent / "agent_boto3.py"
BIG_MIB = 64
PERMIT_ALL = '@id("all")\npermit (principal in Group::"agents", action, resource);\n'


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
    direct: Moto, behind: Moto, gateway: Stand, tmp_path: Path
) -> None:
    """The table of calls, a 64 MiB upload and download among them, with flat memory."""
    expected = json.loads(
        run([sys.executable, str(AGENT), str(BIG_MIB)], directly(direct, tmp_path))
    )
    # What is made once for each service (shapes, endpoint rules, parallel connections)
    # is made by a first pass with 16 MiB, and forgotten by what stands in for AWS: what
    # four times as much adds is what grows with the size of a body.
    run([sys.executable, str(AGENT), "16"], gateway.agent())
    behind.reset()
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


def version_1(stand: Stand, line: str) -> tuple[list[str], dict[str, str]]:
    """CLI v1: every variable, but for SQS it must be told the endpoint.

    It has its own idea of some hosts (customizations/overridesslcommonname.py).
    """
    told = ["--endpoint-url", stand.url] if line.startswith("sqs") else []
    return [sys.executable, "-m", "awscli", *told], stand.agent()


def version_2(stand: Stand, _line: str) -> tuple[list[str], dict[str, str]]:
    """Debian's CLI v2 is 2.9, older than AWS_ENDPOINT_URL (2.13).

    It is told where to go, and gets its session from `gatekeep credentials`.
    """
    env = stand.agent()
    file = stand.directory / "aws-config"
    file.write_text(
        "[default]\nregion = us-east-1\ncredential_process = "
        f"{sys.executable} -m gatekeep.cli.main credentials --endpoint {stand.url}"
        f" --role-arn {env['AWS_ROLE_ARN']}"
        f" --token-file {env['AWS_WEB_IDENTITY_TOKEN_FILE']}"
        f" --ca-bundle {env['AWS_CA_BUNDLE']}\n"
    )
    kept = {name: env[name] for name in ("PATH", "HOME", "AWS_CA_BUNDLE")}
    kept["AWS_CONFIG_FILE"] = str(file)
    return ["/usr/bin/aws", "--endpoint-url", stand.url], kept


@pytest.mark.parametrize(
    "version",
    [
        version_1,
        pytest.param(
            version_2,
            marks=pytest.mark.skipif(
                not Path("/usr/bin/aws").exists(), reason="Debian package awscli"
            ),
        ),
    ],
)
def test_the_aws_cli_gets_equal_results_directly_and_through_the_gateway(
    tmp_path: Path,
    version: Callable[[Stand, str], tuple[list[str], dict[str, str]]],
    issuer: Issuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    one, two = Moto(), Moto()
    stand = Stand(tmp_path_factory.mktemp("cli"), two.url, issuer, PERMIT_ALL)
    stand.write()
    stand.start()
    try:
        big = tmp_path / "big"
        big.write_bytes(bytes(range(256)) * 4096 * BIG_MIB)
        for line in CLI_TABLE:
            outputs = []
            command, env = version(stand, line)
            straight = [part.replace(stand.url, one.url) for part in command]
            for number, (program, variables) in enumerate(
                ((straight, directly(one, tmp_path)), (command, env))
            ):
                back = tmp_path / f"back{number}"
                words = [
                    w.format(big=big, back=back) if "{b" in w else w
                    for w in line.split()
                ]
                out = run([*program, *words, "--output", "json"], variables)
                outputs.append(out.replace(back.name, "back"))
            assert outputs[0] == outputs[1], line
        assert (tmp_path / "back1").read_bytes() == big.read_bytes()
    finally:
        stand.stop()
        one.close()
        two.close()
