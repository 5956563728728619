"""OIDC tokens read strictly: the form before the signature, the claims after it.

The form is RFC 7515 compact serialisation. PyJWT verifies the signature; what it
leaves to its caller (duplicate members, the header's other fields, claim types) is
settled here, following RFC 8725 and OpenID Connect Core section 3.1.3.7.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from gatekeep.errors import AuthenticationError
from gatekeep.limits import IDENTITY_TOKEN_BYTES_MAX, SUBJECT_CHARACTERS_MAX
from gatekeep.principal import Principal
from gatekeep.settings import IssuerSettings

_TYPES = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})
"""Acceptable ``typ``, without regard to case; a logout token, say, is none."""

_REFUSED_FIELDS = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc"})
"""Header fields of tokens that bring their own key, or that have to be understood
and are not."""


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A token of the right form. Nothing it says is to be believed yet."""

    text: bytes = field(repr=False)
    algorithm: str
    key_id: str | None
    issuer: str
    claims: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What a token proves."""

    principal: Principal
    audience: str
    """The audience that was meant: the first of the settings' that the token has."""
    issued_at_s: float
    expires_at_s: float


def parse_token(text: bytes) -> UnverifiedToken:
    """Return a token's header and claims, unverified.

    White space around it does not count: SDKs send token files as they are.

    Raises:
        AuthenticationError: ``InvalidIdentityToken``: too large or of another form.
    """
    text = text.strip()
    if len(text) > IDENTITY_TOKEN_BYTES_MAX:
        raise refuse(
            "identity.token_oversized",
            f"the identity token is {len(text)} bytes long, "
            f"the most is {IDENTITY_TOKEN_BYTES_MAX}",
        )
    segments = text.split(b".")
    if len(segments) != 3:
        raise _malformed("expected three parts with dots between them")
    header = _object(segments[0], "header")
    claims = _object(segments[1], "payload")
    _bytes(segments[2], "signature")
    algorithm, key_id, issuer = header.get("alg"), header.get("kid"), claims.get("iss")
    if not isinstance(algorithm, str):
        raise _malformed("`alg` is no string")
    if not isinstance(key_id, str | None):
        raise _malformed("`kid` is no string")
    if not isinstance(issuer, str):
        raise _malformed("`iss` is no string")
    token_type = header.get("typ", "JWT")
    if not isinstance(token_type, str) or token_type.lower() not in _TYPES:
        raise refuse(
            "identity.token_type",
            "the token's `typ` is not one of an OIDC ID or access token",
        )
    if refused := _REFUSED_FIELDS & header.keys():
        raise refuse(
            "identity.header_refused",
            f"the token's header has `{min(refused)}`: "
            "only keys that the issuer publishes count",
        )
    return UnverifiedToken(text, algorithm, key_id, issuer, claims)


def check_claims(
    settings: IssuerSettings, claims: Mapping[str, object], *, now_s: float
) -> VerifiedToken:
    """Return what the claims of a token prove, whose signature holds.

    Raises:
        AuthenticationError: ``ExpiredTokenException`` past ``exp`` or older than
            ``age_s_max``; ``InvalidIdentityToken`` for everything else.
    """
    if claims.get("iss") != settings.issuer:
        raise refuse("identity.issuer_unknown", "the token's `iss` is another issuer's")
    audience = _audience(settings, claims)
    expires_at_s = _time(claims, "exp")
    issued_at_s = _time(claims, "iat")
    if now_s >= expires_at_s + settings.skew_s:
        raise _expired(f"the token expired {now_s - expires_at_s:.0f} s ago")
    if now_s - issued_at_s > settings.age_s_max + settings.skew_s:
        raise _expired(
            f"the token was issued {now_s - issued_at_s:.0f} s ago, "
            f"the most is {settings.age_s_max}"
        )
    if issued_at_s > now_s + settings.skew_s:
        raise refuse("identity.token_early", "the token's `iat` lies ahead of our time")
    if "nbf" in claims and _time(claims, "nbf") > now_s + settings.skew_s:
        raise refuse("identity.token_early", "the token is not valid yet (`nbf`)")
    for name, expected in settings.required_claims.items():
        if _plain(claims.get(name)) != expected:
            raise refuse(
                "identity.claim_required", f"the token's `{name}` is not `{expected}`"
            )
    principal = Principal(
        settings.issuer, _subject(settings, claims), _groups(settings, claims)
    )
    return VerifiedToken(principal, audience, issued_at_s, expires_at_s)


