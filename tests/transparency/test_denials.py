"""A denial reads as AccessDenied with our message, in every protocol, and is not retried."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted_upstream import ScriptedUpstream
from stand import Issuer, Stand

from tests.transparency.table import BY_HAND, CLOUDWATCH, Step

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

HERE = Path(__file__).parent
DENY_ALL = (
    '@id("nobody")\nforbid (principal, action, resource);\n'
    '@id("all")\npermit (principal in Group::"agents", action, resource);\n'
)
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
"""What services call it: by protocol, as `aws.faults` says."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    upstream = ScriptedUpstream()
    yield upstream
    upstream.close()


@pytest.fixture(scope="module")
def denying(
    tmp_path_factory: pytest.TempPathFactory, issuer: Issuer, upstream: ScriptedUpstream
) -> Iterator[Stand]:
    directory = tmp_path_factory.mktemp("denying")
    stand = Stand(directory, upstream.url, issuer, DENY_ALL, assume=False)
    stand.write()
    stand.start()
    yield stand
    assert stand.stop() == 0, stand.log_path.read_text()
    assert not upstream.requests, "something denied was sent"


def complete(step: Step) -> bool:
    """Whether a step needs nothing of an answer that a denial does not give."""
    return step[2]["how"] == "call" and "${" not in json.dumps(step[1])


def refusals(stand: Stand) -> int:
    return sum(record["kind"] == "refusal" for record in stand.dump())


