"""What is measured one by one: each room's work for one request, and each kernel's."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.micro.gate import ANSWER, Played, finished
from bench.upstream import ITEM, PAGE, PROTECTED
from gatekeep._fast import chunks, crc, head
from gatekeep.audit.codec import encode_record
from gatekeep.audit.writer import Item, LogWriter, principal_key
from gatekeep.aws.authorization import parse_authorization
from gatekeep.aws.sigv4 import verify_head
from gatekeep.http.events import EndOfMessage
from gatekeep.http.h1 import ClientSide, UpstreamSide
from gatekeep.http.messages import RequestHead, ResponseHead

Case = Callable[[], object]

NOTHING = "nothing"
"""The case that does nothing: what the counting itself costs."""

_CONTENT_TYPE = b"application/x-amz-json-1.0"


def build(config: Path) -> dict[str, Case]:
    """The cases by name; each does its work once a call.

    Args:
        config: settings of a gateway whose keys, policies and catalogue are there.
    """
    played = Played(config)
    agent = played.agent()
    key = {"id": {"S": "c-000001"}}
    read = agent.request("dynamodb", "get_item", TableName="orders", Key=key)
    masked = agent.request("dynamodb", "get_item", TableName="customers", Key=key)
    write = agent.request("dynamodb", "put_item", TableName="orders", Item=key)
    answer = ANSWER % (len(ITEM), b"A" * 52, zlib.crc32(ITEM), ITEM)
    exchange = played.exchange
    assert exchange(read, answer).endswith(ITEM)
    passed = exchange(masked, answer)
    assert not any(value.encode() in passed for value in PROTECTED), passed
    return {
        NOTHING: lambda: None,
        "exchange: small read": partial(exchange, read, answer),
        "exchange: small read, masked": partial(exchange, masked, answer),
        "exchange: small write": partial(exchange, write, answer),
        **_rooms(played, masked, answer),
        **_kernels(masked, answer),
    }


def _rooms(played: Played, request: bytes, answer: bytes) -> dict[str, Case]:
    """The lines of `Exchange._pass`, each alone, for a masked GetItem."""
    gate = played.gate
    request_head, body = _parsed(request)
    authorization = parse_authorization(request_head)
    now = gate.clock.now_s()
    session = gate.keyring.open(
        authorization.session_token,
        access_key_id=authorization.access_key_id,
        now_s=now,
    )
    route = gate.recogniser.route(
        request_head, signing_name=authorization.service, region=authorization.region
    )
    recognise = partial(
        gate.recogniser.call, route, request_head, body, account_id="123456789012"
    )
    call = recognise()
    context = {
        "source_ip": "192.0.2.7",
        "justification": "",
        "ticket": "",
        "session_name": "agent-7",
    }
    decide = partial(gate.policy.decide, session.principal, call, context)
    profiles = decide().obligations.mask
    endpoint = gate.endpoints.resolve(call, request_head)
    credentials = finished(
        gate.credentials.credentials_for(session, exchange_id="0" * 32)
    )
    upstream_fields = [
        field
        for field in request_head.fields
        if field[0] not in (b"authorization", b"x-amz-security-token", b"host")
    ]
    upstream_fields.append((b"host", endpoint.host_header))
    answer_head = _answer_head(answer)
    intent, outcome = played.ledger.records

    def mask(text: bytes) -> bytes:
        plan = gate.masking.plan(call, request_head, profiles)
        response = plan.response(answer_head)
        return response.feed(text) + response.finish()

    return {
        "http: request in": _request_in(request),
        "http: answer in": _answer_in(answer),
        "authorization parsed": partial(parse_authorization, request_head),
        "session opened": partial(
            gate.keyring.open,
            authorization.session_token,
            access_key_id=authorization.access_key_id,
            now_s=now,
        ),
        "not revoked": partial(gate.revocations.verify, session),
        "route": partial(
            gate.recogniser.route,
            request_head,
            signing_name=authorization.service,
            region=authorization.region,
        ),
        "verify": partial(
            verify_head,
            request_head,
            authorization,
            session,
            now_s=now,
            body_sha256=authorization.content_sha256 or _sha256(body),
        ),
        "call": recognise,
        "decide": decide,
        "endpoint": partial(gate.endpoints.resolve, call, request_head),
        "sign": partial(
            gate.signer.sign,
            method=b"POST",
            path=b"/",
            query=b"",
            fields=upstream_fields,
            body_sha256=_sha256(body),
            service="dynamodb",
            region="us-east-1",
            credentials=credentials,
            now_s=now,
        ),
        "parameters masked": partial(
            gate.masking.mask_value, dict(call.parameters), profiles
        ),
        "answer masked, 400 B": partial(mask, ITEM),
        "answer masked, 64 KiB": partial(mask, PAGE),
        "capture masked, 400 B": partial(
            gate.masking.mask_capture,
            ITEM,
            content_type=_CONTENT_TYPE,
            profiles=profiles,
            whole=True,
        ),
        "intent encoded": partial(encode_record, intent),
        "outcome encoded": partial(encode_record, outcome),
        "ledger: 64 records": _ledger(encode_record(intent), encode_record(outcome)),
    }


def _kernels(request: bytes, answer: bytes) -> dict[str, Case]:
    fields = _answer_head(answer).fields
    block = os.urandom(1 << 16)
    chunked = (b"%x\r\n" % 8192 + block[:8192] + b"\r\n") * 8
    return {
        "kernel: request head": partial(head.read_request, request, 0),
        "kernel: response head": partial(head.read_response, answer, 0, False),
        "kernel: head written": partial(
            head.write_head, b"HTTP/1.1 200 OK", fields, True
        ),
        "kernel: chunks, 64 KiB": partial(chunks.read_chunks, chunked, 0),
        "kernel: crc32c, 64 KiB": partial(crc.crc32c, block),
        "kernel: crc64nvme, 64 KiB": partial(crc.crc64nvme, block),
    }


def _request_in(request: bytes) -> Case:
    """A kept connection's next request is read, and its answer written."""
    side = ClientSide()
    response = ResponseHead(200, [(b"content-length", b"400")])

    def case() -> bytes:
        side.receive(request)
        request_head = side.next_event()
        assert isinstance(request_head, RequestHead)
        while side.next_event() is not EndOfMessage:
            pass
        sent = side.head(response, request_method=request_head.method)
        sent += side.data(ITEM) + side.end()
        side.next_exchange()
        return sent

    return case


