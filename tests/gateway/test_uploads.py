"""Bodies on their way up: verified part by part, signed anew, never completed when wrong.

The upstream verifies as AWS would; see `aws_side`.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import io
import socket
import struct
import threading
import time
import zlib
from hashlib import sha256

import boto3
import botocore.exceptions
import pytest
from aws_side import the_one
from raw_client import Session, ask, read_answer
from scripted_upstream import ScriptedUpstream
from stand import Stand

from tests.reference.sigv4 import Client, sign_event, unsigned_chunks

POLICIES = """
@id("all")
permit (principal in Group::"agents", action, resource);
@id("no-vault")
forbid (principal, action, resource)
when { resource.labels.contains("vault") };
"""
EXTRA = """
[[resource]]
arn = "arn:aws:s3:::vault/*"
labels = ["vault"]
"""

CHUNKS = [b"a" * 70_000, b"b" * 70_000, b"c" * 7]
DATA = b"".join(CHUNKS)
TRAILER = [
    (b"x-amz-checksum-crc32", base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")))
]
CHUNKED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
EVENTS = "STREAMING-AWS4-HMAC-SHA256-EVENTS"


def a_client(session: Session, service: str = "s3") -> Client:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    return Client(session.access_key, session.secret_key, "us-east-1", service, now)


def a_head(
    gateway: Stand,
    session: Session,
    client: Client,
    content_sha256: str,
    fields: list[tuple[bytes, bytes]],
    *,
    method: bytes = b"PUT",
    path: bytes = b"/bucket/key",
) -> tuple[bytes, str]:
    """A signed head without the line that ends it, and its signature."""
    headers = [
        (b"host", b"127.0.0.1:%d" % gateway.port),
        (b"x-amz-content-sha256", content_sha256.encode()),
        (b"x-amz-security-token", session.token.encode()),
        *fields,
    ]
    signed = client.sign(method, path, headers, content_sha256)
    lines = b"".join(b"%b: %b\r\n" % field for field in signed)
    signature = signed[-1][1][-64:].decode()
    return b"%b %b HTTP/1.1\r\n%b" % (method, path, lines), signature


def an_upload(
    gateway: Stand,
    session: Session,
    mode: str,
    *,
    trailer: list[tuple[bytes, bytes]] | None = None,
) -> tuple[bytes, bytes]:
    """Head and body of an aws-chunked upload."""
    client = a_client(session)
    fields = [
        (b"content-encoding", b"aws-chunked"),
        (b"x-amz-decoded-content-length", b"%d" % len(DATA)),
    ]
    if trailer is not None:
        fields.append((b"x-amz-trailer", trailer[0][0]))
    head, seed = a_head(gateway, session, client, mode, fields)
    body = (
        unsigned_chunks(CHUNKS, trailer or [])
        if mode == UNSIGNED_TRAILER
        else client.sign_chunks(seed, CHUNKS, trailer)
    )
    return head + b"content-length: %d\r\n\r\n" % len(body), body


def assert_never_completed(upstream: ScriptedUpstream) -> bytes:
    """What came of an upload that must not have an end."""
    received = the_one(upstream)
    assert len(received.body) < int(received.field(b"content-length"))
    return received.body


# --- bodies that hold ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "trailer"),
    [(CHUNKED, None), (CHUNKED + "-TRAILER", TRAILER), (UNSIGNED_TRAILER, TRAILER)],
)
def test_chunks_arrive_as_the_gateway_signs_them(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
    mode: str,
    trailer: list[tuple[bytes, bytes]] | None,
) -> None:
    head, body = an_upload(gateway, session, mode, trailer=trailer)
    assert ask(gateway, head + body)[0] == 200
    received = the_one(upstream)
    own, seed = received.verified()
    assert received.body == (
        body if mode == UNSIGNED_TRAILER else own.sign_chunks(seed, CHUNKS, trailer)
    )
    assert received.field(b"content-length") == b"%d" % len(body)


def test_a_hashed_body_arrives_as_it_was_sent(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    client = a_client(session)
    head, _ = a_head(gateway, session, client, sha256(DATA).hexdigest(), [])
    assert (
        ask(gateway, head + b"content-length: %d\r\n\r\n" % len(DATA) + DATA)[0] == 200
    )
    received = the_one(upstream)
    received.verified()
    assert received.body == DATA


# --- bodies that do not -------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "trailer"), [(CHUNKED, None), (CHUNKED + "-TRAILER", TRAILER)]
)
@pytest.mark.parametrize("wrong", ["data", "signature", "end", "trailer"])
def test_a_chunk_that_was_not_signed_so_is_not_passed_on(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
    mode: str,
    trailer: list[tuple[bytes, bytes]] | None,
    wrong: str,
) -> None:
    head, body = an_upload(gateway, session, mode, trailer=trailer)
    at = {
        "data": body.index(b"b" * 100) + 50,
        "signature": body.index(b"signature=", 70_000) + 20,
        "end": body.index(b"\r\n0;") + 30,
        "trailer": len(body) - 10,
    }[wrong]
    if wrong == "trailer" and trailer is None:
        at = body.index(b"signature=") + 20
    other = b"0" if body[at : at + 1] != b"0" else b"1"
    status, said = ask(gateway, head + body[:at] + other + body[at + 1 :])
    assert status == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in said
    arrived = assert_never_completed(upstream)
    if wrong in ("data", "signature"):
        assert b"b" * 100 not in arrived
    record = gateway.dump("--last", "1")[-1]
    assert (record["kind"], record["result"], record["error_code"]) == (
        "outcome",
        "refused",
        "signature.chunk",
    )


def test_a_trailer_with_a_wrong_checksum_never_completes_the_upload(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    wrong = [(TRAILER[0][0], b"AAAAAA==")]
    head, body = an_upload(gateway, session, UNSIGNED_TRAILER, trailer=wrong)
    status, said = ask(gateway, head + body)
    assert (status, b"<Code>BadDigest</Code>" in said) == (400, True)
    assert_never_completed(upstream)
    record = gateway.dump("--last", "1")[-1]
    assert (record["result"], record["error_code"]) == ("refused", "body.checksum")


@pytest.mark.parametrize("framing", ["content-length", "chunked"])
def test_a_body_that_is_not_the_hashed_one_never_completes(
    gateway: Stand, session: Session, upstream: ScriptedUpstream, framing: str
) -> None:
    client = a_client(session)
    head, _ = a_head(gateway, session, client, sha256(b"another").hexdigest(), [])
    if framing == "chunked":
        head += b"transfer-encoding: chunked\r\n\r\n"
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(DATA), DATA)
    else:
        head += b"content-length: %d\r\n\r\n" % len(DATA)
        body = DATA
    status, said = ask(gateway, head + body)
    assert status == 400
    assert b"<Code>XAmzContentSHA256Mismatch</Code>" in said
    received = the_one(upstream)
    assert len(received.body) < len(DATA)
    record = gateway.dump("--last", "1")[-1]
    assert (record["result"], record["error_code"]) == ("refused", "auth.body_hash")


# --- event streams ------------------------------------------------------------------


def event(payload: bytes, date_ms: int, signature: str) -> bytes:
    """A signed message, put together by hand."""
    headers = date_header(date_ms)
    headers += b"\x10:chunk-signature\x06\x00\x20" + bytes.fromhex(signature)
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    frame = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + payload
    return frame + struct.pack(">I", zlib.crc32(frame))


def date_header(date_ms: int) -> bytes:
    return b"\x05:date\x08" + struct.pack(">q", date_ms)


def event_stream(client: Client, seed: str, payloads: list[bytes]) -> list[bytes]:
    """Signed messages, with the empty one that ends the stream."""
    messages = []
    for number, payload in enumerate([*payloads, b""]):
        now_ms = int(time.time()) * 1000 + number
        moment = datetime.datetime.fromtimestamp(now_ms // 1000, datetime.UTC)
        client.amz_date = moment.strftime("%Y%m%dT%H%M%SZ")
        seed = sign_event(client, seed, date_header(now_ms), payload)
        messages.append(event(payload, now_ms, seed))
    return messages


def read_events(data: bytes) -> list[tuple[int, str, bytes]]:
    """Date, signature and payload of each message."""
    events = []
    while data:
        total, headers = struct.unpack_from(">II", data)
        (date_ms,) = struct.unpack_from(">q", data, 12 + 7)
        signature = data[12 + headers - 32 : 12 + headers].hex()
        events.append((date_ms, signature, data[12 + headers : total - 4]))
        data = data[total:]
    return events


@pytest.mark.parametrize("framing", ["content-length", "chunked"])
def test_events_arrive_as_the_gateway_signs_them(
    gateway: Stand, session: Session, upstream: ScriptedUpstream, framing: str
) -> None:
    client = a_client(session, "bedrock")
    fields = [(b"content-type", b"application/vnd.amazon.eventstream")]
    path = b"/model/amazon.nova-sonic-v1%3A0/invoke-with-bidirectional-stream"
    head, seed = a_head(
        gateway, session, client, EVENTS, fields, method=b"POST", path=path
    )
    messages = event_stream(client, seed, [b"one", b"two" * 1000])
    body = b"".join(messages)
    if framing == "chunked":
        head += b"transfer-encoding: chunked\r\n\r\n"
        sent = b"".join(b"%x\r\n%b\r\n" % (len(m), m) for m in messages) + b"0\r\n\r\n"
    else:
        head += b"content-length: %d\r\n\r\n" % len(body)
        sent = body
    status, said = ask(gateway, head + sent)
    assert status == 200, said
    received = the_one(upstream)
    own, previous = received.verified()
    arrived = received.body
    if framing == "chunked":
        arrived = unframed(arrived)
    events = read_events(arrived)
    assert [payload for *_, payload in events] == [b"one", b"two" * 1000, b""]
    for date_ms, signature, payload in events:
        moment = datetime.datetime.fromtimestamp(date_ms // 1000, datetime.UTC)
        own.amz_date = moment.strftime("%Y%m%dT%H%M%SZ")
        assert signature == sign_event(own, previous, date_header(date_ms), payload)
        previous = signature


def unframed(data: bytes) -> bytes:
    """The body of HTTP's chunks."""
    out = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        if size == b"0":
            return out
        out += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]