def run(command: list[str], env: dict[str, str], given: str) -> Any:
    done = subprocess.run(
        command, input=given, env=env, text=True, capture_output=True, check=False,
        timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def test_boto3_reads_every_denial_and_asks_once(denying: Stand) -> None:
    table = [
        (service, [step for step in steps if complete(step)])
        for service, steps in [
            *BY_HAND,
            ("cloudwatch/smithy-rpc-v2-cbor", CLOUDWATCH),
        ]
    ]
    before = refusals(denying)
    results = run(
        [sys.executable, str(HERE / "agent.py")], denying.agent(), json.dumps(table)
    )
    assert len(results) >= 200
    for result in results:
        [answer] = result["answers"]
        assert answer["status"] in (400, 403), result
        if result["call"] in ("s3.HeadBucket", "s3.HeadObject"):
            assert result["outcome"]["error"]["Code"] == "403"  # no body, no message
            continue
        error = result["outcome"]["error"]
        assert error["Code"] in DENIED, result
        assert error["Message"].startswith("gatekeep: "), result
        assert "policy.denied" in error["Message"]
    assert refusals(denying) - before == len(results)


COMMANDS = """\
dynamodb list-tables
dynamodb get-item --table-name t --key '{"id":{"S":"1"}}'
dynamodb put-item --table-name t --item '{"id":{"S":"1"}}'
dynamodb scan --table-name t
s3api list-buckets
s3api list-objects-v2 --bucket files
s3api get-object-tagging --bucket files --key k
s3api delete-object --bucket files --key k
s3 ls s3://files
iam list-users
iam create-user --user-name ann
iam get-role --role-name r
sns list-topics
sns publish --topic-arn arn:aws:sns:us-east-1:123456789012:t --message m
ec2 describe-vpcs
ec2 describe-instances
ec2 create-vpc --cidr-block 10.0.0.0/16
ec2 terminate-instances --instance-ids i-00000000000000000
lambda list-functions
lambda get-function --function-name f
lambda delete-function --function-name f
apigateway get-rest-apis
eks list-clusters
route53 list-hosted-zones
cloudfront list-distributions
kms list-keys
kms create-key
secretsmanager list-secrets
secretsmanager get-secret-value --secret-id s
ssm get-parameter --name n
logs describe-log-groups
stepfunctions list-state-machines
kinesis list-streams
cloudwatch list-metrics
cloudformation list-stacks
"""


def test_the_cli_reads_every_denial_and_asks_once(denying: Stand) -> None:
    before = refusals(denying)
    results = run(
        [sys.executable, str(HERE / "cli_agent.py")], denying.agent(), COMMANDS
    )
    assert len(results) >= 30
    for line, (code, out, err) in zip(COMMANDS.splitlines(), results, strict=True):
        assert code != 0, line
        assert not out
        assert any(f"({denied})" in err for denied in DENIED), (line, err)
        assert "gatekeep: " in err
        assert "policy.denied" in err
    assert refusals(denying) - before == len(results)


# --- the JavaScript SDK ---------------------------------------------------------------

KEYED = {"TableName": "t", "Key": {"id": {"S": "1"}}}
URL = "https://127.0.0.1/123456789012/q"
JAVASCRIPT: list[tuple[str, str, list[Any]]] = [
    ("dynamodb", "DynamoDBClient", [
        ["ListTables", {}], ["GetItem", KEYED], ["DeleteItem", KEYED],
        ["PutItem", {"TableName": "t", "Item": {"id": {"S": "1"}}}],
        ["Scan", {"TableName": "t"}], ["DescribeTable", {"TableName": "t"}],
    ]),
    ("s3", "S3Client", [
        ["ListBuckets", {}], ["GetObject", {"Bucket": "files", "Key": "k"}],
        ["PutObject", {"Bucket": "files", "Key": "k", "Body": "text"}],
        ["ListObjectsV2", {"Bucket": "files"}],
        ["DeleteObject", {"Bucket": "files", "Key": "k"}],
    ]),
    ("sqs", "SQSClient", [
        ["ListQueues", {}], ["SendMessage", {"QueueUrl": URL, "MessageBody": "m"}],
        ["ReceiveMessage", {"QueueUrl": URL}], ["PurgeQueue", {"QueueUrl": URL}],
    ]),
    ("sts", "STSClient", [
        ["GetAccessKeyInfo", {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}],
        ["DecodeAuthorizationMessage", {"EncodedMessage": "m"}],
    ]),
    ("ec2", "EC2Client", [
        ["DescribeVpcs", {}], ["DescribeInstances", {}], ["DescribeSubnets", {}],
        ["CreateVpc", {"CidrBlock": "10.0.0.0/16"}],
        ["TerminateInstances", {"InstanceIds": ["i-00000000000000000"]}],
    ]),
    ("cloudwatch", "CloudWatchClient", [
        ["ListMetrics", {}], ["DescribeAlarms", {}], ["ListDashboards", {}],
        ["DeleteAlarms", {"AlarmNames": ["a"]}],
    ]),
    ("lambda", "LambdaClient", [
        ["ListFunctions", {}], ["GetFunction", {"FunctionName": "f"}],
        ["DeleteFunction", {"FunctionName": "f"}], ["ListLayers", {}],
    ]),
    # This client speaks HTTP/2 only.
    ("kinesis", "KinesisClient", [
        ["ListStreams", {}], ["DescribeStream", {"StreamName": "s"}],
    ]),
]  # fmt: skip


def javascript(env: dict[str, str], table: Any) -> Any:
    """What the JavaScript SDK makes of a table; `make test-js` says where it is."""
    modules = os.environ.get("GATEKEEP_JS_SDK")
    node = shutil.which("node")
    if not (modules and node):
        pytest.skip("needs node and GATEKEEP_JS_SDK=<node_modules>: see make test-js")
    env |= {"GATEKEEP_JS_SDK": modules, "NODE_EXTRA_CA_CERTS": env["AWS_CA_BUNDLE"]}
    return run([node, str(HERE / "agent.mjs")], env, json.dumps(table))


def test_the_javascript_sdk_reads_every_denial_and_asks_once(denying: Stand) -> None:
    before = refusals(denying)
    results = javascript(denying.agent(), JAVASCRIPT)
    assert len(results) >= 30
    for result in results:
        assert result["error"] in DENIED, result
        assert result["message"].startswith("gatekeep: ")
        assert result["attempts"] == 1
        assert result["status"] in (400, 403)
    assert refusals(denying) - before == len(results)
