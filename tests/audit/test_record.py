"""Records have one form, parse back to themselves, and stay within their bound."""

import enum
import json
import random
from dataclasses import replace

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeep import limits, verify
from gatekeep.audit.codec import encode_record, parse_record
from gatekeep.audit.record import KINDS, Intent, Outcome, capture
from gatekeep.errors import LimitError, VerificationError
from tests.support import audit_log as make

texts = st.text(max_size=40)
integers = st.integers(-(2**63), 2**64 - 1)
trees = st.recursive(
    st.none() | st.booleans() | integers | texts | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(texts, inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("record", make.every_kind(), ids=lambda record: record.KIND)
def test_every_kind_parses_back_to_itself(record):
    assert parse_record(encode_record(record)) == record


def test_every_kind_is_made_by_the_tests():
    assert {type(record) for record in make.every_kind()} == set(KINDS.values())


@given(
    parameters=st.dictionaries(texts, trees, max_size=5),
    words=st.lists(texts, max_size=3).map(tuple),
    text=texts,
    at_ns=integers,
    changes=st.booleans(),
)
def test_any_intent_parses_back_to_itself(parameters, words, text, at_ns, changes):
    record = make.intent(
        parameters=parameters,
        groups=words,
        justification=text,
        at_ns=at_ns,
        changes=changes,
        approvals=((text, text, at_ns),),
        captures=(capture("request", text.encode(), total_bytes=9, content_type=text),),
    )
    data = encode_record(record)
    assert parse_record(data) == record
    assert encode_record(parse_record(data)) == data


@given(parameters=st.dictionaries(texts, trees, max_size=5))
def test_the_verifiers_own_decoder_reads_what_is_encoded(parameters):
    """It shares no code with the encoder, and takes canonical form alone."""
    data = encode_record(make.intent(parameters=parameters))
    decoded = verify.decode(data)
    assert decoded[:2] == ["intent", "exchange-1"]
    assert json.dumps(decoded[-1], sort_keys=True, default=repr) == json.dumps(
        parameters, sort_keys=True, default=repr
    )


def test_keys_are_sorted_so_that_order_does_not_show():
    one = make.intent(parameters={"b": {"y": "1", "x": "2"}, "a": ["z"]})
    two = make.intent(parameters={"a": ("z",), "b": {"x": "2", "y": "1"}})
    assert encode_record(one) == encode_record(two)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (1.5, "1.5"),
        (2**64, str(2**64)),
        (-(2**63) - 1, str(-(2**63) - 1)),
        ("\ud800 alone", "\\ud800 alone"),
        ({1: "number", "1b": "text"}, {"1": "number", "1b": "text"}),
        (bytearray(b"\x00\xff"), b"\x00\xff"),
        (enum.StrEnum("Colour", {"RED": "red"})("red"), "red"),
    ],
    ids=repr,
)
def test_a_parameter_of_another_type_is_kept_as_text(value, kept):
    data = encode_record(make.intent(parameters={"value": value}))
    assert parse_record(data).parameters == {"value": kept}


def test_a_lone_surrogate_does_not_break_the_order_of_keys():
    tree = {"\ud800": "1", "\uffff": "2", "a": "3", "\U0001f600": "4"}
    data = encode_record(make.intent(parameters=tree, user_agent="\udcff"))
    parsed = parse_record(data)
    assert parsed.user_agent == "\\udcff"
    assert set(parsed.parameters) == {"\\ud800", "\uffff", "a", "\U0001f600"}


def test_deep_parameters_end_in_an_ellipsis():
    tree: dict = {}
    for _ in range(5000):
        tree = {"in": tree}
    parsed = parse_record(encode_record(make.intent(parameters=tree)))
    depth, value = 0, parsed.parameters
    while isinstance(value, dict):
        depth, value = depth + 1, value["in"]
    assert (depth, value) == (limits.RECORD_DEPTH_MAX, "…")


def test_a_callers_list_and_enum_are_taken_for_what_they_stand_for():
    level = enum.StrEnum("Level", {"READ": "Read"})("Read")
    slipped = make.intent(groups=["agents"], needs=[["a:B", "*"]], access_level=level)
    parsed = parse_record(encode_record(slipped))
    assert parsed.groups == ("agents",)
    assert parsed.needs == (("a:B", "*"),)
    assert parsed.access_level == "Read"


@pytest.mark.parametrize(
    "fields",
    [
        {"justification": None},
        {"at_ns": 1.5},
        {"at_ns": True},
        {"changes": 1},
        {"groups": "agents"},
        {"groups": ("agents", 7)},
        {"needs": (("only one",),)},
        {"approvals": (("request", "person", "when"),)},
    ],
    ids=repr,
)
def test_a_field_of_the_wrong_type_is_refused_and_named(fields):
    with pytest.raises(TypeError, match=next(iter(fields))):
        encode_record(make.intent(**fields))


