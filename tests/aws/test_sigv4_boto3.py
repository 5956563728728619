"""Requests of a stock boto3, byte for byte as it would put them on the wire."""

from __future__ import annotations

import io
from functools import cache
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import boto3
import botocore.auth
import pytest
from botocore.config import Config

from gatekeep.aws.authorization import PayloadMode, parse_authorization
from gatekeep.aws.chunked import ChunkedDecoder
from gatekeep.aws.sigv4 import signed_body_sha256, verify_head
from gatekeep.http.messages import RequestHead
from tests.aws.signing import KEY_ID, NOW_S, SECRET, a_head, a_session
from tests.aws.test_sigv4 import NOW

KEY = "a b/../ü+%//x (1)~'*!"
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("dynamodb", "get_item", {"TableName": "t", "Key": {"k": {"S": "1"}}}),
    ("sqs", "send_message", {"QueueUrl": "https://q.test/1/q", "MessageBody": "ü"}),
    ("sts", "get_caller_identity", {}),
    ("ec2", "describe_instances", {"Filters": [{"Name": "a", "Values": ["b c", "d+e"]}]}),
    ("iam", "list_users", {"PathPrefix": "/a b/"}),
    ("lambda", "invoke", {"FunctionName": "arn:aws:lambda:us-east-1:111122223333:function:f", "Payload": b"{}"}),
    ("route53", "get_hosted_zone", {"Id": "/hostedzone/Z1"}),
    ("secretsmanager", "get_secret_value", {"SecretId": "a/b"}),
    ("apigateway", "get_resource", {"restApiId": "a//b", "resourceId": ".."}),
    ("bedrock-runtime", "invoke_model", {"modelId": "arn:aws:bedrock:us-east-1::foundation-model/a:b/c", "body": b"{}"}),
    ("cloudwatch", "put_metric_data", {"Namespace": "n", "MetricData": [{"MetricName": "m" * 50, "Value": n} for n in range(300)]}),
    ("logs", "filter_log_events", {"logGroupName": "/aws/x"}),
    ("eventbridgev2", "list_event_buses", {}),
    ("s3", "list_buckets", {}),
    ("s3", "get_object", {"Bucket": "b", "Key": KEY, "Range": "bytes=0-9", "VersionId": "a+/="}),
    ("s3", "list_objects_v2", {"Bucket": "b", "Prefix": "a b+c/ü", "Delimiter": "/", "StartAfter": "~*"}),
    ("s3", "put_object", {"Bucket": "b", "Key": KEY, "Body": b"hello" * 9, "Metadata": {"name": "two  words", "b": ""}}),
    ("s3", "put_object", {"Bucket": "b", "Key": "k", "Body": io.BytesIO(bytes(3_000_000)), "ChecksumAlgorithm": "SHA256"}),
    ("s3", "upload_part", {"Bucket": "b", "Key": "k", "Body": b"x" * 70_000, "UploadId": "u/+=", "PartNumber": 2, "ChecksumAlgorithm": "SHA1"}),
    ("s3", "copy_object", {"Bucket": "b", "Key": "k", "CopySource": {"Bucket": "c", "Key": KEY}}),
    ("s3", "delete_objects", {"Bucket": "b", "Delete": {"Objects": [{"Key": KEY}]}}),
    ("s3", "create_multipart_upload", {"Bucket": "b", "Key": KEY, "Tagging": "a=b%20c&d=e"}),
    ("s3control", "get_public_access_block", {"AccountId": "111122223333"}),
]  # fmt: skip


class EnoughError(Exception):
    """Stops a client before it connects."""


@cache
def a_client(scheme: str, service: str) -> Any:
    return boto3.client(
        service, "us-east-1", endpoint_url=f"{scheme}://gw.test:8443",
        aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET,
        aws_session_token="sealed+/=", config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip


def on_the_wire(
    scheme: str, service: str, call: str, parameters: dict[str, Any]
) -> tuple[RequestHead, bytes]:
    """The head and the body of what a stock client sends to the gateway."""
    client = a_client(scheme, service)
    sent: list[Any] = []

    def keep(request: Any, **_: object) -> None:
        sent.append(request)
        raise EnoughError

    client.meta.events.register("before-send", keep)
    with (
        patch.object(botocore.auth, "get_current_datetime", lambda: NOW),
        pytest.raises(EnoughError),
    ):
        getattr(client, call)(**parameters)
    client.meta.events.unregister("before-send", keep)
    request = sent[0]
    url = urlsplit(request.url)
    target = url.path + (f"?{url.query}" if url.query else "")
    fields = [
        (name.encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in request.headers.items()
    ]
    body = request.body or b""
    if hasattr(body, "read"):
        body = body.read()
    return a_head(
        request.method.encode(),
        (target or "/").encode(),
        [(b"Host", url.netloc.encode()), *fields],
    ), body if isinstance(body, bytes) else body.encode()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("service", "call", "parameters"), CALLS, ids=[f"{s}-{c}" for s, c, _ in CALLS]
)
def test_what_boto3_sends_is_verified_with_its_body(scheme, service, call, parameters):
    if hasattr(parameters.get("Body"), "seek"):
        parameters["Body"].seek(0)
    head, body = on_the_wire(scheme, service, call, parameters)
    authorization = parse_authorization(head)
    assert authorization.session_token == b"sealed+/="
    verified = verify_head(
        head, authorization, a_session(), now_s=NOW_S,
        body_sha256=signed_body_sha256(authorization, body),
    )  # fmt: skip
    if "Body" not in parameters:
        assert not authorization.payload.is_aws_chunked
        return
    expected = parameters["Body"]
    if hasattr(expected, "seek"):
        expected.seek(0)
        expected = expected.read()
    if scheme == "https":
        assert authorization.payload is PayloadMode.STREAMING_UNSIGNED_TRAILER
        decoder = ChunkedDecoder(head, verified)
        body = b"".join(piece.data for piece in decoder.feed(body))
        decoder.finish()
    assert body == expected
