"""What people do to HTTP/2 servers, frame by frame."""

import struct

import h2.errors
import h2.events
import h2.settings
import pytest

from gatekeep import limits
from gatekeep.errors import FramingError, LimitError
from gatekeep.http.frames import PREFACE
from gatekeep.http.messages import ResponseHead
from tests.http.h2_client import GET, POST, Joined, events_of

HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE = 1, 2, 3, 4, 5
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4


def frame(kind, stream_id=0, payload=b"", flags=0):
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream_id) + payload


def head(joined, stream_id, headers=GET, flags=END_HEADERS | END_STREAM):
    block = joined.client.encoder.encode(headers)
    return frame(HEADERS, stream_id, block, flags)


def goaway_code(joined):
    """The error code of the last frame we send, which is a GOAWAY."""
    raw = joined.side.outgoing()
    assert (
        raw[-17:-8] == frame(GOAWAY)[:3].replace(b"\0\0\0", b"\0\0\x08") + raw[-14:-8]
    )
    return h2.errors.ErrorCodes(struct.unpack(">I", raw[-4:])[0])


def frames_until_refused(joined, make, most):
    """How many frames are taken before the connection is ended for good."""
    for count in range(most):
        error = None
        for raw in make(count):
            error = error or joined.attack(raw)
        if error is not None:
            assert isinstance(error, LimitError)
            assert (error.code, error.status) == ("wire.h2_patience", 429)
            assert joined.side.closed
            assert goaway_code(joined) is h2.errors.ErrorCodes.ENHANCE_YOUR_CALM
            return count
        joined.side.outgoing()
    raise AssertionError(f"{most} frames and no end")


@pytest.mark.parametrize("apart", [False, True])
def test_rapid_resets_end_the_connection(apart):
    joined = Joined()

    def request_and_reset(count):
        stream_id = 2 * count + 1
        raw = head(joined, stream_id), frame(RST_STREAM, stream_id, b"\0\0\0\x08")
        return raw if apart else [b"".join(raw)]

    assert 150 < frames_until_refused(joined, request_and_reset, 300) < 200
    # A request that came together with its reset never began.
    assert bool(joined.streams) is apart


def test_resets_that_we_are_made_to_send_count_as_well():
    """CVE-2025-8671: the client breaks a rule so that the server resets."""
    joined = Joined()

    def request_and_overflow(count):
        stream_id = 2 * count + 1
        most = struct.pack(">I", 2**31 - 1)
        return [head(joined, stream_id), frame(WINDOW_UPDATE, stream_id, most)]

    assert frames_until_refused(joined, request_and_overflow, 300) < 200


def test_resets_now_and_then_are_fine():
    joined = Joined()
    for count in range(2_000):
        joined.now_s += 0.06
        stream_id = 2 * count + 1
        raw = head(joined, stream_id) + frame(RST_STREAM, stream_id, b"\0\0\0\x08")
        assert joined.attack(raw) is None


@pytest.mark.parametrize(
    ("raw", "most"),
    [
        (frame(PING, payload=b"12345678"), 1_000),
        (frame(SETTINGS), 200),
        (frame(PRIORITY, 1, b"\0\0\0\0\x10"), 2_000),
        (frame(WINDOW_UPDATE, 0, b"\0\0\0\1"), 2_000),
        (frame(WINDOW_UPDATE, 1, b"\0\0\0\1"), 2_000),
        (frame(0, 1), 2_000),
        (frame(0, 1, b"x"), 2_000),
        (frame(0x77, 0, b"?"), 2_000),
        (frame(RST_STREAM, 1, b"\0\0\0\0"), 2_000),
    ],
    ids=[
        "ping",
        "settings",
        "priority",
        "connection-window",
        "stream-window",
        "empty-data",
        "tiny-data",
        "unknown",
        "reset-again",
    ],
)
def test_floods_end_the_connection(raw, most):
    joined = Joined()
    assert joined.attack(head(joined, 1, POST, END_HEADERS)) is None
    assert frames_until_refused(joined, lambda _: [raw], most + 1) > most // 2


def test_a_flood_in_one_read_is_stopped_before_it_is_parsed():
    joined = Joined()
    error = joined.attack(frame(PING, payload=b"12345678") * 100_000)
    assert isinstance(error, LimitError)
    assert len(joined.side.outgoing()) < 20 * limits.H2_PATIENCE_MAX


def test_a_head_in_endless_pieces_ends_the_connection():
    joined = Joined()
    assert joined.attack(head(joined, 1, GET, END_STREAM)) is None
    for _ in range(200):
        error = joined.attack(frame(CONTINUATION, 1))
        if error is not None:
            break
    assert isinstance(error, FramingError)
    assert joined.side.closed


def test_a_head_that_unpacks_to_too_much_is_refused():
    """CVE-2016-6581: one large field in the table, named again and again."""
    joined = Joined()
    pseudo = joined.client.encoder.encode(GET)
    stored = b"\x40\x01a" + b"\x7f\xa1\x1e" + b"v" * 4000  # a literal, then kept
    bomb = b"\xbe" * 10_000
    block = pseudo + stored + bomb
    raw = frame(HEADERS, 1, block, END_HEADERS | END_STREAM)
    error = joined.attack(raw)
    assert isinstance(error, LimitError)
    assert (error.code, error.status) == ("wire.head_too_large", 431)
    assert goaway_code(joined) is h2.errors.ErrorCodes.ENHANCE_YOUR_CALM


