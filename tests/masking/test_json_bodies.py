"""JSON bodies: what is hidden, what stays, and that cutting makes no difference."""

import itertools
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeep.aws.call import AccessLevel, Call, Need, Protocol
from gatekeep.http.messages import RequestHead, ResponseHead
from gatekeep.masking.failure import MaskingError
from gatekeep.masking.masking import Masking
from gatekeep.settings import MaskingSettings, MaskSettings, ProfileSettings


def masking(*masks: MaskSettings, uninspectable: str = "refuse") -> Masking:
    profile = ProfileSettings(name="p", mask=masks, uninspectable=uninspectable)
    return Masking(MaskingSettings(profile=(profile,)))


def call(service: str = "dynamodb", operation: str = "GetItem") -> Call:
    need = Need(f"{service}:{operation}", "*", AccessLevel.READ)
    return Call(service, operation, Protocol.JSON, "us-east-1", (need,), {})


def response(m: Masking, made: Call | None = None, *profiles: str):
    head = RequestHead(b"POST", b"/", [])
    plan = m.plan(made or call(), head, profiles or ("p",))
    fields = [(b"content-type", b"application/x-amz-json-1.0")]
    return plan.response(ResponseHead(200, fields))


def mask(m: Masking, body: bytes, cuts: tuple[int, ...] = ()) -> bytes:
    one = response(m)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [one.feed(body[a:b]) for a, b in itertools.pairwise(edges)]
    return b"".join(pieces) + one.finish()


ALL = masking(
    MaskSettings(field="phone"),
    MaskSettings(field="$.Items[*].address"),
    MaskSettings(detector="ssn", style="keep-last-4"),
    MaskSettings(detector="pan", style="keep-last-4"),
    MaskSettings(detector="email"),
    MaskSettings(detector="aws-key", style="drop"),
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": "123-45-6789"}', b'{"a": "***-**-6789"}'),
        (rb'{"a":"12\u0033-45-6789"}', b'{"a":"***-**-6789"}'),
        (rb'{"a":"123-45-678\u0039"}', rb'{"a":"***-**-678\u0039"}'),
        (b'{"a":4111111111111111}', b'{"a":1111}'),
        (b'{"a":4.111111111111111e15}', b'{"a":1111}'),
        (b'{"pan":{"N":"4111111111111111"}}', b'{"pan":{"N":"1111"}}'),
        (b'{"PHONE":{"S":"x"}}', b'{"PHONE":{"S":"[masked]"}}'),
        (b'{"phone":null,"x":1}', b'{"phone":null,"x":1}'),
        (b'{"ssn":{"S":"123456789"}}', b'{"ssn":{"S":"*****6789"}}'),
        (b'{"order":{"S":"123456789"}}', b'{"order":{"S":"123456789"}}'),
        (
            b'{"Items":[{"address":{"M":{"z":{"N":"1"},"b":{"BOOL":true}}}}]}',
            b'{"Items":[{"address":{"M":{"z":{"N":"0"},"b":{"BOOL":false}}}}]}',
        ),
        (b'{"address":{"S":"not this one"}}', b'{"address":{"S":"not this one"}}'),
        (b'["bob@example.com"]', b'["[email]"]'),
        (b'{"k":"AKIAIOSFODNN7EXAMPLE"}', b'{"k":""}'),
    ],
)
def test_what_is_named_or_detected_is_hidden_and_the_rest_stays(body, expected):
    assert mask(ALL, body) == expected


def test_a_page_key_is_never_touched():
    body = b'{"LastEvaluatedKey":{"ssn":{"S":"123-45-6789"}}}'
    assert mask(ALL, body) == body


def test_no_profile_passes():
    m = masking(MaskSettings(detector="ssn"))
    plan = m.plan(call(), RequestHead(b"POST", b"/", []), ())
    assert plan.response(ResponseHead(200, [])).passes


@pytest.mark.parametrize(
    "body",
    [b"{", b"[1,]", b"{,}", b'{"a"}', b'{"a":1}}', b'"\x01"', b"01", b"nul", b"<a/>",
     b'{"a":1', b'"\\x"', b"[" * 70 + b"]" * 70, b"1 2", b"[1 2]", b'{"a":1 "b":2}'],
)  # fmt: skip
def test_what_is_not_json_is_refused(body):
    with pytest.raises(MaskingError):
        mask(ALL, body)


def test_length_and_checksum_are_those_of_the_masked_body():
    one = response(ALL)
    body = one.feed(b'{"a":"123-45-6789"}') + one.finish()
    sent = [
        (b"content-length", b"19"),
        (b"x-amz-crc32", b"1"),
        (b"x-amzn-requestid", b"r"),
    ]
    assert one.fields(sent, body=body) == [
        (b"content-length", b"%d" % len(body)),
        (b"x-amz-crc32", b"%d" % zlib.crc32(body)),
        (b"x-amzn-requestid", b"r"),
    ]
    assert one.fields(sent, body=None) == [(b"x-amzn-requestid", b"r")]


JSON_VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(["123-45-6789", "4111 1111 1111 1111", "a@b.example"]),
    ),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


@given(JSON_VALUES, st.lists(st.integers(0, 400)), st.booleans())
def test_any_cutting_gives_the_same_json(value, cuts, ascii_only):
    body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    whole = mask(ALL, body)
    assert mask(ALL, body, tuple(cuts)) == whole
    json.loads(whole.decode("utf-8", "surrogatepass"))
    assert b"123-45-6789" not in whole
    assert b"4111 1111 1111 1111" not in whole
