"""What the recogniser takes for a call, and what it refuses."""

from __future__ import annotations

import gzip
import json
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeep import limits
from gatekeep.aws.call import Call, Protocol, UnrecognisedError
from gatekeep.aws.recognise import Recogniser
from gatekeep.http.messages import Field, RequestHead

ACCOUNT = "111122223333"
JSON_1_0 = (b"content-type", b"application/x-amz-json-1.0")
FORM = (b"content-type", b"application/x-www-form-urlencoded; charset=utf-8")


def head(
    method: str, target: str, *fields: Field, host: bytes = b"gw.test:8443"
) -> RequestHead:
    return RequestHead(method.encode(), target.encode(), [(b"host", host), *fields])


def recognise(
    recogniser: Recogniser,
    request: RequestHead,
    body: bytes = b"",
    *,
    signing_name: str,
    region: str = "us-east-1",
) -> Call:
    route = recogniser.route(request, signing_name=signing_name, region=region)
    return recogniser.call(
        route, request, None if route.streams else body, account_id=ACCOUNT
    )


def dynamodb(
    recogniser: Recogniser, operation: str, body: bytes, *fields: Field
) -> Call:
    target = (b"x-amz-target", b"DynamoDB_20120810." + operation.encode())
    request = head("POST", "/", target, JSON_1_0, *fields)
    return recognise(recogniser, request, body, signing_name="dynamodb")


GET_ITEM = b'{"TableName":"t","Key":{"id":{"B":"AAE="}}}'


def refused(code: str) -> Any:
    return pytest.raises(UnrecognisedError, match=code.replace(".", r"\."))


# --- what a call is -------------------------------------------------------------


def test_a_json_call_has_its_parameters_under_modelled_names(
    recogniser: Recogniser,
) -> None:
    call = dynamodb(recogniser, "GetItem", GET_ITEM)
    assert call.protocol is Protocol.JSON
    assert call.parameters == {"TableName": "t", "Key": {"id": {"B": b"\x00\x01"}}}
    assert not call.changes


def test_a_gzip_body_is_undone(recogniser: Recogniser) -> None:
    coding = (b"content-encoding", b"gzip")
    call = dynamodb(recogniser, "GetItem", gzip.compress(GET_ITEM), coding)
    assert call.parameters["TableName"] == "t"


def test_statements_are_carried(recogniser: Recogniser) -> None:
    body = json.dumps({"QueryString": "DROP TABLE x", "WorkGroup": "w"}).encode()
    request = head(
        "POST",
        "/",
        (b"x-amz-target", b"AmazonAthena.StartQueryExecution"),
        (b"content-type", b"application/x-amz-json-1.1"),
    )
    call = recognise(recogniser, request, body, signing_name="athena")
    assert call.statements == ("DROP TABLE x",)


def test_a_form_may_be_in_the_query_of_a_presigned_get(recogniser: Recogniser) -> None:
    query = (
        "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=a&X-Amz-Date=d&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
        "&X-Amz-Security-Token=t&X-Amz-Signature=s"
    )
    call = recognise(recogniser, head("GET", f"/?{query}"), signing_name="sts")
    assert (call.service, call.operation) == ("sts", "GetCallerIdentity")
    assert call.parameters == {}


def test_a_cbor_call_is_recognised(recogniser: Recogniser) -> None:
    request = head(
        "POST",
        "/service/GraniteServiceVersion20100801/operation/ListMetrics",
        (b"smithy-protocol", b"rpc-v2-cbor"),
        (b"content-type", b"application/cbor"),
    )
    body = cbor2.dumps({"Namespace": "AWS/EC2"})
    call = recognise(recogniser, request, body, signing_name="monitoring")
    assert (call.service, call.protocol) == ("cloudwatch", Protocol.CBOR)
    assert call.parameters == {"Namespace": "AWS/EC2"}


