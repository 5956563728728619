"""An upstream connection: its answers are believed no more than a client's requests."""

import pytest

from gatekeep import limits
from gatekeep.errors import FramingError, LimitError, PeerError
from gatekeep.http.h1 import (
    Closed,
    Data,
    EndOfMessage,
    InformationalHead,
    NeedData,
    UpstreamSide,
)
from gatekeep.http.messages import RequestHead, ResponseHead

HOST = (b"host", b"dynamodb.us-east-1.amazonaws.com")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def side_asked(method=b"GET"):
    side = UpstreamSide()
    side.head(RequestHead(method, b"/", [HOST]))
    side.end()
    return side


def events_of(side):
    events = []
    while not events or events[-1] not in (NeedData, Closed):
        events.append(side.next_event())
    return events


def answer_of(raw, method=b"GET", *, closed=False):
    side = side_asked(method)
    side.receive(raw)
    if closed:
        side.receive(b"")
    head, *middle, end, _ = events_of(side)
    assert isinstance(head, ResponseHead)
    assert end is EndOfMessage
    return head, b"".join(event.data for event in middle), side.keeps_alive


def answer(*lines, status=b"200 OK", version=b"1.1", body=b""):
    return b"\r\n".join([b"HTTP/%b %b" % (version, status), *lines, b"", body])


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (answer(version=b"2.0"), "version"),
        (b"ICY 200 OK\r\n\r\n", "status_line"),
        (b"HTTP/1.1  200 OK\r\n\r\n", "status_line"),
        (answer(status=b"20 OK"), "status_line"),
        (answer(status=b"2000 OK"), "status_line"),
        (answer(status=b"600 No"), "status"),
        (answer(status=b"099 No"), "status"),
        (answer(b"Upgrade: h2c", status=b"101 Switching Protocols"), "switch"),
        (b"HTTP/1.1 200 OK\nA: b\n\n", "line_feed_bare"),
        (answer(b"A: b\x00"), "control_byte"),
        (answer(b"A: b\rc"), "carriage_return_bare"),
        (answer(b"A: b", b" c"), "field_folded"),
        (answer(b"A : b"), "field_name_space"),
        (answer(b"nonsense"), "field_colon"),
        (answer(b"Content-Length: 2", b"Content-Length: 2"), "content_length_conflict"),
        (answer(b"Content-Length: 2, 2"), "content_length"),
        (
            answer(b"Content-Length: 2", b"Transfer-Encoding: chunked"),
            "length_and_coding",
        ),
        (answer(b"Transfer-Encoding: gzip, chunked"), "coding"),
        (answer(b"Transfer-Encoding: chunked", version=b"1.0"), "coding_in_1_0"),
        (answer(b"Content-Length: 2", status=b"204 No Content"), "body_forbidden"),
        (
            answer(b"Transfer-Encoding: chunked", status=b"204 No Content"),
            "body_forbidden",
        ),
        (answer(b"Content-Length: 2", status=b"100 Continue"), "body_forbidden"),
        (CHUNKED + b"x\r\n", "chunk_size"),
        (CHUNKED + b"2\r\nokk", "chunk_end"),
        (CHUNKED + b"0\r\nContent-Length: 2\r\n\r\n", "trailer_framing"),
    ],
)
def test_what_is_not_http_is_refused_by_name(raw, code):
    side = side_asked()
    side.receive(raw)
    with pytest.raises(FramingError) as caught:
        events_of(side)
    error = caught.value
    assert (error.code, error.status) == (f"wire.upstream_{code}", 502)
    assert not side.keeps_alive


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (answer(b"A: " + b"b" * limits.HEAD_BYTES_MAX), "head_too_large"),
        (answer(*[b"a: b"] * (limits.HEAD_FIELDS_MAX + 1)), "fields_too_many"),
        (b"HTTP/1.1 200 " + b"a" * limits.HEAD_BYTES_MAX, "head_too_large"),
        (
            answer(status=b"100 Continue") * (limits.INTERIM_HEADS_MAX + 1),
            "interim_heads",
        ),
        (CHUNKED + b"1;" + b"a" * limits.CHUNK_LINE_BYTES_MAX, "chunk_line_too_long"),
    ],
)
def test_an_answer_has_bounds(raw, code):
    side = side_asked()
    side.receive(raw)
    with pytest.raises(LimitError) as caught:
        events_of(side)
    assert (caught.value.code, caught.value.status) == (f"wire.upstream_{code}", 502)


