"""Answers in which AWS refuses the gateway's own signature: none goes to a client (I4).

Such an answer quotes what it refuses: S3's SignatureDoesNotMatch holds the access key
id, the signature and the whole canonical request, its ExpiredToken the session token.
It is not about the client's signature either, which was verified here: an SDK that
read it would throw good credentials away or set its clock by AWS's.
"""

from __future__ import annotations

import re
from collections import deque

from gatekeep import limits
from gatekeep.aws.credentials import UpstreamCredentials
from gatekeep.errors import UpstreamError
from gatekeep.gateway.upstream import UpstreamConnection
from gatekeep.http.messages import ResponseHead

_CODES = (
    "ExpiredToken", "ExpiredTokenException", "IncompleteSignature",
    "IncompleteSignatureException", "InvalidAccessKeyId", "InvalidClientTokenId",
    "InvalidSecurity", "InvalidSignatureException", "InvalidToken",
    "MissingAuthenticationToken", "MissingAuthenticationTokenException",
    "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)  # fmt: skip
"""What AWS services answer to a signature, key, token or time that they refuse.

AuthorizationHeaderMalformed is not among them: S3 says so to a signature for another
region, and SDKs sign again for the region that it names.
"""

_ABOUT_A_PARAMETER = frozenset(
    {
        ("eks-auth", "ExpiredTokenException"),
        ("meteringmarketplace", "ExpiredTokenException"),
        ("stepfunctions", "InvalidToken"),
    }
)
"""Services whose models give such a code another meaning: a token among the call's
parameters does not hold."""

_refusal = re.compile(
    # XML; JSON; CBOR, where the text's length stands between name and text.
    rb'(?:<Code>|"(?:__type|[Cc]ode)"\s*:\s*"(?:[\w.]+#)?|__type[^"]{1,3}?(?:[\w.]+#)?)'
    rb"(" + "|".join(_CODES).encode() + rb")\b"
).search
_refusal_field = re.compile(
    rb"(?:[\w.]+#)?(" + "|".join(_CODES).encode() + rb")\b"
).match


class CredentialsRefusedError(UpstreamError):
    """AWS refused the gateway's own signature, so nothing happened there.

    Attributes:
        aws_says: the code that AWS answered with, for the operator's log.
    """

    def __init__(self, aws_says: str) -> None:
        super().__init__(
            "upstream.credentials_refused",
            "AWS refused the gateway's own credentials; nothing was done, and the"
            " gateway's operator has to look",
        )
        self.aws_says = aws_says


class ReadAhead:
    """An upstream's answer whose beginning was read already."""

    __slots__ = ("_early", "_ended", "_upstream")

    def __init__(
        self, upstream: UpstreamConnection, early: list[bytes], *, ended: bool
    ) -> None:
        self._upstream = upstream
        self._early = deque(early)
        self._ended = ended

    async def answer_data(self) -> bytes | None:
        """As `UpstreamConnection.answer_data`."""
        if self._early:
            return self._early.popleft()
        return None if self._ended else await self._upstream.answer_data()


async def look_at_fault(
    upstream: UpstreamConnection,
    answer: ResponseHead,
    service: str,
    credentials: UpstreamCredentials,
    signature: bytes,
) -> ReadAhead:
    """Read the beginning of an answer that is a fault; give the whole answer.

    Args:
        upstream: whose head has arrived.
        answer: that head.
        service: botocore's name of the service that answers.
        credentials: what the request was signed with.
        signature: what signing gave, hex.

    Raises:
        CredentialsRefusedError: the fault is about them, or quotes them.
        UpstreamError: as `UpstreamConnection.answer_data`.
    """
    pieces: list[bytes] = []
    total = 0
    ended = False
    while not ended and total < limits.FAULT_BYTES_READ_AHEAD:
        piece = await upstream.answer_data()
        if piece is None:
            ended = True
        else:
            pieces.append(piece)
            total += len(piece)
    body = b"".join(pieces)
    found = _refusal_field(answer.get(b"x-amzn-errortype")) or _refusal(body)
    code = found[1].decode() if found else ""
    if code and (service, code) not in _ABOUT_A_PARAMETER:
        raise CredentialsRefusedError(code)
    said = b"\n".join([value for _, value in answer.fields] + [body])
    own = (credentials.access_key_id, credentials.session_token or "")
    if any(part in said for part in (*map(str.encode, own), signature) if part):
        raise CredentialsRefusedError("a fault that quotes them")
    return ReadAhead(upstream, pieces, ended=ended)