def test_an_ec2_form_numbers_its_lists(recogniser: Recogniser) -> None:
    body = (
        b"Action=DescribeInstances&Version=2016-11-15&InstanceId.2=i-2&InstanceId.1=i-1"
        b"&Filter.1.Name=tag%3Aa&Filter.1.Value.1=b&DryRun=false"
    )
    call = recognise(recogniser, head("POST", "/", FORM), body, signing_name="ec2")
    assert call.parameters == {
        "InstanceIds": ["i-1", "i-2"],
        "Filters": [{"Name": "tag:a", "Values": ["b"]}],
        "DryRun": False,
    }


def test_a_search_may_be_sent_as_a_form(recogniser: Recogniser) -> None:
    request = head("POST", "/2013-01-01/search", FORM)
    body = b"format=sdk&pretty=true&q=red+shoes&size=3"
    call = recognise(recogniser, request, body, signing_name="cloudsearch")
    assert (call.service, call.operation) == ("cloudsearchdomain", "Search")
    assert call.parameters == {"query": "red shoes", "size": 3}
    with refused("aws.bad_parameters"):
        recognise(recogniser, request, b"q=x&new=1", signing_name="cloudsearch")


def test_the_version_of_a_form_chooses_the_service(recogniser: Recogniser) -> None:
    for version, service in (("2012-06-01", "elb"), ("2015-12-01", "elbv2")):
        body = f"Action=DescribeLoadBalancers&Version={version}".encode()
        request = head("POST", "/", FORM)
        call = recognise(recogniser, request, body, signing_name="elasticloadbalancing")
        assert call.service == service


# --- the head alone tells -------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "target", "operation"),
    [
        ("PUT", "/b-1/k", "PutObject"),
        ("PUT", "/b-1/k?partNumber=1&uploadId=u", "UploadPart"),
    ],
)
def test_an_upload_is_decided_before_its_body(
    recogniser: Recogniser, method: str, target: str, operation: str
) -> None:
    route = recogniser.route(
        head(method, target), signing_name="s3", region="us-east-1"
    )
    assert route.streams
    assert route.candidates == (operation,)


@pytest.mark.parametrize(
    ("method", "target", "fields", "operation"),
    [
        ("GET", "/", [], "ListBuckets"),
        ("GET", "/b-1", [], "ListObjects"),
        ("GET", "/b-1/", [], "ListObjects"),
        ("GET", "/b-1?list-type=2", [], "ListObjectsV2"),
        ("GET", "/b-1?acl", [], "GetBucketAcl"),
        ("GET", "/b-1/k?acl=", [], "GetObjectAcl"),
        ("GET", "/b-1/k", [], "GetObject"),
        ("GET", "/b-1/k?x-id=GetObject", [], "GetObject"),
        ("GET", "/b-1/k?uploadId=u", [], "ListParts"),
        ("HEAD", "/b-1/k", [], "HeadObject"),
        ("PUT", "/b-1/k", [(b"x-amz-copy-source", b"c/k")], "CopyObject"),
        (
            "PUT",
            "/b-1/k?partNumber=1&uploadId=u",
            [(b"x-amz-copy-source", b"c/k")],
            "UploadPartCopy",
        ),
        ("POST", "/b-1/k?uploads", [], "CreateMultipartUpload"),
        ("DELETE", "/b-1/k?uploadId=u", [], "AbortMultipartUpload"),
        ("GET", "/b-1?lifecycle", [], "GetBucketLifecycleConfiguration"),
        (
            "GET",
            "/v20180820/publicAccessBlock/x",
            [],
            "GetObject",  # a bucket that is called v20180820
        ),
    ],
)
def test_s3_operations_by_path_query_and_header(
    recogniser: Recogniser,
    method: str,
    target: str,
    fields: list[Field],
    operation: str,
) -> None:
    call = recognise(recogniser, head(method, target, *fields), signing_name="s3")
    assert (call.service, call.operation) == ("s3", operation)
    assert call.ambiguous == ()


