"""A client connection: what is refused and how, and what an exchange is like."""

import pytest

from gatekeep import limits
from gatekeep.errors import FramingError, LimitError, PeerError
from gatekeep.http.h1 import ClientSide, Closed, Data, EndOfMessage, NeedData
from gatekeep.http.messages import RequestHead, ResponseHead

GET = b"GET /a?b=c HTTP/1.1\r\nHost: gw:8443\r\n\r\n"
PUT = b"PUT /a HTTP/1.1\r\nHost: gw\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"PUT /a HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = ResponseHead(200, [(b"content-length", b"2")])
DENIED = ResponseHead(403, [(b"content-length", b"2")])


def side_after(*pieces):
    side = ClientSide()
    for piece in pieces:
        side.receive(piece)
    return side


def events_of(side):
    events = []
    while not events or events[-1] not in (NeedData, Closed):
        events.append(side.next_event())
    return events


def refusal_of(raw):
    side = side_after(raw)
    with pytest.raises(PeerError) as caught:
        events_of(side)
    with pytest.raises(type(caught.value)) as again:
        side.next_event()
    assert again.value.code == caught.value.code
    return caught.value


def answer(side, head=OK, body=b"ok", method=b"GET"):
    return side.head(head, request_method=method) + side.data(body) + side.end()


def get(*lines, target=b"/", version=b"1.1", method=b"GET"):
    line = b"%b %b HTTP/%b" % (method, target, version)
    return b"\r\n".join([line, *(lines or [b"Host: gw"]), b"", b""])


