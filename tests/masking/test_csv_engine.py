"""Tables of text: the compiled walker against its twin, however a body is cut."""

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.masking.test_json_engine import ENGINES, PIECE, PROFILES, WORDS
from tests.masking.test_text_engine import KEY, fed
from tests.reference.csv_twin import CsvTwin
from tests.reference.masking_twin import Hider

HEADERS = st.sampled_from(
    ["ssn", "DOB", "phone", "salary", "note", "account_number", "x", ""]
)
CELLS = st.one_of(
    WORDS, PIECE, st.sampled_from(['a"b', '""', '{"ssn": "123456789"}', "1,2"])
)


@st.composite
def bodies(draw) -> bytes:
    columns = draw(st.integers(1, 4))
    rows = [draw(st.lists(HEADERS, min_size=columns, max_size=columns))]
    rows += draw(st.lists(st.lists(CELLS, min_size=1, max_size=5), max_size=4))
    text = io.StringIO()
    csv.writer(
        text,
        delimiter=",",
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
    ).writerows(rows)
    raw = text.getvalue().encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 5)) == 0:
        at = draw(st.integers(0, len(raw)))
        raw = (
            raw[:at] + draw(st.binary(max_size=3)) + raw[at + draw(st.integers(0, 2)) :]
        )
    return draw(st.sampled_from([b"", b"\n", "\ufeff".encode()])) + raw


@given(
    bodies(), st.lists(st.integers(0, 300), max_size=10), st.integers(0, len(ENGINES) - 1),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_any_cutting_gives_what_the_twin_gives(raw, cuts, which, length_kept):
    twin = CsvTwin(Hider(PROFILES[which], KEY), length_kept=length_kept)
    expected = twin.mask(raw)
    masked = fed(ENGINES[which].csv(length_kept=length_kept), raw, cuts)
    assert masked == expected
    if length_kept:
        assert len(masked) == len(raw)


def test_columns_named_from_outside_are_masked_in_every_row():
    scanner = ENGINES[1].csv(header=[b"id", b"SSN", b"phone"])
    assert fed(scanner, b"1,123456789,x\n2,123456789,y\n", []) == (
        b"1,[ssn],[masked]\n2,[ssn],[masked]\n"
    )
