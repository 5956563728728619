"""What reading HTTP/1.1 is like on both sides: a bounded buffer, read in phases.

The common head is read by `_fast.head`, its body by `bodies`. Any other message is
h11's from its first byte to its last: `heads` has h11 read the head, and a
`Follower` reads the body beside us. Nothing is read by half.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Generic, TypeVar

from gatekeep import limits
from gatekeep.errors import PeerError
from gatekeep.http.bodies import Body, LengthBody
from gatekeep.http.events import (
    Closed,
    Data,
    EndOfMessage,
    NeedData,
    Signal,
)
from gatekeep.http.faults import Sender
from gatekeep.http.follower import Follower
from gatekeep.http.heads import find_head_end

AnyHead = TypeVar("AnyHead")


class Phase(Enum):
    """Where in a message the reader is."""

    HEAD = "head"
    BODY = "body"
    OVER = "over"
    FAILED = "failed"


# An Enum's member is ten times faster by a name of its own, and these are looked at
# some twenty times an exchange.
HEAD: Final = Phase.HEAD
"""Before or inside a head."""
BODY: Final = Phase.BODY
OVER: Final = Phase.OVER
"""After a message, until `next_exchange`."""
FAILED: Final = Phase.FAILED
"""Something was refused; nothing more is read."""


class Reader(Generic[AnyHead]):
    """Reads messages of one connection, in one direction.

    A side says what its heads are like (`_read_fast`, `_read_slow`); the rest is the
    same for both.
    """

    __slots__ = (
        "_at",
        "_body",
        "_body_began",
        "_buffer",
        "_closed",
        "_failure",
        "_follower",
        "_phase",
        "_received",
        "_searched",
        "_sender",
    )

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._phase: Phase = HEAD
        self._received: bytes | bytearray = b""  # not looked at yet
        self._buffer = b""
        self._at = 0  # bytes of the buffer that are used up
        self._searched = 0  # bytes of the buffer that hold no end of a head
        self._closed = False
        self._failure: PeerError | None = None
        self._body: Body = LengthBody(0)
        self._body_began = False
        self._follower: Follower | None = None

    def receive(self, data: bytes) -> None:
        """Take bytes off the wire; empty means that the other side ended."""
        if not data:
            self._closed = True
        elif self._phase is FAILED:
            pass
        elif not self._received:
            self._received = data
        else:
            if isinstance(self._received, bytes):
                self._received = bytearray(self._received)
            self._received += data
            if self._unread() > limits.RECEIVED_BYTES_MAX:
                self._fail(
                    self._sender.limit_error(
                        "received_too_much", "more bytes before their turn than is kept"
                    )
                )

    def next_event(self) -> AnyHead | Data | Signal:
        """What the received bytes say next: a head, a body's data, or a `Signal`.

        Raises:
            FramingError: they are not HTTP, or can be read in two ways. Later calls
                raise it again. Of an upstream: code ``wire.upstream_…``, status 502.
            LimitError: they pass a bound.
        """
        if self._received:
            self._gather()
        phase = self._phase
        try:
            if phase is BODY:
                return self._read_body()
            if phase is HEAD and self._at < len(self._buffer):
                return self._read_head()
        except PeerError as error:
            self._fail(error)
            raise
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        return Closed if self._closed else NeedData

    # --- the buffer -------------------------------------------------------------

    def _gather(self) -> None:
        received = bytes(self._received)  # no copy when it came in one piece
        self._received = b""
        if self._at == len(self._buffer):
            self._buffer = received
        else:
            self._buffer = self._buffer[self._at :] + received
        self._searched = max(0, self._searched - self._at)
        self._at = 0

    def _unread(self) -> int:
        return len(self._received) + len(self._buffer) - self._at

    def _fail(self, error: PeerError) -> None:
        # A copy: the one raised holds frames that hold us.
        self._failure = type(error)(
            error.code, error.message, status=error.status, aws_code=error.aws_code
        )
        self._phase = FAILED
        self._buffer = self._received = b""
        self._at = 0

    # --- heads ------------------------------------------------------------------

    def _read_fast(self) -> AnyHead | None:
        raise NotImplementedError

    def _read_slow(self, raw: bytes) -> AnyHead:
        raise NotImplementedError

    def _read_head(self) -> AnyHead | Signal:
        start = self._at
        # A head that came in pieces is tried again only once it is whole.
        first_look = self._searched <= start
        if first_look and (event := self._read_fast()) is not None:
            return event
        end = find_head_end(self._buffer, start, self._searched, self._sender)
        if end < 0:
            self._searched = len(self._buffer)
            if self._closed:
                raise self._sender.framing_error(
                    "head_cut_short", "the connection ended inside a head"
                )
            return NeedData
        if not first_look and (event := self._read_fast()) is not None:
            return event
        self._at = end
        return self._read_slow(self._buffer[start:end])

    # --- bodies -----------------------------------------------------------------

    def _read_body(self) -> Data | Signal:
        body = self._body
        if not body.ended:
            start = self._at
            data, stop = body.take(self._buffer, start)
            if stop > start:
                self._at = stop
                if self._follower is not None:
                    raw = self._buffer[start:stop]
                    self._follower.follow(raw, data, ended=body.ended)
                if data:
                    self._body_began = True
                    return Data(data)
            if not body.ended:
                return self._body_stopped()
        self._phase = OVER
        self._follower = None
        if self._at == len(self._buffer):
            # An idle connection holds no bytes of its last message.
            self._buffer = b""
            self._at = self._searched = 0
        return EndOfMessage

    def _body_stopped(self) -> Data | Signal:
        if self._closed:
            raise self._sender.framing_error(
                "body_cut_short", "the connection ended inside a body"
            )
        return NeedData
