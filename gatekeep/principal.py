"""Who asks: the principal, and the session it holds.

The nouns that identity makes and that policy, access, credentials and audit read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatekeep.errors import OperatorError

_NOT_IN_SESSION_NAME = re.compile(r"[^A-Za-z0-9_+=,.@-]")
"""What STS allows in RoleSessionName and SourceIdentity (STS API reference)."""


class Secret:
    """Bytes that must not be seen: no repr, constant-time comparison."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes themselves. Name the reason where you call it."""
        return self._value

    @classmethod
    def read(cls, path: Path) -> Secret:
        """The key that a file holds: base64 of 32 bytes, readable by its owner only.

        Raises:
            OperatorError: no such file, open to others, or not base64 of 32 bytes.
        """
        try:
            mode = path.stat().st_mode
            text = path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise OperatorError("key.unreadable", f"{path}: {error}") from error
        if mode & 0o077:
            raise OperatorError(
                "key.open_to_others",
                f"{path}: expected mode 0600, got {mode & 0o777:04o}",
            )
        try:
            value = base64.b64decode(text.strip(), validate=True)
        except binascii.Error:
            value = b""
        if len(value) != 32:
            raise OperatorError(
                "key.form",
                f"{path}: expected base64 of 32 bytes; `gatekeep keys new` makes one",
            )
        return cls(value)

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(
            self._value, other._value
        )

    __hash__ = None  # type: ignore[assignment]  # a secret is no dictionary key

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, as the identity provider vouched for it."""

    issuer: str
    """The OIDC issuer URL that vouches."""
    subject: str
    """The issuer's ``sub`` claim, or the claim that settings name instead."""
    groups: tuple[str, ...] = ()
    """Group names from the token, sorted, without repeats."""

    @property
    def id(self) -> str:
        """``issuer#subject``: unique over all issuers, the id records carry."""
        return f"{self.issuer}#{self.subject}"

    def session_name(self, characters_max: int = 64) -> str:
        """The subject as STS allows it in names: 2 to 64 of ``[A-Za-z0-9_+=,.@-]``.

        A subject that does not fit ends in ten characters of a digest of `id`, so
        that ``a/b`` and ``a b`` stay two names in CloudTrail.
        """
        name = _NOT_IN_SESSION_NAME.sub("-", self.subject)
        if name == self.subject and 2 <= len(name) <= characters_max:
            return name
        digest = hashlib.sha256(self.id.encode()).digest()
        mark = base64.b32encode(digest)[:10].decode().lower()
        return f"{name[: characters_max - 11]}.{mark}"


@dataclass(frozen=True, slots=True)
class Session:
    """A sealed right to talk to the gateway, opened and verified."""

    id: str
    """Random, 26 characters of base32; names the session in records."""
    principal: Principal
    role_arn: str
    """The upstream role the session asked for and may use."""
    name: str
    """RoleSessionName as the SDK sent it."""
    access_key_id: str
    """What the SDK signs with; derived from the session's id."""
    secret_access_key: Secret
    issued_at_s: int
    expires_at_s: int
    justification: str = ""
    """Why, in the asker's words; empty when none was given."""
    ticket: str = ""
    """The ticket that the justification names; empty when none."""
    grant: str = ""
    """Id of the grant the session runs under; empty when none."""
    signing_keys: dict[tuple[str, str, str], Any] = field(
        default_factory=dict, compare=False, repr=False
    )
    """Derived SigV4 keys by (date, region, service); a cache, owned by SigV4."""
