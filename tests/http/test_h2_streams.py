"""HTTP/2 exchanges, with h2's client on the other end."""

import contextlib
import random

import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import pytest

from gatekeep import limits
from gatekeep.errors import FramingError, LimitError, PeerError
from gatekeep.http.events import Closed, Data, EndOfMessage, NeedData
from gatekeep.http.frames import PREFACE
from gatekeep.http.h2 import ClientSideH2, is_h2_preface
from gatekeep.http.messages import RequestHead, ResponseHead
from tests.http import grammar
from tests.http.h2_client import GET, POST, Joined, events_of


def test_the_preface_is_known_from_its_first_bytes_on():
    assert is_h2_preface(PREFACE + b"\0\0") is True
    for size in range(len(PREFACE)):
        assert is_h2_preface(PREFACE[:size]) is None
    for other in (b"POST / HTTP/1.1\r\n", b"PUT", b"G", b"PRI * HTTP/1.1", b"\x16\x03"):
        assert is_h2_preface(other) is False


def test_a_request_reads_like_one_of_http_1_1():
    stream = Joined().ask(
        [*POST, ("x-amz-target", "T.Op"), ("a", "1"), ("a", "2")], b"hi"
    )
    head, data, end, nothing = events_of(stream)
    assert isinstance(head, RequestHead)
    assert (head.method, head.target, head.version) == (b"POST", b"/a?b=c", b"2")
    assert list(head.fields) == [
        (b"host", b"gw:8443"),
        (b"x-amz-target", b"T.Op"),
        (b"a", b"1"),
        (b"a", b"2"),
    ]
    assert (data.data, end, nothing) == (b"hi", EndOfMessage, NeedData)


def test_a_host_field_beside_the_authority_stays_where_it_is():
    stream = Joined().ask([*GET, ("a", "1"), ("host", "gw:8443")])
    assert list(stream.next_event().fields) == [(b"a", b"1"), (b"host", b"gw:8443")]


@pytest.mark.parametrize(
    ("headers", "body", "length"),
    [
        (GET, None, 0),
        (POST, b"hello", None),
        ([*POST, ("content-length", "5")], b"hello", 5),
        ([*POST, ("content-length", "0")], b"", 0),
        (POST, b"", 0),
    ],
)
def test_a_body_has_the_length_it_was_given(headers, body, length):
    stream = Joined().ask(headers, body)
    assert stream.body_length == length
    data = [event.data for event in events_of(stream) if isinstance(event, Data)]
    assert b"".join(data) == (body or b"")


def test_an_empty_frame_at_the_end_takes_nothing_away():
    joined = Joined()
    joined.client.send_headers(1, POST)
    joined.client.send_data(1, b"hello", pad_length=3)
    joined.client.send_data(1, b"", pad_length=3)
    joined.client.end_stream(1)
    joined.pump()
    _, data, end, _ = events_of(joined.streams[1])
    assert (data.data, end) == (b"hello", EndOfMessage)


def test_an_answer_reaches_the_client_as_it_was_given():
    joined = Joined()
    stream = joined.ask()
    events_of(stream)
    fields = [(b"x-amzn-requestid", b"1"), (b"connection", b"close"), (b"te", b"x")]
    joined.answer(stream, 403, [*fields, (b"content-length", b"2")], b"no")
    (head,) = joined.seen_of(h2.events.ResponseReceived)
    assert head.headers == [
        (b":status", b"403"),
        (b"x-amzn-requestid", b"1"),
        (b"content-length", b"2"),
    ]
    assert joined.body_of(1) == b"no"
    assert joined.seen_of(h2.events.StreamEnded, 1)
    assert not stream.gone
    assert joined.side.is_idle


@pytest.mark.parametrize(
    ("status", "method", "length_stays"),
    [(200, b"HEAD", True), (304, b"GET", True), (204, b"GET", False)],
)
def test_an_answer_without_a_body_drops_the_one_it_is_given(
    status, method, length_stays
):
    joined = Joined()
    stream = joined.ask([(":method", method.decode()), *GET[1:]])
    joined.answer(stream, status, [(b"content-length", b"9")], b"dropped!!", method)
    (head,) = joined.seen_of(h2.events.ResponseReceived)
    assert ((b"content-length", b"9") in head.headers) is length_stays
    assert joined.body_of(1) == b""
    assert joined.seen_of(h2.events.StreamEnded, 1)
    assert joined.side.is_idle


def test_many_exchanges_run_beside_each_other():
    joined = Joined()
    streams = [joined.ask(POST, b"%d" % number) for number in range(50)]
    random.Random(1).shuffle(streams)
    for stream in streams:
        _, data, *_ = events_of(stream)
        joined.answer(stream, body=data.data * 3)
    assert [joined.body_of(2 * n + 1) for n in range(50)] == [
        b"%d" % n * 3 for n in range(50)
    ]
    assert joined.side.is_idle


