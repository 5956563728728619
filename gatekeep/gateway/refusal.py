"""How the gate says no: an error becomes an answer the client's SDK parses.

A client reads the error's message, its stable code and the exchange id, so that it
can say to the operator exactly which refusal it met. `aws.faults` knows the shapes
(aws-wire section 6).
"""

from __future__ import annotations

from gatekeep.aws.call import Call, Protocol, Route
from gatekeep.aws.faults import fault_of, render_fault
from gatekeep.errors import GatekeepError, PeerError
from gatekeep.gateway.client import Client
from gatekeep.http.messages import Field, RequestHead, ResponseHead
from gatekeep.policy.decision import Decision


class DeniedError(PeerError):
    """Policy or people said no. The message is for whoever asked."""

    def __init__(self, code: str, message: str, decision: Decision) -> None:
        super().__init__(code, message, status=403, aws_code="AccessDenied")
        self.decision = decision


def guess_protocol(head: RequestHead, *, service: str = "") -> Protocol:
    """The protocol a request most likely speaks, before it is recognised.

    Args:
        head: the request's head.
        service: the signing name of its credential scope, if it got that far.
    """
    if head.get(b"x-amz-target"):
        return Protocol.JSON
    if head.get(b"smithy-protocol") == b"rpc-v2-cbor":
        return Protocol.CBOR
    if service in ("s3", "s3express", "s3-outposts", "cloudfront", "route53"):
        return Protocol.REST_XML
    if service == "ec2":
        return Protocol.EC2
    if head.get(b"content-type").startswith(b"application/x-www-form-urlencoded"):
        return Protocol.QUERY
    if not service and head.method in (b"GET", b"HEAD", b"PUT"):
        # Without a signature the SDKs' most common such request is an S3 one.
        return Protocol.REST_XML
    return Protocol.REST_JSON


def answer_for(
    error: GatekeepError,
    *,
    head: RequestHead,
    service: str,
    known: Call | Route | None,
    exchange_id: str,
) -> tuple[ResponseHead, bytes]:
    """The whole answer that tells a client about an error."""
    aws_code, status = fault_of(error)
    protocol = known.protocol if known else guess_protocol(head, service=service)
    said = error.message.removeprefix("gatekeep: ")
    message = f"gatekeep: {said} [{error.code}, exchange {exchange_id}]"
    status, fields, body = render_fault(
        protocol=protocol,
        service=known.service if known else service,
        aws_code=aws_code,
        message=message,
        status=status,
        exchange_id=exchange_id,
        head_only=head.method == b"HEAD",
        # SDKs of services that moved from query to JSON say that they look for it.
        query_compatible=head.get(b"x-amzn-query-mode") == b"true",
    )
    return ResponseHead(status, fields), body


async def send_bad_framing(client: Client, error: PeerError) -> None:
    """Tell a client that its bytes are not HTTP, then stop listening to it."""
    if client.closed or client.answer_began:
        client.abort()
        return
    text = f"gatekeep: {error.message} [{error.code}]\n".encode()
    fields: list[Field] = [
        (b"content-type", b"text/plain"),
        (b"content-length", b"%d" % len(text)),
    ]
    client.send_whole(ResponseHead(error.status, fields), text, method=b"GET")
    await client.discard_body()
