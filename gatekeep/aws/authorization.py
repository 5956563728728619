"""What a request says of its own signature: parsed, not yet believed.

A signature stands in the ``Authorization`` field or, in a presigned URL, in the
query. What is not SigV4 is refused with a message that says how to get SigV4.
"""

from __future__ import annotations

import calendar
import email.utils
import re
import time
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, NoReturn
from urllib.parse import unquote_to_bytes

from gatekeep.aws.canonical import S3_FAMILY, SignedNames, signed_names
from gatekeep.errors import AuthenticationError
from gatekeep.http.messages import RequestHead
from gatekeep.limits import SIGNED_HEADERS_BYTES_MAX

EMPTY_SHA256 = sha256(b"").hexdigest()
"""The hash of no body."""

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
"""What stands for the body's hash when the signature does not cover the body."""

PRESIGNED_EXPIRES_S_MAX = 604_800
"""Longest life of a presigned URL: a week, as AWS has it."""


class PayloadMode(Enum):
    """How the signature covers the body: what ``x-amz-content-sha256`` says."""

    ABSENT = ""
    """No field: the signature covers the SHA-256 of the body, so the body is read
    before the signature can be checked."""
    SIGNED = "SHA-256"
    """The field holds the body's SHA-256."""
    UNSIGNED = UNSIGNED_PAYLOAD
    STREAMING_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    """aws-chunked with a checksum in its trailer."""
    STREAMING_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    """aws-chunked, each chunk signed."""
    STREAMING_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    """aws-chunked, each chunk and the trailer signed."""
    EVENTS = "STREAMING-AWS4-HMAC-SHA256-EVENTS"
    """An event stream, each message signed."""

    @property
    def is_aws_chunked(self) -> bool:
        """Whether the body is framed as aws-chunked."""
        return self in _AWS_CHUNKED


_AWS_CHUNKED = {
    PayloadMode.STREAMING_UNSIGNED_TRAILER,
    PayloadMode.STREAMING_SIGNED,
    PayloadMode.STREAMING_SIGNED_TRAILER,
}
_MODES = {mode.value: mode for mode in PayloadMode if mode is not PayloadMode.SIGNED}
_is_sha256 = re.compile(r"[0-9a-f]{64}").fullmatch


