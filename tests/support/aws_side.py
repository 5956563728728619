"""AWS's side of a request: taken apart, and its signature verified.

By the slow reference implementation, with the key of the gateway's own that
`stand.Stand` starts it with.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from scripted_upstream import ScriptedUpstream

from tests.reference.sigv4 import Client, percent_decode

OWN_KEY_ID = "AKIAGATEWAYOWNKEY000"
OWN_SECRET = "gateway-own-secret-key-0000000000000000"

_authorization = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([\w-]+)/(\S+), SignedHeaders=(\S+), Signature=(\w{64})"
).fullmatch


@dataclass
class Received:
    """One request as it came."""

    method: bytes
    target: bytes
    fields: list[tuple[bytes, bytes]]
    """Names in lower case."""
    body: bytes
    """With its framing."""

    def field(self, name: bytes) -> bytes:
        return dict(self.fields).get(name, b"")

    def verified(self) -> tuple[Client, str]:
        """The gateway as AWS knows it, and the signature of the head, which holds."""
        match = _authorization(self.field(b"authorization").decode())
        assert match is not None, self.fields
        key, scope, listed, signature = match.groups()
        assert key == OWN_KEY_ID
        own = self._client(scope, self.field(b"x-amz-date"))
        hashed = self.field(b"x-amz-content-sha256").decode()
        assert signature == own.signature(
            self.method, self.target, self.fields, listed.split(";"), hashed
        )
        return own, signature

    def verified_query(self) -> dict[str, str]:
        """The parameters of a presigned URL, whose signature holds."""
        start, _, signature = self.target.rpartition(b"&X-Amz-Signature=")
        given = self.query()
        key, _, scope = given["X-Amz-Credential"].partition("/")
        assert key == OWN_KEY_ID
        own = self._client(scope, given["X-Amz-Date"].encode())
        listed = given["X-Amz-SignedHeaders"].split(";")
        s3 = own.service == "s3"
        hashed = "UNSIGNED-PAYLOAD" if s3 else EMPTY_SHA256
        assert signature.decode() == own.signature(
            self.method, start, self.fields, listed, hashed
        )
        return given

    def query(self) -> dict[str, str]:
        """The parameters of the query, decoded."""
        pairs = self.target.partition(b"?")[2].split(b"&")
        return {
            name.decode(): percent_decode(value).decode()
            for name, _, value in (pair.partition(b"=") for pair in pairs)
        }

    @staticmethod
    def _client(scope: str, amz_date: bytes) -> Client:
        _, region, service, _ = scope.split("/")
        return Client(OWN_KEY_ID, OWN_SECRET, region, service, amz_date.decode())


EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def take_apart(request: bytes) -> Received:
    """A request's parts."""
    head, _, body = request.partition(b"\r\n\r\n")
    line, *lines = head.split(b"\r\n")
    method, target, _ = line.split(b" ")
    fields = [(n.lower(), v) for n, _, v in (line.partition(b": ") for line in lines)]
    return Received(method, target, fields, body)


def the_one(upstream: ScriptedUpstream) -> Received:
    """The only request that came, or what came of it before it was cut."""
    deadline = time.monotonic() + 10
    while not upstream.requests and time.monotonic() < deadline:
        time.sleep(0.01)
    (request,) = upstream.requests
    return take_apart(request)