def test_the_account_header_makes_a_call_to_s3_control(recogniser: Recogniser) -> None:
    account = (b"x-amz-account-id", ACCOUNT.encode())
    request = head("GET", "/v20180820/configuration/publicAccessBlock", account)
    call = recognise(recogniser, request, signing_name="s3")
    assert (call.service, call.operation) == ("s3control", "GetPublicAccessBlock")


def test_the_signing_name_tells_which_buckets_are_listed(
    recogniser: Recogniser,
) -> None:
    call = recognise(recogniser, head("GET", "/"), signing_name="s3express")
    assert call.operation == "ListDirectoryBuckets"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/b-1/a%20b/../%C3%BC%2B%25//x", "a b/../ü+%//x"),
        ("/b-1//leading", "/leading"),
        ("/b-1/a%2Fb", "a/b"),
        ("/b-1/..", ".."),
    ],
)
def test_s3_keys_are_decoded_once_and_never_normalised(
    recogniser: Recogniser, path: str, key: str
) -> None:
    call = recognise(recogniser, head("GET", path), signing_name="s3")
    assert call.parameters["Key"] == key
    assert call.needs[0].resource == f"arn:aws:s3:::b-1/{key}"


def test_a_presigned_url_may_carry_headers_in_its_query(
    recogniser: Recogniser,
) -> None:
    request = head("PUT", "/b-1/k?x-amz-acl=public-read&X-Amz-Signature=s")
    call = recognise(recogniser, request, signing_name="s3")
    assert call.parameters["ACL"] == "public-read"
    assert "s3:PutObjectAcl" in {need.action for need in call.needs}


def test_an_unknown_amz_header_of_s3_is_refused(recogniser: Recogniser) -> None:
    request = head("GET", "/b-1/k", (b"x-amz-copy-source", b"c/k"))
    with refused("aws.unknown_operation"):
        recognise(recogniser, request, signing_name="s3")


def test_a_trailing_slash_tells_two_bedrock_operations_apart(
    recogniser: Recogniser,
) -> None:
    prepare = recognise(
        recogniser, head("POST", "/agents/ABCDEFGHIJ/"), signing_name="bedrock"
    )
    assert (prepare.service, prepare.operation) == ("bedrock-agent", "PrepareAgent")
    with refused("aws"):
        recognise(recogniser, head("POST", "/agents//"), signing_name="bedrock")


# --- the Host header ------------------------------------------------------------


@pytest.mark.parametrize(
    "host", [b"127.0.0.1:8443", b"gw.test", b"[::1]:8443", b"GW.test"]
)
def test_every_own_name_is_ours(recogniser: Recogniser, host: bytes) -> None:
    call = recognise(recogniser, head("GET", "/b-1/k", host=host), signing_name="s3")
    assert call.parameters["Bucket"] == "b-1"
    assert call.host_prefix == ""


def test_a_bucket_may_stand_in_the_host(recogniser: Recogniser) -> None:
    request = head("GET", "/a/b", host=b"my.bucket.gw.test:8443")
    call = recognise(recogniser, request, signing_name="s3")
    assert (call.parameters["Bucket"], call.parameters["Key"]) == ("my.bucket", "a/b")
    assert call.host_prefix == "my.bucket."


@pytest.mark.parametrize(
    "host", [b"", b"evil.test", b"gw.test.evil.test", b"xgw.test", b"gw.test@evil.test"]
)
def test_another_host_is_refused(recogniser: Recogniser, host: bytes) -> None:
    with refused("aws.bad_host"):
        recognise(recogniser, head("GET", "/b-1/k", host=host), signing_name="s3")


