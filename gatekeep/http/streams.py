"""One exchange of an HTTP/2 connection, in the words of `h1.ClientSide`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import h2.connection
import h2.errors
import h2.exceptions

from gatekeep.errors import PeerError
from gatekeep.http import rules, writers
from gatekeep.http.events import Closed, Data, EndOfMessage, NeedData, Signal
from gatekeep.http.faults import Sender
from gatekeep.http.frames import FrameMeter
from gatekeep.http.h2_heads import CONNECTION_FIELDS, read_request_fields
from gatekeep.http.messages import Field, RequestHead, ResponseHead

_SENDER = Sender.CLIENT


class ClientStream:
    """A stream: reads and writes like `h1.ClientSide`, for one exchange.

    What `head`, `data`, `end` and `informational` return are bytes for the wire; what
    the client's windows do not allow yet waits here (`unsent`) and comes with
    `ClientSideH2.outgoing` later. Wait until nothing is unsent before giving more.

    Attributes:
        id: the stream's number.
        body_length: bytes of the request's body, 0 without one; None when not told.
        gone: before its answer ended the stream was reset, by the client or by
            `abort`, or the connection was closed. What is written now goes nowhere.
    """

    __slots__ = (
        "_answer",
        "_connection",
        "_end_due",
        "_expects",
        "_failure",
        "_head",
        "_is_open",
        "_leave",
        "_meter",
        "_queue",
        "_queue_size",
        "_received_bytes",
        "_request_ended",
        "_told_end",
        "_unsent",
        "body_length",
        "gone",
        "id",
    )

    def __init__(
        self,
        connection: h2.connection.H2Connection,
        meter: FrameMeter,
        leave: Callable[[int], object],
        stream_id: int,
        headers: list[Field],
    ) -> None:
        self._connection = connection
        self._meter = meter
        self._leave = leave  # called once nothing is left to send
        self.id = stream_id
        self.gone = False
        self._is_open = True
        self.body_length: int | None = None
        self._expects = False
        self._head: RequestHead | None = None
        self._failure: PeerError | None = None
        self._queue: list[bytes] = []
        self._queue_size = 0  # what the queue takes of the windows, padding included
        self._received_bytes = 0
        self._request_ended = False
        self._told_end = False
        self._answer: writers.BodyWriter | None = None
        self._unsent = bytearray()
        self._end_due = False
        try:
            self._head = read_request_fields(headers)
            fields = self._head.fields
            self.body_length, _ = rules.read_framing(fields, b"2", _SENDER)
            self._expects = rules.read_expectation(fields)
        except PeerError as error:
            self._failure = error.with_traceback(None)

    # --- reading ----------------------------------------------------------------

    def next_event(self) -> RequestHead | Data | Signal:
        """What the client says next on this stream; to take data is to consume it.

        With the end of the answer, what was not taken of the request is lost.

        Raises:
            FramingError: the request can be read in two ways, or was cut short.
                Later calls raise it again.
            LimitError: it passes a bound.
        """
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        if self._head is not None:
            head, self._head = self._head, None
            return head
        if self._queue:
            data = self._queue[0] if len(self._queue) == 1 else b"".join(self._queue)
            self._drop_queue()
            return Data(data)
        if self._told_end:
            return Closed if self.gone else NeedData
        if self._request_ended:
            # `h2` does not compare when trailers end the request.
            if self.body_length not in (None, self._received_bytes):
                raise self._fail("body_length", "a body unlike its Content-Length")
            self._told_end = True
            return EndOfMessage
        if not self._is_open:
            raise self._fail("body_cut_short", "the stream ended inside a body")
        return NeedData

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for 100 Continue; as `ClientSide`'s."""
        return self._expects and not self._request_ended and not self._received_bytes

    # --- writing ----------------------------------------------------------------

    @property
    def unsent(self) -> int:
        """Bytes of the answer that wait for the client's windows."""
        return len(self._unsent)

    @property
    def answer_began(self) -> bool:
        """Whether a final head was written."""
        return self._answer is not None

    def informational(self, status: int) -> bytes:
        """An interim answer (never 101); may be given several times before `head`.

        Raises:
            FramingError: no interim status, or the answer has begun.
        """
        if self._answer is not None or not 100 <= status <= 199 or status == 101:
            raise writers.out_of_turn()
        self._expects = False
        self._send_head(status, [], ended=False)
        return self._connection.data_to_send()

    def head(self, head: ResponseHead, *, request_method: bytes) -> bytes:
        """The answer's head; as `ClientSide.head`, but for the framing.

        Raises:
            FramingError: a field that cannot be written, an interim status, or an
                answer that has begun already.
        """
        status = head.status
        if self._answer is not None or not 200 <= status <= 599:
            raise writers.out_of_turn()
        fields = [
            field
            for field in head.fields
            if field[0] not in CONNECTION_FIELDS
            and (status != 204 or field[0] != b"content-length")
        ]
        _, length, _ = writers.write_response_head(status, fields)
        bodiless = request_method == b"HEAD" or status in (204, 304)
        if bodiless:
            self._answer = writers.NoBodyWriter()
        elif length >= 0:
            self._answer = writers.LengthWriter(length)
        else:
            self._answer = writers.UntilCloseWriter()
        self._expects = False
        self._send_head(status, fields, ended=bodiless)
        return self._connection.data_to_send()

    def data(self, chunk: bytes) -> bytes:
        """A piece of the answer's body.

        Raises:
            FramingError: more than the head declared, or no head.
        """
        if self._answer is None:
            raise writers.out_of_turn()
        chunk = self._answer.data(chunk)
        if chunk and self._is_open:
            self._unsent += chunk
            self.flush()
        return self._connection.data_to_send()

    def end(self) -> bytes:
        """The end of the answer; the client is told to stop sending, if it still is.

        Raises:
            FramingError: less than the head declared: `abort` the stream.
        """
        if self._answer is None:
            raise writers.out_of_turn()
        if not self._answer.ended:
            self._answer.end()
            self._end_due = True
            self.flush()
        return self._connection.data_to_send()

    def abort(self) -> bytes:
        """End the stream so that nobody takes what was sent for whole.

        Nothing happens once the answer has ended; before that the stream is `gone`.
        """
        if self._is_open:
            self.gone = True
            self._reset(h2.errors.ErrorCodes.INTERNAL_ERROR)
        return self._connection.data_to_send()

    # --- for ClientSideH2 -------------------------------------------------------

    def receive(self, data: bytes, size: int) -> None:
        """Take body bytes and what they cost of the windows, padding included."""
        self._received_bytes += len(data)
        self._queue_size += size
        if data:
            self._queue.append(data)
        if not self._queue or not self._is_open or self._failure is not None:
            self._drop_queue()

    def end_request(self) -> None:
        """Note that the client has sent all of its request."""
        self._request_ended = True
        if self.body_length is None and not self._received_bytes:
            self.body_length = 0

    def lose(self) -> None:
        """Note that the client reset the stream or that the connection is closed."""
        if self._is_open:
            self.gone = True
            self._shut()

    def flush(self) -> None:
        """Send as much as the client's windows allow."""
        connection = self._connection
        while self._unsent and self._is_open:
            room = min(
                connection.local_flow_control_window(self.id),
                connection.max_outbound_frame_size,
            )
            if room <= 0:
                return
            piece = bytes(self._unsent[:room])
            del self._unsent[:room]
            connection.send_data(self.id, piece)
            self._meter.sent(len(piece))
        if self._end_due and self._is_open:
            self._finish()

    # --- frames -----------------------------------------------------------------

    def _drop_queue(self) -> None:
        """Give the client back the room that the queue took."""
        size, self._queue_size = self._queue_size, 0
        self._queue.clear()
        if size:
            self._connection.acknowledge_received_data(size, self.id)

    def _send_head(self, status: int, fields: list[Field], *, ended: bool) -> None:
        if self._is_open:
            pseudo = (b":status", b"%d" % status)
            self._connection.send_headers(self.id, [pseudo, *fields], end_stream=ended)

    def _finish(self) -> None:
        if not isinstance(self._answer, writers.NoBodyWriter):
            self._connection.end_stream(self.id)
        self._meter.answered()
        if self._request_ended:
            self._close()
        else:
            # RFC 9113 8.1: the answer is whole, the rest of the request is not needed.
            self._reset(h2.errors.ErrorCodes.NO_ERROR)

    def _reset(self, code: h2.errors.ErrorCodes) -> None:
        # The head of an answer without a body may have ended the stream already.
        with suppress(h2.exceptions.StreamClosedError):
            self._connection.reset_stream(self.id, code)
        self._close()

    def _close(self) -> None:
        self._shut()
        self._leave(self.id)

    def _shut(self) -> None:
        self._is_open = False
        # A request not taken to its end is not taken for whole any more.
        self._request_ended = self._told_end
        self._unsent.clear()
        self._drop_queue()

    def _fail(self, name: str, message: str) -> PeerError:
        self._failure = _SENDER.framing_error(name, message)
        self._drop_queue()
        return self._failure
