"""The compiled readers and the writer against their twins and against h11."""

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatekeep import limits
from gatekeep._fast import chunks, head
from gatekeep.http import heads
from gatekeep.http.faults import Sender
from tests.http import grammar
from tests.reference import chunks as chunks_twin
from tests.reference import head as twin


@grammar.holds_for(20_000)
def test_a_request_is_read_as_the_twin_reads_it(r):
    before = b"\r\n"[: r.randrange(3)]
    buffer = before + grammar.request_head(r) + b"GET"
    start = len(before)
    assert head.read_request(buffer, start) == twin.read_request(buffer, start)


@grammar.holds_for(20_000)
def test_a_response_is_read_as_the_twin_reads_it(r):
    raw, to_head = grammar.response_head(r), r.random() < 0.2
    expected = twin.read_response(raw, 0, to_head)
    assert head.read_response(raw, 0, to_head) == expected


@settings(max_examples=200)
@given(raw=st.binary(max_size=60))
def test_arbitrary_bytes_are_read_as_the_twins_read_them(raw):
    for start in range(len(raw) + 1):
        assert head.read_request(raw, start) == twin.read_request(raw, start)
        assert head.read_response(raw, start, False) == twin.read_response(
            raw, start, False
        )


def test_the_grammar_is_read_fast_about_half_the_time():
    """So that the comparisons with h11 below are about something."""
    read = [head.read_request(grammar.request_head(r), 0) for r in grammar.seeds(1000)]
    assert 300 < sum(reading is not None for reading in read) < 700


def test_every_prefix_of_a_head_is_not_yet_one():
    raw = (
        b"POST /a?b HTTP/1.1\r\nHost: a:1\r\nContent-Length: 12\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    assert head.read_request(raw, 0) is not None
    assert [head.read_request(raw[:n], 0) for n in range(len(raw))] == [None] * len(raw)


def expect_body(connection, body_length):
    """Let h11 read a body of that length (None: chunked) to exactly its end."""
    if body_length is None:
        connection.receive_data(b"2\r\nab\r\n0\r\n\r\n")
        assert connection.next_event().data == b"ab"
    elif body_length:
        connection.receive_data(b"x" * body_length)
        assert len(connection.next_event().data) == body_length
    assert isinstance(connection.next_event(), h11.EndOfMessage)


@grammar.holds_for(8_000)
def test_a_request_that_is_read_means_the_same_to_h11(r):
    raw = grammar.request_head(r)
    reading = head.read_request(raw, 0)
    if reading is None:
        return
    method, target, fields, body_length, keeps_alive, expects, end = reading
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw[:end])
    event = connection.next_event()
    assert isinstance(event, h11.Request)
    assert (event.method, event.target) == (method, target)
    assert (list(event.headers), event.http_version) == (fields, b"1.1")
    # Whoever expects 100 Continue for no body at all is not kept waiting for it.
    said = (b"expect", b"100-continue") in fields
    assert connection.they_are_waiting_for_100_continue is said
    assert expects is (said and body_length != 0)
    if body_length is None or body_length < 1000:
        expect_body(connection, body_length)
        # An answer settles that no protocol is switched to.
        connection.send(h11.Response(status_code=200, headers=[]))
        assert (connection.their_state is h11.MUST_CLOSE) is not keeps_alive


