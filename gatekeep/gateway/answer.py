"""An answer on its way to the client: masked, digested, and finished only when told.

Invariant I2 lives here: no byte leaves before ``before_first`` is done, and the
last byte waits for ``before_last``, which makes the outcome record durable.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gatekeep import limits
from gatekeep.audit.record import Receipt
from gatekeep.gateway.client import Client
from gatekeep.gateway.own_credentials import ReadAhead
from gatekeep.gateway.upstream import UpstreamConnection
from gatekeep.http.messages import Field, ResponseHead
from gatekeep.masking.masking import ResponseMask

HOP_BY_HOP = frozenset(
    (b"connection", b"http2-settings", b"keep-alive", b"proxy-authenticate", b"proxy-authorization",
     b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)  # fmt: skip
"""Fields that are about one connection and are never passed on (RFC 9110 7.6.1)."""

_NOT_PASSED_DOWN = HOP_BY_HOP | {b"authorization", b"x-amz-security-token"}
"""AWS answers with neither; whatever echoes a request must not echo these (I4)."""


@dataclass(slots=True)
class Delivered:
    """What left towards the client, for the outcome record."""

    status: int
    sha256: str = ""
    """Hex digest of the masked body as the client gets it."""
    body_bytes: int = 0
    findings: dict[str, int] = field(default_factory=dict)
    """Masked values by field or detector name."""
    captured: bytes = b""
    """The masked body's beginning, at most `limits.CAPTURE_BYTES_MAX`."""


def delivered_whole(
    status: int, body: bytes, findings: dict[str, int] | None = None
) -> Delivered:
    """The facts of an answer that is sent in one piece."""
    return Delivered(
        status,
        hashlib.sha256(body).hexdigest(),
        len(body),
        findings or {},
        body[: limits.CAPTURE_BYTES_MAX],
    )


@dataclass(slots=True)
class Delivery:
    """How one answer is to be delivered."""

    client: Client
    upstream: UpstreamConnection | ReadAhead
    method: bytes
    mask: ResponseMask
    before_first: asyncio.Future[Receipt]
    """Done when the intent is durable; its failure refuses the answer."""
    before_last: Callable[[Delivered], Awaitable[None]]
    """Makes the outcome durable; its failure cuts the answer short."""

    async def run(self, head: ResponseHead) -> None:
        """Deliver the answer whose head has arrived.

        Raises:
            UpstreamError: the upstream's body broke off or is not what it says.
            ClientGoneError: the client went away.
            PeerError: the body cannot be masked; see `.began` of the exchange.
        """
        if self._is_collected(head):
            await self._deliver_whole(head)
        else:
            await self._deliver_stream(head)

    def _is_collected(self, head: ResponseHead) -> bool:
        """Whether the answer is small enough to be sent in one piece."""
        if self.method == b"HEAD" or head.status in (204, 304):
            return True
        length = head.get(b"content-length")
        if not length:
            return False
        bound = (
            limits.CHECKSUMMED_ANSWER_BYTES_MAX
            if head.get(b"x-amz-crc32") and not self.mask.passes
            else limits.WHOLE_ANSWER_BYTES_MAX
        )
        return int(length) <= bound

    async def _deliver_whole(self, head: ResponseHead) -> None:
        pieces = []
        while (piece := await self.upstream.answer_data()) is not None:
            pieces.append(piece)
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        mask = self.mask
        fields: list[Field] = [f for f in head.fields if f[0] not in _NOT_PASSED_DOWN]
        if not mask.passes:
            body = mask.feed(body) + mask.finish()
            fields = mask.fields(fields, body=None if self.method == b"HEAD" else body)
        delivered = delivered_whole(head.status, body, dict(mask.findings))
        await self.before_first
        await self.before_last(delivered)
        self.client.send_whole(
            ResponseHead(head.status, fields), body, method=self.method
        )

    async def _deliver_stream(self, head: ResponseHead) -> None:
        client, mask = self.client, self.mask
        fields: list[Field] = [f for f in head.fields if f[0] not in _NOT_PASSED_DOWN]
        if not mask.passes:
            fields = mask.fields(fields, body=None)
        await self.before_first
        client.send_head(ResponseHead(head.status, fields), method=self.method)
        digest = hashlib.sha256()
        body_bytes = 0
        captured = bytearray()
        # What completes the answer waits for the outcome: the piece that reaches the
        # announced length, or, in a chunked answer, the terminating chunk. Nothing
        # else is kept back, so that event streams arrive as they happen.
        length = next((int(v) for n, v in fields if n == b"content-length"), None)
        last = b""
        ended = False
        while not ended:
            piece = await self.upstream.answer_data()
            ended = piece is None
            if mask.passes:
                out = piece or b""
            else:
                out = mask.finish() if piece is None else mask.feed(piece)
            if not out:
                continue
            digest.update(out)
            body_bytes += len(out)
            if len(captured) < limits.CAPTURE_BYTES_MAX:
                captured += out[: limits.CAPTURE_BYTES_MAX - len(captured)]
            if body_bytes == length:
                last = out
            else:
                await client.send_data(out)
        await self.before_last(
            Delivered(
                head.status,
                digest.hexdigest(),
                body_bytes,
                dict(mask.findings),
                bytes(captured),
            )
        )
        client.send_end(last)