@pytest.mark.parametrize(
    ("raw", "body", "keeps_alive"),
    [
        (OK, b"ok", True),
        (answer(b"Content-Length: 0"), b"", True),
        (CHUNKED + b"2\r\nok\r\n0\r\n\r\n", b"ok", True),
        (CHUNKED + b"2\r\nok\r\n0\r\nx-amz-checksum-crc32: a\r\n\r\n", b"ok", True),
        (answer(b"Content-Length: 2", b"Connection: close", body=b"ok"), b"ok", False),
        (answer(b"Content-Length: 2", version=b"1.0", body=b"ok"), b"ok", False),
        (answer(status=b"204 No Content"), b"", True),
        (answer(b"Content-Length: 0", status=b"204 No Content"), b"", True),
        (answer(b"Content-Length: 9", status=b"304 Not Modified"), b"", True),
        (answer(b"Transfer-Encoding: chunked", status=b"304 Not"), b"", True),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"ok", True),
    ],
)
def test_a_body_comes_without_its_framing(raw, body, keeps_alive):
    _, read, keeps = answer_of(raw)
    assert (read, keeps) == (body, keeps_alive)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 500", b"Transfer-Encoding: chunked"]
)
def test_an_answer_to_head_has_no_body_whatever_it_says(framing):
    head, body, keeps_alive = answer_of(answer(framing), b"HEAD")
    name, value = framing.lower().split(b": ")
    assert head.get(name) == value
    assert (body, keeps_alive) == (b"", True)


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_body_without_framing_ends_with_the_connection(version):
    raw = answer(version=version, body=b"hello")
    side = side_asked()
    side.receive(raw)
    assert [type(event) for event in events_of(side)[:2]] == [ResponseHead, Data]
    _, body, keeps_alive = answer_of(raw, closed=True)
    assert (body, keeps_alive) == (b"hello", False)


def test_interim_answers_are_told_and_the_final_one_still_comes():
    side = side_asked()
    early = answer(b"Link: </a>", status=b"103 Early Hints")
    side.receive(answer(status=b"100 Continue") + early + OK)
    first, second, final, data, end, _ = events_of(side)
    assert first == InformationalHead(100, [])
    assert second == InformationalHead(103, [(b"link", b"</a>")])
    assert (final.status, data.data, end) == (200, b"ok", EndOfMessage)
    assert side.keeps_alive


@pytest.mark.parametrize("raw", [OK, CHUNKED + b"2\r\nok\r\n0\r\n\r\n"])
def test_an_answer_cut_short_anywhere_is_refused(raw):
    for stop in range(1, len(raw)):
        side = side_asked()
        side.receive(raw[:stop])
        side.receive(b"")
        with pytest.raises(PeerError) as caught:
            events_of(side)
        inside = "body" if b"\r\n\r\n" in raw[:stop] else "head"
        assert caught.value.code == f"wire.upstream_{inside}_cut_short"


def test_an_upstream_that_goes_before_it_answers_has_closed():
    side = side_asked()
    side.receive(b"")
    assert side.next_event() is Closed


def test_bytes_nobody_asked_for_are_never_an_answer():
    side = UpstreamSide()
    side.receive(OK)
    with pytest.raises(FramingError, match="upstream_unasked"):
        side.next_event()


