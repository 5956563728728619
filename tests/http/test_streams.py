"""Whole connections, read by our sides and by h11 alone: ours may only be stricter."""

import h11
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeep.errors import PeerError
from gatekeep.http.h1 import (
    ClientSide,
    Closed,
    Data,
    EndOfMessage,
    InformationalHead,
    NeedData,
    UpstreamSide,
)
from gatekeep.http.messages import RequestHead, ResponseHead
from tests.http import grammar

ANSWER = ResponseHead(200, [(b"content-length", b"0")])


class Story:
    """What a reader said: heads and joined bodies, and how it ended."""

    def __init__(self):
        self.events = []
        self.ending = "open"

    def add(self, event):
        if (
            isinstance(event, bytes)
            and self.events
            and isinstance(self.events[-1], bytes)
        ):
            self.events[-1] += event
        else:
            self.events.append(event)

    def __eq__(self, other):
        return (self.events, self.ending) == (other.events, other.ending)

    def begins(self, other):
        """Whether the other story goes on where this one stops."""
        if not self.events:
            return True
        *before, last = self.events
        if before != other.events[: len(before)] or len(other.events) <= len(before):
            return False
        longer = other.events[len(before)]
        if isinstance(last, bytes) and isinstance(longer, bytes):
            return longer.startswith(last)
        return longer == last


def read_requests(pieces):
    """The story of a client connection; each request is answered at its end."""
    side, story = ClientSide(), Story()
    for piece in [*pieces, b""]:
        side.receive(piece)
        try:
            while (event := side.next_event()) is not NeedData and event is not Closed:
                if isinstance(event, RequestHead):
                    fields = tuple(event.fields)
                    story.add((event.method, event.target, fields, event.version))
                elif isinstance(event, Data):
                    story.add(event.data)
                else:
                    story.add("end")
                    side.head(ANSWER, request_method=b"GET")
                    side.end()
                    if not side.keeps_alive:
                        story.ending = "close"
                        return story
                    side.next_exchange()
        except PeerError as error:
            story.ending = error.code
            return story
    return story


