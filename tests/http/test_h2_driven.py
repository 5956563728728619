"""Both ends of an HTTP/2 connection driven in any order: every answer arrives whole."""

import contextlib

import h2.events
import h2.exceptions
import h2.settings

from gatekeep.errors import FramingError
from gatekeep.http.events import Closed, Data, EndOfMessage
from gatekeep.http.messages import RequestHead, ResponseHead
from tests.http import grammar
from tests.http.h2_client import GET, POST, Joined


class Drive:
    """One connection; what was asked and answered on each stream."""

    def __init__(self, r):
        self.r = r
        self.joined = Joined()
        self.joined.client_takes_data = False
        code = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE
        self.joined.client.update_settings({code: r.choice((0, 5000, 65_535, 10**6))})
        self.joined.pump()
        self.taken = 0
        self.asked = {}  # stream id -> body sent so far
        self.open = set()  # requests the client has not ended
        self.heard = {}  # stream id -> body taken on our side
        self.whole = set()  # requests taken to their end
        self.answers = {}  # stream id -> body given as its answer
        self.ended = set()  # answers given to their end
        self.broken = set()  # streams reset by either end
        self.made = 0

    def step(self):
        steps = (
            self.ask, self.ask, self.send, self.send, self.end, self.reset, self.take,
            self.ping, self.hear, self.hear, self.hear, self.answer, self.answer,
            self.answer_more, self.answer_more, self.answer_end, self.answer_end,
            self.go_on, self.abort,
        )  # fmt: skip
        self.r.choice(steps)()
        self.joined.now_s += 0.1
        self.joined.pump()

    def bytes_of(self, size):
        """Bytes that are nowhere twice."""
        self.made += 1
        return (b"%d," % self.made * size)[:size]

    def one_of(self, ids):
        return self.r.choice(sorted(ids)) if ids else None

    # --- the client ---

    def ask(self):
        stream_id = self.joined.client.get_next_available_stream_id()
        has_body = self.r.random() < 0.5
        with contextlib.suppress(h2.exceptions.TooManyStreamsError):
            self.joined.client.send_headers(
                stream_id, POST if has_body else GET, end_stream=not has_body
            )
            self.asked[stream_id] = b""
            if has_body:
                self.open.add(stream_id)

    def send(self):
        stream_id = self.one_of(self.open - self.broken)
        if stream_id is not None:
            room = self.joined.client.local_flow_control_window(stream_id)
            data = self.bytes_of(min(room, self.r.choice((0, 1, 900, 16_000))))
            self.joined.client.send_data(stream_id, data)
            self.asked[stream_id] += data

    def end(self):
        stream_id = self.one_of(self.open - self.broken)
        if stream_id is not None:
            self.open.discard(stream_id)
            self.joined.client.end_stream(stream_id)

    def reset(self):
        stream_id = self.one_of(set(self.asked) - self.broken - self.ended)
        if stream_id is not None and self.r.random() < 0.3:
            self.broken.add(stream_id)
            self.joined.client.reset_stream(stream_id)

    def take(self):
        """Take what has arrived, which opens the windows for more."""
        for event in self.joined.seen_of(h2.events.DataReceived)[self.taken :]:
            self.taken += 1
            size = event.flow_controlled_length
            self.joined.client.acknowledge_received_data(size, event.stream_id)

    def ping(self):
        self.joined.client.ping(b"12345678")

    # --- our side ---

    def hear(self):
        stream_id = self.one_of(self.joined.streams)
        if stream_id is None:
            return
        stream = self.joined.streams[stream_id]
        try:
            event = stream.next_event()
        except FramingError:
            assert stream_id in self.broken | self.ended
            return
        if isinstance(event, RequestHead):
            assert stream_id not in self.heard
            self.heard[stream_id] = b""
        elif isinstance(event, Data):
            self.heard[stream_id] += event.data
        elif event is EndOfMessage:
            assert self.heard[stream_id] == self.asked[stream_id]
            self.whole.add(stream_id)
        elif event is Closed:
            assert stream_id in self.broken

    def answer(self):
        stream_id = self.one_of(set(self.joined.streams) - set(self.answers))
        if stream_id is not None:
            stream = self.joined.streams[stream_id]
            self.joined.see(stream.head(ResponseHead(200, []), request_method=b"GET"))
            self.answers[stream_id] = b""

    def answer_more(self):
        stream_id = self.one_of(set(self.answers) - self.ended)
        if stream_id is not None:
            data = self.bytes_of(self.r.choice((0, 1, 900, 100_000)))
            self.joined.see(self.joined.streams[stream_id].data(data))
            self.answers[stream_id] += data

    def answer_end(self):
        stream_id = self.one_of(set(self.answers) - self.ended)
        if stream_id is not None:
            self.ended.add(stream_id)
            self.open.discard(stream_id)
            self.joined.see(self.joined.streams[stream_id].end())

    def go_on(self):
        stream_id = self.one_of(set(self.joined.streams) - set(self.answers))
        if stream_id is not None:
            self.joined.see(self.joined.streams[stream_id].informational(100))

    def abort(self):
        stream_id = self.one_of(set(self.joined.streams) - self.ended)
        if stream_id is not None and self.r.random() < 0.2:
            self.joined.see(self.joined.streams[stream_id].abort())
            self.broken.add(stream_id)
            self.ended.add(stream_id)
            self.open.discard(stream_id)

    # --- in the end ---

    def settle(self):
        while set(self.answers) - self.ended:
            self.answer_end()
        client = self.joined.client
        for stream_id in self.ended - self.broken:
            with contextlib.suppress(h2.exceptions.ProtocolError, KeyError):  # over
                client.increment_flow_control_window(2**24, stream_id)
        client.increment_flow_control_window(2**24)
        self.joined.pump()

    def check(self):
        assert not self.joined.side.closed
        for stream_id in self.ended - self.broken:
            assert self.joined.body_of(stream_id) == self.answers[stream_id]
            assert self.joined.seen_of(h2.events.StreamEnded, stream_id)
            assert self.joined.streams[stream_id].unsent == 0
            assert not self.joined.streams[stream_id].gone
        done = self.ended | self.broken
        assert {stream.id for stream in self.joined.side.streams} == set(
            self.asked
        ) - done


@grammar.holds_for(300, search=20)
def test_every_answer_arrives_whole_or_not_at_all(r):
    drive = Drive(r)
    for _ in range(r.randint(1, 60)):
        drive.step()
    drive.settle()
    drive.check()