# --- what is refused ------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "code", "status"),
    [
        (b"GET / HTTP/1.1\nHost: gw\n\n", "line_feed_bare", 400),
        (b"GET / HTTP/1.1\r\nHost: gw\r\nA: b\n\r\n\r\n", "line_feed_bare", 400),
        (b"\nGET / HTTP/1.1\r\nHost: gw\r\n\r\n", "line_feed_bare", 400),
        (b"GET / HTTP/1.1\r\nHost: gw\r\nA: b\rc\r\n\r\n", "carriage_return_bare", 400),
        (get(b"Host: gw", b"A: b\x00c"), "control_byte", 400),
        (get(b"Host: gw", b"A: b\x0bc"), "control_byte", 400),
        (get(b"Host: gw", b"A: b\x7f"), "control_byte", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "control_byte", 400),
        (b"\r\nGET / HTTP/1.1\r\nHost: gw\r\n\r\n", "first_line_empty", 400),
        (b"GET /\r\nHost: gw\r\n\r\n", "request_line", 400),
        (b"GET  / HTTP/1.1\r\nHost: gw\r\n\r\n", "request_line", 400),
        (b"GET /a b HTTP/1.1\r\nHost: gw\r\n\r\n", "request_line", 400),
        (b" GET / HTTP/1.1\r\nHost: gw\r\n\r\n", "request_line", 400),
        (b"G(T / HTTP/1.1\r\nHost: gw\r\n\r\n", "request_line", 400),
        (get(target=b"/\xc3\xa9"), "request_line", 400),
        (get(version=b"2.0"), "version", 505),
        (get(version=b"1.2"), "version", 505),
        (get(version=b"0.9"), "version", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "target_asterisk", 400),
        (get(target=b"*", method=b"OPTIONS"), "target_asterisk", 400),
        (get(target=b"http://gw/"), "target_absolute", 400),
        (get(target=b"gw:443"), "target_form", 400),
        (get(target=b"gw:443", method=b"CONNECT"), "target_authority", 405),
        (get(target=b"/", method=b"CONNECT"), "target_authority", 405),
        (get(target=b"/a#b"), "target_fragment", 400),
        (get(b"Host: gw", b" folded"), "field_folded", 400),
        (get(b"Host: gw", b"A: b", b"\tc"), "field_folded", 400),
        (get(b" Host: gw"), "field_folded", 400),
        (get(b"Host: gw", b"nonsense"), "field_colon", 400),
        (get(b"Host : gw"), "field_name_space", 400),
        (get(b"Host\t: gw"), "field_name_space", 400),
        (get(b"Host: gw", b"A b: c"), "field_name", 400),
        (get(b"Host: gw", b": c"), "field_name", 400),
        (get(b"Host: gw", b"\xc3\xa9: c"), "field_name", 400),
        (get(b"A: b"), "host_missing", 400),
        (get(b"Host: gw", b"Host: gw"), "host_repeated", 400),
        (get(b"Host: a", b"host: b", version=b"1.0"), "host_repeated", 400),
        (get(b"Host: "), "host_invalid", 400),
        (get(b"Host: a/b"), "host_invalid", 400),
        (get(b"Host: u@gw"), "host_invalid", 400),
        (get(b"Host: gw:"), "host_invalid", 400),
        (get(b"Host: a,b"), "host_invalid", 400),
        (get(b"Host: gw", b"Connection: close, x-amz-date"), "connection_option", 400),
        (get(b"Host: gw", b"Expect: 200-ok"), "expectation", 417),
        (get(b"Host: gw", b"Expect: 100-continue, x"), "expectation", 417),
        (
            get(b"Host: gw", b"Expect: 100-continue", b"Expect: 100-continue"),
            "expectation", 417,
        ),
        (
            get(b"Host: gw", b"Content-Length: 1", b"Content-Length: 2"),
            "content_length_conflict", 400,
        ),
        (
            get(b"Host: gw", b"Content-Length: 1", b"Content-Length: 1"),
            "content_length_conflict", 400,
        ),
        (get(b"Host: gw", b"Content-Length: 1, 1"), "content_length", 400),
        (get(b"Host: gw", b"Content-Length: +1"), "content_length", 400),
        (get(b"Host: gw", b"Content-Length: -1"), "content_length", 400),
        (get(b"Host: gw", b"Content-Length: 0x1"), "content_length", 400),
        (get(b"Host: gw", b"Content-Length: "), "content_length", 400),
        (get(b"Host: gw", b"Content-Length: " + b"9" * 16), "content_length", 400),
        (
            get(b"Host: gw", b"Content-Length: 1", b"Transfer-Encoding: chunked"),
            "length_and_coding", 400,
        ),
        (get(b"Host: gw", b"Transfer-Encoding: Chunked"), "coding", 501),
        (get(b"Host: gw", b"Transfer-Encoding: gzip, chunked"), "coding", 501),
        (get(b"Host: gw", b"Transfer-Encoding: identity"), "coding", 501),
        (get(b"Host: gw", b"Transfer-Encoding: "), "coding", 501),
        (
            get(b"Host: gw", *[b"Transfer-Encoding: chunked"] * 2),
            "coding", 501,
        ),
        (
            get(b"Host: gw", b"Transfer-Encoding: chunked", version=b"1.0"),
            "coding_in_1_0", 400,
        ),
        (CHUNKED + b"x\r\n", "chunk_size", 400),
        (CHUNKED + b"0x5\r\nhello\r\n", "chunk_size", 400),
        (CHUNKED + b"5 \r\nhello\r\n", "chunk_size", 400),
        (CHUNKED + b"5\nhello\r\n", "chunk_size", 400),
        (CHUNKED + b"5;\nhello\r\n", "chunk_size", 400),
        (CHUNKED + b"-5\r\nhello\r\n", "chunk_size", 400),
        (CHUNKED + b"\r\n", "chunk_size", 400),
        (CHUNKED + b"f" * 16 + b"\r\n", "chunk_size", 400),
        (CHUNKED + b"4\r\nhello\r\n", "chunk_end", 400),
        (CHUNKED + b"5\r\nhello\n", "chunk_end", 400),
        (CHUNKED + b"0\r\nA: b\n\r\n\r\n", "trailer_control_byte", 400),
        (CHUNKED + b"0\r\nA: \x00\r\n\r\n", "trailer_control_byte", 400),
        (CHUNKED + b"0\r\nnonsense\r\n\r\n", "field_colon", 400),
        (CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n", "field_folded", 400),
        (CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n", "trailer_framing", 400),
        (CHUNKED + b"0\r\nTransfer-Encoding: chunked\r\n\r\n", "trailer_framing", 400),
    ],
)  # fmt: skip
def test_what_is_not_http_is_refused_by_name(raw, code, status):
    error = refusal_of(raw)
    assert isinstance(error, FramingError)
    assert (error.code, error.status) == (f"wire.{code}", status)


@pytest.mark.parametrize(
    "raw", [GET, PUT + b"hello", CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"]
)
def test_a_request_cut_short_anywhere_is_refused(raw):
    for stop in range(1, len(raw)):
        side = side_after(raw[:stop], b"")
        with pytest.raises(FramingError) as caught:
            events_of(side)
        inside = "body" if b"\r\n\r\n" in raw[:stop] else "head"
        assert caught.value.code == f"wire.{inside}_cut_short"


def test_no_refusal_quotes_what_was_sent():
    error = refusal_of(get(b"Host: gw", b"Content-Length: s3cret"))
    assert "s3cret" not in str(error) + error.detail


def test_the_end_of_a_body_is_no_part_of_the_next_head():
    side = side_after(PUT + b"hell\r" + b"\n" + GET)
    events_of(side)
    answer(side)
    side.next_exchange()
    with pytest.raises(FramingError, match="line_feed_bare"):
        side.next_event()


# --- bounds ---------------------------------------------------------------------


def limit_of(raw):
    error = refusal_of(raw)
    assert isinstance(error, LimitError)
    return error.code, error.status


@pytest.mark.parametrize("over", [0, 1])
def test_each_bound_of_a_head_is_exact(over):
    target = get(target=b"/" + b"a" * (limits.TARGET_BYTES_MAX - 1 + over))
    many = get(b"Host: gw", *[b"a: b"] * (limits.HEAD_FIELDS_MAX - 1 + over))
    padding = limits.HEAD_BYTES_MAX - len(get(b"Host: gw", b"a: ")) + over
    large = get(b"Host: gw", b"a: " + b"x" * padding)
    assert len(large) == limits.HEAD_BYTES_MAX + over
    if over:
        assert limit_of(target) == ("wire.target_too_long", 414)
        assert limit_of(many) == ("wire.fields_too_many", 431)
        assert limit_of(large) == ("wire.head_too_large", 431)
    else:
        for raw in (target, many, large):
            assert isinstance(side_after(raw).next_event(), RequestHead)


def test_an_endless_first_line_is_a_target_too_long():
    endless = b"GET /" + b"a" * limits.HEAD_BYTES_MAX
    assert limit_of(endless) == ("wire.target_too_long", 414)


def test_an_endless_head_is_refused_however_slowly_it_comes():
    side = side_after(b"GET / HTTP/1.1\r\n")
    for _ in range(limits.HEAD_BYTES_MAX // 64):
        assert side.next_event() is NeedData
        side.receive(b"a: " + b"b" * 59 + b"\r\n")
    with pytest.raises(LimitError, match="head_too_large"):
        side.next_event()


def test_a_body_may_have_tiny_chunks_but_not_endless_extensions():
    tiny = b"1\r\na\r\n" * 50_000
    side = side_after(CHUNKED, tiny)
    side.next_event()
    assert len(side.next_event().data) == 50_000
    extended = b"1;%b\r\na\r\n" % (b"x" * 1023)
    fitting = limits.CHUNK_EXTENSIONS_BYTES_MAX // 1024
    side = side_after(CHUNKED, extended * (fitting + 1))
    side.next_event()
    for _ in range(fitting):
        assert side.next_event() == Data(b"a")
    with pytest.raises(LimitError, match="chunk_extensions"):
        side.next_event()


def test_a_chunk_line_and_a_trailer_have_bounds():
    line = CHUNKED + b"1;" + b"x" * limits.CHUNK_LINE_BYTES_MAX
    assert limit_of(line) == ("wire.chunk_line_too_long", 400)
    trailer = CHUNKED + b"0\r\na: " + b"x" * limits.TRAILER_BYTES_MAX
    assert limit_of(trailer) == ("wire.trailer_too_large", 431)


def test_bytes_before_their_turn_are_kept_up_to_a_bound():
    side = side_after(GET)
    assert events_of(side)[-2:] == [EndOfMessage, NeedData]
    piece = b"x" * (limits.RECEIVED_BYTES_MAX // 8)
    for _ in range(8):
        side.receive(piece)
    assert side.keeps_alive
    side.receive(b"x")
    assert not side.keeps_alive
    with pytest.raises(LimitError, match="received_too_much"):
        side.next_event()


def test_after_a_refusal_nothing_more_is_kept():
    side = side_after(b"\x00")
    for _ in range(3):
        with pytest.raises(FramingError, match="control_byte"):
            side.next_event()
        side.receive(b"x" * limits.RECEIVED_BYTES_MAX)
    assert side._unread() == 0


# --- an exchange ----------------------------------------------------------------


def test_target_and_values_are_what_was_sent():
    target = b"/b/a%20b/../%C3%BC%2B%25//x?list-type=2&&a=%2f"
    head = side_after(
        get(b"HOST: Gw:1", b"X-Amz-Meta-A:  caf\xc3\xa9\t b ", b"x-a:", target=target)
    ).next_event()
    assert (head.method, head.target, head.version) == (b"GET", target, b"1.1")
    assert (head.path, head.query) == (
        b"/b/a%20b/../%C3%BC%2B%25//x",
        b"list-type=2&&a=%2f",
    )
    assert list(head.fields) == [
        (b"host", b"Gw:1"),
        (b"x-amz-meta-a", b"caf\xc3\xa9\t b"),
        (b"x-a", b""),
    ]


@pytest.mark.parametrize(
    ("raw", "body_length", "body"),
    [
        (GET, 0, b""),
        (PUT + b"hello", 5, b"hello"),
        (
            CHUNKED + b"5\r\nhello\r\n01\r\n!\r\n000\r\nx-crc: a\r\n\r\n",
            None,
            b"hello!",
        ),
        (CHUNKED + b"5;a=b\r\nhello\r\n0;c\r\n\r\n", None, b"hello"),
        (CHUNKED + b"0\r\n\r\n", None, b""),
    ],
)
def test_a_body_comes_without_its_framing(raw, body_length, body):
    side = side_after(raw)
    head, *middle, end, nothing = events_of(side)
    assert side.body_length == body_length
    assert b"".join(event.data for event in middle) == body
    assert (end, nothing) == (EndOfMessage, NeedData)
    assert isinstance(head, RequestHead)


def test_a_long_body_is_handed_on_without_a_copy():
    piece = b"x" * 100_000
    side = side_after(b"PUT / HTTP/1.1\r\nHost: gw\r\nContent-Length: 200000\r\n\r\n")
    side.next_event()
    for _ in range(2):
        side.receive(piece)
        assert side.next_event().data is piece
    assert side.next_event() is EndOfMessage


def test_pipelined_requests_wait_for_their_turn():
    side = side_after(GET + PUT + b"hello" + GET)
    for length in (0, 5, 0):
        assert isinstance(side.next_event(), RequestHead)
        assert side.body_length == length
        assert events_of(side)[-2:] == [EndOfMessage, NeedData]
        answer(side)
        assert side.keeps_alive
        side.next_exchange()
    assert side.is_idle
    assert side.next_event() is NeedData
    side.receive(b"")
    assert side.next_event() is Closed


def test_idle_is_between_two_exchanges():
    side = ClientSide()
    assert side.is_idle
    side.receive(GET[:1])
    assert not side.is_idle
    assert side.next_event() is NeedData
    side.receive(GET[1:])
    events_of(side)
    assert not side.is_idle
    answer(side)
    side.next_exchange()
    assert side.is_idle


def test_an_idle_connection_keeps_no_bytes_of_its_last_request():
    body = b"x" * 100_000
    side = side_after(
        b"PUT / HTTP/1.1\r\nHost: gw\r\nContent-Length: 100000\r\n\r\n" + body
    )
    events_of(side)
    answer(side)
    side.next_exchange()
    assert side._buffer == b""


@pytest.mark.parametrize(
    ("fields", "expects"),
    [
        ([b"Content-Length: 5", b"Expect: 100-continue"], True),
        ([b"Content-Length: 5", b"Expect: 100-Continue"], True),
        ([b"Transfer-Encoding: chunked", b"Expect: 100-continue"], True),
        ([b"Content-Length: 0", b"Expect: 100-continue"], False),
        ([b"Expect: 100-continue"], False),
        ([b"Content-Length: 5"], False),
    ],
)
def test_a_client_that_expects_to_be_told_to_go_on_is_known(fields, expects):
    side = side_after(get(b"Host: gw", *fields, method=b"PUT"))
    side.next_event()
    assert side.expects_continue is expects
    assert side.informational(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert not side.expects_continue


def test_a_client_that_did_not_wait_expects_nothing_more():
    head = get(
        b"Host: gw", b"Content-Length: 5", b"Expect: 100-continue", method=b"PUT"
    )
    side = side_after(head + b"h")
    side.next_event()
    assert not side.expects_continue
    side = side_after(head)
    side.next_event()
    assert side.expects_continue
    side.receive(b"h")
    side.next_event()
    assert not side.expects_continue


def test_a_held_client_is_told_to_go_on_many_times():
    side = side_after(GET)
    events_of(side)
    for _ in range(100):
        assert side.informational(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer(side).startswith(b"HTTP/1.1 200 OK\r\n")
    with pytest.raises(FramingError, match="out_of_turn"):
        side.informational(100)


@pytest.mark.parametrize("status", [99, 101, 200])
def test_only_an_interim_status_is_an_interim_answer(status):
    with pytest.raises(FramingError, match="out_of_turn"):
        side_after(GET).informational(status)


# --- answers --------------------------------------------------------------------


def answer_to(raw, head, body=b"", method=b"GET"):
    side = side_after(raw)
    events_of(side)
    return answer(side, head, body, method), side.keeps_alive


def test_an_answer_with_a_length_is_written_as_it_is():
    head = ResponseHead(200, [(b"x-amzn-requestid", b"1"), (b"content-length", b"2")])
    assert answer_to(GET, head, b"ok") == (
        b"HTTP/1.1 200 OK\r\nx-amzn-requestid: 1\r\ncontent-length: 2\r\n\r\nok",
        True,
    )


def test_an_answer_without_a_length_is_chunked():
    assert answer_to(GET, ResponseHead(200, []), b"hello") == (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        True,
    )


def test_fields_about_a_connection_are_ours_alone():
    head = ResponseHead(
        200,
        [
            (b"connection", b"close"),
            (b"keep-alive", b"timeout=5"),
            (b"transfer-encoding", b"chunked"),
            (b"a", b"b"),
        ],
    )
    written, keeps_alive = answer_to(GET, head)
    assert keeps_alive
    assert written == (
        b"HTTP/1.1 200 OK\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("status", "method", "length_stays"),
    [(200, b"HEAD", True), (304, b"GET", True), (204, b"GET", False)],
)
def test_an_answer_without_a_body_drops_the_one_it_is_given(
    status, method, length_stays
):
    raw = get(method=method)
    written, keeps_alive = answer_to(
        raw, ResponseHead(status, [(b"content-length", b"9")]), b"dropped!!", method
    )
    assert keeps_alive
    assert written.endswith(b"\r\n\r\n")
    assert (b"content-length: 9" in written) is length_stays
    written, _ = answer_to(raw, ResponseHead(status, []), b"dropped", method)
    assert b"transfer-encoding" not in written


@pytest.mark.parametrize(
    ("line", "keeps_alive"),
    [
        (b"close", False),
        (b"keep-alive", True),
        (b"Keep-Alive", True),
        (b"x, CLOSE", None),
        (b"keep-alive, close", False),
        (b"Upgrade, HTTP2-Settings", True),
        (b"", True),
    ],
)
def test_a_client_says_whether_it_stays(line, keeps_alive):
    raw = get(b"Host: gw", b"Connection: " + line)
    if keeps_alive is None:
        assert refusal_of(raw).code == "wire.connection_option"
        return
    written, stays = answer_to(raw, OK, b"ok")
    assert stays is keeps_alive
    assert (b"connection: close\r\n" in written) is not keeps_alive


def test_an_http_1_0_client_gets_an_answer_that_ends_with_the_connection():
    raw = b"GET / HTTP/1.0\r\n\r\n"
    assert answer_to(raw, ResponseHead(200, []), b"hello") == (
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello",
        False,
    )
    side = side_after(
        b"PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    )
    side.next_event()
    assert not side.expects_continue
    assert side.informational(100) == b""


def test_an_answer_before_the_body_closes_the_connection():
    """The client may or may not send the body it announced."""
    side = side_after(PUT)
    side.next_event()
    written = answer(side, DENIED, b"no")
    assert b"connection: close\r\n" in written
    assert not side.keeps_alive
    side.receive(b"hello")
    assert [event for event in events_of(side) if isinstance(event, Data)]
    assert not side.keeps_alive


def test_an_answer_before_a_body_that_is_here_keeps_the_connection():
    side = side_after(PUT + b"hello" + GET)
    side.next_event()
    assert b"connection" not in answer(side, DENIED, b"no")
    assert side.keeps_alive
    side.next_exchange()
    assert side.next_event().method == b"GET"


def test_a_refusal_can_be_sent_in_every_state():
    wrong = b"\x00"
    for raw in (b"", b"GET", GET, PUT, PUT + b"he", CHUNKED, CHUNKED + b"5\r\nhel"):
        for broken in (raw, raw + wrong, raw + b"\x00\r\n" * 3):
            side = side_after(broken)
            try:
                events_of(side)
            except PeerError:
                assert not side.keeps_alive
            written = answer(side, DENIED, b"no")
            assert written.startswith(b"HTTP/1.1 403 Forbidden\r\n")
            assert (b"connection: close\r\n" in written) is not side.keeps_alive


def test_an_answer_does_not_begin_twice():
    side = side_after(GET)
    events_of(side)
    assert not side.answer_began
    side.head(OK, request_method=b"GET")
    assert side.answer_began
    with pytest.raises(FramingError, match="out_of_turn"):
        side.head(OK, request_method=b"GET")


def test_the_next_exchange_waits_for_the_end_of_this_one():
    side = side_after(GET)
    for step in (
        lambda: None,
        lambda: events_of(side),
        lambda: side.head(OK, request_method=b"GET"),
        lambda: side.data(b"ok"),
    ):
        step()
        with pytest.raises(FramingError, match="out_of_turn"):
            side.next_exchange()
    side.end()
    side.next_exchange()
    for call in (side.end, lambda: side.data(b"")):
        with pytest.raises(FramingError, match="out_of_turn"):
            call()


@pytest.mark.parametrize("body", [b"o", b"ok!"])
def test_an_answer_that_does_not_fit_its_length_is_an_error(body):
    side = side_after(GET)
    events_of(side)
    with pytest.raises(FramingError, match="length_broken"):
        answer(side, OK, body)


@pytest.mark.parametrize(
    "field",
    [
        (b"a", b"b\r\nc: d"), (b"a", b"b\nc"), (b"a", b"b\0"), (b"a\r\nb", b"c"),
        (b"A", b"b"), (b"a b", b"c"), (b"", b"c"), (b"content-length", b"x"),
    ],
)  # fmt: skip
def test_a_field_that_could_be_read_otherwise_is_not_written(field):
    side = side_after(GET)
    events_of(side)
    with pytest.raises(FramingError, match="head_unwritable"):
        side.head(ResponseHead(200, [field]), request_method=b"GET")
    assert answer(side, DENIED, b"no").startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize("status", [100, 199, 600])
def test_only_a_final_status_is_an_answer(status):
    with pytest.raises(FramingError, match="out_of_turn"):
        side_after(GET).head(ResponseHead(status, []), request_method=b"GET")