def refuse(code: str, message: str) -> AuthenticationError:
    """An ``InvalidIdentityToken`` with the status that STS gives it."""
    return AuthenticationError(
        code, message, aws_code="InvalidIdentityToken", status=400
    )


def _expired(message: str) -> AuthenticationError:
    return AuthenticationError(
        "identity.token_expired",
        f"{message}: have the issuer make a new one",
        aws_code="ExpiredTokenException",
        status=400,
    )


def _malformed(expectation: str) -> AuthenticationError:
    return refuse("identity.token_malformed", f"not an OIDC token (JWT): {expectation}")


def _bytes(segment: bytes, name: str) -> bytes:
    """Undo base64url; padding and other ways to write the same are refused."""
    try:
        content = base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
    except (ValueError, binascii.Error):
        content = b""
    if not segment or base64.urlsafe_b64encode(content).rstrip(b"=") != segment:
        raise _malformed(f"its {name} is no base64url")
    return content


def _object(segment: bytes, name: str) -> dict[str, object]:
    """The JSON object of a segment, in which no name is given twice."""
    content = _bytes(segment, name)
    try:
        value = json.loads(
            content.decode(),
            object_pairs_hook=_without_duplicates,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError) as error:
        raise _malformed(f"its {name} is no JSON without duplicate names") from error
    if not isinstance(value, dict):
        raise _malformed(f"its {name} is no JSON object")
    return value


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate name")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _audience(settings: IssuerSettings, claims: Mapping[str, object]) -> str:
    """The first audience of the settings that is among the token's."""
    claim = claims.get("aud")
    audiences = claim if isinstance(claim, list) else [claim]
    for audience in settings.audience:
        if audience in audiences:
            return audience
    raise refuse(
        "identity.audience",
        f"the token's `aud` is not `{'` or `'.join(settings.audience)}`: "
        "request it for that audience",
    )


def _time(claims: Mapping[str, object], name: str) -> float:
    """A NumericDate claim, in seconds since 1970 (RFC 7519 section 2)."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse("identity.claim_malformed", f"the token has no numeric `{name}`")
    # Years beyond 9999 are nobody's time, and integers have no bound in JSON.
    if not (math.isfinite(value) and 0 <= value < 253_402_300_800):
        raise refuse("identity.claim_malformed", f"the token's `{name}` is no time")
    return float(value)


def _plain(value: object) -> str | None:
    """A claim as settings write it; None when it is no string, boolean or number."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return None


def _subject(settings: IssuerSettings, claims: Mapping[str, object]) -> str:
    value = claims.get(settings.subject_claim)
    if not isinstance(value, str) or not _is_name(value):
        raise refuse(
            "identity.claim_malformed",
            f"the token's `{settings.subject_claim}` is not 1 to "
            f"{SUBJECT_CHARACTERS_MAX} printable characters",
        )
    return value


def _groups(settings: IssuerSettings, claims: Mapping[str, object]) -> tuple[str, ...]:
    """The groups of a list, or of a string with commas or spaces between them."""
    name = settings.groups_claim
    value = claims.get(name, ())
    elsewhere = claims.get("_claim_names")
    if isinstance(elsewhere, dict) and name in elsewhere:
        # Distributed claims (OIDC Core 5.6.2): Entra ID leaves out more than 200
        # groups. Taking that for "no groups" would lift a `forbid` on a group.
        raise refuse(
            "identity.groups_left_out",
            f"the issuer left `{name}` out because there are too many: "
            "have it send only the groups assigned to this application",
        )
    if isinstance(value, str):
        value = [group for group in re.split(r"[\s,]+", value) if group]
    if not isinstance(value, list | tuple) or not all(
        isinstance(group, str) and _is_name(group) for group in value
    ):
        raise refuse(
            "identity.claim_malformed", f"the token's `{name}` is no list of names"
        )
    return tuple(sorted(set(value)))


def _is_name(value: str) -> bool:
    """Fit for records and log lines: no control characters, no lone surrogates."""
    return 0 < len(value) <= SUBJECT_CHARACTERS_MAX and value.isprintable()
