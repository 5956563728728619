"""HTTP/1.1, both sides of an exchange, without I/O: bytes in, events out.

`ClientSide` is one client connection, we are its server. `UpstreamSide` is one
upstream connection, we are its client. Neither believes what it reads: see
`heads` for what is refused and why.
"""

from __future__ import annotations

from gatekeep import limits
from gatekeep._fast.head import read_request, read_response
from gatekeep.http import heads, writers
from gatekeep.http.bodies import ChunkedBody, LengthBody, UntilCloseBody
from gatekeep.http.events import (
    Closed,
    Data,
    EndOfMessage,
    InformationalHead,
    NeedData,
    Signal,
)
from gatekeep.http.faults import Sender
from gatekeep.http.follower import Follower
from gatekeep.http.messages import RequestHead, ResponseHead
from gatekeep.http.reader import BODY, FAILED, HEAD, OVER, Reader

__all__ = [
    "ClientSide",
    "Closed",
    "Data",
    "EndOfMessage",
    "InformationalHead",
    "NeedData",
    "UpstreamSide",
]


class ClientSide(Reader[RequestHead]):
    """One client connection.

    An exchange goes: `next_event` gives the head, then `Data` and one
    `EndOfMessage`; `head`, `data`, `end` give the answer's bytes; when
    `keeps_alive` still says so, `next_exchange` makes ready for the next one.
    An answer may begin at any time, also after `next_event` raised.

    Attributes:
        body_length: bytes of the request's body, 0 without one; None when chunked.
    """

    __slots__ = (
        "_answer",
        "_expects",
        "_request_keeps_alive",
        "_version",
        "_will_close",
        "body_length",
    )

    def __init__(self) -> None:
        super().__init__(Sender.CLIENT)
        self._expects = False
        self.body_length: int | None = 0
        # Until a head was read the worst is assumed of whoever must be refused.
        self._version = b"1.0"
        self._request_keeps_alive = False
        self._will_close = False
        self._answer: writers.BodyWriter | None = None

    # --- reading ----------------------------------------------------------------

    def _read_fast(self) -> RequestHead | None:
        reading = read_request(self._buffer, self._at)
        if reading is None:
            return None
        method, target, fields, length, keeps_alive, expects, self._at = reading
        head = RequestHead(method, target, fields)
        self._begin(head, length, keeps_alive, expects)
        return head

    def _read_slow(self, raw: bytes) -> RequestHead:
        reading, connection = heads.read_request_head(raw)
        self._begin(*reading)
        self._follower = Follower(connection, self._sender)
        return reading.head

    def _begin(
        self, head: RequestHead, length: int | None, keeps_alive: bool, expects: bool
    ) -> None:
        self._version = head.version
        self._body_began = False
        self._request_keeps_alive = keeps_alive
        self._expects = expects
        self.body_length = length
        self._body = ChunkedBody(self._sender) if length is None else LengthBody(length)
        self._phase = BODY

    # --- state ------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Between two exchanges, with no byte of the next one."""
        return self._phase is HEAD and not self._unread()

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for ``100 Continue``.

        It said ``Expect: 100-continue``, its body has not begun to come, and nothing
        was sent yet.
        """
        return self._expects and not self._body_began and not self._unread()

    @property
    def answer_began(self) -> bool:
        """Whether a final head was written in this exchange."""
        return self._answer is not None

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection can be used after this exchange.

        False while a request body is not here to its end: an answer begun now tells
        the client to stop, and the connection closes after it.
        """
        return (
            self._request_keeps_alive
            and not self._will_close
            and not self._closed
            and self._phase is not FAILED
            and self._request_is_here()
        )

    def _request_is_here(self) -> bool:
        body = self._body
        if body.ended:
            return True
        return isinstance(body, LengthBody) and body.remaining <= self._unread()

    # --- writing ----------------------------------------------------------------

    def informational(self, status: int) -> bytes:
        """An interim answer (never 101); may be given several times before `head`.

        Nothing for an HTTP/1.0 client, which has no such thing (RFC 9110 15.2).

        Raises:
            FramingError: no interim status, or the answer has begun.
        """
        if self._answer is not None or not 100 <= status <= 199 or status == 101:
            raise writers.out_of_turn()
        self._expects = False
        if self._version == b"1.0":
            return b""
        return writers.write_response_head(status, ())[0] + b"\r\n"

    def head(self, head: ResponseHead, *, request_method: bytes) -> bytes:
        """The answer's head.

        Its body is framed by ``content-length`` in the head; without one it is
        chunked, or ends with the connection for HTTP/1.0. An answer to HEAD, a 204
        and a 304 have none, and what `data` is given for them is dropped. The
        fields that speak about this connection are ours and left out if present.

        Raises:
            FramingError: a field that cannot be written, an interim status, or an
                answer that has begun already.
        """
        status, fields = head.status, head.fields
        if self._answer is not None or not 200 <= status <= 599:
            raise writers.out_of_turn()
        if status == 204:  # RFC 9110 8.6: no Content-Length here
            fields = [field for field in fields if field[0] != b"content-length"]
        lines, length, _ = writers.write_response_head(status, fields)
        if request_method == b"HEAD" or status in (204, 304):
            answer: writers.BodyWriter = writers.NoBodyWriter()
        elif length >= 0:
            answer = writers.LengthWriter(length)
        elif self._version == b"1.1":
            answer = writers.ChunkedWriter()
            lines += b"transfer-encoding: chunked\r\n"
        else:
            answer = writers.UntilCloseWriter()
            self._will_close = True
        if not self.keeps_alive:
            self._will_close = True
            lines += b"connection: close\r\n"
        self._answer = answer
        self._expects = False
        return lines + b"\r\n"

    def data(self, chunk: bytes) -> bytes:
        """A piece of the answer's body, framed.

        Raises:
            FramingError: more than the head declared, or no head.
        """
        if self._answer is None:
            raise writers.out_of_turn()
        return self._answer.data(chunk)

    def end(self) -> bytes:
        """The end of the answer.

        Raises:
            FramingError: less than the head declared: abort the connection.
        """
        if self._answer is None:
            raise writers.out_of_turn()
        return self._answer.end()

    def next_exchange(self) -> None:
        """Make ready for the next request; body bytes nobody took are dropped.

        Raises:
            FramingError: the answer has not ended, or `keeps_alive` is False.
        """
        if self._answer is None or not self._answer.ended or not self.keeps_alive:
            raise writers.out_of_turn()
        while self._phase is not OVER:
            self.next_event()
        self._answer = None
        self._request_keeps_alive = False
        self._phase = HEAD


