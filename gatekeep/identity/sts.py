"""The STS door: an identity token in, a sealed session out, as AWS STS answers.

Stock SDKs come here by ``AWS_ENDPOINT_URL``, ``AWS_ROLE_ARN`` and
``AWS_WEB_IDENTITY_TOKEN_FILE``; or by ``AWS_CONTAINER_CREDENTIALS_FULL_URI`` over
loopback. Shapes: STS API reference 2011-06-15; ECS and EKS container credentials.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Never
from xml.sax.saxutils import escape

from gatekeep.clock import SYSTEM_CLOCK, Clock
from gatekeep.errors import AuthenticationError, OperatorError, PeerError
from gatekeep.identity.issuers import Issuers
from gatekeep.identity.sessions import SealedSession, SessionKeyring
from gatekeep.identity.tokens import VerifiedToken
from gatekeep.principal import Principal, Session
from gatekeep.settings import RoleSettings, SessionSettings

API_VERSION = "2011-06-15"
NAMESPACE = f"https://sts.amazonaws.com/doc/{API_VERSION}/"

_UNDERSTOOD = frozenset(
    {"Action", "Version", "RoleArn", "RoleSessionName", "WebIdentityToken",
     "DurationSeconds"}
)  # fmt: skip

_SESSION_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}")
_DURATION = re.compile(r"[0-9]{1,9}")
_ROLE_ARN = re.compile(
    r"arn:([a-z-]+):iam::([0-9]{12}):role/(?:[!-~]*/)?([A-Za-z0-9_+=,.@-]{1,64})"
)
"""Path and name in IAM's characters; the path ends in a slash."""