def test_a_client_that_expects_it_is_told_to_go_on():
    joined = Joined()
    stream_id = joined.client.get_next_available_stream_id()
    headers = [*POST, ("expect", "100-continue"), ("content-length", "2")]
    joined.client.send_headers(stream_id, headers)
    joined.pump()
    stream = joined.streams[stream_id]
    assert stream.expects_continue
    joined.see(stream.informational(100))
    assert not stream.expects_continue
    stream.informational(100)
    joined.client.send_data(stream_id, b"hi", end_stream=True)
    joined.pump()
    assert [type(event) for event in events_of(stream)[:2]] == [RequestHead, Data]


# --- windows --------------------------------------------------------------------


def test_the_client_may_send_on_only_as_its_body_is_taken():
    joined = Joined()
    joined.client.send_headers(1, POST)
    joined.pump()
    sent = 0
    while room := min(joined.client.local_flow_control_window(1), 16_384):
        joined.client.send_data(1, b"x" * room)
        sent += room
        joined.pump()
    assert sent == limits.H2_STREAM_WINDOW_BYTES
    stream = joined.streams[1]
    assert isinstance(stream.next_event(), RequestHead)
    assert len(stream.next_event().data) == sent
    joined.pump()
    assert joined.client.local_flow_control_window(1) >= sent // 2