def _answer_in(answer: bytes) -> Case:
    """A kept upstream connection's next request is written, and its answer read."""
    side = UpstreamSide()
    request = RequestHead(b"POST", b"/", [(b"host", b"a"), (b"content-length", b"2")])

    def case() -> bytes:
        sent = side.head(request) + side.data(b"{}") + side.end()
        side.receive(answer)
        while side.next_event() is not EndOfMessage:
            pass
        side.next_exchange()
        return sent

    return case


def _ledger(intent: bytes, outcome: bytes) -> Case:
    """A batch of 64 records is chained, stored and committed."""
    place = Path(tempfile.mkdtemp(prefix="gatekeep-micro-"))
    writer = LogWriter(place, origin="bench", map_bytes=1 << 30)
    principals = [principal_key("https://issuer.example#agent-7")]
    number = 0

    def case() -> None:
        nonlocal number
        items = []
        for _ in range(32):
            exchange = b"%032x" % number
            number += 1
            items.append(Item(intent, exchange, principals, ()))
            items.append(Item(outcome, exchange, (), ()))
        writer.append(items, now_ns=number)

    return case


def _parsed(request: bytes) -> tuple[RequestHead, bytes]:
    side = ClientSide()
    side.receive(request)
    request_head = side.next_event()
    assert isinstance(request_head, RequestHead)
    return request_head, request.partition(b"\r\n\r\n")[2]


def _answer_head(answer: bytes) -> ResponseHead:
    side = UpstreamSide()
    side.head(RequestHead(b"GET", b"/", [(b"host", b"a")]))
    side.end()
    side.receive(answer)
    response_head = side.next_event()
    assert isinstance(response_head, ResponseHead)
    return response_head


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