def test_bytes_beyond_an_answer_end_the_use_of_the_connection():
    _, _, keeps_alive = answer_of(OK + b"H")
    assert not keeps_alive
    side = side_asked()
    side.receive(OK)
    events_of(side)
    assert side.keeps_alive
    side.receive(OK)
    assert not side.keeps_alive
    with pytest.raises(FramingError, match="out_of_turn"):
        side.next_exchange()


def test_a_connection_is_used_again_once_both_sides_are_done():
    side = UpstreamSide()
    for _ in range(3):
        assert not side.keeps_alive
        head = RequestHead(b"PUT", b"/", [HOST, (b"content-length", b"2")])
        side.head(head)
        side.data(b"ok")
        side.receive(OK)
        events_of(side)
        assert not side.keeps_alive
        side.end()
        assert side.keeps_alive
        side.next_exchange()


def test_an_upstream_that_closed_is_not_used_again():
    side = side_asked()
    side.receive(OK)
    events_of(side)
    side.receive(b"")
    assert not side.keeps_alive


# --- requests -------------------------------------------------------------------


def test_a_request_is_written_as_it_is():
    side = UpstreamSide()
    target = b"/b/a%20b/../%C3%BC//x?a"
    head = RequestHead(b"PUT", target, [(b"x", b"1"), HOST, (b"content-length", b"2")])
    written = side.head(head) + side.data(b"o") + side.data(b"k") + side.end()
    assert written == (
        b"PUT /b/a%20b/../%C3%BC//x?a HTTP/1.1\r\nx: 1\r\n"
        b"host: dynamodb.us-east-1.amazonaws.com\r\ncontent-length: 2\r\n\r\nok"
    )


def test_a_request_in_chunks_ends_with_its_last_chunk():
    side = UpstreamSide()
    side.head(RequestHead(b"PUT", b"/", [HOST, (b"transfer-encoding", b"chunked")]))
    assert side.data(b"hello") == b"5\r\nhello\r\n"
    assert side.data(b"") == b""
    assert side.end() == b"0\r\n\r\n"


@pytest.mark.parametrize(
    "fields",
    [
        [(b"content-length", b"2"), (b"content-length", b"2")],
        [(b"content-length", b"2"), (b"transfer-encoding", b"chunked")],
        [(b"transfer-encoding", b"gzip")],
        [(b"content-length", b"2,2")],
        [(b"a", b"b\r\nc: d")],
    ],
)
def test_a_request_that_could_be_read_otherwise_is_not_written(fields):
    with pytest.raises(FramingError, match="head_unwritable"):
        UpstreamSide().head(RequestHead(b"PUT", b"/", [HOST, *fields]))


@pytest.mark.parametrize(
    ("method", "target"),
    [(b"GET", b"/a b"), (b"GET /a", b"/"), (b"GET", b"/\r\na: b"), (b"G\n", b"/")],
)
def test_a_first_line_that_could_be_read_otherwise_is_not_written(method, target):
    with pytest.raises(FramingError, match="head_unwritable"):
        UpstreamSide().head(RequestHead(method, target, [HOST]))


@pytest.mark.parametrize("body", [b"", b"o", b"ok!"])
def test_a_request_that_does_not_fit_its_length_is_an_error(body):
    side = UpstreamSide()
    side.head(RequestHead(b"PUT", b"/", [HOST, (b"content-length", b"2")]))
    with pytest.raises(FramingError, match="length_broken"):
        side.data(body) + side.end()


def test_a_body_without_a_declared_length_is_an_error():
    side = UpstreamSide()
    side.head(RequestHead(b"PUT", b"/", [HOST]))
    with pytest.raises(FramingError, match="length_broken"):
        side.data(b"x")


def test_a_request_begins_once():
    side = UpstreamSide()
    for call in (side.end, lambda: side.data(b"")):
        with pytest.raises(FramingError, match="out_of_turn"):
            call()
    side.head(RequestHead(b"GET", b"/", [HOST]))
    with pytest.raises(FramingError, match="out_of_turn"):
        side.head(RequestHead(b"GET", b"/", [HOST]))