@pytest.mark.parametrize("wrong", ["payload", "missing_end"])
def test_an_event_stream_that_does_not_hold_never_completes(
    gateway: Stand, session: Session, upstream: ScriptedUpstream, wrong: str
) -> None:
    client = a_client(session, "bedrock")
    path = b"/model/amazon.nova-sonic-v1%3A0/invoke-with-bidirectional-stream"
    head, seed = a_head(gateway, session, client, EVENTS, [], method=b"POST", path=path)
    messages = event_stream(client, seed, [b"one", b"two"])
    if wrong == "payload":
        date_ms, signature, _ = read_events(messages[1])[0]
        messages[1] = event(b"TWO", date_ms, signature)
    else:
        del messages[-1]
    body = b"".join(messages)
    status, said = ask(gateway, head + b"content-length: %d\r\n\r\n" % len(body) + body)
    expected = (
        (403, b"signature.event")
        if wrong == "payload"
        else (400, b"body.signed_events")
    )
    assert (status, expected[1] in said) == (expected[0], True), said
    if wrong == "payload":
        assert b"TWO" not in assert_never_completed(upstream)
    else:
        assert the_one(upstream).body
    assert gateway.dump("--last", "1")[-1]["result"] == "refused"


# --- decided before the body --------------------------------------------------------


