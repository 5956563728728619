"""Messages between worker and ledger survive any cutting; garbage is told."""

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatekeep import limits
from gatekeep.audit.wire import FrameReader, encode_frame
from gatekeep.audit.writer import pieces
from gatekeep.errors import FramingError

messages = st.lists(
    st.tuples(st.integers(0, 2**32), st.binary(max_size=300), st.text(max_size=9)),
    max_size=5,
)


@given(sent=messages, cuts=st.lists(st.integers(1, 50), max_size=60))
def test_however_the_bytes_are_cut_the_messages_are_the_same(sent, cuts):
    data = b"".join(map(encode_frame, sent))
    reader = FrameReader()
    received = []
    for cut in [*cuts, len(data)]:
        received += reader.feed(data[:cut])
        data = data[cut:]
    assert received == sent


@given(st.binary(max_size=200))
def test_random_bytes_are_messages_or_no_protocol(data):
    try:
        FrameReader().feed(data)
    except FramingError:
        return


def test_a_message_over_the_bound_is_refused_by_its_head_alone():
    head = (limits.LEDGER_FRAME_BYTES_MAX + 1).to_bytes(4, "big")
    with pytest.raises(FramingError):
        FrameReader().feed(head)
    assert FrameReader().feed(limits.LEDGER_FRAME_BYTES_MAX.to_bytes(4, "big")) == []


def test_a_frame_holds_one_value():
    body = msgpack.packb(1) * 2
    with pytest.raises(FramingError):
        FrameReader().feed(len(body).to_bytes(4, "big") + body)


@given(st.integers(0, limits.CAPTURE_BYTES_MAX))
@example(36_833)
def test_a_body_is_cut_to_fill_pages_and_nothing_is_lost(size):
    body = bytes(size)
    cut = pieces(body)
    assert sum(map(len, cut)) == size
    assert all((len(piece) + 16) % 4096 == 0 for piece in cut[:-1])
    assert len(cut[-1]) < 4096 - 16 or (len(cut[-1]) + 16) % 4096 == 0
    # Full pieces, at most two of whole pages for what is left, and a rest.
    assert len(cut) <= size // 65_520 + 3