def test_a_modelled_prefix_is_taken_and_any_other_refused(
    recogniser: Recogniser,
) -> None:
    target = (b"x-amz-target", b"AWSStepFunctions.StartSyncExecution")
    body = b'{"stateMachineArn":"arn:aws:states:us-east-1:1:stateMachine:m"}'
    for host in (b"sync-gw.test", b"gw.test"):
        request = head("POST", "/", target, JSON_1_0, host=host)
        call = recognise(recogniser, request, body, signing_name="states")
        assert call.operation == "StartSyncExecution"
    with refused("aws.bad_host"):
        request = head("POST", "/", target, JSON_1_0, host=b"data-gw.test")
        recognise(recogniser, request, body, signing_name="states")


def test_the_account_in_the_host_must_be_the_account_of_the_call(
    recogniser: Recogniser,
) -> None:
    account = (b"x-amz-account-id", ACCOUNT.encode())
    path = "/v20180820/configuration/publicAccessBlock"
    request = head("GET", path, account, host=ACCOUNT.encode() + b".gw.test")
    assert recognise(recogniser, request, signing_name="s3").service == "s3control"
    request = head("GET", path, account, host=b"444455556666.gw.test")
    with refused("aws.bad_host"):
        recognise(recogniser, request, signing_name="s3")


# --- what is refused ------------------------------------------------------------


def test_unknown_names_are_refused(recogniser: Recogniser) -> None:
    with refused("aws.unknown_service"):
        recognise(recogniser, head("GET", "/"), signing_name="nonesuch")
    with refused("aws.unknown_region"):
        recognise(recogniser, head("GET", "/"), signing_name="s3", region="mars-1")
    with refused("aws.unknown_operation"):
        dynamodb(recogniser, "Nonesuch", b"{}")
    with refused("aws.unknown_operation"):
        recognise(recogniser, head("PATCH", "/b-1/k"), signing_name="s3")


def test_a_protocol_the_service_does_not_speak_is_refused(
    recogniser: Recogniser,
) -> None:
    body = b"Action=GetItem&Version=2012-08-10"
    with refused("aws.unknown_protocol"):
        recognise(recogniser, head("POST", "/", FORM), body, signing_name="dynamodb")


@pytest.mark.parametrize("signing_name", ["s3-object-lambda", "s3-outposts"])
def test_an_access_point_in_the_host_is_not_taken_for_a_bucket(
    recogniser: Recogniser, signing_name: str
) -> None:
    request = head("GET", "/key", host=b"ap-111122223333.gw.test")
    with refused("aws.access_point"):
        recognise(recogniser, request, signing_name=signing_name)


def test_a_target_of_another_service_than_the_signed_one_is_refused(
    recogniser: Recogniser,
) -> None:
    target = (b"x-amz-target", b"DynamoDB_20120810.DeleteTable")
    request = head("POST", "/", target, JSON_1_0)
    for signing_name in ("sqs", "s3", "sts", "lambda"):
        with refused("aws.unknown_operation"):
            recognise(recogniser, request, b"{}", signing_name=signing_name)


@pytest.mark.parametrize(
    ("method", "target", "fields"),
    [
        ("GET", "/", []),
        ("POST", "/?Action=Scan", []),
        ("POST", "/other", []),
        ("POST", "/", [(b"smithy-protocol", b"rpc-v2-cbor")]),
        ("POST", "/", [(b"content-type", b"application/x-www-form-urlencoded")]),
        ("POST", "/", [(b"x-amz-target", b"DynamoDB_20120810.Scan")]),
        ("POST", "/", [(b"content-encoding", b"br")]),
    ],
)
def test_a_request_that_is_two_things_at_once_is_refused(
    recogniser: Recogniser, method: str, target: str, fields: list[Field]
) -> None:
    name = (b"x-amz-target", b"DynamoDB_20120810.GetItem")
    request = head(method, target, *fields, name, JSON_1_0)
    with refused("aws"):
        recognise(recogniser, request, GET_ITEM, signing_name="dynamodb")


@pytest.mark.parametrize(
    "name", [b"x-http-method-override", b"x-http-method", b"x-method-override"]
)
def test_another_method_in_a_header_is_refused(
    recogniser: Recogniser, name: bytes
) -> None:
    request = head("GET", "/b-1/k", (name, b"DELETE"))
    with refused("aws.bad_parameters"):
        recognise(recogniser, request, signing_name="s3")


