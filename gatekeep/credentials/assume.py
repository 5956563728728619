"""AssumeRole for one gateway session: who it is for, and what AWS says to it.

The names and tags make every call of the session attributable in CloudTrail and
usable in IAM policies (``aws:PrincipalTag/gatekeep:subject``). They are never left
out: if AWS refuses them, the role is not assumed (I3).
"""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import ClientError

from gatekeep.aws.credentials import UpstreamCredentials
from gatekeep.errors import UnavailableError
from gatekeep.principal import Secret, Session
from gatekeep.settings import RoleSettings

SESSION_NAME_PREFIX = "gk-"
"""Begins every RoleSessionName, so that CloudTrail readers see who made it."""

_NAME_CHARACTERS_MAX = 64
_TAG_CHARACTERS_MAX = 256
_NOT_IN_TAG = re.compile(r"[^\w .:/=+\-@]")
r"""IAM allows ``[\p{L}\p{Z}\p{N}_.:/=+\-@]`` in tag values; the only space that a
printable text has is U+0020."""

_PERMISSION = re.compile(r"sts:(?:AssumeRole|TagSession|SetSourceIdentity)\b")

_TRUST = (
    "the role's trust policy must allow the gateway sts:AssumeRole, sts:TagSession "
    "and sts:SetSourceIdentity (and so must the gateway's own policy, for that role)"
)


def assume_role_request(
    session: Session, role: RoleSettings, *, exchange_id: str
) -> dict[str, Any]:
    """Return the parameters of AssumeRole for a session.

    The tags are ``gatekeep:session``, ``gatekeep:issuer``, ``gatekeep:subject`` and
    ``gatekeep:exchange``, all transitive. The last is the exchange for which the role
    was assumed: credentials serve a whole session, so later exchanges are found by
    the session's tag and their own records.
    """
    principal = session.principal
    name = principal.session_name(_NAME_CHARACTERS_MAX - len(SESSION_NAME_PREFIX))
    tags = {
        "gatekeep:session": session.id,
        "gatekeep:issuer": principal.issuer,
        "gatekeep:subject": principal.subject,
        "gatekeep:exchange": exchange_id,
    }
    request: dict[str, Any] = {
        "RoleArn": role.arn,
        "RoleSessionName": SESSION_NAME_PREFIX + name,
        "SourceIdentity": principal.session_name(_NAME_CHARACTERS_MAX),
        "DurationSeconds": role.duration_s,
        "Tags": [{"Key": key, "Value": _tag(value)} for key, value in tags.items()],
        "TransitiveTagKeys": list(tags),
    }
    if role.external_id is not None:
        request["ExternalId"] = role.external_id
    return request


def assume_role(client: Any, request: dict[str, Any]) -> UpstreamCredentials:
    """Return the credentials that STS gives for a request. Blocks.

    Raises:
        UnavailableError: STS refused or did not answer; the message tells the
            operator what to change, the detail what AWS said.
    """
    try:
        answer = client.assume_role(**request)["Credentials"]
        return UpstreamCredentials(
            answer["AccessKeyId"],
            Secret(answer["SecretAccessKey"].encode()),
            answer["SessionToken"],
            answer["Expiration"].timestamp(),
        )
    except ClientError as error:
        raise _refused(request, error) from error
    except Exception as error:
        # Whatever it is: botocore's parsers raise outside its own hierarchy, and an
        # answer may lack any member.
        raise UnavailableError(
            "credentials.sts_down",
            f"the gateway cannot assume `{request['RoleArn']}`: STS does not answer, or "
            "makes no sense",
            detail=f"{type(error).__name__}: {error}",
        ) from error


def _refused(request: dict[str, Any], error: ClientError) -> UnavailableError:
    """What the operator is told when STS says no."""
    aws_code = str(error.response.get("Error", {}).get("Code", ""))
    text = str(error.response.get("Error", {}).get("Message", ""))
    code, reason = "credentials.refused", f"STS answered `{aws_code}`"
    if aws_code in ("AccessDenied", "AccessDeniedException"):
        missing = _PERMISSION.search(text)
        code = "credentials.untrusted"
        reason = f"{missing[0] if missing else 'sts:AssumeRole'} is denied: {_TRUST}"
    elif aws_code in ("ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"):
        code = "credentials.own_refused"
        reason = f"AWS refuses the gateway's own credentials (`{aws_code}`)"
    elif aws_code == "ValidationError" and "DurationSeconds" in text:
        code = "credentials.duration"
        reason = (
            f"AWS does not allow {request['DurationSeconds']} s: lower the role's "
            "`duration_s` to its maximum session duration, or to 3600 when the "
            "gateway itself runs under a role"
        )
    return UnavailableError(
        code,
        f"the gateway cannot assume `{request['RoleArn']}`: {reason}",
        detail=f"{aws_code}: {text}",
    )


def _tag(value: str) -> str:
    return _NOT_IN_TAG.sub("_", value)[:_TAG_CHARACTERS_MAX]