def test_a_body_nobody_takes_does_not_stop_the_other_streams_forever():
    """Bodies of refused requests give back what they took of the connection."""
    joined = Joined()
    for _ in range(
        4 * limits.H2_CONNECTION_WINDOW_BYTES // limits.H2_STREAM_WINDOW_BYTES
    ):
        stream_id = joined.client.get_next_available_stream_id()
        joined.client.send_headers(stream_id, POST)
        for _ in range(limits.H2_STREAM_WINDOW_BYTES // 16_384):
            joined.client.send_data(stream_id, b"x" * 16_384)
        joined.pump()
        joined.answer(joined.streams[stream_id], 403, body=b"no")
        assert joined.seen_of(h2.events.StreamReset, stream_id)
    assert joined.side.is_idle


def test_an_answer_waits_for_the_clients_windows():
    joined = Joined()
    joined.client_takes_data = False
    stream = joined.ask()
    body = random.Random(2).randbytes(300_000)
    raw = stream.head(ResponseHead(200, []), request_method=b"GET") + stream.data(body)
    assert stream.unsent == 300_000 - 65_535
    joined.see(raw + stream.end())
    taken = 0
    while not joined.seen_of(h2.events.StreamEnded, 1):
        for event in joined.seen_of(h2.events.DataReceived, 1)[taken:]:
            taken += 1
            size = event.flow_controlled_length
            joined.client.acknowledge_received_data(size, 1)
        joined.news.clear()
        joined.pump()
    assert stream.id in joined.news
    assert stream.unsent == 0
    assert joined.body_of(1) == body
    assert joined.side.is_idle


def test_an_answer_waits_for_a_window_that_begins_at_nothing():
    joined = Joined()
    code = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE
    joined.client.update_settings({code: 0})
    joined.pump()
    stream = joined.ask()
    joined.answer(stream)
    assert stream.unsent == 2
    joined.client.update_settings({code: 100})
    joined.pump()
    assert joined.body_of(1) == b"ok"
    assert joined.seen_of(h2.events.StreamEnded, 1)


# --- endings --------------------------------------------------------------------


def test_an_answer_before_the_request_has_ended_tells_the_client_to_stop():
    joined = Joined()
    joined.client.send_headers(1, POST)
    joined.client.send_data(1, b"x" * 1000)
    joined.pump()
    joined.answer(joined.streams[1], 403, body=b"no")
    assert joined.body_of(1) == b"no"
    (reset,) = joined.seen_of(h2.events.StreamReset, 1)
    assert reset.error_code == 0
    assert joined.side.is_idle


def test_an_aborted_answer_is_not_taken_for_whole():
    joined = Joined()
    stream = joined.ask()
    raw = stream.head(ResponseHead(200, []), request_method=b"GET")
    joined.see(raw + stream.data(b"ok"))
    (reset,) = joined.client.receive_data(stream.abort())
    assert isinstance(reset, h2.events.StreamReset)
    assert reset.error_code != 0
    assert stream.gone
    assert stream.abort() == stream.data(b"more") == b""
    assert joined.side.is_idle


def test_an_answer_without_a_body_can_still_be_aborted():
    """Its head has ended the stream; to the client it is whole."""
    stream = Joined().ask()
    stream.head(ResponseHead(304, []), request_method=b"GET")
    stream.abort()
    assert stream.gone


@pytest.mark.parametrize("body", [b"o", b"ok!"])
def test_an_answer_that_does_not_fit_its_length_is_an_error(body):
    stream = Joined().ask()
    stream.head(ResponseHead(200, [(b"content-length", b"2")]), request_method=b"GET")
    with pytest.raises(FramingError, match="length_broken"):
        stream.data(body) + stream.end()


def test_a_client_that_resets_is_gone():
    joined = Joined()
    stream = joined.ask()
    events_of(stream)
    joined.client.reset_stream(1)
    joined.news.clear()
    joined.pump()
    assert joined.news == [1]
    assert stream.gone
    assert stream.next_event() is Closed
    joined.answer(stream)
    assert not joined.seen_of(h2.events.ResponseReceived)
    assert joined.side.is_idle


def test_a_request_reset_before_its_end_is_cut_short():
    joined = Joined()
    joined.client.send_headers(1, POST)
    joined.client.send_data(1, b"half")
    joined.pump()
    joined.client.reset_stream(1)
    joined.pump()
    with pytest.raises(FramingError, match="body_cut_short"):
        events_of(joined.streams[1])


def test_a_connection_that_ends_takes_its_streams_along():
    joined = Joined()
    streams = [joined.ask(), joined.ask()]
    assert joined.side.receive(b"", now_s=0.0) == streams
    assert [stream.gone for stream in streams] == [True, True]
    assert joined.side.closed
    assert joined.side.receive(b"more", now_s=0.0) == []


def test_a_client_that_says_goodbye_takes_its_streams_along():
    joined = Joined()
    stream = joined.ask()
    joined.client.close_connection()
    joined.pump()
    assert joined.side.closed
    assert stream.gone


def test_stopping_lets_open_streams_end_and_refuses_new_ones():
    joined = Joined()
    stream = joined.ask()
    late = joined.client.get_next_available_stream_id()
    joined.client.send_headers(late, GET, end_stream=True)
    raw = joined.side.stop()
    assert raw.endswith(b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0")
    assert joined.side.stop() == b""
    # h2's client takes a GOAWAY for the end, so it does not get to see this one.
    joined.pump()
    assert late not in joined.streams
    (reset,) = joined.seen_of(h2.events.StreamReset, late)
    assert reset.error_code == h2.errors.ErrorCodes.REFUSED_STREAM
    joined.answer(stream)
    assert joined.body_of(1) == b"ok"


# --- what is refused on a stream ------------------------------------------------


def refused(headers, body=None, *, trailers=None):
    joined = Joined(validate_outbound_headers=False, normalize_outbound_headers=False)
    stream = joined.ask(headers, body, trailers=trailers)
    with pytest.raises(PeerError) as caught:
        events_of(stream)
    with pytest.raises(PeerError, match=caught.value.code):
        stream.next_event()
    joined.answer(stream, caught.value.status)
    assert joined.seen_of(h2.events.ResponseReceived)
    assert not joined.side.closed
    return caught.value.code


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([*GET, ("a", "b\x01")], "control_byte"),
        ([*GET, ("a", "b\x7f")], "control_byte"),
        ([*GET, ('a"b', "c")], "field_name"),
        (
            [*GET, ("content-length", "1"), ("content-length", "1")],
            "content_length_conflict",
        ),
        ([*GET, ("content-length", "9" * 16)], "content_length"),
        ([*POST, ("expect", "200-ok")], "expectation"),
        ([*GET[:3], (":path", "*")], "target_asterisk"),
        ([*GET[:3], (":path", "http://gw/")], "target_absolute"),
        ([*GET[:3], (":path", "/a#b")], "target_fragment"),
        ([*GET[:3], (":path", "/a b")], "request_line"),
        ([*GET[:3], (":path", "/é")], "request_line"),
        ([*GET[:3], (":path", "a")], "target_form"),
        ([(":method", "GE T"), *GET[1:]], "request_line"),
        ([(":method", "CONNECT"), (":authority", "gw:443")], "target_authority"),
        ([GET[0], (":scheme", "ftp"), *GET[2:]], "request_line"),
        ([*GET[:2], (":authority", "u@gw"), GET[3]], "host_invalid"),
        ([*GET[:2], (":authority", ""), GET[3]], "host_invalid"),
        ([*GET, *[("a", "b")] * limits.HEAD_FIELDS_MAX], "fields_too_many"),
        ([*GET[:3], (":path", "/" * (limits.TARGET_BYTES_MAX + 1))], "target_too_long"),
    ],
)
def test_a_request_that_http_1_1_would_not_carry_is_refused_by_name(headers, code):
    assert refused(headers) == f"wire.{code}"