class TestTooLarge:
    def test_parameters_are_shortened_and_the_record_says_so(self):
        record = make.intent(
            parameters={"Item": {"note": "x" * 100_000}, "List": ["y"] * 90_000}
        )
        data = encode_record(record)
        assert len(data) <= limits.RECORD_BYTES_MAX
        parsed = parse_record(data)
        assert parsed.truncated == ("parameters: 280027 bytes",)
        assert parsed.parameters["Item"]["note"] == "x" * 1024 + "…"
        assert parsed.parameters["List"][-1] == "… and 89744 more"
        assert replace(parsed, parameters={}, truncated=()) == make.intent(
            parameters={}
        )

    def test_a_thousand_resources_are_shortened_and_counted(self):
        needs = tuple(
            ("s3:DeleteObject", f"arn:aws:s3:::b/{i:0100}") for i in range(1000)
        )
        parsed = parse_record(encode_record(make.intent(needs=needs)))
        assert parsed.needs == needs[:256]
        assert parsed.truncated == ("needs: 1000 elements",)

    def test_a_map_of_many_keys_says_how_many_are_missing(self):
        tree = {f"{number:05}": "v" * 8 for number in range(20_000)}
        parsed = parse_record(encode_record(make.intent(parameters=tree)))
        assert len(parsed.parameters) == 257
        assert parsed.parameters["\U0010ffff"] == "… and 19744 more"

    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 2**32))
    def test_whatever_is_large_fits_and_keeps_what_proves(self, seed):
        chosen = random.Random(seed)
        big = lambda: "é" * chosen.choice([1, 300, 5000, 70_000])  # noqa: E731
        many = lambda: tuple(big() for _ in range(chosen.choice([0, 3, 400])))  # noqa: E731
        record = make.intent(
            parameters={"a": big(), "b": {big(): big(), "c": many()}},
            groups=many(),
            user_agent=big(),
            justification=big(),
            reasons=many(),
            parameters_digest="ab" * 32,
        )
        data = encode_record(record)
        assert len(data) <= limits.RECORD_BYTES_MAX
        parsed = parse_record(data)
        assert parsed.parameters_digest == record.parameters_digest
        assert parsed.principal_id == record.principal_id
        assert bool(parsed.truncated) == (parsed != record)

    def test_what_cannot_be_shortened_is_refused(self):
        with pytest.raises(LimitError) as refused:
            encode_record(make.intent(principal_id="p" * 70_000))
        assert refused.value.code == "audit.record_too_large"


class TestParsing:
    def test_garbage_is_refused_and_nothing_else_happens(self):
        chosen = random.Random(7)
        good = [encode_record(record) for record in make.every_kind()]
        for _ in range(20_000):
            data = bytearray(chosen.choice(good))
            for _ in range(chosen.randint(1, 4)):
                place = chosen.randrange(len(data))
                match chosen.randrange(4):
                    case 0:
                        data[place] = chosen.randrange(256)
                    case 1:
                        data[place] ^= 1 << chosen.randrange(8)
                    case 2:
                        del data[place : place + chosen.randint(1, 9)]
                    case 3:
                        data[place:place] = chosen.randbytes(chosen.randint(1, 5))
                if not data:
                    data = bytearray(b"\x90")
            assert_refused_or_canonical(bytes(data))

    @given(st.binary(max_size=200))
    def test_random_bytes_are_refused_or_canonical(self, data):
        assert_refused_or_canonical(data)

    @given(trees)
    def test_any_msgpack_is_refused_or_canonical(self, value):
        assert_refused_or_canonical(msgpack.packb(value))

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\xc1",
            b"\x91" * 2000,
            b"\xdd\xff\xff\xff\xff",
            b"\xdf\xff\xff\xff\xff",
            b"\xdb\xff\xff\xff\xff",
            msgpack.packb(["outcome"]),
            msgpack.packb(["nothing", "x", 1, [], []]),
            msgpack.packb([{"a": 1}]),
            msgpack.packb({b"a": 1}),
            b"\x81\x90\x01",
            b"\x81\xa1a\x01\xa1b",
            msgpack.packb(msgpack.Timestamp(1)),
            msgpack.packb(1.5),
        ],
        ids=repr,
    )
    def test_what_is_no_record_is_refused(self, data):
        with pytest.raises(VerificationError):
            parse_record(data)

    @pytest.mark.parametrize(
        ("shortest", "longer"),
        [
            (b"\xcc\xc8", b"\xcd\x00\xc8"),  # status 200
            (b"\xa5AWS-1", b"\xd9\x05AWS-1"),
            (b"\x81\xa3ssn\x02", b"\x81\xa3ssn\xcc\x02"),
            (b"\x81\xa3ssn\x02", b"\xde\x00\x01\xa3ssn\x02"),
            (b"\x81\xa3ssn\x02", b"\x82\xa3ssn\x01\xa3ssn\x02"),
            (b"\x81\xa3ssn\x02", b"\x81\xc4\x03ssn\x02"),
        ],
        ids=["integer", "text", "integer in a map", "map", "repeated key", "bytes key"],
    )
    def test_another_form_of_the_same_value_is_refused(self, shortest, longer):
        data = encode_record(make.outcome())
        assert data.count(shortest) == 1
        with pytest.raises(VerificationError):
            parse_record(data.replace(shortest, longer))

    def test_unsorted_keys_are_refused(self):
        data = encode_record(make.outcome(findings={"a": 1, "b": 2}))
        swapped = data.replace(b"\xa1a\x01\xa1b\x02", b"\xa1b\x02\xa1a\x01")
        assert swapped != data
        with pytest.raises(VerificationError):
            parse_record(swapped)


def assert_refused_or_canonical(data: bytes) -> None:
    """The fuzz invariant: the one declared error, or a value with these bytes."""
    try:
        record = parse_record(data)
    except VerificationError:
        return
    assert encode_record(record) == data


def test_records_cannot_be_changed():
    for record in (make.intent(), make.outcome()):
        assert isinstance(record, Intent | Outcome)
        with pytest.raises(AttributeError):
            record.exchange_id = "other"
