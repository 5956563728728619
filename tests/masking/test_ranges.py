"""Ranges of masked objects are the same bytes as those of the masked whole."""

import itertools
import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeep.aws.call import Protocol
from gatekeep.http.messages import ResponseHead
from gatekeep.masking.failure import MaskingError
from gatekeep.masking.ranges import parse_range
from tests.masking.exchanges import call, masking, plan, through
from tests.masking.test_text_engine import PIECES

STYLES = ["fixed", "keep-last-4", "same-length", "drop"]
MASKINGS = [masking(detectors=("pan", "ssn", "email", "phone", "dob", "iban"), style=style)
            for style in STYLES]  # fmt: skip
LONG = masking(detectors=("private-key", "jwt", "pan", "aws-key"))

SHORT_PIECES = [p for p in PIECES if len(p) < 400]
FILLERS = [
    b"x" * 40,
    b" filler ",
    b"\n",
    "\u200b".encode() * 3,
    rb"\u200b",
    b"-",
    b"4111",
]


def made_up(seed: int) -> bytes:
    """An object several margins long, with values close to each other."""
    random = Random(seed)
    pieces = random.choices(SHORT_PIECES + FILLERS * 4, k=1500)
    return b"".join(
        re.sub(rb"[0-9]", lambda m: b"\\u003" + m[0], p) if random.random() < 0.1 else p
        for p in pieces
    )


KEYS = st.sampled_from(["a.txt", "b.json", "c.xml", "d.log"])


def upstream(raw: bytes, value: bytes) -> tuple[ResponseHead, bytes]:
    """What S3 answers to a range."""
    asked = parse_range(value)
    if asked is None:
        return ResponseHead(200, []), raw
    try:
        first, last = asked.placed(len(raw))
    except MaskingError:
        return ResponseHead(416, [(b"content-type", b"application/xml")]), b"<Error/>"
    body = raw[first : last + 1]
    fields = [
        (b"content-range", b"bytes %d-%d/%d" % (first, last, len(raw))),
        (b"content-length", b"%d" % len(body)),
    ]
    return ResponseHead(206, fields), body


def get(
    m, key: str, raw: bytes, value: bytes, cuts=()
) -> tuple[int, dict[bytes, bytes], bytes]:
    made = call("s3", "GetObject", Protocol.REST_XML, Key=key)
    planned = plan(m, made, (b"range", value), (b"accept-encoding", b"gzip"))
    sent = dict(
        planned.request_fields([(b"range", value), (b"accept-encoding", b"gzip")])
    )
    assert sent[b"accept-encoding"] == b"identity"
    head, body = upstream(raw, sent[b"range"])
    mask = planned.response(head)
    masked = through(mask, body, cuts)
    return head.status, dict(mask.fields(head.fields, body=None)), masked


def whole(m, key: str, raw: bytes) -> bytes:
    made = call("s3", "GetObject", Protocol.REST_XML, Key=key)
    return through(plan(m, made).response(ResponseHead(200, [])), raw)


@given(
    st.integers(0, 2**32), KEYS, st.integers(0, len(STYLES) - 1),
    st.lists(st.integers(0, 10**6), min_size=2, max_size=8),
    st.lists(st.integers(0, 60_000), max_size=6),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_a_range_is_that_of_the_masked_whole(seed, key, which, places, cuts):
    raw = made_up(seed)
    masked = whole(MASKINGS[which], key, raw)
    for one, other in itertools.pairwise(places):
        first, last = sorted((one % len(raw), other % len(raw)))
        check_ranges(MASKINGS[which], key, raw, masked, first, last, cuts)


def check_ranges(m, key, raw, masked, first, last, cuts):
    for value, expected in (
        (b"bytes=%d-%d" % (first, last), masked[first : last + 1]),
        (b"bytes=%d-" % first, masked[first:]),
        (b"bytes=-%d" % (last + 1), masked[-last - 1 :]),
    ):
        status, fields, part = get(m, key, raw, value, cuts)
        assert (status, part) == (206, expected)
        begin = len(raw) - len(expected) if value.startswith(b"bytes=-") else first
        assert fields[b"content-length"] == b"%d" % len(expected)
        assert fields[b"content-range"] == b"bytes %d-%d/%d" % (
            begin, begin + len(expected) - 1, len(raw),
        )  # fmt: skip


@pytest.mark.parametrize("part", [7, 1000, 5000, 20_000])
def test_parts_of_any_size_in_any_order_make_up_the_masked_whole(part):
    key = (
        b"-----BEGIN RSA PRIVATE KEY-----\n"
        + b"MIIE" * 900
        + b"\n-----END RSA PRIVATE KEY-----"
    )
    token = b"eyJhbGciOiJI." + b"eyJ" + b"a" * 3000 + b"." + b"b" * 86
    raw = b"\n".join([b"x" * 2000, key, b"4111111111111111", token, b"y" * 1500, key])
    masked = whole(LONG, "a.txt", raw)
    assert b"MIIE" not in masked
    step = part if part > 500 else 997
    starts = range(0, len(raw), step)
    pieces = {
        start: get(LONG, "a.txt", raw, b"bytes=%d-%d" % (start, start + step - 1))[2]
        for start in reversed(starts)
    }
    assert b"".join(pieces[start] for start in starts) == masked


def test_a_range_outside_of_the_object_is_told_as_s3_tells_it():
    with pytest.raises(MaskingError) as refused:
        get(MASKINGS[0], "a.txt", b"hello", b"bytes=5-9")
    assert (refused.value.status, refused.value.aws_code) == (416, "InvalidRange")


@pytest.mark.parametrize(
    "value", [b"bytes=0-1,4-5", b"items=0-1", b"bytes=5-1", b"bytes=-"]
)
def test_what_s3_takes_for_no_range_brings_the_masked_whole(value):
    raw = b"ssn 123-45-6789"
    assert get(MASKINGS[0], "a.txt", raw, value)[0::2] == (
        200,
        whole(MASKINGS[0], "a.txt", raw),
    )


@pytest.mark.parametrize(
    ("key", "m"),
    [("a.log.gz", MASKINGS[0]), ("a", MASKINGS[0]), ("a.csv", MASKINGS[0]),
     ("a.json", masking("salary", detectors=())), ("a.parquet", MASKINGS[0])],
)  # fmt: skip
def test_a_range_that_cannot_be_masked_is_refused_with_the_reason(key, m):
    with pytest.raises(MaskingError) as refused:
        get(m, key, b"x" * 100, b"bytes=0-9")
    assert 400 <= refused.value.status < 500
    assert "whole" in refused.value.message or "inspected" in refused.value.message


def test_a_numbered_part_is_refused_before_it_is_asked_for():
    made = call("s3", "GetObject", Protocol.REST_XML, Key="a.txt", PartNumber=2)
    with pytest.raises(MaskingError, match="byte range"):
        plan(MASKINGS[0], made)


def test_the_length_that_head_tells_is_that_of_the_masked_object():
    made = call("s3", "HeadObject", Protocol.REST_XML, Key="a.txt")
    mask = plan(MASKINGS[0], made).response(ResponseHead(200, []))
    assert mask.fields([(b"content-length", b"99")], body=None) == [
        (b"content-length", b"99")
    ]
