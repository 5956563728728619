"""HTTP/2 from clients: ALPN over TLS, prior knowledge without, one exchange a stream."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator

import botocore.auth
import botocore.awsrequest
import h2.connection
import h2.events
import pytest
from raw_client import Session
from scripted_upstream import ScriptedUpstream, answer
from stand import Stand, free_port

PLAIN_PORT = free_port()
GATEWAY = f'plain_listen = "127.0.0.1:{PLAIN_PORT}"'

BODY = b'{"TableName":"customers","Key":{"id":{"S":"c-1"}}}'


class Http2Client:
    """A small HTTP/2 client on one socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.connection = h2.connection.H2Connection()
        self.connection.initiate_connection()
        self.answers: dict[int, tuple[int, bytes]] = {}
        self.resets: set[int] = set()
        self.flush()

    def flush(self) -> None:
        self.sock.sendall(self.connection.data_to_send())

    def ask(self, headers: list[tuple[str, str]], body: bytes) -> int:
        stream = self.connection.get_next_available_stream_id()
        self.connection.send_headers(stream, headers)
        self.connection.send_data(stream, body, end_stream=True)
        self.flush()
        return stream

    def wait_for(self, *streams: int) -> list[tuple[int, bytes]]:
        open_ = set(streams)
        partial: dict[int, tuple[int, bytes]] = {}
        while open_ - self.resets:
            data = self.sock.recv(65536)
            assert data, "the gateway closed the connection"
            for event in self.connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[b":status"])
                    partial[event.stream_id] = (status, b"")
                elif isinstance(event, h2.events.DataReceived):
                    status, so_far = partial[event.stream_id]
                    partial[event.stream_id] = (status, so_far + event.data)
                    self.connection.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
                elif isinstance(event, h2.events.StreamEnded):
                    open_.discard(event.stream_id)
                elif isinstance(event, h2.events.StreamReset):
                    self.resets.add(event.stream_id)
            self.flush()
        return [partial.get(stream, (0, b"")) for stream in streams]


def signed(
    authority: str,
    session: Session,
    body: bytes = BODY,
) -> list[tuple[str, str]]:
    request = botocore.awsrequest.AWSRequest(
        "POST", f"https://{authority}/",
        headers={"Host": authority, "Content-Type": "application/x-amz-json-1.0",
                 "X-Amz-Target": "DynamoDB_20120810.GetItem"},
        data=body,
    )  # fmt: skip
    botocore.auth.SigV4Auth(session, "dynamodb", "us-east-1").add_auth(request)
    return [
        (":method", "POST"), (":scheme", "https"), (":authority", authority), (":path", "/"),
        *((k.lower(), v) for k, v in request.headers.items() if k.lower() != "host"),
    ]  # fmt: skip


@pytest.fixture
def client(gateway: Stand) -> Iterator[Http2Client]:
    context = ssl.create_default_context(cafile=str(gateway.directory / "ca.pem"))
    context.set_alpn_protocols(["h2"])
    raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
    tls = context.wrap_socket(raw, server_hostname="127.0.0.1")
    assert tls.selected_alpn_protocol() == "h2"
    yield Http2Client(tls)
    tls.close()


def test_a_signed_request_over_http2_is_served_and_recorded(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
    client: Http2Client,
) -> None:
    upstream.script = answer(b'{"Item":{"id":{"S":"c-1"}}}')
    stream = client.ask(signed(f"127.0.0.1:{gateway.port}", session), BODY)
    assert client.wait_for(stream) == [(200, b'{"Item":{"id":{"S":"c-1"}}}')]
    assert upstream.requests[0].startswith(b"POST / HTTP/1.1\r\n")
    assert [r["kind"] for r in gateway.dump("--last", "2")][-2:] == [
        "intent",
        "outcome",
    ]


def test_streams_of_one_connection_do_not_wait_for_each_other(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
    client: Http2Client,
) -> None:
    """The first answer comes only after the second was given."""
    second_given = threading.Event()

    def script(connection: socket.socket, request: bytes) -> bool:
        if b"first" in request:
            assert second_given.wait(20)
            return answer(b'{"n":1}')(connection, request)
        return answer(b'{"n":2}')(connection, request)

    upstream.script = script
    authority = f"127.0.0.1:{gateway.port}"
    bodies = [BODY.replace(b"c-1", name) for name in (b"first", b"second")]
    one, two = (client.ask(signed(authority, session, body), body) for body in bodies)
    assert client.wait_for(two) == [(200, b'{"n":2}')]
    second_given.set()
    assert client.wait_for(one) == [(200, b'{"n":1}')]


def test_a_tampered_request_over_http2_is_refused(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
    client: Http2Client,
) -> None:
    stream = client.ask(
        signed(f"127.0.0.1:{gateway.port}", session), BODY.replace(b"c-1", b"c-2")
    )
    [(status, body)] = client.wait_for(stream)
    assert status in (400, 403)
    assert b"SignatureDoesNotMatch" in body
    assert upstream.requests == []


def test_a_large_answer_keeps_to_the_clients_windows(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
    client: Http2Client,
) -> None:
    large = b'{"x":"' + b"y" * 1_000_000 + b'"}'
    upstream.script = answer(large)
    stream = client.ask(signed(f"127.0.0.1:{gateway.port}", session), BODY)
    assert client.wait_for(stream) == [(200, large)]


def test_prior_knowledge_works_on_the_plain_listener(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
) -> None:
    client = Http2Client(
        socket.create_connection(("127.0.0.1", PLAIN_PORT), timeout=20)
    )
    stream = client.ask(signed(f"127.0.0.1:{PLAIN_PORT}", session), BODY)
    with client.sock:
        assert client.wait_for(stream) == [(200, b"{}")]


def test_http1_still_works_on_the_plain_listener(gateway: Stand) -> None:
    with socket.create_connection(("127.0.0.1", PLAIN_PORT), timeout=20) as plain:
        plain.sendall(
            b"GET /credentials HTTP/1.1\r\nHost: x\r\nAuthorization: nonsense\r\n\r\n"
        )
        received = plain.recv(1000)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b'"code": "InvalidIdentityToken"' in received