def test_trailers_do_not_hide_a_body_unlike_its_length():
    """`h2` compares at the end of data, not at the end of trailers."""
    headers = [*POST, ("content-length", "10")]
    trailers = [("x-amz-checksum-crc32", "AAAAAA==")]
    assert refused(headers, b"short", trailers=trailers) == "wire.body_length"
    assert refused([*GET, ("content-length", "5")]) == "wire.body_length"


def test_trailers_are_dropped():
    stream = Joined().ask(POST, b"hi", trailers=[("x-amz-checksum-crc32", "AAAAAA==")])
    _, data, end, _ = events_of(stream)
    assert (data.data, end) == (b"hi", EndOfMessage)


@pytest.mark.parametrize(
    "field",
    [(b"a", b"b\r\nc"), (b"A", b"b"), (b"", b"c"), (b"content-length", b"x")],
)
def test_a_field_that_could_be_read_otherwise_is_not_written(field):
    joined = Joined()
    stream = joined.ask()
    with pytest.raises(FramingError, match="head_unwritable"):
        stream.head(ResponseHead(200, [field]), request_method=b"GET")
    joined.answer(stream, 502)
    assert joined.seen_of(h2.events.ResponseReceived)


def test_an_answer_keeps_its_order():
    stream = Joined().ask()
    for call in (stream.end, lambda: stream.data(b"")):
        with pytest.raises(FramingError, match="out_of_turn"):
            call()
    for status in (99, 101, 200):
        with pytest.raises(FramingError, match="out_of_turn"):
            stream.informational(status)
    assert not stream.answer_began
    stream.head(ResponseHead(200, []), request_method=b"GET")
    assert stream.answer_began
    with pytest.raises(FramingError, match="out_of_turn"):
        stream.head(ResponseHead(200, []), request_method=b"GET")
    with pytest.raises(FramingError, match="out_of_turn"):
        stream.informational(100)


# --- however it is cut ----------------------------------------------------------


def recorded_requests(r):
    """The bytes of a client that asks a few things, bodies padded and not."""
    client = Joined().client
    raw = []
    for _ in range(r.randint(1, 3)):
        stream_id = client.get_next_available_stream_id()
        body = r.randbytes(r.choice((0, 1, 50, 3000)))
        client.send_headers(stream_id, [*POST, ("x", "y" * r.randrange(50))])
        client.send_data(stream_id, body, pad_length=r.choice((None, 0, 7)))
        if r.random() < 0.2:
            client.reset_stream(stream_id)
        else:
            client.end_stream(stream_id)
        raw.append(client.data_to_send())
    return b"".join(raw)


def told(pieces):
    """What each stream says in the end; a request that was reset says nothing."""
    fresh = Joined()
    streams = {}
    for piece in pieces:
        for stream in fresh.side.receive(piece, now_s=0.0):
            streams[stream.id] = stream
    story = {}
    for stream in streams.values():
        if stream.gone:
            continue
        head, *data, _, _ = events_of(stream)
        body = b"".join(event.data for event in data)
        story[stream.id] = (head.target, tuple(head.fields), body)
    return story


@grammar.holds_for(150)
def test_how_the_bytes_are_cut_changes_nothing(r):
    raw = recorded_requests(r)
    assert told(grammar.cut(r, raw)) == told([raw])


@grammar.holds_for(300)
def test_garbage_is_refused_and_nothing_else(r):
    joined = Joined()
    raw = recorded_requests(r)
    for _ in range(r.randint(1, 4)):
        at = r.randrange(len(raw))
        raw = raw[:at] + r.randbytes(r.randrange(3)) + raw[at + r.randrange(3) :]
    for piece in grammar.cut(r, raw):
        if joined.attack(piece) is not None:
            assert joined.side.closed
        joined.side.outgoing()
    for stream in joined.streams.values():
        with contextlib.suppress(PeerError):
            events_of(stream)
        stream.head(ResponseHead(200, []), request_method=b"GET")
        stream.data(b"ok")
        stream.end()


def test_bytes_that_are_not_http_2_are_refused():
    with pytest.raises(FramingError, match="h2_protocol"):
        ClientSideH2().receive(b"GET / HTTP/1.1\r\nHost: gw\r\n\r\n", now_s=0.0)


def test_a_limit_is_a_limit_error():
    joined = Joined()
    stream = joined.ask([*GET, *[("a", "b")] * limits.HEAD_FIELDS_MAX])
    with pytest.raises(LimitError):
        stream.next_event()
