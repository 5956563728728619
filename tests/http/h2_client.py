"""A client of HTTP/2 and the side under test, joined in memory."""

import h2.config
import h2.connection
import h2.events

from gatekeep.errors import PeerError
from gatekeep.http.events import Closed, NeedData
from gatekeep.http.h2 import ClientSideH2
from gatekeep.http.messages import ResponseHead

GET = [
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "gw:8443"),
    (":path", "/a?b=c"),
]
POST = [(":method", "POST"), *GET[1:]]


class Joined:
    """`client` is h2's own; `side` is ours; `pump` carries bytes until both rest."""

    def __init__(self, **config):
        self.client = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, **config)
        )
        self.client.initiate_connection()
        self.side = ClientSideH2()
        self.now_s = 0.0
        self.client_takes_data = True
        self.streams = {}
        self.news = []
        self.seen = []
        self.pump()

    def pump(self):
        while True:
            up = self.client.data_to_send()
            if up:
                for stream in self.side.receive(up, now_s=self.now_s):
                    self.streams[stream.id] = stream
                    self.news.append(stream.id)
            down = self.side.outgoing()
            if down:
                self.see(down)
            if not up and not down:
                return

    def see(self, raw):
        """Bytes of ours, to the client."""
        for event in self.client.receive_data(raw):
            self.seen.append(event)
            if self.client_takes_data and isinstance(event, h2.events.DataReceived):
                size = event.flow_controlled_length
                self.client.acknowledge_received_data(size, event.stream_id)

    def ask(self, headers=GET, body=None, *, trailers=None):
        """Send a request; the stream it became on our side, or None."""
        stream_id = self.client.get_next_available_stream_id()
        self.client.send_headers(stream_id, headers, end_stream=body is None)
        if body is not None:
            self.client.send_data(stream_id, body, end_stream=trailers is None)
        if trailers is not None:
            self.client.send_headers(stream_id, trailers, end_stream=True)
        self.pump()
        return self.streams.get(stream_id)

    def answer(self, stream, status=200, fields=(), body=b"ok", method=b"GET"):
        head = ResponseHead(status, list(fields))
        raw = (
            stream.head(head, request_method=method) + stream.data(body) + stream.end()
        )
        self.see(raw)
        self.pump()

    def seen_of(self, kind, stream_id=None):
        return [
            event
            for event in self.seen
            if isinstance(event, kind)
            and (stream_id is None or event.stream_id == stream_id)
        ]

    def body_of(self, stream_id):
        data = self.seen_of(h2.events.DataReceived, stream_id)
        return b"".join(event.data for event in data)

    def attack(self, raw):
        """Send bytes of our own making; the error they are refused with, or None."""
        try:
            for stream in self.side.receive(raw, now_s=self.now_s):
                self.streams[stream.id] = stream
        except PeerError as error:
            return error
        return None


def events_of(stream):
    events = []
    while not events or events[-1] not in (NeedData, Closed):
        events.append(stream.next_event())
    return events
