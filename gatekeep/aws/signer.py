"""Signs what goes up to AWS, in header fields or as a presigned URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack
from urllib.parse import quote, urlencode

from gatekeep.aws.authorization import UNSIGNED_PAYLOAD
from gatekeep.aws.canonical import (
    S3_FAMILY,
    SignedNames,
    canonical_fields,
    canonical_request,
    signed_names,
)
from gatekeep.aws.credentials import UpstreamCredentials
from gatekeep.aws.signature_chain import SignatureChain
from gatekeep.aws.signing_keys import amz_date_of, signature_of, signing_key
from gatekeep.http.messages import Field

_REPLACED = frozenset(
    {
        b"authorization",
        b"date",
        b"x-amz-content-sha256",
        b"x-amz-date",
        b"x-amz-region-set",
        b"x-amz-s3session-token",
        b"x-amz-security-token",
    }
)
"""Fields of the client's signature: none of them goes upstream (I4)."""

_SIGNED_TOO = frozenset({b"content-md5", b"content-type", b"host"})
"""Fields that are signed beside ``x-amz-*``: the least that AWS asks for. All
others may be changed by a hop on AWS's side, which would break the signature."""


class SignArguments(TypedDict):
    """What `Signer.sign` takes."""

    method: bytes
    path: bytes
    query: bytes
    fields: Sequence[Field]
    body_sha256: str
    service: str
    region: str
    credentials: UpstreamCredentials
    now_s: float


class Signer:
    """Signs requests to AWS with credentials of the gateway's."""

    __slots__ = ()

    def sign(  # noqa: PLR0913 -- a request has this many parts
        self,
        *,
        method: bytes,
        path: bytes,
        query: bytes,
        fields: Sequence[Field],
        body_sha256: str,
        service: str,
        region: str,
        credentials: UpstreamCredentials,
        now_s: float,
    ) -> list[Field]:
        """Return the fields to send: those given, signed.

        Args:
            method: as sent.
            path: raw, as sent.
            query: raw, as sent.
            fields: lower-case names; ``host`` is among them. What the client signed
                with is dropped.
            body_sha256: hash of the body sent, hex, or a `PayloadMode` value.
            service: the signing name.
            region: the signing region.
            credentials: whom to sign as.
            now_s: seconds since 1970.
        """
        amz_date = amz_date_of(int(now_s))
        kept = [field for field in fields if field[0] not in _REPLACED]
        kept.append((b"x-amz-content-sha256", body_sha256.encode()))
        kept.append((b"x-amz-date", amz_date.encode()))
        if credentials.session_token:
            kept.append((b"x-amz-security-token", credentials.session_token.encode()))
        by_name = dict(reversed(kept))
        names = _names_to_sign(by_name)
        canonical = canonical_request(
            method=method,
            path=path,
            query=query,
            service=service,
            fields=canonical_fields(names, kept, by_name),
            listed=names.listed,
            body_sha256=body_sha256,
        )
        date = amz_date[:8]
        scope = f"{date}/{region}/{service}/aws4_request"
        key = signing_key(credentials, date, region, service)
        signature = signature_of(canonical, key=key, amz_date=amz_date, scope=scope)
        value = (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key_id}/{scope},"
            f" SignedHeaders={names.listed.decode()}, Signature={signature}"
        )
        kept.append((b"authorization", value.encode()))
        return kept

    def sign_stream(
        self, **arguments: Unpack[SignArguments]
    ) -> tuple[list[Field], SignatureChain]:
        """Return what `sign` gives, and the signature that goes on in the body."""
        signed = self.sign(**arguments)
        amz_date = amz_date_of(int(arguments["now_s"]))
        date, region, service = amz_date[:8], arguments["region"], arguments["service"]
        chain = SignatureChain(
            signing_key(arguments["credentials"], date, region, service),
            scope=f"{date}/{region}/{service}/aws4_request",
            amz_date=amz_date,
            seed=signed[-1][1][-64:].decode(),
        )
        return signed, chain

    def presign(
        self, expires_s: int, **arguments: Unpack[SignArguments]
    ) -> tuple[bytes, list[Field]]:
        """Return the query and the fields to send: signed in the query.

        For what came as a presigned URL: SDKs move ``x-amz-`` headers into such a
        query, and S3 reads them there only beside a signature. Also for URLs that a
        request carries as a parameter (EC2 CopySnapshot).

        Args:
            expires_s: how long the URL holds, 1 to 604800.
            arguments: as for `sign`; the query without any signature.
        """
        credentials = arguments["credentials"]
        kept = [field for field in arguments["fields"] if field[0] not in _REPLACED]
        by_name = dict(reversed(kept))
        names = _names_to_sign(by_name)
        amz_date = amz_date_of(int(arguments["now_s"]))
        date, region, service = amz_date[:8], arguments["region"], arguments["service"]
        scope = f"{date}/{region}/{service}/aws4_request"
        added = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{credentials.access_key_id}/{scope}",
            "X-Amz-Date": amz_date,
            "X-Amz-Expires": str(expires_s),
            "X-Amz-SignedHeaders": names.listed.decode(),
        }
        if credentials.session_token:
            added["X-Amz-Security-Token"] = credentials.session_token
        if service in S3_FAMILY and arguments["body_sha256"] != UNSIGNED_PAYLOAD:
            # S3 takes the body of a presigned URL for unsigned unless told.
            added["X-Amz-Content-Sha256"] = arguments["body_sha256"]
        query = arguments["query"] + b"&" if arguments["query"] else b""
        query += urlencode(added, safe="~", quote_via=quote).encode()
        canonical = canonical_request(
            method=arguments["method"],
            path=arguments["path"],
            query=query,
            service=service,
            fields=canonical_fields(names, kept, by_name),
            listed=names.listed,
            body_sha256=arguments["body_sha256"],
        )
        key = signing_key(credentials, date, region, service)
        signature = signature_of(canonical, key=key, amz_date=amz_date, scope=scope)
        return query + b"&X-Amz-Signature=" + signature.encode(), kept


def _names_to_sign(by_name: Mapping[bytes, bytes]) -> SignedNames:
    return signed_names(
        b";".join(
            sorted(
                [
                    name
                    for name in by_name
                    if name.startswith(b"x-amz-") or name in _SIGNED_TOO
                ]
            )
        )
    )