@pytest.mark.parametrize(
    "path",
    [
        "/2015-03-31/functions/../functions/f",
        "/2015-03-31/functions/./f",
        "/2015-03-31/functions/%2E%2E",
        "/2015-03-31/%66unctions/f",
        "/2015-03-31/functions/f%",
        "/2015-03-31/functions/%ff",
    ],
)
def test_a_path_that_can_be_read_in_two_ways_is_refused(
    recogniser: Recogniser, path: str
) -> None:
    with refused("aws"):
        recognise(recogniser, head("GET", path), signing_name="lambda")


def test_an_unknown_query_parameter_is_refused(recogniser: Recogniser) -> None:
    assert recognise(
        recogniser,
        head("GET", "/2015-03-31/functions?MaxItems=1"),
        signing_name="lambda",
    ).parameters == {"MaxItems": 1}
    with refused("aws.unknown_operation"):
        recognise(
            recogniser,
            head("GET", "/2015-03-31/functions?New=1"),
            signing_name="lambda",
        )


def test_a_parameter_twice_in_the_query_is_refused(recogniser: Recogniser) -> None:
    with refused("aws.duplicate_key"):
        recognise(
            recogniser, head("GET", "/b-1/k?versionId=1&versionId=2"), signing_name="s3"
        )


def test_a_body_where_there_is_none_is_refused(recogniser: Recogniser) -> None:
    with refused("aws.bad_parameters"):
        recognise(recogniser, head("GET", "/b-1?acl"), b"<x/>", signing_name="s3")


# --- hostile bodies -------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"TableName":"t","TableName":"u","Key":{}}', "aws.duplicate_key"),
        (b'{"TableName":"t","Key":{"a":{"S":"1","S":"2"}}}', "aws.duplicate_key"),
        (b'{"TableName":"t","Unknown":1}', "aws.unknown_parameter"),
        (b'{"TableName":["t"]}', "aws.bad_parameters"),
        (b'{"TableName":5}', "aws.bad_parameters"),
        (b'{"TableName":"\xff"}', "aws.bad_body"),
        (b'{"TableName":"\\ud800"}', "aws.bad_body"),
        (b'{"TableName":"t"', "aws.bad_body"),
        (b'{"TableName":"t"}{}', "aws.bad_body"),
        (b'\xef\xbb\xbf{"TableName":"t"}', "aws.bad_body"),
        (b'{"ConsistentRead":NaN}', "aws.bad_body"),
        (b'{"ConsistentRead":1}', "aws.bad_parameters"),
        (b'{"Key":{"a":{"B":"no base64"}}}', "aws.bad_parameters"),
        (b"[]", "aws.bad_parameters"),
        (b"null", "aws.bad_parameters"),
        (b'{"Key":{"a":' + b'{"L":[' * 500 + b"]}" * 500 + b"}}", "aws"),
        (b"[" * 100_000, "aws.bad_body"),
        (b'{"Key":{"a":{"N":' + b"1" * 5000 + b"}}}", "aws"),
    ],
)
def test_a_hostile_json_body_is_refused(
    recogniser: Recogniser, body: bytes, code: str
) -> None:
    with refused(code):
        dynamodb(recogniser, "GetItem", body)


