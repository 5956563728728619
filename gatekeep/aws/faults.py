"""How a refusal looks on the wire: the error shape of each AWS protocol.

A refusal that helps nobody to repeat is a 4xx, which no SDK repeats; one that may
go away is a 503, which every SDK repeats with its own back-off. Shapes are those
that AWS services send, checked with botocore's parsers; see `_LOCAL_CODES` for the
codes that differ from service to service.
"""

from __future__ import annotations

import json
import re
from xml.sax.saxutils import escape

import cbor2

from gatekeep.aws.call import Protocol
from gatekeep.errors import (
    GatekeepError,
    PeerError,
    UnavailableError,
    UnknownOutcomeError,
)
from gatekeep.http.messages import Field

UNKNOWN_OUTCOME_STATUS = 424
"""Sent upstream, and no answer: it may have happened, so no SDK may send it again.
All SDKs repeat 500, 502, 503 and 504, and some (Ruby in its legacy mode) any 5xx, so
it is a 4xx. Of those, 424 Failed Dependency says it best, and AWS uses it so itself
(Bedrock's ModelErrorException): what the request depends on failed, not the client."""

_LOCAL_CODES: dict[Protocol, dict[str, str]] = {
    Protocol.JSON: {"AccessDenied": "AccessDeniedException"},
    Protocol.REST_JSON: {"AccessDenied": "AccessDeniedException"},
    Protocol.CBOR: {"AccessDenied": "AccessDeniedException"},
    Protocol.EC2: {"AccessDenied": "UnauthorizedOperation"},
}
"""What a code is called in a protocol whose services name it differently."""

_not_xml = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def fault_of(error: GatekeepError) -> tuple[str, int]:
    """Return the AWS error code and the HTTP status that tell a client of an error."""
    if isinstance(error, PeerError):
        return error.aws_code, error.status
    if isinstance(error, UnavailableError):
        return "ServiceUnavailable", 503
    if isinstance(error, UnknownOutcomeError):
        return "UnknownOutcome", UNKNOWN_OUTCOME_STATUS
    return "InternalFailure", 500


def render_fault(
    *,
    protocol: Protocol,
    service: str,
    aws_code: str,
    message: str,
    status: int,
    exchange_id: str,
    head_only: bool = False,
    query_compatible: bool = False,
) -> tuple[int, list[Field], bytes]:
    """Return status, fields and body of a refusal that the client's SDK parses.

    Args:
        protocol: the request's.
        service: botocore's service name; S3 has shapes of its own.
        aws_code: for example ``AccessDenied``; spelled as the protocol's services
            spell it.
        message: shown to whoever called.
        status: 400 to 599.
        exchange_id: stands where AWS has its request id.
        head_only: the request was a HEAD: the answer has no body, so that an SDK
            sees the status alone.
        query_compatible: the service once spoke query: its SDKs look for the old
            code in ``x-amzn-query-error``.
    """
    is_s3 = service == "s3"
    if is_s3 and aws_code == "ServiceUnavailable":
        aws_code = "SlowDown"
    code = _LOCAL_CODES.get(protocol, {}).get(aws_code, aws_code)
    message = _not_xml.sub("\ufffd", message)
    sender = "Sender" if status < 500 else "Receiver"
    request_id = exchange_id.encode("ascii", "replace")
    fields: list[Field] = [
        (b"x-amz-request-id" if is_s3 else b"x-amzn-requestid", request_id)
    ]
    match protocol:
        case Protocol.JSON:
            kind = b"application/x-amz-json-1.0"
            body = _json({"__type": code, "message": message, "Message": message})
        case Protocol.REST_JSON:
            kind = b"application/json"
            fields.append((b"x-amzn-errortype", code.encode()))
            body = _json({"message": message, "Message": message})
        case Protocol.CBOR:
            kind = b"application/cbor"
            fields.append((b"smithy-protocol", b"rpc-v2-cbor"))
            body = cbor2.dumps({"__type": f"aws#{code}", "message": message})
        case Protocol.EC2:
            kind = b"text/xml;charset=UTF-8"
            error = f"<Errors><Error>{_error(code, message)}</Error></Errors>"
            body = _xml(
                "Response", f"{error}<RequestID>{escape(exchange_id)}</RequestID>"
            )
        case Protocol.REST_XML if is_s3:
            kind = b"application/xml"
            ids = (
                f"<RequestId>{escape(exchange_id)}</RequestId><HostId>gatekeep</HostId>"
            )
            body = _xml("Error", _error(code, message) + ids)
        case _:  # query, and rest-xml but S3
            kind = b"text/xml"
            error = f"<Error><Type>{sender}</Type>{_error(code, message)}</Error>"
            body = _xml(
                "ErrorResponse", f"{error}<RequestId>{escape(exchange_id)}</RequestId>"
            )
    if query_compatible:
        fields.append((b"x-amzn-query-error", f"{aws_code};{sender}".encode()))
    if head_only:
        return status, [*fields, (b"content-length", b"0")], b""
    fields.append((b"content-type", kind))
    fields.append((b"content-length", str(len(body)).encode()))
    return status, fields, body


def _json(value: dict[str, str]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _error(code: str, message: str) -> str:
    return f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"


def _xml(root: str, content: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{content}</{root}>'.encode()
    )
