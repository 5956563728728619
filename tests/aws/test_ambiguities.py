"""Declared ambiguities: each rule settles what it says, and the rest needs all."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekeep.aws import ambiguities
from gatekeep.aws.call import Call, UnrecognisedError
from gatekeep.aws.recognise import Recogniser
from gatekeep.http.messages import RequestHead

ACCOUNT = "111122223333"
HERE = f"us-east-1:{ACCOUNT}"


def recognise(
    recogniser: Recogniser,
    signing_name: str,
    method: str,
    target: str,
    body: bytes = b"",
    region: str = "us-east-1",
) -> Call:
    head = RequestHead(method.encode(), target.encode(), [(b"host", b"gw.test")])
    route = recogniser.route(head, signing_name=signing_name, region=region)
    return recogniser.call(route, head, body, account_id=ACCOUNT)


@pytest.mark.parametrize(
    ("signing_name", "target", "arn", "service"),
    [
        ("ivs", "/tags/", f"arn:aws:ivs:{HERE}:channel/c", "ivs"),
        ("ivs", "/tags/", f"arn:aws:ivs:{HERE}:stage/s", "ivs-realtime"),
        ("lambda", "/2017-03-31/tags/", f"arn:aws:lambda:{HERE}:function:f", "lambda"),
        (
            "lambda",
            "/2017-03-31/tags/",
            f"arn:aws:lambda:{HERE}:microvm-image:m",
            "lambda-microvms",
        ),
        ("lex", "/tags/", f"arn:aws:lex:{HERE}:bot:Book:1", "lex-models"),
        ("lex", "/tags/", f"arn:aws:lex:{HERE}:bot/ABCDEFGHIJ", "lexv2-models"),
        ("bedrock", "/tags/", f"arn:aws:bedrock:{HERE}:agent/A", "bedrock-agent"),
        (
            "bedrock",
            "/tags/",
            f"arn:aws:bedrock:{HERE}:session/s",
            "bedrock-agent-runtime",
        ),
    ],
)
def test_a_tag_operation_goes_to_the_service_of_the_arn(
    recogniser: Recogniser, signing_name: str, target: str, arn: str, service: str
) -> None:
    coded = arn.replace(":", "%3A").replace("/", "%2F")
    call = recognise(recogniser, signing_name, "GET", target + coded)
    assert call.service == service
    assert call.ambiguous == ()
    assert [need.resource for need in call.needs] == [arn]


@pytest.mark.parametrize(
    ("body", "service", "operation"),
    [
        (b'{"payload":"eA==","resourceType":"BOT","mergeStrategy":"FAIL_ON_CONFLICT"}',
         "lex-models", "StartImport"),
        (b'{"botId":"ABCDEFGHIJ"}', "lexv2-models", "ListImports"),
        (b"{}", "lexv2-models", "ListImports"),
    ],
)  # fmt: skip
def test_the_body_tells_an_import_from_a_list_of_imports(
    recogniser: Recogniser, body: bytes, service: str, operation: str
) -> None:
    call = recognise(recogniser, "lex", "POST", "/imports/", body)
    assert (call.service, call.operation) == (service, operation)


def test_an_old_name_is_taken_where_only_its_body_fits(recogniser: Recogniser) -> None:
    old = (
        b"<NotificationConfiguration><CloudFunctionConfiguration><Event>x</Event>"
        b"<InvocationRole>r</InvocationRole></CloudFunctionConfiguration>"
        b"</NotificationConfiguration>"
    )
    call = recognise(recogniser, "s3", "PUT", "/b-1?notification", old)
    assert call.operation == "PutBucketNotification"
    new = b"<NotificationConfiguration/>"
    call = recognise(recogniser, "s3", "PUT", "/b-1?notification", new)
    assert call.operation == "PutBucketNotificationConfiguration"


def test_what_no_rule_settles_needs_all_its_candidates_need(
    recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ambiguities, "BY_SIGNING_NAME", {})
    call = recognise(recogniser, "s3", "GET", "/")
    assert call.ambiguous == ("s3:ListBuckets", "s3:ListDirectoryBuckets")
    assert {need.action for need in call.needs} == {
        "s3:ListAllMyBuckets",
        "s3express:ListAllMyDirectoryBuckets",
    }


def test_the_settled_service_must_be_in_the_region(recogniser: Recogniser) -> None:
    arn = f"arn%3Aaws%3Aivs%3Asa-east-1%3A{ACCOUNT}%3Achannel%2Fc"
    with pytest.raises(UnrecognisedError, match="unknown_region"):
        recognise(recogniser, "ivs", "GET", "/tags/" + arn, region="sa-east-1")


def test_the_document_lists_the_rules() -> None:
    text = (Path(__file__).parents[2] / "docs" / "recognition.md").read_text()
    for rule in ambiguities.RULES:
        assert f"| {', '.join(rule.services)} | {rule.why} |" in text
    for (_, old), new in ambiguities.OLDER_NAMES.items():
        assert f"`{old}` | `{new}`" in text