def read_requests_with_h11(raw):
    """The same by h11 alone, a new connection for each message."""
    story = Story()
    while raw:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=2**20)
        connection.receive_data(raw)
        connection.receive_data(b"")
        try:
            while (event := connection.next_event()) is not h11.PAUSED:
                if isinstance(event, h11.Request):
                    fields = tuple(event.headers)
                    version = event.http_version
                    story.add((event.method, event.target, fields, version))
                elif isinstance(event, h11.Data):
                    story.add(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    story.add("end")
                    break
                else:
                    return story
        except h11.RemoteProtocolError:
            story.ending = "refused"
            return story
        raw = connection.trailing_data[0]
        connection.send(h11.Response(status_code=200, headers=[]))
        if connection.their_state is h11.MUST_CLOSE:
            story.ending = "close"
            return story
    return story


def read_answer(pieces, method):
    """The story of an upstream connection up to the end of one answer."""
    side, story = UpstreamSide(), Story()
    side.head(RequestHead(method, b"/", [(b"host", b"a")]))
    side.end()
    for piece in [*pieces, b""]:
        side.receive(piece)
        try:
            while (event := side.next_event()) is not NeedData and event is not Closed:
                if isinstance(event, ResponseHead | InformationalHead):
                    story.add((event.status, tuple(event.fields)))
                elif isinstance(event, Data):
                    story.add(event.data)
                else:
                    story.add("end")
                    return story
        except PeerError as error:
            story.ending = error.code
            return story
    story.ending = "gone"
    return story


def read_answer_with_h11(raw, method):
    """The same by h11 alone."""
    story = Story()
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=2**20)
    connection.send(h11.Request(method=method, target=b"/", headers=[(b"host", b"a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(raw)
    connection.receive_data(b"")
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response | h11.InformationalResponse):
                story.add((event.status_code, tuple(event.headers)))
            elif isinstance(event, h11.Data):
                story.add(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                story.add("end")
                return story
            else:
                return story
    except h11.RemoteProtocolError:
        story.ending = "refused"
    return story


def stricter(ours, theirs):
    if ours.ending in ("open", "close"):
        assert (ours.events, ours.ending) == (theirs.events, theirs.ending)
    elif ours.ending == "gone":  # to h11 an end between two heads is an error
        assert (ours.events, "refused") == (theirs.events, theirs.ending)
    else:
        assert ours.ending.startswith("wire.")
        assert ours.begins(theirs)


@grammar.holds_for(8_000)
def test_requests_mean_what_h11_says_or_are_refused(r):
    raw = grammar.request_stream(r)
    stricter(read_requests([raw]), read_requests_with_h11(raw))


@grammar.holds_for(8_000)
def test_answers_mean_what_h11_says_or_are_refused(r):
    raw, method = grammar.response_stream(r), r.choice((b"GET", b"HEAD", b"POST"))
    stricter(read_answer([raw], method), read_answer_with_h11(raw, method))


def test_the_grammar_is_refused_about_half_the_time():
    stories = [read_requests([grammar.request_stream(r)]) for r in grammar.seeds(500)]
    refused = [story for story in stories if story.ending.startswith("wire.")]
    assert 100 < len(refused) < 400
    assert len({story.ending for story in refused}) > 20
    assert sum(story.events.count("end") for story in stories) > 200


@grammar.holds_for(8_000)
def test_how_requests_are_cut_changes_nothing(r):
    raw = grammar.request_stream(r)
    assert read_requests(grammar.cut(r, raw)) == read_requests([raw])


@grammar.holds_for(8_000)
def test_how_answers_are_cut_changes_nothing(r):
    raw = grammar.response_stream(r)
    assert read_answer(grammar.cut(r, raw), b"GET") == read_answer([raw], b"GET")


@grammar.holds_for(4_000)
def test_a_message_read_beside_h11_says_the_same_as_one_read_fast(r):
    """A field outside the common subset sends a message the slow way."""
    raw = grammar.request_stream(r)
    line, end, rest = raw.partition(b"\r\n")
    slow = read_requests([line + end + b"Connection: te\r\n" + rest])
    fast = read_requests([raw])
    if not fast.events or b"onnection" in raw:
        return
    method, target, fields, version = slow.events[0]
    assert fields[0] == (b"connection", b"te")
    slow.events[0] = (method, target, fields[1:], version)
    assert slow == fast


@settings(max_examples=300)
@given(pieces=st.lists(st.binary(min_size=1, max_size=40), max_size=5))
def test_garbage_is_refused_or_waited_for_and_nothing_else(pieces):
    for story in (read_requests(pieces), read_answer(pieces, b"GET")):
        assert story.ending in ("open", "gone") or story.ending.startswith("wire.")


@grammar.holds_for(3_000)
def test_a_written_request_is_read_as_it_was_written(r):
    """What `UpstreamSide` writes `ClientSide` reads, whatever the body's framing."""
    fields = [(b"host", b"a"), (b"x-amz-meta-a", r.choice((b"", b"b \xff", b"c")))]
    pieces = [b"x" * r.randrange(20) for _ in range(r.randrange(4))]
    body = b"".join(pieces)
    framings = [
        (b"content-length", b"%d" % len(body)), (b"transfer-encoding", b"chunked"),
    ]  # fmt: skip
    framing = [r.choice(framings)] if body else []
    written = RequestHead(
        r.choice(grammar.METHODS), r.choice(grammar.TARGETS), [*fields, *framing]
    )
    upstream = UpstreamSide()
    raw = upstream.head(written)
    raw += b"".join(map(upstream.data, pieces)) + upstream.end()
    head = (written.method, written.target, tuple(written.fields), b"1.1")
    events = [head, body, "end"] if body else [head, "end"]
    assert read_requests(grammar.cut(r, raw)).events == events


@grammar.holds_for(3_000)
def test_a_written_answer_is_read_as_it_was_written(r):
    """What `ClientSide` writes `UpstreamSide` reads, whatever the body's framing."""
    client = ClientSide()
    method, version = r.choice((b"GET", b"HEAD")), r.choice((b"1.0", b"1.1"))
    client.receive(b"%b / HTTP/%b\r\nHost: a\r\n\r\n" % (method, version))
    assert isinstance(client.next_event(), RequestHead)
    assert client.next_event() is EndOfMessage
    status = r.choice((200, 206, 304, 404, 503))
    pieces = [b"x" * r.randrange(20) for _ in range(r.randrange(4))]
    body = b"".join(pieces)
    fields = [(b"x-amzn-requestid", b"1")]
    if r.random() < 0.5:
        fields.append((b"content-length", b"%d" % len(body)))
    raw = client.head(ResponseHead(status, fields), request_method=method)
    raw += b"".join(map(client.data, pieces)) + client.end()
    story = read_answer(grammar.cut(r, raw), method)
    (read_status, read_fields), *rest = story.events
    assert read_status == status
    own = {b"connection", b"transfer-encoding"}
    assert [field for field in read_fields if field[0] not in own] == fields
    assert story.ending == "open"
    assert rest == (
        ["end"] if method == b"HEAD" or status == 304 or not body else [body, "end"]
    )
