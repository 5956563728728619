"""From parameters to ARNs: what is filled, what stays unknown, what is one thing."""

from __future__ import annotations

import fnmatch
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeep import limits
from gatekeep.aws.actions import needs_of
from gatekeep.aws.arns import UNKNOWN, Place, compile_template, fill, matches, render
from gatekeep.aws.call import UnrecognisedError
from gatekeep.aws.catalogue import Catalogue
from gatekeep.aws.references import function_arns, queue_arn
from gatekeep.aws.special import secret_arns

ACCOUNT = "111122223333"
PLACE = Place("aws", "us-east-1", ACCOUNT)
TABLE = "arn:${Partition}:dynamodb:${Region}:${Account}:table/${TableName}"


def needs(
    catalogue: Catalogue, service: str, operation: str, parameters: dict[str, Any]
) -> list[str]:
    found = needs_of(
        catalogue, catalogue.service(service), operation, parameters, PLACE
    )
    return [f"{need.action} {need.resource}" for need in found]


# --- templates ------------------------------------------------------------------


def test_a_template_is_rendered_for_a_place() -> None:
    parts, variables = compile_template(TABLE)
    assert variables == ["TableName"]
    assert render(parts, PLACE, ("t",)) == (
        "arn:aws:dynamodb:us-east-1:111122223333:table/t"
    )


def test_an_arn_is_of_a_type_in_any_account_and_region() -> None:
    parts, _ = compile_template(TABLE)
    assert matches(parts, "arn:aws-cn:dynamodb:cn-north-1:1:table/t")
    assert not matches(parts, "arn:aws:dynamodb:us-east-1:1:backup/t")
    assert not matches(parts, "arn:aws:sqs:us-east-1:1:table/t")
    assert not matches(parts, "arn:aws:dynamodb:us-east-1:1:table/")


@given(st.text(alphabet="arn:aws*?/${}dynmotbl-1", max_size=60))
def test_any_text_is_of_a_type_or_not(text: str) -> None:
    parts, _ = compile_template(TABLE)
    assert matches(parts, text) in (True, False)


def test_what_is_not_told_stays_unknown() -> None:
    parts, _ = compile_template(TABLE)
    filled = fill([parts, [[["TableName"]]], True, []], {}, PLACE)
    assert filled.arns == [f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{UNKNOWN}"]
    assert not filled.named


@pytest.mark.parametrize(
    "pattern",
    ["table/agents-*", "table/*-dev", "table/*prod*", "table/?*a*", "table/[a-z]"],
)
def test_a_narrow_pattern_never_covers_an_unknown_resource(pattern: str) -> None:
    resource = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{UNKNOWN}"
    whole = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:{pattern}"
    assert not fnmatch.fnmatchcase(resource, whole)
    assert fnmatch.fnmatchcase(
        resource, f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/*"
    )


# --- needs ----------------------------------------------------------------------


def test_each_element_of_a_batch_names_its_own_resource(catalogue: Catalogue) -> None:
    jobs = [
        {"farmId": "f1", "queueId": "q1", "jobId": "j1"},
        {"farmId": "f2", "queueId": "q2", "jobId": "j2"},
    ]
    found = needs(catalogue, "deadline", "BatchGetJob", {"identifiers": jobs})
    assert found == [
        f"deadline:GetJob arn:aws:deadline:us-east-1:{ACCOUNT}:farm/f1/queue/q1/job/j1",
        f"deadline:GetJob arn:aws:deadline:us-east-1:{ACCOUNT}:farm/f2/queue/q2/job/j2",
    ]


def test_a_whole_arn_of_another_account_is_taken_as_it_is(catalogue: Catalogue) -> None:
    arn = "arn:aws:kinesis:us-east-1:444455556666:stream/s"
    found = needs(catalogue, "kinesis", "PutRecords", {"StreamARN": arn})
    assert found == [f"kinesis:PutRecords {arn}"]


def test_the_owner_a_call_names_is_in_the_arn(catalogue: Catalogue) -> None:
    found = needs(
        catalogue,
        "ecr",
        "BatchGetImage",
        {"registryId": "444455556666", "repositoryName": "app"},
    )
    assert found == [
        "ecr:BatchGetImage arn:aws:ecr:us-east-1:444455556666:repository/app"
    ]


def test_a_role_is_passed_only_when_there_is_one(catalogue: Catalogue) -> None:
    parameters = {"FunctionName": "f", "Code": {}}
    plain = needs(catalogue, "lambda", "UpdateFunctionConfiguration", parameters)
    assert not any("PassRole" in need for need in plain)
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    given = needs(
        catalogue, "lambda", "UpdateFunctionConfiguration", parameters | {"Role": role}
    )
    assert f"iam:PassRole {role}" in given


def test_more_resources_than_any_call_names_are_refused(catalogue: Catalogue) -> None:
    keys = [{"Key": str(number)} for number in range(limits.NEEDS_MAX + 1)]
    with pytest.raises(UnrecognisedError, match="too_many_needs"):
        needs(
            catalogue,
            "s3",
            "DeleteObjects",
            {"Bucket": "b", "Delete": {"Objects": keys}},
        )


@pytest.mark.parametrize("source", ["", "bucket", "/", "bucket/", "%ff/x", 5])
def test_a_copy_from_nowhere_is_refused(catalogue: Catalogue, source: object) -> None:
    with pytest.raises(UnrecognisedError):
        needs(
            catalogue,
            "s3",
            "CopyObject",
            {"Bucket": "b", "Key": "k", "CopySource": source},
        )


def test_an_empty_batch_is_refused(catalogue: Catalogue) -> None:
    for operation in ("BatchGetItem", "TransactWriteItems", "ExecuteTransaction"):
        with pytest.raises(UnrecognisedError):
            needs(catalogue, "dynamodb", operation, {})


# --- one thing, one spelling ----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("f", ["function:f"]),
        ("f:3", ["function:f", "function:f:3"]),
        ("function:f", ["function:f"]),
        ("111122223333:f", ["function:f"]),
        ("111122223333:function:f:live", ["function:f", "function:f:live"]),
        ("arn:aws:lambda:us-east-1:111122223333:function:f", ["function:f"]),
        ("f/../g", [f"function:{UNKNOWN}"]),
    ],
)
def test_a_function_is_one_function_however_it_is_written(
    name: str, expected: list[str]
) -> None:
    base = f"arn:aws:lambda:us-east-1:{ACCOUNT}:"
    assert function_arns(name, None, PLACE) == [base + tail for tail in expected]


def test_a_secret_by_arn_needs_its_name_too() -> None:
    base = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:"
    assert secret_arns("prod/db", PLACE) == [base + "prod/db"]
    assert secret_arns(base + "prod/db-AbCdEf", PLACE) == [
        base + "prod/db-AbCdEf",
        base + "prod/db",
    ]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://gw.test/111122223333/q", f"{ACCOUNT}:q"),
        (
            "https://sqs.us-east-1.amazonaws.com/444455556666/q.fifo",
            "444455556666:q.fifo",
        ),
        ("q", f"{UNKNOWN}:{UNKNOWN}"),
        ("https://gw.test/", f"{UNKNOWN}:{UNKNOWN}"),
        ("https://gw.test/not-an-account/q", f"{UNKNOWN}:{UNKNOWN}"),
        ("http://[", f"{UNKNOWN}:{UNKNOWN}"),
    ],
)
def test_a_queue_is_named_by_the_end_of_its_url(url: str, expected: str) -> None:
    assert queue_arn(url, PLACE) == f"arn:aws:sqs:us-east-1:{expected}"