def test_a_gzip_bomb_is_refused(
    recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INFLATED_BODY_BYTES_MAX", 1000)
    bomb = gzip.compress(b" " * 100_000)
    for body in (bomb, bomb[:-4], gzip.compress(b"{}") + b"x", b"no gzip"):
        with refused("aws.bad_body"):
            dynamodb(recogniser, "GetItem", body, (b"content-encoding", b"gzip"))


@pytest.mark.parametrize(
    "body",
    [
        b"Action=GetCallerIdentity&Version=2011-06-15&Action=AssumeRole",
        b"Action=GetCallerIdentity&Version=1999-01-01",
        b"Action=GetCallerIdentity&Version=2011-06-15&More=1",
        b"Action=%ff&Version=2011-06-15",
        b"Action=%4&Version=2011-06-15",
        b"Action=AssumeRole&Version=2011-06-15&PolicyArns.member.x.arn=a",
        b"Action=AssumeRole&Version=2011-06-15&PolicyArns.member.1.arn=a"
        b"&PolicyArns.member.01.arn=b",
        b"Action=AssumeRole&Version=2011-06-15&RoleArn..x=a",
        b"Action=AssumeRole&Version=2011-06-15&RoleArn.x=a",
        b"Action=AssumeRole&Version=2011-06-15&DurationSeconds=1_0",
        b"Action=AssumeRole&Version=2011-06-15&DurationSeconds=\xd9\xa1",
        b"&".join(b"a%d=1" % i for i in range(limits.FORM_FIELDS_MAX + 1)),
        b"Action=AssumeRole&Version=2011-06-15&" + b"a." * 5000 + b"b=1",
        b"",
    ],
)
def test_a_hostile_form_is_refused(recogniser: Recogniser, body: bytes) -> None:
    with refused("aws"):
        recognise(recogniser, head("POST", "/", FORM), body, signing_name="sts")


TAGGING = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"


def test_an_xml_body_is_read(recogniser: Recogniser) -> None:
    prolog = b'<?xml version="1.0" encoding="UTF-8"?>\n'
    call = recognise(
        recogniser, head("PUT", "/b-1?tagging"), prolog + TAGGING, signing_name="s3"
    )
    assert call.parameters["Tagging"] == {"TagSet": [{"Key": "a", "Value": "b"}]}


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY e "e">]>' + TAGGING,
        b'<?xml version="1.0" encoding="UTF-16"?>' + TAGGING,
        b"<?php x?>" + TAGGING,
        TAGGING.replace(b"<Key>a</Key>", b"<Key>a</Key><Key>b</Key>"),
        TAGGING.replace(b"<TagSet>", b"<TagSet>text"),
        TAGGING.replace(b"Value>", b"Other>"),
        TAGGING.replace(b"Tagging>", b"Delete>"),
        TAGGING.replace(b"<Tagging>", b'<Tagging a="b">'),
        TAGGING[:-1],
        TAGGING + b"<x/>",
        TAGGING.decode().encode("utf-16"),
        b"<a>" * 1000 + b"</a>" * 1000,
        b"{}",
    ],
)
def test_a_hostile_xml_body_is_refused(recogniser: Recogniser, body: bytes) -> None:
    with refused("aws"):
        recognise(recogniser, head("PUT", "/b-1?tagging"), body, signing_name="s3")


@pytest.mark.parametrize(
    "body",
    [
        b"\xa2\x69Namespace\x61a\x69Namespace\x61b",  # one key twice
        b"\xa1\x69Namespace\xd8\x1c\x61a",  # a shareable value
        b"\xa1\x69Namespace\xc2\x41\x01",  # a big number
        b"\xa1\x69Namespace\xd9\x01\x02\x81\x61a",  # a set
        b"\xa1\x69Namespace\xf7",  # undefined
        b"\xa1\x69Namespace\x62\xff\xff",  # no UTF-8
        b"\xa1\x69Namespace\x61a\x00",  # more behind it
        b"\xa1\x01\x02",  # a key that is no text
        b"\x9f" * 1000,
        b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x40",
    ],
)
def test_a_hostile_cbor_body_is_refused(recogniser: Recogniser, body: bytes) -> None:
    request = head(
        "POST",
        "/service/GraniteServiceVersion20100801/operation/ListMetrics",
        (b"smithy-protocol", b"rpc-v2-cbor"),
        (b"content-type", b"application/cbor"),
    )
    with refused("aws"):
        recognise(recogniser, request, body, signing_name="monitoring")


