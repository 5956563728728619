"""What goes out and what is recorded: blocked, or masked first (I5)."""

import gzip
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeep.aws.call import Protocol
from gatekeep.masking.failure import MaskingError
from gatekeep.masking.masking import Masking
from gatekeep.settings import MaskingSettings
from tests.masking.exchanges import call, pieces

M = Masking(MaskingSettings())


def upload(key: str = "a.txt", operation: str = "PutObject"):
    return call("s3", operation, Protocol.REST_XML, Bucket="b", Key=key)


def send(
    body: bytes, made=None, cuts=(), detectors=("pan", "ssn"), **fields: bytes
) -> None:
    scanner = M.block_scanner(made or upload(), detectors, **fields)
    for piece in pieces(body, cuts):
        scanner.feed(piece)
    scanner.finish()


@given(st.lists(st.integers(0, 200), max_size=8))
def test_a_protected_value_is_found_however_the_upload_is_cut(cuts):
    with pytest.raises(MaskingError) as refused:
        send(b"x" * 90 + b" 4111 1111 1111 1111 " + b"y" * 90, cuts=cuts)
    assert (refused.value.code, refused.value.status) == ("masking.blocked", 403)
    assert "`pan`" in refused.value.message
    assert "4111" not in str(refused.value)


@pytest.mark.parametrize(
    ("made", "body", "fields"),
    [
        (upload("a.csv"), b"id,ssn\n1,123456789\n", {}),
        (upload("a.gz"), gzip.compress(b"ssn 123-45-6789"), {}),
        (upload(), gzip.compress(b"ssn 123-45-6789"), {"content_encoding": b"gzip,aws-chunked"}),
        (upload(operation="UploadPart"), b"4111111111111111", {}),
        (upload(), b'{"card": "4111\\u0031111\\u00311111111"}', {"content_type": b"application/json"}),
    ],
)  # fmt: skip
def test_values_are_found_in_the_forms_that_are_uploaded(made, body, fields):
    with pytest.raises(MaskingError, match="remove it"):
        send(body, made, **fields)


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"12345678901234567", b"arn:aws:s3:::b/123456789"]
)
def test_what_carries_nothing_goes_out(body):
    send(body)


@pytest.mark.parametrize(
    ("made", "body"),
    [(upload("a.parquet"), b""), (upload("a"), b"PAR1" + bytes(40)),
     (upload("a.gz", "UploadPart"), b"")],
)  # fmt: skip
def test_what_cannot_be_inspected_does_not_go_out(made, body):
    with pytest.raises(MaskingError, match="inspected"):
        send(body, made)


def test_parameters_are_scanned_before_anything_is_sent():
    made = call("sqs", "SendMessage", MessageBody='{"ssn": "123456789"}')
    with pytest.raises(MaskingError, match="`ssn`"):
        M.block_scanner(made, ("ssn",))
    M.block_scanner(made, ("pan",))


def test_an_unknown_detector_blocks_everything():
    with pytest.raises(MaskingError, match="no detector"):
        M.block_scanner(upload(), ("no-such",))


def test_recorded_parameters_are_masked_by_every_built_in_detector():
    value = {
        "Item": {"ssn": {"S": "123-45-6789"}, "pan": {"N": "4111111111111111"}},
        "mail": ["bob@example.com"], "when": datetime(2026, 1, 2, tzinfo=UTC),
        "bytes": b"tel (212) 555-0123", "binary": b"\xff\xfe", "n": 1.5, "none": None,
    }  # fmt: skip
    masked, found = M.mask_value(value, ())
    assert masked == {
        "Item": {"ssn": {"S": "[ssn]"}, "pan": {"N": "1111"}},
        "mail": ["[email]"], "when": "2026-01-02 00:00:00+00:00",
        "bytes": "tel [phone]", "binary": "(2 bytes)", "n": 1.5, "none": None,
    }  # fmt: skip
    assert found == {"ssn": 1, "pan": 1, "email": 1, "phone": 1}


@pytest.mark.parametrize(
    ("body", "media", "expected"),
    [
        (b'{"a":"123-45-6789"}', b"application/x-amz-json-1.0", b'{"a":"[ssn]"}'),
        (b"<a>bob@example.com</a>", b"text/xml; charset=utf-8", b"<a>[email&#93;</a>"),
        (b"Action=X&ssn=123456789&m=bob%40example.com", b"application/x-www-form-urlencoded",
         b"Action=X&ssn=%5Bssn%5D&m=%5Bemail%5D"),
        (b"ssn 123-45-6789", b"", b"ssn [ssn]"),
        (b"PAR1" + bytes(40), b"", b""),
        (b"{broken", b"application/json", b""),
        (b"anything", b"image/png", b""),
    ],
)  # fmt: skip
def test_captured_bodies_are_masked_or_not_kept(body, media, expected):
    assert M.mask_capture(body, content_type=media, profiles=(), whole=True) == expected


@given(st.integers(0, 60))
def test_the_beginning_of_a_body_shows_nothing_that_its_whole_hides(size):
    body = b'{"text": "my number is 123-45-6789 and so on"}'
    kept = M.mask_capture(
        body[:size], content_type=b"application/json", profiles=(), whole=False
    )
    whole = M.mask_capture(
        body, content_type=b"application/json", profiles=(), whole=True
    )
    assert whole.startswith(kept) or kept == b""
    assert json.loads(whole)


def test_settings_name_what_policy_may_use():
    assert {"pan", "ssn", "secret-value"} <= M.detectors
    assert M.profiles == frozenset()