class Authorization(NamedTuple):
    """What a request says of its signature."""

    access_key_id: str
    date: str
    """The scope's date, ``YYYYMMDD``."""
    region: str
    service: str
    """The scope's service: a signing name such as ``dynamodb``."""
    signed: SignedNames
    """Names that the signature covers, in the client's order."""
    signature: bytes
    """64 hex digits."""
    amz_date: str
    """When it was signed, ``YYYYMMDDTHHMMSSZ``."""
    signed_at_s: int
    """The same, in seconds since 1970."""
    session_token: bytes
    """Empty when there is none."""
    payload: PayloadMode
    content_sha256: str
    """``x-amz-content-sha256`` as sent, or what stands for it in a presigned URL.
    Empty when the hash is to be computed from the body."""
    presigned: bool = False
    expires_s: int = 0
    """How long a presigned URL holds from its date; 0 for a header signature."""

    def __repr__(self) -> str:
        return (
            f"Authorization({self.access_key_id}, {self.scope}, {self.amz_date},"
            f" {self.payload.name}, presigned={self.presigned})"
        )

    @property
    def signed_headers(self) -> tuple[bytes, ...]:
        """Names that the signature covers, in the client's order."""
        return self.signed.names

    @property
    def scope(self) -> str:
        """``date/region/service/aws4_request``."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


_CREDENTIAL = rb"([\w+=.@-]+)/(\d{8})/([a-z0-9-]+)/([A-Za-z0-9._-]+)/aws4_request"
_credential = re.compile(_CREDENTIAL).fullmatch
_authorization = re.compile(
    rb"AWS4-HMAC-SHA256 +Credential=" + _CREDENTIAL + rb", *"
    rb"SignedHeaders=([^,\s]+), *Signature=([0-9a-f]{64})"
).fullmatch
_is_signature = re.compile(rb"[0-9a-f]{64}").fullmatch
_is_seconds = re.compile(rb"[0-9]{1,6}").fullmatch


def parse_authorization(head: RequestHead) -> Authorization:
    """Return what a request says of its signature, in header or query.

    Raises:
        AuthenticationError: MissingAuthenticationToken when there is no signature,
            IncompleteSignature when it lacks a part, InvalidRequest when it is not
            SigV4 or says two different things.
    """
    fields = head.by_name
    value = fields.get(b"authorization")
    if value is None:
        return _parse_query(head)
    match = _authorization(value)
    if match is None:
        _refuse_authorization(value)
    if len(fields) != len(head.fields):
        _refuse_repeated(head)
    if b"X-Amz-Algorithm=" in head.query or b"X-Amz-Signature=" in head.query:
        _refuse("two", "a signature in the header and in the query: send one")
    access_key_id, date, region, service, listed, signature = match.groups()
    amz_date, signed_at_s = _signed_at(fields)
    sent = fields.get(b"x-amz-content-sha256", b"").decode("latin-1")
    payload = _payload(sent)
    name = service.decode()
    if payload is PayloadMode.ABSENT and name in S3_FAMILY:
        _refuse("content_sha256", "missing required header x-amz-content-sha256")
    return Authorization(
        access_key_id.decode(),
        date.decode(),
        region.decode(),
        name,
        _names(listed),
        signature,
        amz_date,
        signed_at_s,
        fields.get(b"x-amz-security-token", b""),
        payload,
        sent,
    )


def _parse_query(head: RequestHead) -> Authorization:
    """What a presigned URL says of its signature."""
    if b"X-Amz-Algorithm=" not in head.query and b"X-Amz-Signature=" not in head.query:
        if b"AWSAccessKeyId=" in head.query and b"Signature=" in head.query:
            _refuse_authorization(b"AWS")
        refuse_unsigned()
    given: dict[bytes, bytes] = {}
    for pair in head.query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name in given and name.startswith(b"X-Amz-"):
            _refuse("repeated", f"{name.decode('latin-1')} is in the query twice")
        given[name] = unquote_to_bytes(value)
    algorithm = given.get(b"X-Amz-Algorithm", b"")
    if algorithm != b"AWS4-HMAC-SHA256":
        _refuse_authorization(algorithm)
    if len(head.by_name) != len(head.fields):
        _refuse_repeated(head)
    missing = [name for name in _QUERY_PARTS if not given.get(name)]
    if missing:
        _refuse_incomplete(f"the query lacks {b', '.join(missing).decode()}")
    credential = _credential(given[b"X-Amz-Credential"])
    signature = given[b"X-Amz-Signature"]
    expires = given[b"X-Amz-Expires"]
    if credential is None:
        _refuse_incomplete("X-Amz-Credential is not <key>/<date>/<region>/<service>/aws4_request")  # fmt: skip
    if not _is_signature(signature):
        _refuse_incomplete("X-Amz-Signature is not 64 hex digits")
    if not _is_seconds(expires) or not 1 <= int(expires) <= PRESIGNED_EXPIRES_S_MAX:
        _refuse_incomplete("X-Amz-Expires is not 1 to 604800 seconds")
    amz_date, signed_at_s = _signed_at({b"x-amz-date": given[b"X-Amz-Date"]})
    access_key_id, date, region, service = (
        part.decode() for part in credential.groups()
    )
    sent = (
        given.get(b"X-Amz-Content-Sha256") or head.get(b"x-amz-content-sha256")
    ).decode("latin-1")
    if not sent and service in S3_FAMILY:
        sent = UNSIGNED_PAYLOAD
    return Authorization(
        access_key_id,
        date,
        region,
        service,
        _names(given[b"X-Amz-SignedHeaders"]),
        signature,
        amz_date,
        signed_at_s,
        given.get(b"X-Amz-Security-Token", b""),
        _payload(sent),
        sent,
        presigned=True,
        expires_s=int(expires),
    )


_QUERY_PARTS = (
    b"X-Amz-Credential",
    b"X-Amz-Date",
    b"X-Amz-Expires",
    b"X-Amz-SignedHeaders",
    b"X-Amz-Signature",
)


def _payload(content_sha256: str) -> PayloadMode:
    """The mode that ``x-amz-content-sha256`` names."""
    mode = _MODES.get(content_sha256)
    if mode is not None:
        return mode
    if "ECDSA" in content_sha256:
        _refuse_authorization(b"AWS4-ECDSA-P256-SHA256")
    if not _is_sha256(content_sha256):
        _refuse(
            "content_sha256",
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING- value that"
            " SigV4 has, or a SHA-256 in lower-case hex",
        )
    return PayloadMode.SIGNED


def _names(listed: bytes) -> SignedNames:
    if len(listed) > SIGNED_HEADERS_BYTES_MAX:
        _refuse_incomplete("too many signed headers")
    try:
        signed = signed_names(listed)
    except ValueError as error:
        _refuse_incomplete(f"SignedHeaders: {error}")
    if b"host" not in signed.as_set:
        _refuse_incomplete("'host' must be a signed header")
    return signed


def _signed_at(fields: Mapping[bytes, bytes]) -> tuple[str, int]:
    """The time of signing, from X-Amz-Date or else Date, as text and seconds."""
    value = fields.get(b"x-amz-date") or fields.get(b"date")
    if value is None:
        _refuse_incomplete("the request has neither X-Amz-Date nor Date")
    try:
        return _moment(value)
    except (ValueError, TypeError, OverflowError):
        _refuse_incomplete("the date is not of the form YYYYMMDDTHHMMSSZ")


@lru_cache(maxsize=256)
def _moment(value: bytes) -> tuple[str, int]:
    """A date, ISO 8601 basic or of an HTTP ``Date`` field, as text and seconds.

    Raises:
        ValueError, TypeError, OverflowError: it is neither.
    """
    text = value.decode("ascii")
    if len(text) > 40:
        raise ValueError("too long for a date")
    if len(text) == 16 and text[8] == "T":
        return text, calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ"))
    moment = email.utils.parsedate_to_datetime(text).utctimetuple()
    return time.strftime("%Y%m%dT%H%M%SZ", moment), calendar.timegm(moment)


def refuse_unsigned() -> NoReturn:
    """Refuse a request without a signature, and say how to sign it.

    Some 50 operations are unsigned in every SDK (Cognito sign-in and the like). Nobody
    is known to ask then, so no policy could permit them; AWS takes them signed too.

    Raises:
        AuthenticationError: MissingAuthenticationToken.
    """
    raise AuthenticationError(
        "signature.missing",
        "the request is not signed, and nothing but AssumeRoleWithWebIdentity passes"
        " unsigned, also not what SDKs leave unsigned (Cognito sign-in and the like):"
        " sign it so that policy can decide, in boto3 with"
        ' client.meta.events.register_first("choose-signer", lambda **_: "v4")',
        aws_code="MissingAuthenticationToken",
    )


def _refuse_authorization(value: bytes) -> NoReturn:
    """Say what is wrong with an ``Authorization`` field or algorithm."""
    scheme = value.split(b" ", 1)[0]
    if scheme == b"AWS":
        _refuse(
            "sigv2",
            "signed with Signature Version 2; sign with Version 4: in boto3"
            ' Config(signature_version="s3v4"), in ~/.aws/config'
            " s3 = signature_version = s3v4",
        )
    if scheme == b"AWS4-ECDSA-P256-SHA256":
        _refuse(
            "sigv4a",
            "signed with SigV4A, which is for several regions; sign with SigV4 for"
            " one: set AWS_AUTH_SCHEME_PREFERENCE=sigv4 and use no multi-region"
            " endpoint",
        )
    if scheme == b"Bearer":
        _refuse(
            "bearer",
            "a bearer token does not authenticate here; unset AWS_BEARER_TOKEN_*"
            " so that the SDK signs with SigV4",
        )
    if scheme != b"AWS4-HMAC-SHA256":
        _refuse("scheme", "the signature is not of AWS4-HMAC-SHA256")
    for part in (b"Credential", b"SignedHeaders", b"Signature"):
        if part + b"=" not in value:
            _refuse_incomplete(f"the Authorization header lacks {part.decode()}")
    _refuse_incomplete("the Authorization header is malformed")


def _refuse_repeated(head: RequestHead) -> None:
    """Refuse a field that says twice what may be said once."""
    for name in (
        b"authorization",
        b"host",
        b"x-amz-content-sha256",
        b"x-amz-date",
        b"x-amz-security-token",
    ):
        if len(head.values(name)) > 1:
            _refuse("repeated", f"header {name.decode()} is there twice")


def _refuse_incomplete(message: str) -> NoReturn:
    raise AuthenticationError(
        "signature.incomplete", message, aws_code="IncompleteSignature", status=400
    )


def _refuse(code: str, message: str) -> NoReturn:
    raise AuthenticationError(
        f"signature.{code}", message, aws_code="InvalidRequest", status=400
    )
