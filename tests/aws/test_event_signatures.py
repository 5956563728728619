"""Signed event streams, with a client by the documents on the other side."""

from __future__ import annotations

import calendar
import itertools
import time
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeep.aws.credentials import UpstreamCredentials
from gatekeep.aws.event_signatures import EventChain, SignedEvents
from gatekeep.aws.eventstream import (
    EventStreamDecoder,
    Header,
    HeaderType,
    Message,
    encode_header,
    encode_message,
)
from gatekeep.aws.sigv4 import Verified, parse_authorization, verify_head
from gatekeep.errors import FramingError, PeerError
from gatekeep.principal import Secret
from tests.aws.signing import AMZ_DATE, NOW_S, a_client, a_head, a_session
from tests.reference.sigv4 import Client, sign_event

MODE = "STREAMING-AWS4-HMAC-SHA256-EVENTS"
UPSTREAM = UpstreamCredentials("ASIAUPSTREAM", Secret(b"upstream secret"), "token")
UPSTREAM_CLIENT = Client(
    "ASIAUPSTREAM", "upstream secret", "us-east-1", "transcribe", AMZ_DATE
)
SEED = "0" * 64


@dataclass
class StillClock:
    ns: int = int(NOW_S) * 1_000_000_000 + 7_000_000

    def now_ns(self) -> int:
        return self.ns

    def now_s(self) -> float:
        return self.ns / 1e9

    def monotonic_s(self) -> float:
        return 0.0


def sign_stream(
    client: Client, seed: str, payloads: list[bytes], date_ms: int
) -> bytes:
    """A stream as a client by the documents sends it, with the message that ends it."""
    out = b""
    previous = seed
    for payload in [*payloads, b""]:
        date = Header(":date", HeaderType.TIMESTAMP, date_ms)
        previous = sign_event(client, previous, encode_header(date), payload)
        signature = Header(
            ":chunk-signature", HeaderType.BYTES, bytes.fromhex(previous)
        )
        out += encode_message(Message((date, signature), payload))
    return out


def verified_head() -> Verified:
    client = a_client("transcribe")
    fields = [(b"host", b"gw.test"), (b"x-amz-content-sha256", MODE.encode())]
    head = a_head(b"POST", b"/stream", client.sign(b"POST", b"/stream", fields, MODE))
    parsed = parse_authorization(head)
    return verify_head(
        head, parsed, a_session(), now_s=NOW_S, body_sha256=parsed.content_sha256
    )


def sent(payloads: list[bytes], amz_date: str = AMZ_DATE) -> bytes:
    client = replace(a_client("transcribe"), amz_date=amz_date)
    date_ms = calendar.timegm(time.strptime(amz_date, "%Y%m%dT%H%M%SZ")) * 1000 + 123
    seed = verified_head().authorization.signature.decode()
    return sign_stream(client, seed, payloads, date_ms)


def a_relay() -> SignedEvents:
    upstream = EventChain(UPSTREAM, region="us-east-1", service="transcribe", seed=SEED)
    return SignedEvents(verified_head(), upstream, clock=StillClock())


@given(
    payloads=st.lists(st.binary(min_size=1, max_size=40), max_size=4),
    places=st.lists(st.integers(0, 600), max_size=6),
)
def test_events_go_up_signed_anew_however_they_are_cut(payloads, places):
    body = sent(payloads)
    edges = [0, *sorted(min(place, len(body)) for place in places), len(body)]
    relay = a_relay()
    out = b"".join(relay.feed(body[a:b]) for a, b in itertools.pairwise(edges))
    relay.finish()
    date_ms = StillClock().now_ns() // 1_000_000
    assert out == sign_stream(UPSTREAM_CLIENT, SEED, payloads, date_ms)
    assert len(out) == len(body)


def test_a_stream_goes_on_past_midnight():
    assert a_relay().feed(sent([b"the next day"], amz_date="20260215T000001Z"))


def pass_on(body: bytes) -> bytes:
    relay = a_relay()
    out = relay.feed(body)
    relay.finish()
    return out


def test_no_change_of_one_byte_passes():
    body = sent([b"first", b"second"])
    for place in range(len(body)):
        changed = bytearray(body)
        changed[place] ^= 1
        with pytest.raises(PeerError):
            pass_on(bytes(changed))


def decoded(body: bytes) -> list[Message]:
    return EventStreamDecoder().feed(body)


def test_no_message_can_be_changed_dropped_repeated_or_moved():
    first, second, end = decoded(sent([b"first", b"second"]))
    for messages in (
        [first._replace(payload=b"FIRST"), second, end],
        [second, end],
        [first, end],
        [first, first, second, end],
        [second, first, end],
        [first, second],
        [first, second, end, end],
        [first, second, end, first],
    ):
        with pytest.raises(PeerError):
            pass_on(b"".join(map(encode_message, messages)))


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (Header(":date", HeaderType.TIMESTAMP, 1),),
        (Header(":chunk-signature", HeaderType.BYTES, b"x"),),
        (Header(":date", HeaderType.INT64, 1), Header(":chunk-signature", HeaderType.BYTES, b"x")),
        (Header(":date", HeaderType.TIMESTAMP, 1), Header(":chunk-signature", HeaderType.STRING, "x")),
        (Header(":date", HeaderType.TIMESTAMP, -1), Header(":chunk-signature", HeaderType.BYTES, b"x")),
        (Header(":date", HeaderType.TIMESTAMP, 1 << 62), Header(":chunk-signature", HeaderType.BYTES, b"x")),
        (Header(":date", HeaderType.TIMESTAMP, 1), Header(":chunk-signature", HeaderType.BYTES, b"x"), Header("a", HeaderType.TRUE, True)),
    ],
)  # fmt: skip
def test_a_message_that_is_not_signed_as_it_should_is_refused(headers):
    with pytest.raises(FramingError):
        pass_on(encode_message(Message(headers, b"x")))


def test_a_stream_without_its_end_is_refused():
    with pytest.raises(FramingError):
        pass_on(b"")
