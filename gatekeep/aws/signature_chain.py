"""Signatures that go on through an aws-chunked body: each covers the one before.

Source: "Signature calculations for the Authorization header: transferring payload
in multiple chunks", Amazon S3 API Reference.
"""

from __future__ import annotations

from hashlib import sha256

from gatekeep.aws.authorization import EMPTY_SHA256
from gatekeep.aws.signing_keys import SigningKey


class SignatureChain:
    """The running signature of one body."""

    __slots__ = ("_amz_date", "_key", "_scope", "previous")

    def __init__(
        self, key: SigningKey, *, scope: str, amz_date: str, seed: str
    ) -> None:
        """Start at the signature of the head.

        Args:
            key: derived for the scope.
            scope: ``date/region/service/aws4_request``.
            amz_date: when the head was signed.
            seed: the head's signature, hex.
        """
        self._key = key
        self._scope = scope
        self._amz_date = amz_date
        self.previous = seed

    def chunk(self, data_sha256: str) -> str:
        """Sign the next chunk of an aws-chunked body, by the hash of its data."""
        return self._next("AWS4-HMAC-SHA256-PAYLOAD", f"{EMPTY_SHA256}\n{data_sha256}")

    def trailer(self, lines: bytes) -> str:
        """Sign an aws-chunked trailer: canonical lines, each with its line feed."""
        return self._next("AWS4-HMAC-SHA256-TRAILER", sha256(lines).hexdigest())

    def _next(self, algorithm: str, hashes: str) -> str:
        text = (
            f"{algorithm}\n{self._amz_date}\n{self._scope}\n{self.previous}\n{hashes}"
        )
        self.previous = self._key.sign(text.encode())
        return self.previous
