"""JSON bodies: the compiled walker against its twin, however a body is cut."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeep._fast.splice import MalformedTextError
from gatekeep.masking.detectors import DETECTORS, fold
from gatekeep.masking.engine import Engine
from gatekeep.masking.naming import SECRET_VALUE
from gatekeep.masking.profiles import Profile, parse_path
from gatekeep.masking.styles import parse_style
from gatekeep.masking.wire_facts import BLOBS, MODELLED_LEVELS
from tests.masking.test_text_engine import KEY, PIECES, fed
from tests.reference.json_twin import JsonTwin, NotJSONError
from tests.reference.masking_twin import Hider

FIELDS = {
    "phone": "fixed",
    "salary": "keep-last-2",
    "Secret": "drop",
    "n": "same-length",
}
PATHS = {"$.Items[*].address": "fixed", "$.a.b": "keep-last-4", "$.list[*][*]": "token"}


def profile(style: str, *, fields: bool = True) -> Profile:
    made = Profile(detectors={name: parse_style(style) for name in DETECTORS})
    made.detectors[SECRET_VALUE] = parse_style("drop")
    if fields:
        made.names.update((fold(k.encode()), parse_style(v)) for k, v in FIELDS.items())
        made.paths.update((parse_path(k), parse_style(v)) for k, v in PATHS.items())
    return made


PROFILES = [
    profile("keep-last-4"), profile("fixed"), profile("token"), profile("digits"),
    profile("same-length", fields=False), Profile(), Profile(names={b"ssn": parse_style("drop")}),
]  # fmt: skip
ENGINES = [Engine(one, DETECTORS, KEY, where="test") for one in PROFILES]
SERVICES = [
    "",
    "dynamodb",
    "kinesis",
    "ssm",
    "secretsmanager",
    "dynamodbstreams",
    "sqs",
]

NAMES = st.sampled_from([
    "ssn", "SSN", "s_s_n", "dob", "phone", "salary", "Items", "address", "a", "b", "list",
    "S", "N", "B", "SS", "NS", "BS", "M", "L", "BOOL", "NULL", "Name", "Value", "Key",
    "Type", "SecretString", "Data", "NextToken", "LastEvaluatedKey", "ETag", "accountNumber",
    "routing_number", "n", "s", "secret_access_key", "itin", "x" * 70, "bob@example.com",
])  # fmt: skip
PIECE = st.sampled_from([p.decode("latin-1") for p in PIECES])
WORDS = st.one_of(
    PIECE,
    st.text(max_size=8),
    st.lists(PIECE, max_size=3).map(" ".join),
    st.sampled_from([
        "123456789", "900701234", "021000021", "12345678", "1980-01-31", "SecureString",
        "String", "ssn", "dob", "123", "-12.50", "4111111111111111", "4.111111111111111e15",
        "1e400", "{", "[", "{}", "[1", "true", "NDExMTExMTExMTExMTExMQ==", "MTIzLTQ1LTY3ODk=",
        "eyJzc24iOiIxMjM0NTY3ODkifQ==", "MTIz\n", "a" * 40, "+1 212 555 0123", "2125550123",
    ]),
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([4111111111111111, 123456789, 12345678, 19800131, -1, 0, 4.111111111111111e15]),
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, WORDS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(NAMES, inner, max_size=4),
        inner.map(json.dumps),
    ),
    max_leaves=16,
)


@st.composite
def bodies(draw) -> bytes:
    """JSON texts, spelled in many ways, now and then broken."""
    text = json.dumps(
        draw(VALUES),
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 1])),
        separators=draw(st.sampled_from([None, (",", ":")])),
    )
    odd = draw(st.integers(0, 40))
    if odd < 8:
        # Spell some plain characters as escapes.
        text = re.sub(r'(?<!\\)[0-9a-z]', lambda m: f"\\u{ord(m[0]):04x}"
                      if hash((m.start(), odd)) % 5 == 0 and in_string(text, m.start())
                      else m[0], text)  # fmt: skip
    raw = text.encode("utf-8", "surrogatepass")
    if odd == 9:
        at = draw(st.integers(0, len(raw)))
        raw = (
            raw[:at] + draw(st.binary(max_size=3)) + raw[at + draw(st.integers(0, 2)) :]
        )
    elif odd == 10:
        raw = raw[: draw(st.integers(0, len(raw)))]
    elif odd in (11, 12):
        raw += b"\n" + raw
    return raw


def in_string(text: str, at: int) -> bool:
    quotes = re.sub(r"\\.", "__", text[:at])
    return quotes.count('"') % 2 == 1 and not re.search(
        r"\\(u[0-9a-f]{0,3})?\Z", text[:at]
    )


@given(
    bodies(), st.lists(st.integers(0, 500), max_size=12), st.integers(0, len(ENGINES) - 1),
    st.sampled_from(SERVICES), st.booleans(), st.booleans(),
)  # fmt: skip
@settings(max_examples=600, deadline=None)
def test_any_cutting_gives_what_the_twin_gives(
    raw, cuts, which, service, many, length_kept
):
    twin = JsonTwin(
        Hider(PROFILES[which], KEY, digits_stay=length_kept),
        service,
        MODELLED_LEVELS.get(service, 64),
        many,
        length_kept,
        BLOBS.get(service, frozenset()),
    )
    scanner = ENGINES[which].json(service, many=many, length_kept=length_kept)
    try:
        expected = twin.mask(raw)
    except NotJSONError:
        with pytest.raises(MalformedTextError):
            fed(scanner, raw, cuts)
        return
    masked = fed(scanner, raw, cuts)
    assert masked == expected
    if not many:
        json.loads(masked.decode("latin-1").strip(" \t\r\n") or "0")
    if length_kept:
        assert len(masked) == len(raw)
