"""Whatever comes in, the gateway refuses it clearly, records it, and lives on."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import time
from collections.abc import Iterator

import boto3
import botocore.config
import botocore.exceptions
import pytest
from raw_client import Session, ask, signed
from scripted_upstream import ScriptedUpstream, answer, raw
from stand import Stand

GET_ITEM = b'{"TableName":"customers","Key":{"id":{"S":"c-1"}}}'


@pytest.fixture(autouse=True)
def still_serves(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
) -> Iterator[None]:
    """After every test the gateway answers the next agent as if nothing was."""
    yield
    upstream.script = answer(b'{"Item":{}}')
    status, body = ask(gateway, signed(gateway, session))
    assert (status, body) == (200, b'{"Item":{}}')


def last_record(gateway: Stand) -> dict[str, object]:
    return gateway.dump("--last", "1")[-1]


# --- bytes that are not requests ---------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
    ],
    ids=[
        "binary", "no_request_line", "unknown_version", "no_host",
        "two_equal_content_lengths", "two_content_lengths", "content_length_with_te",
        "two_codings", "folded_field", "space_before_colon", "nul_in_value",
    ],
)  # fmt: skip
def test_what_is_not_http_is_refused(
    gateway: Stand, upstream: ScriptedUpstream, data: bytes
) -> None:
    status, body = ask(gateway, data)
    assert status in (400, 501, 505)
    assert b"wire." in body
    assert upstream.requests == []


def test_a_head_over_its_bound_is_refused_with_431(
    gateway: Stand, upstream: ScriptedUpstream
) -> None:
    fields = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 4000) for i in range(30))
    status, _ = ask(gateway, b"GET / HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n")
    assert status == 431
    assert upstream.requests == []


def test_bad_chunking_is_refused(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
) -> None:
    data = signed(gateway, session).partition(b"\r\n\r\n")[0]
    head = b"\r\n".join(
        line
        for line in data.split(b"\r\n")
        if not line.lower().startswith(b"content-length")
    )
    status, _ = ask(
        gateway, head + b"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"
    )
    assert status in (400, 501, 505)
    assert upstream.requests == []


def test_half_a_tls_handshake_costs_nobody_else_anything(gateway: Stand) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port)) as half:
        half.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        # `still_serves` now asks while this one hangs.
        with gateway.tls() as other:
            assert other.version() in ("TLSv1.2", "TLSv1.3")


def test_plain_http_on_the_tls_port_is_closed(gateway: Stand) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        try:
            while piece := plain.recv(1000):
                received += piece
        except ConnectionResetError:
            pass
        assert not received.startswith(b"HTTP")


def test_a_client_that_resets_in_the_middle_of_a_body_is_recorded(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
) -> None:
    head, _, body = signed(gateway, session).partition(b"\r\n\r\n")
    connection = gateway.tls()
    connection.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
    # Its 100 says that the gateway has the head and waits for the body.
    assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
    connection.sendall(body[:-5])
    raw_socket = socket.socket(fileno=connection.detach())
    raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw_socket.close()
    record = wait_for_record(gateway, "client.gone")
    assert record["kind"] == "refusal"
    assert upstream.requests == []


def wait_for_record(gateway: Stand, code: str) -> dict[str, object]:
    """The last record, once it is the one of that code."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        record = last_record(gateway)
        if code in (record.get("code"), record.get("error_code")):
            return record
    raise AssertionError(f"no record of {code}: {last_record(gateway)}")


# --- requests that are not calls ---------------------------------------------------


def test_an_unsigned_request_is_refused(
    gateway: Stand, upstream: ScriptedUpstream
) -> None:
    status, body = ask(
        gateway,
        b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n"
        b"Content-Length: 2\r\n\r\n{}",
    )
    assert status in (400, 403)
    assert b"MissingAuthenticationToken" in body
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"service": "nosuchservice"}, b"AccessDenied"),
        ({"region": "mars-north-1"}, b"AccessDenied"),
        ({"target": "DynamoDB_20120810.NoSuchOperation"}, b"AccessDenied"),
        (
            {"target": "DynamoDB_20120810.GetItem", "body": b"{not json"},
            b"AccessDenied",
        ),
        ({"service": "s3"}, b"AccessDenied"),
    ],
    ids=["service", "region", "operation", "body", "target_of_another_service"],
)
def test_what_is_not_understood_is_not_passed(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
    change: dict[str, object],
    code: bytes,
) -> None:
    status, body = ask(gateway, signed(gateway, session, **change))  # type: ignore[arg-type]
    assert 400 <= status < 500
    assert code in body
    assert upstream.requests == []
    record = last_record(gateway)
    assert record["kind"] == "refusal"
    assert str(record["principal_id"]).endswith("#agent-7")