class UpstreamSide(Reader[ResponseHead | InformationalHead]):
    """One upstream connection.

    An exchange goes: `head`, `data`, `end` give the request's bytes; `next_event`
    gives any `InformationalHead`, the `ResponseHead`, `Data` and one
    `EndOfMessage`; when `keeps_alive` says so, `next_exchange` makes ready.
    The answer may begin before the request has ended.
    """

    __slots__ = (
        "_answer_keeps_alive",
        "_interim_heads",
        "_request",
        "_request_method",
    )

    def __init__(self) -> None:
        super().__init__(Sender.UPSTREAM)
        self._request: writers.BodyWriter | None = None
        self._request_method = b""
        self._answer_keeps_alive = False
        self._interim_heads = 0

    # --- writing ----------------------------------------------------------------

    def head(self, head: RequestHead) -> bytes:
        """The request's head, its fields in order and unchanged.

        The body is framed by ``content-length`` or ``transfer-encoding: chunked``
        in the head; with neither there is none.

        Raises:
            FramingError: a part that cannot be written, framing fields that
                contradict each other, or a request that has begun already.
        """
        if self._request is not None:
            raise writers.out_of_turn()
        lines, length, chunked = writers.write_request_head(head)
        self._request = (
            writers.ChunkedWriter() if chunked else writers.LengthWriter(max(length, 0))
        )
        self._request_method = head.method
        return lines + b"\r\n"

    def data(self, chunk: bytes) -> bytes:
        """A piece of the request's body, framed.

        Raises:
            FramingError: more than the head declared, or no head.
        """
        if self._request is None:
            raise writers.out_of_turn()
        return self._request.data(chunk)

    def end(self) -> bytes:
        """The end of the request.

        Raises:
            FramingError: less than the head declared: abort the connection.
        """
        if self._request is None:
            raise writers.out_of_turn()
        return self._request.end()

    # --- reading ----------------------------------------------------------------

    def _read_fast(self) -> ResponseHead | None:
        if self._request is None:
            raise self._sender.framing_error("unasked", "bytes without a request")
        reading = read_response(self._buffer, self._at, self._request_method == b"HEAD")
        if reading is None:
            return None
        status, fields, length, chunked, keeps_alive, self._at = reading
        head = ResponseHead(status, fields)
        self._begin(length, chunked, keeps_alive)
        return head

    def _read_slow(self, raw: bytes) -> ResponseHead | InformationalHead:
        reading, connection = heads.read_response_head(raw, self._request_method)
        head = reading.head
        if head.status < 200:
            self._interim_heads += 1
            if self._interim_heads > limits.INTERIM_HEADS_MAX:
                raise self._sender.limit_error(
                    "interim_heads", "too many interim answers"
                )
            return InformationalHead(head.status, head.fields)
        self._begin(reading.body_length, reading.chunked, reading.keeps_alive)
        self._follower = Follower(connection, self._sender)
        return head

    def _begin(self, length: int | None, chunked: bool, keeps_alive: bool) -> None:
        if length is not None:
            self._body = LengthBody(length)
        elif chunked:
            self._body = ChunkedBody(self._sender)
        else:
            self._body = UntilCloseBody()
            keeps_alive = False
        self._answer_keeps_alive = keeps_alive
        self._phase = BODY

    def _body_stopped(self) -> Data | Signal:
        if self._closed and isinstance(self._body, UntilCloseBody):
            self._body.ended = True
            if self._follower is not None:
                self._follower.follow(b"", b"", ended=True)
            return self._read_body()
        return super()._body_stopped()

    # --- state ------------------------------------------------------------------

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection can be used again.

        True once the exchange is over on both sides and the upstream said nothing
        beyond it.
        """
        return (
            self._answer_keeps_alive
            and not self._closed
            and self._request is not None
            and self._request.ended
            and self._phase is OVER
            and not self._unread()
        )

    def next_exchange(self) -> None:
        """Make ready for the next request.

        Raises:
            FramingError: `keeps_alive` is False.
        """
        if not self.keeps_alive:
            raise writers.out_of_turn()
        self._request = None
        self._answer_keeps_alive = False
        self._interim_heads = 0
        self._phase = HEAD
