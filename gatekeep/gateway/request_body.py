"""The body of a request: parameters read whole, or a payload that streams.

A payload is checked while it passes. Whatever its signature covers must hold before
the part that would complete it upstream is sent: the last piece of a hashed body is
kept back until the hash is known, a signed chunk until its signature is (see
`aws.chunked`).
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from gatekeep import limits
from gatekeep.aws.call import Route
from gatekeep.aws.sigv4 import Authorization, PayloadMode
from gatekeep.errors import AuthenticationError, LimitError, UnavailableError
from gatekeep.gateway.client import Client
from gatekeep.gateway.gate import Gate


class RequestBody:
    """What the client sends after its head."""

    __slots__ = ("_client", "_gate", "_reserved", "_sha256", "authorization", "whole")

    def __init__(
        self, gate: Gate, client: Client, authorization: Authorization
    ) -> None:
        self._gate = gate
        self._client = client
        self._reserved = 0
        self._sha256 = ""
        self.authorization = authorization
        self.whole: bytes | None = None
        """The body, when it was read whole; None while it streams."""

    @property
    def announced_bytes(self) -> int | None:
        """Content-Length; None when the body is chunked."""
        return self._client.body_length

    async def receive(self, route: Route) -> None:
        """Read a body that holds parameters, or that must be hashed to be verified.

        Raises:
            LimitError: over `limits.PARAMETER_BODY_BYTES_MAX`.
            UnavailableError: this worker buffers too much already.
            ClientGoneError: the client stopped in the middle.
        """
        if not route.streams or self.authorization.payload is PayloadMode.ABSENT:
            await self.read_whole()

    async def read_whole(self) -> None:
        """Read the whole body into memory, within bounds."""
        if self.whole is not None:
            return
        announced = self.announced_bytes
        if announced == 0:
            self.whole = b""
            while await self._client.body_piece() is not None:
                pass
            return
        self._reserve(announced or 0)
        pieces: list[bytes] = []
        total = 0
        while (piece := await self._client.body_piece()) is not None:
            total += len(piece)
            if total > self._reserved:
                self._reserve(total - self._reserved)
            pieces.append(piece)
        self.whole = pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def sha256(self) -> str:
        """What stands for the body in the canonical request."""
        if not self._sha256:
            self._sha256 = (
                hashlib.sha256(self.whole or b"").hexdigest()
                if self.authorization.payload is PayloadMode.ABSENT
                else self.authorization.content_sha256
            )
        return self._sha256

    def replace(self, whole: bytes) -> None:
        """Send this in place of the body that was read whole and verified."""
        self.whole = whole
        self._sha256 = hashlib.sha256(whole).hexdigest()

    def verify_whole(self) -> None:
        """Check a body that was read whole against the hash its head announced.

        Raises:
            AuthenticationError: they differ.
        """
        if self.whole is not None and self.authorization.payload is PayloadMode.SIGNED:
            _match(self.authorization, hashlib.sha256(self.whole).hexdigest())

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes, its last piece only once its hash is verified.

        Raises:
            AuthenticationError: the body is not what was signed; what was sent so
                far must not be completed.
            ClientGoneError: the client stopped in the middle.
        """
        signed = self.authorization.payload is PayloadMode.SIGNED
        digest = hashlib.sha256()
        kept = b""
        while (piece := await self._client.body_piece()) is not None:
            if signed:
                digest.update(piece)
                kept, piece = piece, kept
            if piece:
                yield piece
        if signed:
            _match(self.authorization, digest.hexdigest())
            if kept:
                yield kept

    def release(self) -> None:
        """Give the reserved memory back."""
        self._gate.parameter_bytes -= self._reserved
        self._reserved = 0

    def _reserve(self, count: int) -> None:
        if self._reserved + count > limits.PARAMETER_BODY_BYTES_MAX:
            raise LimitError(
                "limit.parameter_body",
                f"the request body is over {limits.PARAMETER_BODY_BYTES_MAX} bytes",
                status=413,
                aws_code="RequestEntityTooLargeException",
            )
        if self._gate.parameter_bytes + count > limits.PARAMETER_BODIES_BYTES_MAX:
            raise UnavailableError(
                "limit.parameter_bodies",
                "too many large requests at once; nothing was done, try again",
            )
        self._gate.parameter_bytes += count
        self._reserved += count


def _match(authorization: Authorization, sha256: str) -> None:
    if sha256 != authorization.content_sha256:
        raise AuthenticationError(
            "auth.body_hash",
            "the body's SHA-256 is not what x-amz-content-sha256 says",
            aws_code="XAmzContentSHA256Mismatch",
            status=400,
        )
