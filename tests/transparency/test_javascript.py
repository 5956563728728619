"""The JavaScript SDK gets the same answers directly and through the gateway."""

from __future__ import annotations

from typing import Any

import pytest
from moto_server import Moto
from stand import Stand

from gatekeep.aws.canonical import canonical_fields, signed_names
from tests.transparency.likeness import Likeness
from tests.transparency.test_denials import javascript

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TABLE = "js"
KEYED = {"TableName": TABLE, "Key": {"id": {"S": "1"}}}
OBJECT = {"Bucket": "js-files", "Key": "a b/ü+%//x"}
CALLS: list[tuple[str, str, list[Any]]] = [
    ("dynamodb", "DynamoDBClient", [
        ["CreateTable", {"TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}],
        ["PutItem", {"TableName": TABLE, "Item": {
            "id": {"S": "1"}, "b": {"B": {"$bytes": "00ff"}}}}],
        ["GetItem", KEYED], ["GetItem", {**KEYED, "TableName": "absent"}],
        ["Scan", {"TableName": TABLE}], ["DeleteItem", KEYED],
        ["DeleteTable", {"TableName": TABLE}],
    ]),
    ("s3", "S3Client", [
        ["CreateBucket", {"Bucket": "js-files"}],
        ["PutObject", {**OBJECT, "Body": "hello <&>", "Metadata": {"who": "agent"}}],
        ["GetObject", OBJECT], ["GetObject", {**OBJECT, "Range": "bytes=1-3"}],
        ["HeadObject", OBJECT], ["ListObjectsV2", {"Bucket": "js-files"}],
        ["GetObject", {**OBJECT, "Key": "absent"}],
        ["DeleteObjects", {"Bucket": "js-files", "Delete": {"Objects": [{"Key": "x"}]}}],
    ]),
    ("sqs", "SQSClient", [
        ["CreateQueue", {"QueueName": "js"}, {"url": "QueueUrl"}],
        ["SendMessage", {"QueueUrl": "${url}", "MessageBody": "hello é"}],
        ["ReceiveMessage", {"QueueUrl": "${url}", "WaitTimeSeconds": 1}],
        ["GetQueueUrl", {"QueueName": "absent"}],
    ]),
    ("ec2", "EC2Client", [
        ["CreateVpc", {"CidrBlock": "10.9.0.0/16"}],
        ["DescribeVpcs", {}], ["DescribeRegions", {}],
        ["DescribeInstances", {"InstanceIds": ["i-00000000000000000"]}],
    ]),
    ("cloudwatch", "CloudWatchClient", [
        ["PutMetricData", {"Namespace": "js", "MetricData": [
            {"MetricName": f"metric-{n:05}", "Value": n} for n in range(300)]}],
        ["ListMetrics", {"Namespace": "js"}], ["DescribeAlarms", {}],
    ]),
    ("lambda", "LambdaClient", [
        ["ListFunctions", {}], ["GetFunction", {"FunctionName": "absent"}],
    ]),
]  # fmt: skip


def test_the_javascript_sdk_gets_equal_results(
    gateway: Stand, straight: dict[str, str], direct: Moto, behind: Moto
) -> None:
    for moto in (direct, behind):
        moto.reset()
    left = javascript({**straight}, CALLS)
    right = javascript(gateway.agent(), CALLS)
    likeness = Likeness(direct.url, behind.url)
    assert not likeness.differences(left, right)
    assert {result["attempts"] for result in right} == {1}


def test_the_javascript_kinesis_client_works_over_http2(gateway: Stand) -> None:
    """It speaks nothing else, and moto nothing but HTTP/1.1: the gateway joins them."""
    created, put, listed = javascript(gateway.agent(), [
        ("kinesis", "KinesisClient", [
            ["CreateStream", {"StreamName": "js", "ShardCount": 1}],
            ["PutRecord", {"StreamName": "js", "PartitionKey": "p",
                           "Data": {"$bytes": "00ff"}}],
            ["ListStreams", {}],
        ]),
    ])  # fmt: skip
    assert created["status"] == 200, created
    assert put["outcome"]["ShardId"].startswith("shardId-")
    assert "js" in listed["outcome"]["StreamNames"]


def test_the_host_may_be_signed_as_http2_calls_it() -> None:
    """The JavaScript SDK lists ``:authority`` instead of ``host`` over HTTP/2."""
    signed = signed_names(b":authority;x-amz-date")
    fields = [(b"host", b"gw:8443"), (b"x-amz-date", b"20261123T000000Z")]
    assert signed.as_set == {b"host", b"x-amz-date"}
    lines = b":authority:gw:8443\nx-amz-date:20261123T000000Z\n"
    assert canonical_fields(signed, fields, dict(fields)) == lines
    spaced = [(b"host", b"gw:8443"), (b"x-amz-date", b" 20261123T000000Z \t")]
    assert canonical_fields(signed, spaced, dict(spaced)) == lines
    with pytest.raises(ValueError, match="each name once"):
        signed_names(b":authority;host;x-amz-date")
    with pytest.raises(ValueError, match="lower case"):
        signed_names(b":path;host")
