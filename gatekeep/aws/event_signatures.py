"""Event streams whose messages are signed: verified, and signed anew on their way up.

Each message wraps another in its payload and carries ``:date`` and
``:chunk-signature``, which covers the date, the payload and the signature before;
one with an empty payload ends the stream. Source: "Setting up a streaming
transcription: event stream encoding", Amazon Transcribe Developer Guide.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import NoReturn

from gatekeep.aws.eventstream import (
    EventStreamDecoder,
    Header,
    HeaderType,
    Message,
    encode_header,
    encode_message,
)
from gatekeep.aws.signing_keys import KeyHolder, amz_date_of, signing_key
from gatekeep.aws.sigv4 import Verified
from gatekeep.clock import SYSTEM_CLOCK, Clock
from gatekeep.errors import AuthenticationError, FramingError

_END_OF_TIME_MS = 253_402_300_800_000
"""The year 10000, which no date of SigV4 can hold."""


class EventChain:
    """The running signature of an event stream.

    Each message is signed in the scope of its own day: a stream outlives midnight.
    """

    __slots__ = ("_holder", "_previous", "_region", "_service")

    def __init__(
        self, holder: KeyHolder, *, region: str, service: str, seed: str
    ) -> None:
        """Start at the signature of the head.

        Args:
            holder: whose key signs.
            region: of the scope.
            service: of the scope.
            seed: the head's signature, hex.
        """
        self._holder = holder
        self._region = region
        self._service = service
        self._previous = seed

    def sign(self, date: Header, payload: bytes) -> bytes:
        """Sign the next message: its ``:date`` and payload. 32 bytes come back."""
        amz_date = amz_date_of(int(date.value) // 1000)
        day = amz_date[:8]
        text = (
            f"AWS4-HMAC-SHA256-PAYLOAD\n{amz_date}\n"
            f"{day}/{self._region}/{self._service}/aws4_request\n{self._previous}\n"
            f"{sha256(encode_header(date)).hexdigest()}\n{sha256(payload).hexdigest()}"
        )
        key = signing_key(self._holder, day, self._region, self._service)
        self._previous = key.sign(text.encode())
        return bytes.fromhex(self._previous)


class SignedEvents:
    """A client's signed event stream on its way up: checked, and signed anew.

    What goes out is as long as what came in. A message is held whole until its
    signature holds; its date is not held against the clock, because the chain fixes
    the order and a stream may have waited for an approval.
    """

    def __init__(
        self, verified: Verified, upstream: EventChain, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """Start at the body of a verified head.

        Args:
            verified: what verifying the head gave.
            upstream: starts at the signature of the upstream head.
            clock: dates the messages that go up.
        """
        authorization = verified.authorization
        self._chain = EventChain(
            verified.session,
            region=authorization.region,
            service=authorization.service,
            seed=authorization.signature.decode(),
        )
        self._upstream = upstream
        self._clock = clock
        self._decoder = EventStreamDecoder()
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        """Take in what came; return what may go up.

        Raises:
            FramingError: not a stream of signed messages, or one goes on after its
                end.
            LimitError: a message is over the limit.
            AuthenticationError: a signature does not hold.
        """
        return b"".join([self._resign(m) for m in self._decoder.feed(data)])

    def finish(self) -> None:
        """Say that no more comes; raises FramingError when the end is missing."""
        self._decoder.finish()
        if not self._ended:
            _refuse("the event stream stopped before its end")

    def _resign(self, message: Message) -> bytes:
        """Verify a message; return it signed for the upstream."""
        if self._ended:
            _refuse("a message follows the end of the event stream")
        headers = {header.name: header for header in message.headers}
        date = headers.pop(":date", None)
        signature = headers.pop(":chunk-signature", None)
        if date is None or signature is None or headers:
            _refuse("a signed message has :date and :chunk-signature, no more")
        if (
            date.type is not HeaderType.TIMESTAMP
            or signature.type is not HeaderType.BYTES
        ):
            _refuse("the :date or :chunk-signature of a message is of the wrong type")
        if not 0 <= int(date.value) < _END_OF_TIME_MS:
            _refuse("the :date of a message is no time")
        expected = self._chain.sign(date, message.payload)
        if not hmac.compare_digest(expected, bytes(signature.value)):  # type: ignore[arg-type]
            raise AuthenticationError(
                "signature.event",
                "the signature of an event does not match it",
                aws_code="SignatureDoesNotMatch",
            )
        self._ended = not message.payload
        now = Header(":date", HeaderType.TIMESTAMP, self._clock.now_ns() // 1_000_000)
        signed = self._upstream.sign(now, message.payload)
        own = {":date": now, ":chunk-signature": signature._replace(value=signed)}
        return encode_message(
            Message(
                tuple(own[header.name] for header in message.headers), message.payload
            )
        )


def _refuse(message: str) -> NoReturn:
    raise FramingError("body.signed_events", message, aws_code="InvalidRequest")