class Door:
    """Answers STS and container-credential requests.

    Raises:
        OperatorError: a role's ARN has characters that IAM does not allow, or two
            ``[[role]]`` tables have the same one.
    """

    def __init__(
        self,
        issuers: Issuers,
        keyring: SessionKeyring,
        roles: tuple[RoleSettings, ...],
        session: SessionSettings,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._issuers = issuers
        self._keyring = keyring
        self._roles = {role.arn: role for role in roles}
        self._session = session
        self._clock = clock
        for arn in self._roles:
            _role_parts(arn)
        if len(self._roles) != len(roles):
            raise OperatorError(
                "identity.role_twice",
                "two [[role]] tables have the same `arn`: "
                "list all its groups and subjects in one",
            )

    async def assume_role_with_web_identity(
        self, parameters: Mapping[str, str], *, exchange_id: str = ""
    ) -> tuple[bytes, Session]:
        """Return the XML of AssumeRoleWithWebIdentity's answer and the new session.

        Args:
            parameters: the decoded form: ``Action``, ``Version``, ``RoleArn``,
                ``RoleSessionName``, ``WebIdentityToken``, ``DurationSeconds``.
                The last shortens a session, never lengthens it.
            exchange_id: becomes the ``RequestId``.

        Raises:
            AuthenticationError: ``InvalidIdentityToken``, ``ExpiredTokenException``,
                ``IDPCommunicationError`` (400); ``AccessDenied`` (403) when the
                role is unknown or not for this principal, with one message.
            PeerError: ``ValidationError``, ``InvalidAction``; a parameter that
                gatekeep does not support, such as a session policy.
        """
        role_arn, name, token, duration_s = _parameters(parameters)
        verified = await self._issuers.verify_token(token)
        role = self._roles.get(role_arn)
        if role is None or not _permits(role, verified.principal):
            raise _not_permitted(verified.principal, f"role `{role_arn}`")
        sealed = self._seal(verified.principal, role_arn, name, duration_s)
        return _answer(sealed, verified, exchange_id), sealed.session

    def get_caller_identity(self, session: Session, *, exchange_id: str = "") -> bytes:
        """Return the XML of GetCallerIdentity's answer: who we think is asking."""
        return _response(
            "GetCallerIdentity",
            _element("Arn", assumed_role_arn(session.role_arn, session.name))
            + _element("UserId", _role_id(session.role_arn, session.name))
            + _element("Account", _role_parts(session.role_arn)[1]),
            exchange_id,
        )

    async def container_credentials(
        self, authorization: bytes, *, role_name: str = ""
    ) -> tuple[bytes, Session]:
        """Return container-credential JSON and the new session.

        SDKs send no role here and cannot be made to, so the URI's path names it:
        ``/credentials/<role name>``. Plain ``/credentials`` gives the one role that
        the principal may use, and is refused when there are several. The session
        is named after the principal.

        Args:
            authorization: the header's value: the identity token, alone or after
                ``Bearer``.
            role_name: last path segment of a role's ARN; empty for the one role.

        Raises:
            AuthenticationError: as `assume_role_with_web_identity`.
        """
        scheme, _, credentials = authorization.strip().partition(b" ")
        token = credentials if scheme.lower() == b"bearer" else authorization
        principal = await self._issuers.verify(token)
        permitted = [
            role.arn
            for role in self._roles.values()
            if _permits(role, principal) and role_name in ("", _role_parts(role.arn)[2])
        ]
        if not permitted:
            wanted = f"role named `{role_name}`" if role_name else "role"
            raise _not_permitted(principal, wanted)
        if len(permitted) > 1:
            raise PeerError(
                "identity.role_ambiguous",
                f"you may use {len(permitted)} roles of that kind: end the path with "
                "the name of one, /credentials/<role name>, or use web identity",
                aws_code="ValidationError",
            )
        sealed = self._seal(
            principal, permitted[0], principal.session_name(), self._session.duration_s
        )
        answer = {
            "AccessKeyId": sealed.access_key_id,
            "SecretAccessKey": _secret_text(sealed),
            "Token": sealed.session_token,
            "Expiration": _time(sealed.advertised_expiration_s),
            "RoleArn": sealed.session.role_arn,
        }
        return json.dumps(answer).encode(), sealed.session

    def _seal(
        self, principal: Principal, role_arn: str, name: str, duration_s: int | None
    ) -> SealedSession:
        longest_s = self._session.duration_s
        return self._keyring.seal(
            principal=principal,
            role_arn=role_arn,
            name=name,
            duration_s=longest_s if duration_s is None else min(duration_s, longest_s),
            now_s=self._clock.now_s(),
        )


def assumed_role_arn(role_arn: str, session_name: str) -> str:
    """The ARN that STS gives to a role's session; the role's path is not in it."""
    partition, account_id, role_name = _role_parts(role_arn)
    return f"arn:{partition}:sts::{account_id}:assumed-role/{role_name}/{session_name}"


def container_fault(error: PeerError) -> bytes:
    """The JSON that container-credential clients show when they are refused."""
    return json.dumps({"code": error.aws_code, "message": error.message}).encode()


def _parameters(parameters: Mapping[str, str]) -> tuple[str, str, bytes, int | None]:
    """Role ARN, session name, token and duration, checked as STS checks them."""
    if parameters.get("Version") != API_VERSION:
        raise PeerError(
            "identity.sts_version",
            f"Could not find operation AssumeRoleWithWebIdentity for version "
            f"{parameters.get('Version', 'NO_VERSION_SPECIFIED')[:32]!a}: "
            f"expected {API_VERSION}",
            aws_code="InvalidAction",
        )
    if unknown := sorted(parameters.keys() - _UNDERSTOOD):
        # A session policy that were silently ignored would give more than was asked.
        _invalid(f"parameter {unknown[0][:64]!a} is not supported by gatekeep")
    for name in ("RoleArn", "RoleSessionName", "WebIdentityToken"):
        if not parameters.get(name):
            _invalid(
                f"Value null at '{name[0].lower()}{name[1:]}' failed to satisfy "
                "constraint: Member must not be null"
            )
    role_arn, name = parameters["RoleArn"], parameters["RoleSessionName"]
    if not (20 <= len(role_arn) <= 2048 and _ROLE_ARN.fullmatch(role_arn)):
        _invalid(f"{role_arn[:200]!a} is invalid: expected the ARN of a role")
    if not _SESSION_NAME.fullmatch(name):
        _invalid(
            f"Value {name[:200]!a} at 'roleSessionName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: "
            "[\\w+=,.@-]{2,64}"
        )
    duration_s: int | None = None
    if (duration := parameters.get("DurationSeconds")) is not None:
        if not _DURATION.fullmatch(duration) or not 900 <= int(duration) <= 43_200:
            _invalid(
                f"Value {duration[:32]!a} at 'durationSeconds' failed to satisfy "
                "constraint: Member must have value between 900 and 43200"
            )
        duration_s = int(duration)
    # Whatever is no ASCII becomes `?`, which no token has.
    token = parameters["WebIdentityToken"].encode("ascii", "replace")
    return role_arn, name, token, duration_s


def _invalid(problem: str) -> Never:
    raise PeerError(
        "identity.sts_parameter",
        f"1 validation error detected: {problem}",
        aws_code="ValidationError",
    )


def _permits(role: RoleSettings, principal: Principal) -> bool:
    """Whether settings give a role to a principal.

    A subject with ``#`` in settings is a principal's whole id, ``issuer#subject``,
    and any other one is a subject of whatever issuer.
    """
    return not set(role.groups).isdisjoint(principal.groups) or any(
        subject == (principal.id if "#" in subject else principal.subject)
        for subject in role.subjects
    )


def _not_permitted(principal: Principal, wanted: str) -> AuthenticationError:
    """The same for a role that does not exist, so that nobody can look for some."""
    return AuthenticationError(
        "identity.role_refused",
        "Not authorized to perform sts:AssumeRoleWithWebIdentity: "
        f"ask the operator for a {wanted} whose [[role]] names your subject "
        f"`{principal.subject}` or one of your {len(principal.groups)} groups "
        f"(issuer `{principal.issuer}`)",
        aws_code="AccessDenied",
    )


def _role_parts(role_arn: str) -> tuple[str, str, str]:
    """Partition, account id and name (without path) of a role's ARN."""
    match = _ROLE_ARN.fullmatch(role_arn)
    if match is None:  # settings and `_parameters` check the form
        raise OperatorError("identity.role_arn", f"`{role_arn}`: expected a role's ARN")
    return match[1], match[2], match[3]


def _role_id(role_arn: str, session_name: str) -> str:
    """A stable id like AWS's ``AROA…:name``, in a prefix that is not AWS's."""
    digest = hashlib.sha256(role_arn.encode()).digest()
    return f"GKRO{base64.b32encode(digest)[:16].decode()}:{session_name}"


def _answer(sealed: SealedSession, verified: VerifiedToken, exchange_id: str) -> bytes:
    session = sealed.session
    return _response(
        "AssumeRoleWithWebIdentity",
        _element("SubjectFromWebIdentityToken", session.principal.subject)
        + _element("Audience", verified.audience)
        + "<AssumedRoleUser>"
        + _element("Arn", assumed_role_arn(session.role_arn, session.name))
        + _element("AssumedRoleId", _role_id(session.role_arn, session.name))
        + "</AssumedRoleUser><Credentials>"
        + _element("AccessKeyId", sealed.access_key_id)
        + _element("SecretAccessKey", _secret_text(sealed))
        + _element("SessionToken", sealed.session_token)
        + _element("Expiration", _time(sealed.advertised_expiration_s))
        + "</Credentials>"
        + _element("Provider", session.principal.issuer),
        exchange_id,
    )


def _secret_text(sealed: SealedSession) -> str:
    """The secret itself: this answer is the one place that hands it out."""
    return sealed.secret_access_key.reveal().decode()


def _response(operation: str, result: str, exchange_id: str) -> bytes:
    request_id = exchange_id or secrets.token_hex(16)
    return (
        f'<{operation}Response xmlns="{NAMESPACE}">'
        f"<{operation}Result>{result}</{operation}Result>"
        f"<ResponseMetadata>{_element('RequestId', request_id)}</ResponseMetadata>"
        f"</{operation}Response>"
    ).encode()


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _time(seconds: int) -> str:
    """ISO 8601 in UTC to the second: Java's container client takes no fractions."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
