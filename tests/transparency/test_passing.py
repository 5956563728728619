"""What a client sends arrives, and what AWS says comes back, unchanged."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest
from raw_client import Session, ask, open_session, signed
from scripted_upstream import ScriptedUpstream, answer
from stand import Issuer, Stand

from tests.transparency.table import Step, step

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PERMIT_ALL = '@id("all")\npermit (principal in Group::"agents", action, resource);\n'
AGENT = Path(__file__).parent / "agent.py"
SIGNATURE = {
    "authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256",
    "host",
}  # fmt: skip
"""What signing adds: made anew by the gateway, for another host and key."""
CONNECTION = {"connection", "expect", "transfer-encoding"}


@pytest.fixture(scope="module")
def scripted() -> Iterator[ScriptedUpstream]:
    upstream = ScriptedUpstream()
    yield upstream
    upstream.close()


@pytest.fixture
def upstream(scripted: ScriptedUpstream) -> ScriptedUpstream:
    scripted.script = answer()
    scripted.requests.clear()
    return scripted


@pytest.fixture(scope="module")
def stand(
    tmp_path_factory: pytest.TempPathFactory, issuer: Issuer, scripted: ScriptedUpstream
) -> Iterator[Stand]:
    directory = tmp_path_factory.mktemp("passing")
    stand = Stand(directory, scripted.url, issuer, PERMIT_ALL, assume=False)
    stand.write()
    stand.start()
    yield stand
    assert stand.stop() == 0, stand.log_path.read_text()


@pytest.fixture(scope="module")
def session(stand: Stand) -> Session:
    return open_session(stand)


def run_agent(stand: Stand, table: list[tuple[str, list[Step]]]) -> list[Any]:
    done = subprocess.run(
        [sys.executable, str(AGENT)], input=json.dumps(table), text=True,
        env=stand.agent(), capture_output=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    results: list[Any] = json.loads(done.stdout)
    return results


# --- on the way up --------------------------------------------------------------------


def parted(request: bytes) -> tuple[str, str, dict[str, str], bytes]:
    """Method, target, fields (lower case) and body of a raw request."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    fields = dict(line.split(": ", 1) for line in lines)
    return method, target, {k.lower(): v for k, v in fields.items()}, body


METRICS = {"Namespace": "app", "MetricData": [
    {"MetricName": f"metric-{n:05}", "Value": n} for n in range(300)]}  # fmt: skip
SENT: list[tuple[str, list[Step]]] = [
    ("dynamodb", [step("ListTables"), step("GetItem", TableName="t", Key={
        "id": {"S": "Zoë"}})]),
    ("sqs", [step("ListQueues")]),
    ("iam", [step("CreateUser", UserName="ann")]),
    ("ec2", [step("DescribeVpcs", Filters=[{"Name": "n", "Values": ["a", "b"]}])]),
    ("lambda", [
        step("ListFunctions", MaxItems=3),
        step("Invoke", FunctionName="f", Payload='{"a": 1}', ClientContext="e30="),
    ]),
    ("s3", [
        step("ListObjectsV2", Bucket="files", Prefix="ü /"),
        step("GetObject", Bucket="files", Key="a b/../ü+%//x", Range="bytes=0-1"),
        step("PutObject", Bucket="files", Key="k", Body={"$upload": 3}, Metadata={
            "who": "me  too"}, ContentType="text/plain"),
        step("DeleteObjects", Bucket="files", Delete={"Objects": [{"Key": "x"}]}),
    ]),
    ("route53", [step("ListHostedZones", MaxItems="2")]),
    ("cloudwatch/json", [step("PutMetricData", **METRICS)]),
    ("cloudwatch/query", [step("PutMetricData", **METRICS)]),
    ("cloudwatch/smithy-rpc-v2-cbor", [step("PutMetricData", **METRICS)]),
]  # fmt: skip


def test_requests_arrive_as_they_were_sent_but_for_the_signature(
    stand: Stand, upstream: ScriptedUpstream
) -> None:
    results = run_agent(stand, SENT)
    sent = [request for result in results for request in result["requests"]]
    # S3 calls come three times: boto3 takes an answer that is no XML for a fault.
    assert len(sent) == len(upstream.requests) >= sum(len(s) for _, s in SENT)
    for client, arrived in zip(sent, upstream.requests, strict=True):
        method, target, fields, body = parted(arrived)
        assert method == client["method"]
        assert target == client["url"].removeprefix(stand.url)
        left_out = SIGNATURE | CONNECTION
        # boto3's transport adds this one to what boto3 signed.
        told = {"accept-encoding": "identity", **client["headers"]}
        assert {k: v for k, v in fields.items() if k not in left_out} == {
            k: v for k, v in told.items() if k not in left_out
        }
        assert fields["authorization"] != client["headers"]["authorization"]
        if client["body"] is not None:
            assert body.decode("latin-1") == client["body"]


# --- on the way back ------------------------------------------------------------------

