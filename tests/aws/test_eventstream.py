"""Event-stream messages, held against botocore's decoder."""

from __future__ import annotations

import binascii
import itertools
import struct
import uuid

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from gatekeep.aws.eventstream import (
    EventStreamDecoder,
    Header,
    HeaderType,
    Message,
    encode_error,
    encode_message,
)
from gatekeep.errors import FramingError, LimitError
from gatekeep.limits import EVENT_HEADERS_BYTES_MAX, EVENT_PAYLOAD_BYTES_MAX


def signed(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
headers = st.one_of(
    st.builds(Header, names, st.just(HeaderType.TRUE), st.just(True)),
    st.builds(Header, names, st.just(HeaderType.FALSE), st.just(False)),
    st.builds(Header, names, st.just(HeaderType.INT8), signed(8)),
    st.builds(Header, names, st.just(HeaderType.INT16), signed(16)),
    st.builds(Header, names, st.just(HeaderType.INT32), signed(32)),
    st.builds(Header, names, st.just(HeaderType.INT64), signed(64)),
    st.builds(Header, names, st.just(HeaderType.BYTES), st.binary(max_size=20)),
    st.builds(Header, names, st.just(HeaderType.STRING), st.text(st.characters(codec="utf-8"), max_size=20)),
    st.builds(Header, names, st.just(HeaderType.TIMESTAMP), signed(64)),
    st.builds(Header, names, st.just(HeaderType.UUID), st.binary(min_size=16, max_size=16)),
)  # fmt: skip
messages = st.builds(
    Message,
    st.lists(headers, max_size=5, unique_by=lambda header: header.name).map(tuple),
    st.binary(max_size=60),
)


def frame(headers: bytes, payload: bytes) -> bytes:
    """A message of raw headers, its CRCs right."""
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    start = lengths + struct.pack(">I", binascii.crc32(lengths)) + headers + payload
    return start + struct.pack(">I", binascii.crc32(start))


@given(
    sent=st.lists(messages, max_size=4),
    places=st.lists(st.integers(0, 400), max_size=8),
)
def test_messages_come_out_as_they_went_in_however_they_are_cut(sent, places):
    stream = b"".join(map(encode_message, sent))
    edges = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    decoder = EventStreamDecoder()
    came = [
        message
        for start, end in itertools.pairwise(edges)
        for message in decoder.feed(stream[start:end])
    ]
    decoder.finish()
    assert came == sent
    assert b"".join(map(encode_message, came)) == stream


@given(message=messages)
def test_botocore_reads_the_same_message(message):
    buffer = EventStreamBuffer()
    buffer.add_data(encode_message(message))
    read = next(buffer)
    assert read.payload == message.payload
    assert list(read.headers) == [header.name for header in message.headers]
    for header in message.headers:
        # botocore gives a UUID its hyphens back, all else as we do.
        value = read.headers[header.name]
        if header.type is HeaderType.UUID:
            value = uuid.UUID(str(value)).bytes if isinstance(value, str) else value
        assert value == header.value


@given(message=messages, data=st.data())
def test_no_change_of_one_byte_passes(message, data):
    stream = bytearray(encode_message(message))
    place = data.draw(st.integers(0, len(stream) - 1))
    stream[place] ^= data.draw(st.integers(1, 255))
    decoder = EventStreamDecoder()
    with pytest.raises((FramingError, LimitError)):
        _ = decoder.feed(bytes(stream)), decoder.finish()


@given(data=st.binary(max_size=80))
def test_garbage_gives_messages_or_the_declared_errors(data):
    decoder = EventStreamDecoder()
    try:
        for message in decoder.feed(data):
            assert encode_message(message)
        decoder.finish()
    except (FramingError, LimitError):
        pass


@given(headers=st.binary(max_size=40), payload=st.binary(max_size=8))
def test_garbage_for_headers_reads_as_botocore_reads_it_or_not_at_all(headers, payload):
    stream = frame(headers, payload)
    try:
        (message,) = EventStreamDecoder().feed(stream)
    except FramingError:
        return
    assert encode_message(message) == stream
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    assert list(next(buffer).headers) == [header.name for header in message.headers]


@pytest.mark.parametrize(
    "headers",
    [
        b"\x01",
        b"\x01a",
        b"\x00\x00",
        b"\x01a\x0a",
        b"\x01a\x07\x00\x05abc",
        b"\x01a\x02",
        b"\x01\xff\x00",
        b"\x01a\x07\x00\x01\xff",
        b"\x01a\x00\x01a\x00",
        b"\x01a\x09" + b"u" * 15,
    ],
)
def test_malformed_headers_are_refused(headers):
    with pytest.raises(FramingError):
        EventStreamDecoder().feed(frame(headers, b"payload that is long enough"))


def test_lengths_are_judged_before_the_rest_is_awaited():
    for total, headers_length, error in (
        (15, 0, FramingError),
        (20, 5, FramingError),
        (EVENT_PAYLOAD_BYTES_MAX + 17, 0, LimitError),
        (EVENT_HEADERS_BYTES_MAX + 17, EVENT_HEADERS_BYTES_MAX + 1, LimitError),
        (0xFFFFFFFF, 0xFFFFFFFF, FramingError),
    ):
        lengths = struct.pack(">II", total, headers_length)
        with pytest.raises(error):
            EventStreamDecoder().feed(
                lengths + struct.pack(">I", binascii.crc32(lengths))
            )


def test_a_stream_that_stops_in_a_message_is_refused():
    decoder = EventStreamDecoder()
    assert decoder.feed(encode_error("a", "b")[:-1]) == []
    with pytest.raises(FramingError):
        decoder.finish()


def test_an_error_in_a_stream_is_one_that_botocore_raises():
    buffer = EventStreamBuffer()
    buffer.add_data(encode_error("AccessDeniedException", "a protected value"))
    response = next(buffer).to_response_dict()
    assert response["status_code"] == 400
    assert response["headers"][":error-code"] == "AccessDeniedException"
    assert response["headers"][":error-message"] == "a protected value"


@pytest.mark.parametrize(
    "message",
    [
        Message((Header("", HeaderType.TRUE, True),), b""),
        Message((Header("n" * 256, HeaderType.TRUE, True),), b""),
        Message((Header("a", HeaderType.INT8, 128),), b""),
        Message((Header("a", HeaderType.BYTES, b"x" * 65_536),), b""),
        Message((Header("a", HeaderType.STRING, "\ud800"),), b""),
        Message((), bytes(EVENT_PAYLOAD_BYTES_MAX + 1)),
    ],
)
def test_what_does_not_fit_is_not_encoded(message):
    with pytest.raises(ValueError, match=r"header|message"):
        encode_message(message)
