"""XML bodies: the compiled walker against its twin, however a body is cut."""

import re
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeep._fast.splice import MalformedTextError
from gatekeep.masking.wire_facts import BLOBS, MODELLED_LEVELS
from tests.masking.test_json_engine import ENGINES, PIECE, PROFILES, WORDS
from tests.masking.test_text_engine import KEY, fed
from tests.reference.masking_twin import Hider
from tests.reference.xml_twin import NotXMLError, XmlTwin

NAMES = st.sampled_from([
    "ssn", "SSN", "ns:dob", "phone", "Items", "a", "b", "Name", "Value", "Key", "member",
    "NextToken", "ETag", "accountNumber", "salary", "BinaryValue", "Body", "x-y_z.1",
])  # fmt: skip
CLEAN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


@st.composite
def texts(draw) -> str:
    text = CLEAN.sub("", draw(st.one_of(WORDS, PIECE)))
    how = draw(st.integers(0, 5))
    if how == 0:
        return f"<![CDATA[{text}]]>" if "]]>" not in text else ""
    if how == 1:
        return "".join(
            f"&#{ord(c)};" if i % 3 else escape(c) for i, c in enumerate(text)
        )
    if how == 2:
        return "".join(
            f"&#x{ord(c):X};" if i % 2 else escape(c) for i, c in enumerate(text)
        )
    if how == 3:
        return escape(text, {'"': "&quot;", "'": "&apos;"})
    if how == 4:
        return f"<!-- {text} -->" if "--" not in text and not text.endswith("-") else ""
    return escape(text)


@st.composite
def elements(draw, inner) -> str:
    name = draw(NAMES)
    attributes = "".join(
        f' {key}="{escape(CLEAN.sub("", value), {chr(34): "&quot;"})}"'
        for key, value in draw(st.dictionaries(NAMES, WORDS, max_size=2)).items()
    )
    content = "".join(draw(st.lists(inner, max_size=3)))
    blank = draw(st.sampled_from(["", "\n", " "]))
    if not content and draw(st.booleans()):
        return f"<{name}{attributes}{blank}/>"
    return f"<{name}{attributes}{blank}>{content}</{name}{blank}>"


TREES = st.recursive(texts(), lambda inner: elements(inner), max_leaves=10)


@st.composite
def bodies(draw) -> bytes:
    text = draw(
        st.sampled_from(["", '<?xml version="1.0" encoding="UTF-8"?>\n', "\ufeff"])
    )
    raw = (text + draw(elements(TREES)) + draw(st.sampled_from(["", "\n"]))).encode()
    odd = draw(st.integers(0, 12))
    if odd == 0:
        at = draw(st.integers(0, len(raw)))
        raw = (
            raw[:at] + draw(st.binary(max_size=3)) + raw[at + draw(st.integers(0, 2)) :]
        )
    elif odd == 1:
        raw = raw[: draw(st.integers(0, len(raw)))]
    return raw


@given(
    bodies(), st.lists(st.integers(0, 500), max_size=12), st.integers(0, len(ENGINES) - 1),
    st.sampled_from(["", "sqs", "s3"]), st.booleans(),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_any_cutting_gives_what_the_twin_gives(raw, cuts, which, service, length_kept):
    twin = XmlTwin(
        Hider(PROFILES[which], KEY),
        service,
        MODELLED_LEVELS.get(service, 64),
        length_kept,
        BLOBS.get(service, frozenset()),
    )
    scanner = ENGINES[which].xml(service, length_kept=length_kept)
    try:
        expected = twin.mask(raw)
    except NotXMLError:
        with pytest.raises(MalformedTextError):
            fed(scanner, raw, cuts)
        return
    masked = fed(scanner, raw, cuts)
    assert masked == expected
    if length_kept:
        assert len(masked) == len(raw)
    elif parses(raw):
        assert parses(masked)


def parses(raw: bytes) -> bool:
    undeclared = raw.replace(b"ns:", b"ns_")
    try:
        ET.fromstring(undeclared)
    except ET.ParseError:
        return False
    return True