@pytest.mark.parametrize(
    ("limit", "small", "request_of", "body", "signing_name"),
    [
        ("JSON_MARKS_MAX", 100, "json", b"[" + b"1," * 100 + b"1]", "dynamodb"),
        ("XML_ELEMENTS_MAX", 100, "xml", b"<a>" + b"<b/>" * 100 + b"</a>", "s3"),
        ("CBOR_ITEMS_MAX", 100, "cbor", b"\x98\x80" + b"\x80" * 128, "monitoring"),
        ("FORM_PARTS_MAX", 100, "form", b"a" + b".a" * 101 + b"=1", "sts"),
    ],
)
def test_many_small_values_are_refused_before_they_take_memory(
    recogniser: Recogniser,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    small: int,
    request_of: str,
    body: bytes,
    signing_name: str,
) -> None:
    monkeypatch.setattr(limits, limit, small)
    monkeypatch.setattr(limits, "MIB", small)
    requests = {
        "json": head(
            "POST", "/", (b"x-amz-target", b"DynamoDB_20120810.Scan"), JSON_1_0
        ),
        "xml": head("PUT", "/b-1?tagging"),
        "cbor": head(
            "POST",
            "/service/GraniteServiceVersion20100801/operation/ListMetrics",
            (b"smithy-protocol", b"rpc-v2-cbor"),
        ),
        "form": head("POST", "/", FORM),
    }
    if request_of == "form":
        body += b"&Action=AssumeRole&Version=2011-06-15"
    with refused("aws.too_many_fields"):
        recognise(recogniser, requests[request_of], body, signing_name=signing_name)


# --- fuzz: the declared error or a call, never anything else ------------------------

_SIGNING = st.sampled_from(
    [
        "s3",
        "dynamodb",
        "sts",
        "ec2",
        "lambda",
        "monitoring",
        "bedrock",
        "rds",
        "route53",
    ]
)
_TEXT = st.binary(max_size=40)
_FIELDS = st.lists(
    st.tuples(
        st.sampled_from(
            [b"x-amz-target", b"content-type", b"smithy-protocol", b"content-encoding",
             b"x-amz-copy-source", b"x-amz-account-id", b"host", b"x-amz-acl"]
        ),
        st.one_of(
            _TEXT,
            st.sampled_from(
                [b"DynamoDB_20120810.GetItem", b"rpc-v2-cbor", b"gzip", b"application/cbor",
                 b"application/x-www-form-urlencoded", b"application/x-amz-json-1.0",
                 b"gw.test", b"b.gw.test"]
            ),
        ),
    ),
    max_size=4,
)  # fmt: skip
_TARGETS = st.one_of(
    st.binary(max_size=60).map(lambda raw: b"/" + raw),
    st.sampled_from(
        [b"/", b"/b-1/k", b"/b-1?acl", b"/2015-03-31/functions/f/invocations",
         b"/service/GraniteServiceVersion20100801/operation/ListMetrics",
         b"/v20180820/jobs", b"/agents/a/", b"/?Action=GetCallerIdentity"]
    ),
)  # fmt: skip
_BODIES = st.one_of(
    st.binary(max_size=80),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["TableName", "Key", "a"]), inner, max_size=3
            )
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)


@settings(max_examples=600, deadline=None)
@given(
    _SIGNING,
    st.sampled_from([b"GET", b"POST", b"PUT", b"HEAD", b"DELETE"]),
    _TARGETS,
    _FIELDS,
    _BODIES,
)
def test_anything_is_a_call_or_refused(
    recogniser: Recogniser,
    signing_name: str,
    method: bytes,
    target: bytes,
    fields: list[Field],
    body: bytes,
) -> None:
    request = RequestHead(method, target, [(b"host", b"gw.test"), *fields])
    try:
        call = recognise(recogniser, request, body, signing_name=signing_name)
    except UnrecognisedError:
        return
    assert call.needs
    assert call.operation