@grammar.holds_for(8_000)
def test_a_response_that_is_read_means_the_same_to_h11(r):
    raw, to_head = grammar.response_head(r), r.random() < 0.2
    reading = head.read_response(raw, 0, to_head)
    if reading is None:
        return
    status, fields, body_length, chunked, keeps_alive, end = reading
    connection = h11.Connection(h11.CLIENT)
    method = b"HEAD" if to_head else b"GET"
    connection.send(h11.Request(method=method, target=b"/", headers=[(b"host", b"a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(raw[:end])
    event = connection.next_event()
    assert isinstance(event, h11.Response)
    assert (event.status_code, list(event.headers)) == (status, fields)
    if body_length is None and not chunked:
        connection.receive_data(b"x" * 9)
        assert len(connection.next_event().data) == 9
        connection.receive_data(b"")
        assert isinstance(connection.next_event(), h11.EndOfMessage)
    elif body_length is None or body_length < 1000:
        expect_body(connection, body_length)
        assert (connection.their_state is h11.DONE) is keeps_alive


@grammar.holds_for(8_000)
def test_a_request_that_is_read_fast_is_read_slowly_too(r):
    raw = grammar.request_head(r)
    reading = head.read_request(raw, 0)
    if reading is None:
        return
    method, target, fields, body_length, keeps_alive, expects, end = reading
    assert heads.find_head_end(raw, 0, 0, Sender.CLIENT) == end
    slow, _ = heads.read_request_head(raw[:end])
    assert (slow.head.method, slow.head.target) == (method, target)
    assert slow.head.fields == fields
    assert slow[1:] == (body_length, keeps_alive, expects)


@grammar.holds_for(8_000)
def test_a_response_that_is_read_fast_is_read_slowly_too(r):
    raw, to_head = grammar.response_head(r), r.random() < 0.2
    reading = head.read_response(raw, 0, to_head)
    if reading is None:
        return
    status, fields, body_length, chunked, keeps_alive, end = reading
    assert heads.find_head_end(raw, 0, 0, Sender.UPSTREAM) == end
    slow, _ = heads.read_response_head(raw[:end], b"HEAD" if to_head else b"GET")
    assert (slow.head.status, slow.head.fields) == (status, fields)
    assert slow[1:] == (body_length, chunked, keeps_alive)


def test_what_is_read_fast_lies_within_the_limits():
    assert head.HEAD_BYTES_READ_MAX <= limits.HEAD_BYTES_MAX
    assert head.TARGET_BYTES_READ_MAX <= limits.TARGET_BYTES_MAX
    assert head.FIELDS_READ_MAX <= limits.HEAD_FIELDS_MAX


@pytest.mark.parametrize("over", [0, 1])
def test_each_bound_of_the_fast_reader_is_exact(over):
    target = b"/" + b"a" * (head.TARGET_BYTES_READ_MAX - 1 + over)
    long_target = b"GET %b HTTP/1.1\r\nhost: a\r\n\r\n" % target
    many = b"GET / HTTP/1.1\r\nhost: a\r\n%b\r\n" % (
        b"a: b\r\n" * (head.FIELDS_READ_MAX - 1 + over)
    )
    frame = b"GET / HTTP/1.1\r\nhost: a\r\na: %b\r\n\r\n"
    large = frame % (b"a" * (head.HEAD_BYTES_READ_MAX - len(frame) + 2 + over))
    for raw in (long_target, many, large):
        assert (head.read_request(raw, 0) is None) is bool(over)
        assert (twin.read_request(raw, 0) is None) is bool(over)


@pytest.mark.parametrize("start", [-1, 4, 2**40])
def test_a_start_outside_the_buffer_is_an_error(start):
    for read in (
        lambda: head.read_request(b"abc", start),
        lambda: head.read_response(b"abc", start, False),
        lambda: chunks.read_chunks(b"abc", start),
    ):
        with pytest.raises(ValueError, match="outside"):
            read()


NAMES = [
    b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"host",
    b"x-amz-date", b"Upper", b"", b"a b", b"a:", b"a\r\nb",
]  # fmt: skip
VALUES = [b"5", b"chunked", b"a\r\nb: c", b"a\nb", b"a\0b", b"", b"close", b"\xff\t"]
FIRST_LINES = [b"HTTP/1.1 200 OK", b"GET / HTTP/1.1"] * 4 + [b"a\r\nb", b"\0", b"a\n"]


@grammar.holds_for(20_000)
def test_a_head_is_written_as_the_twin_writes_it(r):
    line, without_own = r.choice(FIRST_LINES), r.random() < 0.5
    fields = [(r.choice(NAMES), r.choice(VALUES)) for _ in range(r.randrange(4))]
    try:
        expected = twin.write_head(line, fields, without_own)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            head.write_head(line, fields, without_own)
    else:
        assert head.write_head(line, fields, without_own) == expected


@pytest.mark.parametrize(
    "field",
    [
        ("a", b"b"), (b"a", None), (b"a",), (b"a", b"b", b"c"), [b"a", b"b"], None,
        (b"a", bytearray(b"b")),
    ],
)  # fmt: skip
def test_a_thing_that_is_no_field_is_not_written(field):
    with pytest.raises(ValueError, match="not a field"):
        head.write_head(b"GET / HTTP/1.1", [field], False)


@grammar.holds_for(20_000)
def test_chunks_are_read_as_the_twin_reads_them(r):
    before = b"5\r\n"[: r.randrange(4)]
    buffer = before + grammar.chunked_body(r)
    expected = chunks_twin.read_chunks(buffer, len(before))
    assert chunks.read_chunks(buffer, len(before)) == expected


@settings(max_examples=200)
@given(raw=st.binary(max_size=30))
@example(raw=b"f" * 15 + b"\r\n")
@example(raw=b"0" * 14 + b"1\r\na\r\n")
@example(raw=b"0" * 15 + b"1\r\na\r\n")
@example(raw=b"f" * 40 + b"\r\n")
def test_arbitrary_bytes_are_chunks_where_the_twin_finds_them(raw):
    assert chunks.read_chunks(raw, 0) == chunks_twin.read_chunks(raw, 0)
