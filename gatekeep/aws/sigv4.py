"""AWS Signature Version 4: verify what agents signed, sign what AWS gets.

Verification works on the head as it was received, before any hop changes it, and
returns the verified thing or raises. Source: "AWS Signature Version 4 for API
requests", AWS IAM User Guide, and its S3 chapter.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, Protocol

from gatekeep.aws.authorization import (
    Authorization,
    PayloadMode,
    parse_authorization,
)
from gatekeep.aws.canonical import (
    canonical_fields,
    canonical_request,
    signed_names,
)
from gatekeep.aws.credentials import UpstreamCredentials
from gatekeep.aws.signature_chain import SignatureChain
from gatekeep.errors import AuthenticationError
from gatekeep.http.messages import Field, RequestHead
from gatekeep.limits import SIGNATURE_SKEW_S, SIGNING_KEYS_MAX
from gatekeep.principal import Secret, Session

__all__ = [
    "Authorization",
    "PayloadMode",
    "Signer",
    "Verified",
    "parse_authorization",
    "signed_body_sha256",
    "verify_head",
]


class Verified(NamedTuple):
    """A request whose signature holds."""

    session: Session
    authorization: Authorization
    signing_key: bytes

    def __repr__(self) -> str:
        return f"Verified({self.session.id}, {self.authorization!r})"

    def chain(self) -> SignatureChain:
        """The signature that goes on through the body."""
        return SignatureChain(
            self.signing_key,
            scope=self.authorization.scope,
            amz_date=self.authorization.amz_date,
            seed=self.authorization.signature.decode(),
        )


def verify_head(
    head: RequestHead,
    authorization: Authorization,
    session: Session,
    *,
    now_s: float,
    body_sha256: str,
) -> Verified:
    """Verify a request's signature against the session that it names.

    Args:
        head: exactly as received.
        authorization: what `parse_authorization` made of that head.
        session: opened from the request's session token.
        now_s: seconds since 1970.
        body_sha256: what `signed_body_sha256` gives, or for a body that is not
            read yet ``authorization.content_sha256``.

    Raises:
        AuthenticationError: InvalidClientTokenId, RequestTimeTooSkewed,
            AccessDenied (expired URL, unsigned ``x-amz-`` header) or
            SignatureDoesNotMatch.
    """
    if authorization.access_key_id != session.access_key_id:
        raise AuthenticationError(
            "signature.key",
            "the access key does not belong to the session token",
            aws_code="InvalidClientTokenId",
        )
    _check_time(authorization, now_s)
    signed = authorization.signed
    for name in head.by_name.keys() - signed.as_set:
        if name.startswith(b"x-amz-"):
            raise AuthenticationError(
                "signature.unsigned_header",
                f"the header {name.decode('latin-1')} is not signed",
                aws_code="AccessDenied",
            )
    try:
        fields = canonical_fields(signed, head.fields, head.by_name)
    except KeyError as error:
        raise AuthenticationError(
            "signature.absent_header",
            f"the signed header {error.args[0].decode('latin-1')} is not there",
            aws_code="SignatureDoesNotMatch",
        ) from error
    canonical = canonical_request(
        method=head.method,
        path=head.path,
        query=without_signature(head.query) if authorization.presigned else head.query,
        service=authorization.service,
        fields=fields,
        listed=signed.listed,
        body_sha256=body_sha256,
    )
    key = signing_key(
        session, authorization.date, authorization.region, authorization.service
    )
    expected = _signature(key, authorization.amz_date, authorization.scope, canonical)
    if not hmac.compare_digest(expected.encode(), authorization.signature):
        raise AuthenticationError(
            "signature.mismatch",
            "the signature does not match the request: the secret key is not the"
            " session's, or something between client and gateway changed the request",
            aws_code="SignatureDoesNotMatch",
        )
    return Verified(session, authorization, key)


def signed_body_sha256(authorization: Authorization, body: bytes) -> str:
    """Return what stands for a body that was read in the canonical request.

    Raises:
        AuthenticationError: XAmzContentSHA256Mismatch when the body is not the one
            whose hash the head names.
    """
    if authorization.payload is PayloadMode.ABSENT:
        return sha256(body).hexdigest()
    if authorization.payload is PayloadMode.SIGNED:
        actual = sha256(body).hexdigest()
        if actual != authorization.content_sha256:
            raise AuthenticationError(
                "signature.body",
                "x-amz-content-sha256 is not the SHA-256 of the body that came",
                aws_code="XAmzContentSHA256Mismatch",
                status=400,
            )
    return authorization.content_sha256


def without_signature(query: bytes) -> bytes:
    """Return a presigned query as it was when it was signed."""
    return b"&".join(
        [pair for pair in query.split(b"&") if not pair.startswith(b"X-Amz-Signature=")]
    )


def _check_time(authorization: Authorization, now_s: float) -> None:
    """Refuse a signature of another time, or of another day than its scope."""
    age_s = now_s - authorization.signed_at_s
    if authorization.presigned:
        if age_s > authorization.expires_s:
            raise AuthenticationError(
                "signature.expired", "Request has expired", aws_code="AccessDenied"
            )
        age_s = min(age_s, 0)
    if not -SIGNATURE_SKEW_S <= age_s <= SIGNATURE_SKEW_S:
        raise AuthenticationError(
            "signature.skew",
            f"signed at {authorization.amz_date}, and it is {_amz_date(int(now_s))}"
            f" here: more than {SIGNATURE_SKEW_S} s apart; set the clock",
            aws_code="RequestTimeTooSkewed",
        )
    if not authorization.amz_date.startswith(authorization.date):
        raise AuthenticationError(
            "signature.scope_date",
            "the date of the credential scope is not the date of the request",
            aws_code="SignatureDoesNotMatch",
        )


class KeyHolder(Protocol):
    """Who signs: a session, or upstream credentials."""

    @property
    def secret_access_key(self) -> Secret:
        """What keys are derived from."""

    @property
    def signing_keys(self) -> dict[tuple[str, str, str], bytes]:
        """Keys derived so far."""


def signing_key(holder: KeyHolder, date: str, region: str, service: str) -> bytes:
    """Return the key that a holder signs with in a scope; derived once."""
    key = holder.signing_keys.get((date, region, service))
    if key is None:
        key = b"AWS4" + holder.secret_access_key.reveal()
        for part in (date, region, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        if len(holder.signing_keys) >= SIGNING_KEYS_MAX:
            holder.signing_keys.clear()
        holder.signing_keys[date, region, service] = key
    return key


def _signature(key: bytes, amz_date: str, scope: str, canonical: bytes) -> str:
    hashed = sha256(canonical).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n{hashed}"
    return hmac.digest(key, text.encode(), "sha256").hex()


@lru_cache(maxsize=4)
def _amz_date(second: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))


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
        kept = [field for field in fields if field[0] not in _REPLACED]
        amz_date = _amz_date(int(now_s))
        added = [
            (b"x-amz-content-sha256", body_sha256.encode()),
            (b"x-amz-date", amz_date.encode()),
        ]
        if credentials.session_token:
            added.append((b"x-amz-security-token", credentials.session_token.encode()))
        kept += added
        by_name = dict(reversed(kept))
        names = signed_names(
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
        signature = _signature(key, amz_date, scope, canonical)
        kept.append(
            (
                b"authorization",
                b"AWS4-HMAC-SHA256 Credential=%b/%b, SignedHeaders=%b, Signature=%b"
                % (
                    credentials.access_key_id.encode(),
                    scope.encode(),
                    names.listed,
                    signature.encode(),
                ),
            )
        )
        return kept

    def sign_stream(  # noqa: PLR0913 -- a request has this many parts
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
    ) -> tuple[list[Field], SignatureChain]:
        """Return what `sign` gives, and the signature that goes on in the body."""
        signed = self.sign(
            method=method,
            path=path,
            query=query,
            fields=fields,
            body_sha256=body_sha256,
            service=service,
            region=region,
            credentials=credentials,
            now_s=now_s,
        )
        amz_date = _amz_date(int(now_s))
        date = amz_date[:8]
        chain = SignatureChain(
            signing_key(credentials, date, region, service),
            scope=f"{date}/{region}/{service}/aws4_request",
            amz_date=amz_date,
            seed=signed[-1][1][-64:].decode(),
        )
        return signed, chain