def test_a_denied_upload_of_5_gb_sends_no_body(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    client = a_client(session)
    head, _ = a_head(
        gateway, session, client, "UNSIGNED-PAYLOAD", [], path=b"/vault/big"
    )
    with gateway.tls() as connection:
        connection.sendall(
            head + b"content-length: 5000000000\r\nexpect: 100-continue\r\n\r\n"
        )
        # The first bytes of the answer are the refusal, not a 100.
        status, said = read_answer(connection)
        assert (status, b"no-vault" in said) == (403, True)
        # It does not wait for a body that nobody wants.
        assert connection.recv(1) == b""
    assert upstream.requests == []


def test_a_permitted_upload_is_asked_for_and_arrives_without_expect(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    head, _ = a_head(gateway, session, a_client(session), "UNSIGNED-PAYLOAD", [])
    with gateway.tls() as connection:
        connection.sendall(head + b"content-length: 3\r\nexpect: 100-continue\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert read_answer(connection)[0] == 200
    received = the_one(upstream)
    assert (received.body, received.field(b"expect")) == (b"abc", b"")


def test_an_upstream_that_refuses_and_reads_no_more_is_heard(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    stuck, heard = threading.Event(), threading.Event()
    fault = b"<Error><Code>QuotaExceeded</Code></Error>"

    def refuse(connection: socket.socket, _head: bytes) -> bool:
        assert stuck.wait(20)
        connection.sendall(
            b"HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n%b" % (len(fault), fault)
        )
        return heard.wait(20) and False

    head, _ = a_head(gateway, session, a_client(session), "UNSIGNED-PAYLOAD", [])
    upstream.on_head = refuse
    try:
        with gateway.tls() as connection:
            connection.sendall(head + b"content-length: 1000000000\r\n\r\n")
            connection.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                while True:
                    connection.sendall(bytes(1_000_000))
            # Every buffer on the way is full, and nobody takes anything.
            connection.settimeout(10)
            stuck.set()
            assert read_answer(connection) == (403, fault)
    finally:
        upstream.on_head = None
        heard.set()


class Relay:
    """A TCP hop before the gateway that counts what clients send."""

    def __init__(self, port: int) -> None:
        self.sent_bytes = 0
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                gateway = socket.create_connection(("127.0.0.1", self._to))
                for pair in ((client, gateway), (gateway, client)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if sink.getpeername()[1] == self._to:
                    self.sent_bytes += len(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.close()


def test_boto3_sends_nothing_of_an_upload_that_is_denied(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    relay = Relay(gateway.port)
    s3 = boto3.client(
        "s3", endpoint_url=f"https://127.0.0.1:{relay.port}", region_name="us-east-1",
        verify=str(gateway.directory / "ca.pem"),
        aws_access_key_id=session.access_key, aws_secret_access_key=session.secret_key,
        aws_session_token=session.token,
    )  # fmt: skip
    with pytest.raises(botocore.exceptions.ClientError, match="no-vault") as caught:
        s3.put_object(Bucket="vault", Key="big", Body=io.BytesIO(bytes(20_000_000)))
    s3.close()
    relay.close()
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    # A TLS handshake and a head.
    assert 1000 < relay.sent_bytes < 10_000
    assert upstream.requests == []