def test_a_frame_that_declares_too_much_is_refused_from_its_header():
    joined = Joined()
    size = limits.H2_FRAME_BYTES_MAX
    error = joined.attack(struct.pack(">IBI", (size + 1) << 8, 0, 1))
    assert isinstance(error, FramingError)
    assert error.code == "wire.h2_frame_too_large"
    assert goaway_code(joined) is h2.errors.ErrorCodes.FRAME_SIZE_ERROR


def test_an_offer_of_a_huge_header_table_is_not_taken():
    joined = Joined()
    code = h2.settings.SettingCodes.HEADER_TABLE_SIZE
    joined.client.update_settings({code: 2**31})
    joined.pump()
    for number in range(300):
        stream = joined.ask()
        joined.answer(stream, 200, [(b"x-amzn-requestid", b"%d" % number * 20)])
    assert len(joined.seen_of(h2.events.ResponseReceived)) == 300
    encoder = joined.side._connection.encoder
    assert encoder.header_table_size == limits.H2_HEADER_TABLE_BYTES_MAX


@pytest.mark.parametrize(
    "raw",
    [
        lambda j: head(j, 1, [*GET, ("connection", "close")]),
        lambda j: head(j, 1, [*GET, ("transfer-encoding", "chunked")]),
        lambda j: head(j, 1, [*GET, ("upgrade", "h2c")]),
        lambda j: head(j, 1, [*GET, ("te", "gzip")]),
        lambda j: head(j, 1, [*GET, ("A", "b")]),
        lambda j: head(j, 1, [*GET, ("a b", "c")]),
        lambda j: head(j, 1, [*GET, ("a", "b\r\nc: d")]),
        lambda j: head(j, 1, [*GET, ("host", "other")]),
        lambda j: head(j, 1, GET[:3]),
        lambda j: head(j, 1, [*GET, GET[0]]),
        lambda j: head(j, 1, [("a", "b"), *GET]),
        lambda j: head(j, 1, [*GET, (":status", "200")]),
        lambda j: head(j, 1, [GET[0], GET[1], GET[3]]),
        lambda j: head(j, 1, [*GET, ("content-length", "-1")]),
        lambda j: head(j, 2),
        lambda j: head(j, 0),
        lambda j: head(j, 3) + head(j, 1),
        lambda j: b"".join(
            head(j, 2 * n + 1) for n in range(limits.H2_STREAMS_MAX + 1)
        ),
        lambda j: head(j, 1, POST, END_HEADERS) + frame(SETTINGS, 1),
        lambda j: head(j, 1, POST, 0) + frame(PING, payload=b"12345678"),
        lambda j: frame(0, 1, b"x"),
        lambda j: frame(CONTINUATION, 1),
        lambda j: frame(PUSH_PROMISE, 1, b"\0\0\0\2", END_HEADERS),
        lambda j: frame(PING, payload=b"1"),
        lambda j: frame(HEADERS, 1, b"\xff" * 50, END_HEADERS),
        lambda j: frame(WINDOW_UPDATE, 0, struct.pack(">I", 2**31 - 1)),
        lambda j: frame(SETTINGS, 0, struct.pack(">HI", 4, 2**31)),
        lambda j: frame(SETTINGS, 0, struct.pack(">HI", 2, 2)),
        lambda j: head(j, 1, POST, END_HEADERS) + frame(0, 1, b"x" * 16_384) * 17,
        lambda j: (
            head(j, 1, [*POST, ("content-length", "1")], END_HEADERS)
            + frame(0, 1, b"xx")
        ),
        lambda j: PREFACE,
    ],
)
def test_what_is_not_http_2_ends_the_connection(raw):
    joined = Joined(validate_outbound_headers=False)
    error = joined.attack(raw(joined))
    assert isinstance(error, FramingError)
    assert error.code in ("wire.h2_protocol", "wire.h2_frame_too_large")
    assert joined.side.closed
    assert goaway_code(joined) is not h2.errors.ErrorCodes.NO_ERROR
    assert not joined.side.streams


def test_an_answer_drawn_out_byte_by_byte_ends_the_connection():
    """CVE-2019-9511: a window opened by one byte at a time."""
    joined = Joined()
    code = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE
    joined.client.update_settings({code: 0})
    joined.pump()
    stream = joined.ask()
    joined.see(stream.head(ResponseHead(200, []), request_method=b"GET"))
    stream.data(b"x" * 10_000)
    raw = frame(WINDOW_UPDATE, 1, b"\0\0\0\1")
    taken = frames_until_refused(joined, lambda _: [raw], 2_001)
    assert stream.gone
    assert taken > 1_000


def test_honest_clients_do_not_wear_us_out():
    joined = Joined()
    for _ in range(1_000):
        stream = joined.ask(POST, b"{}")
        events_of(stream)
        joined.answer(stream, body=b"x" * 400)
    assert joined.side._meter._patience == limits.H2_PATIENCE_MAX


def test_a_long_download_earns_its_window_updates():
    joined = Joined()
    stream = joined.ask()
    joined.see(stream.head(ResponseHead(200, []), request_method=b"GET"))
    total = 0
    while total < 32 * 2**20:
        raw = stream.data(b"x" * 65_535)
        total += 65_535
        for event in joined.client.receive_data(raw):
            assert isinstance(event, h2.events.DataReceived)
            size = event.flow_controlled_length
            joined.client.increment_flow_control_window(size)
            joined.client.increment_flow_control_window(size, 1)
        assert joined.attack(joined.client.data_to_send()) is None
        assert stream.unsent == 0
    assert joined.side._meter._patience > limits.H2_PATIENCE_MAX // 2
