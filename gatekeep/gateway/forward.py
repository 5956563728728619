"""The way up: the request re-made with the gateway's credentials, sent, awaited.

The upstream host comes from the closed table of `aws.endpoints` (I7). Everything
the client authenticated with stays here (I4). A request that was sent and got no
answer is never sent again: it may have happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatekeep import limits
from gatekeep.aws.chunked import ChunkedBody
from gatekeep.aws.credentials import UpstreamCredentials
from gatekeep.aws.endpoints import Endpoint
from gatekeep.aws.event_signatures import EventChain, SignedEvents
from gatekeep.aws.signature_chain import SignatureChain
from gatekeep.aws.signer import SignArguments
from gatekeep.aws.sigv4 import PayloadMode, Verified
from gatekeep.errors import UnknownOutcomeError
from gatekeep.gateway.answer import HOP_BY_HOP
from gatekeep.gateway.client import ClientGoneError
from gatekeep.gateway.upstream import UpstreamConnection
from gatekeep.http.messages import Field, RequestHead, ResponseHead
from gatekeep.masking.masking import MaskPlan

if TYPE_CHECKING:
    from gatekeep.gateway.exchange import Exchange

_LEFT_HERE = HOP_BY_HOP | {
    b"authorization",
    b"content-length",
    b"expect",
    b"host",
    b"x-amz-security-token",
}
"""Fields of the client's that do not go up: about this connection, or its secrets.
The signer drops what else belongs to the client's signature."""


@dataclass(slots=True)
class Forwarding:
    """One request on its way up."""

    exchange: Exchange
    verified: Verified
    plan: MaskPlan
    endpoint: Endpoint
    credentials: UpstreamCredentials
    signature: bytes = b""
    """Of the request as it was sent, hex; empty before that."""

    async def run(self) -> tuple[UpstreamConnection, ResponseHead]:
        """Send the request; give the connection and the head of its answer.

        Raises:
            UnavailableError: no connection; nothing was sent.
            UnknownOutcomeError: sent, at least in part, and no answer.
            AuthenticationError: the body is not what was signed; the upstream
                connection was cut before the body was complete.
            ClientGoneError: the client went away; so was the request.
        """
        connection = await self.exchange.gate.pool.lend(self.endpoint)
        head = await self._try(connection)
        if head is None and self._may_be_sent_again(connection):
            # The kept connection was closed under us before it took the request.
            self.exchange.gate.pool.discard(connection)
            connection = await self.exchange.gate.pool.lend(self.endpoint, fresh=True)
            head = await self._try(connection)
        if head is None:
            self.exchange.gate.pool.discard(connection)
            if self.exchange.client.closed:
                raise ClientGoneError
            raise UnknownOutcomeError(
                "upstream.no_answer",
                "the request was sent to AWS and no answer came; it may have taken"
                " effect, so look before you send it again",
            )
        return connection, head

    async def _try(self, connection: UpstreamConnection) -> ResponseHead | None:
        # A client that goes away takes its upstream request with it.
        self.exchange.client.on_lost = connection.abort
        try:
            await self._send(connection)
            return await connection.answer_head()
        except BaseException:
            self.exchange.gate.pool.discard(connection)
            raise

    def _may_be_sent_again(self, connection: UpstreamConnection) -> bool:
        """Whether the request cannot have reached AWS, or could not matter there.

        Only a read, only on a connection that had served before and then said
        nothing, only while the body is still in our hands.
        """
        return (
            connection.reused
            and not connection.answered
            and not connection.timed_out
            and not self.exchange.call.changes
            and self.exchange.body.whole is not None
            and not self.exchange.client.closed
        )

    async def _send(self, connection: UpstreamConnection) -> None:
        exchange = self.exchange
        whole = exchange.body.whole
        fields: list[Field] = [
            field
            for field in self.plan.request_fields(exchange.head.fields)
            if field[0] not in _LEFT_HERE
        ]
        fields.append((b"host", self.endpoint.host_header))
        path, _, query = self.endpoint.target.partition(b"?")
        arguments: SignArguments = {
            "method": exchange.head.method,
            "path": path,
            "query": query,
            "fields": fields,
            "body_sha256": exchange.body.sha256(),
            "service": self.endpoint.signing_name,
            "region": self.endpoint.signing_region,
            "credentials": self.credentials,
            "now_s": exchange.gate.clock.now_s(),
        }
        signer, target = exchange.gate.signer, self.endpoint.target
        resigned: ChunkedBody | SignedEvents | None = None
        authorization = self.verified.authorization
        payload = authorization.payload
        if payload.is_aws_chunked or payload is PayloadMode.EVENTS:
            fields, chain = signer.sign_stream(**arguments)
            self.signature = chain.previous.encode()
            resigned = self._resign(chain)
        elif authorization.presigned:
            query, fields = signer.presign(limits.PRESIGNED_FOR_S, **arguments)
            target = path + b"?" + query
            self.signature = query[-64:]
        else:
            fields = signer.sign(**arguments)
            self.signature = fields[-1][1][-64:]
        length = exchange.body.announced_bytes if whole is None else len(whole)
        if length is None:
            fields.append((b"transfer-encoding", b"chunked"))
        elif length or exchange.head.by_name.get(b"content-length"):
            fields.append((b"content-length", b"%d" % length))
        side = connection.side
        head = side.head(RequestHead(exchange.head.method, target, fields))
        if whole is not None:
            if resigned is not None:
                whole = resigned.feed(whole)
                resigned.finish()
            connection.write(head + side.data(whole) + side.end())
            exchange.sent = True
            return
        connection.write(head)
        async for piece in exchange.body.pieces():
            out = piece if resigned is None else resigned.feed(piece)
            if out:
                connection.write(side.data(out))
                await connection.drain()
            if connection.answered or connection.closed:
                # It answered early, which is a refusal: the rest is not wanted.
                return
        if resigned is not None:
            resigned.finish()
        connection.write(side.end())
        exchange.sent = True

    def _resign(self, chain: SignatureChain) -> ChunkedBody | SignedEvents:
        """The body whose parts are signed: checked, and signed anew from `chain` on."""
        if self.verified.authorization.payload is PayloadMode.EVENTS:
            upstream = EventChain(
                self.credentials,
                region=self.endpoint.signing_region,
                service=self.endpoint.signing_name,
                seed=chain.previous,
            )
            return SignedEvents(self.verified, upstream, clock=self.exchange.gate.clock)
        return ChunkedBody(self.exchange.head, self.verified, chain)
