"""Old SDKs speak the query protocol to SQS; the gateway understands and answers it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import botocore
import botocore.model
import pytest
from stand import CATALOGUE

from gatekeep.aws.call import Call, Protocol, UnrecognisedError
from gatekeep.aws.catalogue import load_catalogue
from gatekeep.aws.recognise import Recogniser
from gatekeep.http.messages import RequestHead
from tests.aws import wire
from tests.aws.test_recognise_sweep import _same

FORM = b"application/x-www-form-urlencoded; charset=utf-8"
QUEUE = "https://gw.test/123456789012/work"
OLD_MODEL = Path(
    "/usr/lib/python3/dist-packages/awscli/botocore/data/sqs/2012-11-05/service-2.json"
)


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser(load_catalogue(CATALOGUE), hostnames=("gw.test",))


def understand(
    recogniser: Recogniser, form: dict[str, str], path: bytes = b"/"
) -> Call:
    head = RequestHead(b"POST", path, [(b"host", b"gw.test"), (b"content-type", FORM)])
    body = urlencode({"Version": "2012-11-05", **form}).encode()
    route = recogniser.route(head, signing_name="sqs", region="us-east-1")
    return recogniser.call(route, head, body, account_id="123456789012")


def test_every_member_goes_by_its_former_name(recogniser: Recogniser) -> None:
    call = understand(recogniser, {
        "Action": "SendMessageBatch", "QueueUrl": QUEUE,
        "SendMessageBatchRequestEntry.1.Id": "a",
        "SendMessageBatchRequestEntry.1.MessageBody": "one",
        "SendMessageBatchRequestEntry.1.MessageAttribute.1.Name": "kind",
        "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType": "String",
        "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue": "x",
        "SendMessageBatchRequestEntry.2.Id": "b",
        "SendMessageBatchRequestEntry.2.MessageBody": "two",
        "SendMessageBatchRequestEntry.2.DelaySeconds": "3",
    })  # fmt: skip
    assert (call.service, call.operation) == ("sqs", "SendMessageBatch")
    assert call.protocol is Protocol.QUERY
    assert call.parameters == {
        "QueueUrl": QUEUE,
        "Entries": [
            {"Id": "a", "MessageBody": "one", "MessageAttributes": {
                "kind": {"DataType": "String", "StringValue": "x"}}},
            {"Id": "b", "MessageBody": "two", "DelaySeconds": 3},
        ],
    }  # fmt: skip
    assert [(n.action, n.resource) for n in call.needs] == [
        ("sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:work")
    ]


def test_maps_and_lists_are_flat(recogniser: Recogniser) -> None:
    call = understand(recogniser, {
        "Action": "CreateQueue", "QueueName": "work",
        "Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "5",
        "Attribute.2.Name": "KmsMasterKeyId", "Attribute.2.Value": "k",
        "Tag.1.Key": "team", "Tag.1.Value": "data",
    })  # fmt: skip
    assert call.parameters == {
        "QueueName": "work",
        "Attributes": {"DelaySeconds": "5", "KmsMasterKeyId": "k"},
        "tags": {"team": "data"},
    }
    names = {"AttributeName.1": "All", "MessageSystemAttributeName.1": "SentTimestamp"}
    call = understand(
        recogniser, {"Action": "ReceiveMessage", "QueueUrl": QUEUE, **names}
    )
    assert call.parameters["AttributeNames"] == ["All"]
    assert call.parameters["MessageSystemAttributeNames"] == ["SentTimestamp"]


def test_the_queue_may_stand_in_the_path(recogniser: Recogniser) -> None:
    form = {"Action": "SendMessage", "MessageBody": "m"}
    for given in ({}, {"QueueUrl": QUEUE}):
        call = understand(recogniser, {**form, **given}, b"/123456789012/work")
        assert [n.resource for n in call.needs] == [
            "arn:aws:sqs:us-east-1:123456789012:work"
        ]


@pytest.mark.parametrize(
    ("form", "path"),
    [
        ({"Action": "SendMessage", "QueueUrl": QUEUE}, b"/123456789012/other"),
        ({"Action": "ListQueues"}, b"/123456789012/work"),
        ({"Action": "SendMessage", "MessageBody": "m"}, b"/123456789012/a%2Fb"),
        ({"Action": "SendMessage", "Entries.1.Id": "x"}, b"/"),
        ({"Action": "SendMessage", "Version": "2011-10-01"}, b"/"),
    ],
)
def test_what_could_mean_two_queues_is_refused(
    recogniser: Recogniser, form: dict[str, str], path: bytes
) -> None:
    with pytest.raises(UnrecognisedError):
        understand(recogniser, form, path)


def test_operations_without_a_queue_are_those_of_the_model() -> None:
    from gatekeep.aws import former_query

    file = Path(botocore.__file__).parent / "data/sqs/2012-11-05/service-2.json.gz"
    model = json.loads(gzip.decompress(file.read_bytes()))
    assert {
        name
        for name, described in model["operations"].items()
        if "QueueUrl" not in model["shapes"][described["input"]["shape"]]["members"]
    } == former_query._ABOUT_NO_QUEUE


@pytest.mark.skipif(not OLD_MODEL.exists(), reason="Debian package awscli")
def test_every_operation_of_the_last_query_model_comes_through(
    recogniser: Recogniser,
) -> None:
    """Serialised by botocore from the model that AWS CLI 2.9 ships."""
    model = botocore.model.ServiceModel(json.loads(OLD_MODEL.read_text()), "sqs")
    for operation in model.operation_names:
        given: dict[str, Any] = wire.parameters_of(
            model.operation_model(operation).input_shape, whole=True
        )
        head, body = wire.serialise(model, operation, given, "query")
        route = recogniser.route(head, signing_name="sqs", region="us-east-1")
        call = recogniser.call(route, head, body, account_id="123456789012")
        assert call.operation == operation
        assert _same(given, dict(call.parameters)), operation