@pytest.mark.parametrize("place", ["signature", "token", "body", "header"])
def test_a_tampered_request_is_refused(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
    place: str,
) -> None:
    data = signed(gateway, session)
    if place == "signature":
        at = data.index(b"Signature=") + 12
        changed = (
            data[:at] + (b"0" if data[at : at + 1] != b"0" else b"1") + data[at + 1 :]
        )
        code = b"SignatureDoesNotMatch"
    elif place == "token":
        at = data.index(session.token.encode()) + 40
        changed = (
            data[:at] + (b"A" if data[at : at + 1] != b"A" else b"B") + data[at + 1 :]
        )
        code = b"InvalidClientTokenId"
    elif place == "body":
        changed = data.replace(b'"c-1"', b'"c-2"')
        code = b"SignatureDoesNotMatch"
    else:
        changed = data.replace(
            b"DynamoDB_20120810.GetItem", b"DynamoDB_20120810.PutItem"
        )
        code = b"SignatureDoesNotMatch"
    status, body = ask(gateway, changed)
    assert status in (400, 403)
    assert code in body
    assert upstream.requests == []


# --- an upstream that fails --------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "status", "result"),
    [
        (raw(b""), 424, "unknown"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Le"), 424, "upstream_failed"),
        (raw(b"\x00\x00garbage\r\n\r\n"), 424, "upstream_failed"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
         424, "upstream_failed"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}"), 424, "upstream_failed"),
    ],
    ids=["before_the_head", "in_the_head", "garbage", "smuggling", "in_the_body"],
)  # fmt: skip
def test_an_upstream_that_fails_is_told_and_recorded(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
    script: object,
    status: int,
    result: str,
) -> None:
    upstream.script = script  # type: ignore[assignment]
    put = b'{"TableName":"customers","Item":{"id":{"S":"c-1"}}}'
    got, body = ask(
        gateway, signed(gateway, session, target="DynamoDB_20120810.PutItem", body=put)
    )
    assert got == status
    assert b"exchange" in body
    assert len(upstream.requests) == 1, "a write is never sent twice"
    record = last_record(gateway)
    assert (record["kind"], record["result"]) == ("outcome", result)


def test_a_long_answer_that_breaks_off_is_cut_not_completed(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
) -> None:
    upstream.script = raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
        b"Content-Length: 300000\r\n\r\n" + b"x" * 200_000
    )
    with gateway.tls() as connection:
        connection.sendall(signed(gateway, session))
        received = b""
        try:
            while piece := connection.recv(65536):
                received += piece
        except (ssl.SSLError, ConnectionResetError):
            pass
    assert len(received) < 300_000
    record = last_record(gateway)
    assert (record["kind"], record["result"]) == ("outcome", "upstream_failed")


def test_an_upstreams_own_fault_is_passed_on_as_it_is(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
) -> None:
    fault = b'{"__type":"ProvisionedThroughputExceededException","message":"slow"}'
    upstream.script = answer(fault, status=400)
    assert ask(gateway, signed(gateway, session)) == (400, fault)
    assert last_record(gateway)["status"] == 400


# --- the way an SDK sees it --------------------------------------------------------


def test_boto3_reads_our_refusals_and_does_not_retry(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
) -> None:
    client = boto3.client(
        "dynamodb",
        endpoint_url=f"https://127.0.0.1:{gateway.port}",
        region_name="us-east-1",
        verify=str(gateway.directory / "ca.pem"),
        aws_access_key_id=session.access_key,
        aws_secret_access_key=session.secret_key,
        aws_session_token=session.token,
        config=botocore.config.Config(retries={"mode": "standard"}),
    )
    upstream.script = raw(b"")
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        client.put_item(TableName="t", Item={"id": {"S": "1"}})
    client.close()
    assert caught.value.response["Error"]["Code"] == "UnknownOutcome"
    assert "may have taken effect" in caught.value.response["Error"]["Message"]
    assert len(upstream.requests) == 1
    assert json.dumps(caught.value.response["ResponseMetadata"]["RetryAttempts"]) == "0"