JSON = "application/x-amz-json-1.0"
FAULTS = [
    (400, JSON, b'{"__type":"com.amazonaws#ThrottlingException","message":"Rate"}'),
    (400, JSON, b'{"__type":"ProvisionedThroughputExceededException"}'),
    (400, JSON, b'{"__type":"a#ValidationException","message":"no \\u00e9"}'),
    (429, JSON, b'{"__type":"TooManyRequestsException","Message":"slow"}'),
    (500, JSON, b'{"__type":"InternalServerError"}'),
    (502, "text/html", b"<html>bad gateway</html>"),
    (503, JSON, b'{"__type":"ServiceUnavailable"}'),
    (504, "text/plain", b""),
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    "target", ["DynamoDB_20120810.GetItem", "DynamoDB_20120810.PutItem"]
)
def test_faults_of_aws_are_passed_on_as_they_are_and_nothing_is_sent_twice(
    stand: Stand, session: Session, upstream: ScriptedUpstream, target: str,
    fault: tuple[int, str, bytes],
) -> None:  # fmt: skip
    status, kind, body = fault
    upstream.script = answer(body, status=status, content_type=kind, extra="a: b\r\n")
    item = b'{"TableName":"t","Item":{"id":{"S":"1"}}}'
    request = signed(stand, session, target=target, body=item)
    if target.endswith("GetItem"):
        request = signed(stand, session)
    assert ask(stand, request) == (status, body)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("service", "operation", "given", "status", "body", "code", "attempts"),
    [
        ("s3", "GetObject", {"Bucket": "files", "Key": "k"}, 503,
         b"<Error><Code>SlowDown</Code><Message>m</Message></Error>", "SlowDown", 3),
        ("ec2", "DescribeVpcs", {}, 503,
         b"<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>m"
         b"</Message></Error></Errors></Response>", "RequestLimitExceeded", 3),
        ("iam", "GetUser", {}, 400,
         b"<ErrorResponse><Error><Code>Throttling</Code><Message>m</Message></Error>"
         b"</ErrorResponse>", "Throttling", 3),
        ("iam", "CreateUser", {"UserName": "u"}, 409,
         b"<ErrorResponse><Error><Code>EntityAlreadyExists</Code><Message>m</Message>"
         b"</Error></ErrorResponse>", "EntityAlreadyExists", 1),
        ("s3", "DeleteObject", {"Bucket": "files", "Key": "k"}, 403,
         b"<Error><Code>AccessDenied</Code><Message>AWS said so</Message></Error>",
         "AccessDenied", 1),
    ],
)  # fmt: skip
def test_boto3_repeats_what_it_would_repeat_and_the_gateway_nothing(
    stand: Stand, upstream: ScriptedUpstream, service: str, operation: str,
    given: dict[str, str], status: int, body: bytes, code: str, attempts: int,
) -> None:  # fmt: skip
    upstream.script = answer(body, status=status, content_type="text/xml")
    [result] = run_agent(stand, [(service, [step(operation, **given)])])
    assert result["outcome"]["error"]["Code"] == code
    assert len(result["requests"]) == len(upstream.requests) == attempts


def test_an_upstream_that_never_answers_a_write_is_asked_once(
    stand: Stand, upstream: ScriptedUpstream
) -> None:
    """It closes after it got all: the outcome is unknown, and boto3 asks no more."""
    upstream.script = lambda _connection, _request: False
    [result] = run_agent(stand, [("iam", [step("CreateUser", UserName="u")])])
    assert result["outcome"]["error"]["Code"] == "UnknownOutcome"
    assert len(result["requests"]) == len(upstream.requests) == 1
    outcomes = [r for r in stand.dump("--last", "3") if r["kind"] == "outcome"]
    assert outcomes[-1]["result"] == "unknown"


def test_cbor_answers_come_through(stand: Stand, upstream: ScriptedUpstream) -> None:
    body = cbor2.dumps({"Metrics": [{"MetricName": "m", "Namespace": "é"}]})
    upstream.script = answer(
        body, content_type="application/cbor", extra="smithy-protocol: rpc-v2-cbor\r\n"
    )
    steps = [step("ListMetrics")]
    [result] = run_agent(stand, [("cloudwatch/smithy-rpc-v2-cbor", steps)])
    assert result["outcome"] == {"Metrics": [{"MetricName": "m", "Namespace": "é"}]}
    [got] = result["answers"]
    assert got["body"] == body.decode("latin-1")
    assert got["headers"]["smithy-protocol"] == "rpc-v2-cbor"


def test_answers_of_every_framing_come_through(
    stand: Stand, upstream: ScriptedUpstream
) -> None:
    """Chunked with trailers, ended by the close, and with an integrity field."""
    body = b'{"TableNames":["one","two"]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
    crc = b"x-amz-crc32: %d\r\n" % zlib.crc32(body)
    chunked = (
        head + crc + b"Transfer-Encoding: chunked\r\n\r\n"
        b"5;ext=1\r\n" + body[:5] + b"\r\n%x\r\n" % len(body[5:]) + body[5:]
        + b"\r\n0\r\nx-trailer: 1\r\n\r\n"
    )  # fmt: skip
    for raw, stays in (
        (chunked, True),
        (head + b"\r\n" + body, False),
        (head + crc + b"Content-Length: %d\r\n\r\n" % len(body) + body, True),
    ):

        def script(
            connection: Any, _: bytes, raw: bytes = raw, stays: bool = stays
        ) -> bool:
            connection.sendall(raw)
            return stays

        upstream.script = script
        [result] = run_agent(stand, [("dynamodb", [step("ListTables")])])
        assert result["outcome"] == {"TableNames": ["one", "two"]}
        [got] = result["answers"]
        assert got["headers"].get("x-amz-crc32", "right") == "right"
        assert got["body"] == body.decode()


def test_the_log_tail_of_lambda_and_binary_bodies_are_untouched(
    stand: Stand, upstream: ScriptedUpstream
) -> None:
    data = bytes(range(256)) * 40
    log = base64.b64encode(b"START\n").decode()
    upstream.script = answer(
        data, content_type="application/octet-stream",
        extra=f"X-Amz-Log-Result: {log}\r\nX-Amz-Executed-Version: 7\r\n",
    )  # fmt: skip
    [result] = run_agent(stand, [("lambda", [step("Invoke", FunctionName="f")])])
    assert result["outcome"]["LogResult"] == log
    assert result["outcome"]["ExecutedVersion"] == "7"
    assert result["outcome"]["Payload"]["bytes"] == len(data)
