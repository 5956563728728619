"""AWS Signature Version 4: verify what agents signed.

The door of all signing: parsing is in `authorization`, signing in `signer`.
Verification works on the head as it was received, before any hop changes it, and
returns the verified thing or raises. Source: "AWS Signature Version 4 for API
requests", AWS IAM User Guide, and its S3 chapter.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import NamedTuple

from gatekeep.aws.authorization import (
    Authorization,
    PayloadMode,
    parse_authorization,
)
from gatekeep.aws.canonical import canonical_fields, canonical_request
from gatekeep.aws.signature_chain import SignatureChain
from gatekeep.aws.signer import Signer
from gatekeep.aws.signing_keys import SigningKey, amz_date_of, signature_of, signing_key
from gatekeep.errors import AuthenticationError
from gatekeep.http.messages import RequestHead
from gatekeep.limits import SIGNATURE_SKEW_S
from gatekeep.principal import Session

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
    signing_key: SigningKey

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
    expected = signature_of(
        canonical,
        key=key,
        amz_date=authorization.amz_date,
        scope=authorization.scope,
    )
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
            f"signed at {authorization.amz_date}, and it is {amz_date_of(int(now_s))}"
            f" here: more than {SIGNATURE_SKEW_S} s apart; set the clock",
            aws_code="RequestTimeTooSkewed",
        )
    if not authorization.amz_date.startswith(authorization.date):
        raise AuthenticationError(
            "signature.scope_date",
            "the date of the credential scope is not the date of the request",
            aws_code="SignatureDoesNotMatch",
        )
