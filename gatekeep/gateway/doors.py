"""The requests that gatekeep answers itself: they never go up.

`AssumeRoleWithWebIdentity` and container credentials turn an identity token into a
sealed session; `GetCallerIdentity` says who the gateway thinks is asking. Operations
that would hand out AWS credentials are refused whatever policy says, because an
agent never holds one (I4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from gatekeep import limits
from gatekeep.audit.record import SessionIssued
from gatekeep.aws.authorization import refuse_unsigned
from gatekeep.aws.call import Call
from gatekeep.errors import LimitError, PeerError, UnsupportedError
from gatekeep.gateway.answer import Delivered, delivered_whole
from gatekeep.http.messages import RequestHead, ResponseHead
from gatekeep.identity.sts import container_fault
from gatekeep.principal import Session

if TYPE_CHECKING:
    from gatekeep.gateway.exchange import Exchange

_CREDENTIALS_PATH = b"/credentials"

_HANDS_OUT_CREDENTIALS = frozenset(
    {
        "sts:AssumeRole",
        "sts:AssumeRoleWithSAML",
        "sts:AssumeRoleWithWebIdentity",
        "sts:AssumeRoot",
        "sts:GetDelegatedAccessToken",
        "sts:GetFederationToken",
        "sts:GetSessionToken",
        "sts:GetWebIdentityToken",
        "eks-auth:AssumeRoleForPodIdentity",
        "iam:CreateAccessKey",
        "iam:CreateServiceSpecificCredential",
        "sso:GetRoleCredentials",
        "cognito-identity:GetCredentialsForIdentity",
        "s3:CreateSession",
        "s3control:GetDataAccess",
        "lakeformation:AssumeDecoratedRoleWithSAML",
        "lakeformation:GetTemporaryDataLocationCredentials",
        "lakeformation:GetTemporaryGluePartitionCredentials",
        "lakeformation:GetTemporaryGlueTableCredentials",
        "redshift:GetClusterCredentials",
        "redshift:GetClusterCredentialsWithIAM",
        "redshift-serverless:GetCredentials",
        "rolesanywhere:CreateSession",
    }
)
"""Operations whose answers hold credentials that would work past the gateway."""


_SPEAKS_BOTH_WAYS = frozenset(
    {
        "connecthealth:StartMedicalScribeListeningSession",
        "lexv2-runtime:StartConversation",
        "polly:StartSpeechSynthesisStream",
        "qbusiness:Chat",
    }
)
"""Operations whose question and answer go on at the same time. AWS takes them over
HTTP/2 only (``protocolSettings.h2`` is ``eventstream``), and we speak HTTP/1.1 up."""


def leads_to_session(head: RequestHead) -> bool:
    """Whether an unsigned request asks for a session; no other unsigned one passes."""
    authorization = head.get(b"authorization")
    if head.method == b"GET":
        path = head.path
        return not authorization.startswith(b"AWS4-") and (
            path == _CREDENTIALS_PATH or path.startswith(_CREDENTIALS_PATH + b"/")
        ) and b"X-Amz-Signature" not in head.query  # fmt: skip
    return (
        head.method == b"POST"
        and not authorization
        and head.get(b"content-type").startswith(b"application/x-www-form-urlencoded")
        and b"X-Amz-Signature" not in head.query
    )


async def give_session(exchange: Exchange) -> None:
    """Turn an identity token into a sealed session, once that is on record.

    Raises:
        AuthenticationError: the token does not hold; see `identity.sts`.
        PeerError: not a request that STS understands.
        LimitError: a form over `limits.SESSION_FORM_BYTES_MAX`.
    """
    head, door = exchange.head, exchange.gate.door
    if head.method == b"GET":
        role_name = head.path[len(_CREDENTIALS_PATH) + 1 :].decode("ascii", "replace")
        try:
            body, session = await door.container_credentials(
                head.get(b"authorization"), role_name=role_name
            )
        except PeerError as error:
            # Clients of this door parse a JSON of its own, and know no AWS shapes.
            _send(exchange, error.status, b"application/json", container_fault(error))
            return
        await _answer_session(exchange, session, body, "container")
        return
    form = await _read_form(exchange)
    action = form.get("Action", "")
    if action != "AssumeRoleWithWebIdentity":
        refuse_unsigned()
    body, session = await door.assume_role_with_web_identity(
        form, exchange_id=exchange.id
    )
    await _answer_session(exchange, session, body, "sts")


async def _answer_session(
    exchange: Exchange, session: Session, body: bytes, door: str
) -> None:
    await exchange.gate.ledger.append(
        SessionIssued(
            exchange_id=exchange.id,
            at_ns=exchange.gate.clock.now_ns(),
            session_id=session.id,
            principal_id=session.principal.id,
            groups=session.principal.groups,
            role_arn=session.role_arn,
            name=session.name,
            justification=session.justification,
            ticket=session.ticket,
            grant=session.grant,
            source_address=exchange.source_address,
            user_agent=exchange.user_agent,
            door=door,
            expires_at_s=session.expires_at_s,
        )
    )
    _send(exchange, 200, b"text/xml" if door == "sts" else b"application/json", body)


async def _read_form(exchange: Exchange) -> dict[str, str]:
    """The decoded form of an unsigned request, read within a small bound."""
    pieces: list[bytes] = []
    total = 0
    while (piece := await exchange.client.body_piece()) is not None:
        total += len(piece)
        if total > limits.SESSION_FORM_BYTES_MAX:
            raise LimitError(
                "limit.session_form",
                f"an unsigned request is at most {limits.SESSION_FORM_BYTES_MAX} bytes",
                status=413,
            )
        pieces.append(piece)
    try:
        pairs = parse_qsl(
            b"".join(pieces).decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=limits.SESSION_FORM_FIELDS_MAX,
        )
    except ValueError as error:
        raise PeerError("identity.form", "the body is not a form") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise PeerError("identity.form", "the form names a parameter twice")
    return form


def answers_itself(call: Call) -> bool:
    """Whether the gateway answers a call itself. AWS asks no permission for it."""
    return call.service == "sts" and call.operation == "GetCallerIdentity"


async def say_who_you_are(exchange: Exchange) -> None:
    """Answer GetCallerIdentity from the session; recorded like any exchange."""
    await exchange.record_intent(upstream_host="")
    body = exchange.gate.door.get_caller_identity(
        exchange.session, exchange_id=exchange.id
    )
    assert exchange.intent is not None
    await exchange.intent
    delivered: Delivered = delivered_whole(200, body)
    await exchange.record_outcome(delivered, b"text/xml")
    _send(exchange, 200, b"text/xml", body)


def refuse_impassable(call: Call) -> None:
    """Refuse a call that must not or cannot pass the gateway, whatever policy says.

    Raises:
        UnsupportedError: its answer would hold AWS credentials (I4), or it needs both
            directions of a stream at once.
    """
    for name in call.ambiguous or (f"{call.service}:{call.operation}",):
        if name in _HANDS_OUT_CREDENTIALS:
            raise UnsupportedError(
                "gateway.hands_out_credentials",
                f"{name} answers with AWS credentials, and agents never hold any;"
                " call the services through this gateway instead",
            )
        if name in _SPEAKS_BOTH_WAYS:
            raise UnsupportedError(
                "gateway.speaks_both_ways",
                f"{name} needs a stream in both directions at once, which this gateway"
                " does not pass; use an operation that asks first and then answers",
            )


def _send(exchange: Exchange, status: int, content_type: bytes, body: bytes) -> None:
    fields = [
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(body)),
        (b"x-amzn-requestid", exchange.id.encode()),
    ]
    exchange.client.send_whole(
        ResponseHead(status, fields), body, method=exchange.head.method
    )
