"""HTTP/2 for clients, without I/O, in the words of HTTP/1.1.

`ClientSideH2` is one client connection; each of its streams is a `ClientStream`,
which reads and writes like `h1.ClientSide`. `h2` keeps the protocol; what it forgives
or leaves open is settled here and in `frames`, and heads pass the same `rules` as
those of HTTP/1.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from gatekeep import limits
from gatekeep.errors import FramingError, PeerError
from gatekeep.http.faults import Sender
from gatekeep.http.frames import PREFACE, FrameMeter
from gatekeep.http.streams import ClientStream

_SENDER = Sender.CLIENT


def is_h2_preface(data: bytes) -> bool | None:
    """Whether a connection's first bytes are HTTP/2's; None while they may become so.

    For clients that know beforehand (RFC 9113 3.3), as the JavaScript SDK's Kinesis
    and Bedrock clients do on plain listeners.
    """
    if data.startswith(PREFACE):
        return True
    return None if PREFACE.startswith(data) else False


class _Connection(h2.connection.H2Connection):
    # By default 65,536 closed streams are remembered, some 7 MB a connection.
    MAX_CLOSED_STREAMS = limits.H2_CLOSED_STREAMS_MAX


class ClientSideH2:
    """One client connection.

    After `receive`, and whenever a stream has written, `outgoing` holds bytes for the
    wire. While the wire does not take them, do not `receive`: that bounds what a
    client can make us say.

    Attributes:
        closed: nothing more is read or written; every stream is gone.
    """

    __slots__ = ("_connection", "_meter", "_refuse_above", "_streams", "closed")

    def __init__(self) -> None:
        self._connection = _Connection(h2.config.H2Configuration(client_side=False))
        self._connection.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: limits.H2_STREAMS_MAX,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: (
                    limits.H2_STREAM_WINDOW_BYTES
                ),
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: limits.HEAD_BYTES_MAX,
            },
        )
        self._connection.decoder.max_header_list_size = limits.HEAD_BYTES_MAX
        self._connection.initiate_connection()
        self._connection.increment_flow_control_window(
            limits.H2_CONNECTION_WINDOW_BYTES - 65_535
        )
        self._meter = FrameMeter()
        self._streams: dict[int, ClientStream] = {}
        self._refuse_above: int | None = None
        self.closed = False

    @property
    def is_idle(self) -> bool:
        """No stream is open and nothing is half received."""
        return not self._streams and self._meter.is_between_frames

    @property
    def streams(self) -> Iterable[ClientStream]:
        """The open streams."""
        return tuple(self._streams.values())

    def receive(self, data: bytes, *, now_s: float) -> list[ClientStream]:
        """Take bytes off the wire; empty means that the client ended.

        Args:
            data: the bytes.
            now_s: monotonic time.

        Returns:
            The streams that have news, new streams included, each once: something
            for `next_event` to say, room to write (`unsent` shrank), or `gone`.

        Raises:
            FramingError: the bytes are not HTTP/2. `outgoing` holds the GOAWAY; send
                it and close. Every stream is gone.
            LimitError: they are, and wear us out. As above.
        """
        if self.closed:
            return []
        if not data:
            return self._close()
        size, error = self._meter.measure(data, now_s)
        try:
            events = self._connection.receive_data(data[:size])
        except h2.exceptions.H2Error as refused:
            self._close()
            raise _refusal(refused) from None
        if error is not None:
            self._connection.close_connection(
                h2.errors.ErrorCodes.FRAME_SIZE_ERROR
                if isinstance(error, FramingError)
                else h2.errors.ErrorCodes.ENHANCE_YOUR_CALM
            )
            self._close()
            raise error
        if any(isinstance(event, h2.events.ConnectionTerminated) for event in events):
            return self._close()
        return self._take_all(events)

    def outgoing(self) -> bytes:
        """The bytes that wait for the wire; each is given once."""
        return self._connection.data_to_send()

    def stop(self) -> bytes:
        """Ask the client to open no more streams; those that are open go on."""
        if self._refuse_above is None and not self.closed:
            last = self._connection.highest_inbound_stream_id
            self._refuse_above = last
            # By hand: `h2` takes its own GOAWAY for the end of everything.
            return self.outgoing() + struct.pack(
                ">IBIII", 8 << 8 | 7, 0, 0, last, h2.errors.ErrorCodes.NO_ERROR
            )
        return self.outgoing()

    # --- events of h2 -----------------------------------------------------------

    def _take_all(self, events: list[h2.events.Event]) -> list[ClientStream]:
        news: dict[int, ClientStream] = {}
        # Resets first: `h2` knows of them already and sends nothing on those streams.
        # A request that comes together with its reset never begins.
        reset = {e.stream_id for e in events if isinstance(e, h2.events.StreamReset)}
        for stream_id in reset:
            stream = self._streams.pop(stream_id, None)
            if stream is not None:
                stream.lose()
                news[stream_id] = stream
        for event in events:
            if isinstance(event, h2.events.RequestReceived):
                if event.stream_id not in reset:
                    self._open(event.stream_id, event.headers, news)
            elif isinstance(event, h2.events.DataReceived):
                self._take_data(event, news)
            elif isinstance(event, h2.events.StreamEnded):
                stream = self._streams.get(event.stream_id)
                if stream is not None:
                    stream.end_request()
                    news[stream.id] = stream
            elif isinstance(event, h2.events.WindowUpdated):
                self._flush(event.stream_id, news)
            elif isinstance(event, h2.events.RemoteSettingsChanged):
                # A client may offer us a header table of 4 GiB. It is only an offer.
                encoder = self._connection.encoder
                encoder.header_table_size = min(
                    encoder.header_table_size, limits.H2_HEADER_TABLE_BYTES_MAX
                )
                self._flush(0, news)
        return list(news.values())

    def _open(
        self,
        stream_id: int,
        headers: Iterable[tuple[bytes, bytes]],
        news: dict[int, ClientStream],
    ) -> None:
        if self._refuse_above is not None and stream_id > self._refuse_above:
            self._connection.reset_stream(
                stream_id, h2.errors.ErrorCodes.REFUSED_STREAM
            )
            return
        stream = ClientStream(
            self._connection,
            self._meter,
            self._streams.pop,
            stream_id,
            [(bytes(name), bytes(value)) for name, value in headers],
        )
        self._streams[stream_id] = news[stream_id] = stream

    def _take_data(
        self, event: h2.events.DataReceived, news: dict[int, ClientStream]
    ) -> None:
        stream = self._streams.get(event.stream_id)
        size = event.flow_controlled_length
        if stream is not None:
            stream.receive(bytes(event.data), size)
            news[stream.id] = stream
        elif size:
            self._connection.acknowledge_received_data(size, event.stream_id)

    def _flush(self, stream_id: int, news: dict[int, ClientStream]) -> None:
        """Send what waits for the client's windows; stream 0 is all of them."""
        for stream in self.streams:
            if stream_id in (0, stream.id) and stream.unsent:
                stream.flush()
                news[stream.id] = stream

    def _close(self) -> list[ClientStream]:
        self.closed = True
        lost = list(self._streams.values())
        self._streams.clear()
        for stream in lost:
            stream.lose()
        return lost


def _refusal(error: h2.exceptions.H2Error) -> PeerError:
    """What `h2` refused, without its text, which may quote bytes."""
    if isinstance(error, h2.exceptions.DenialOfServiceError):
        return _SENDER.limit_error(
            "head_too_large", "a head that unpacks to too much", status=431
        )
    return _SENDER.framing_error("h2_protocol", "not HTTP/2")
