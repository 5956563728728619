"""Typed settings from one TOML file; every error names file, key and expectation.

One file configures everything. Relative paths in it are relative to the file.
Secrets are never in it: it names files that hold them.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from gatekeep.errors import OperatorError

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A name an operator chooses: profile, label, group of settings."""

ARNPattern = Annotated[
    str, StringConstraints(pattern=r"^(\*|arn:.+)$", max_length=2048)
]
"""An ARN in which ``*`` and ``?`` match as they do in IAM."""


LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
"""Hosts that plain ``http://`` is acceptable for."""


class _Section(BaseModel):
    """A table of the file: frozen, and an unknown key is an error.

    Defaults are validated too: a default path is relative to the file like any other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def _resolve(value: Path | None, info: ValidationInfo) -> Path | None:
    """Make a path absolute, relative to the settings file."""
    if value is None or info.context is None:
        return value
    base: Path = info.context["directory"]
    return (base / value.expanduser()).resolve()


class GatewaySettings(_Section):
    """``[gateway]``: where agents reach us and where state lives."""

    listen: str = "127.0.0.1:8443"
    """``address:port`` of the TLS listener."""
    plain_listen: str | None = None
    """``address:port`` without TLS, loopback only: container credentials, and
    agents on the same host."""
    hostnames: tuple[str, ...] = ("localhost", "127.0.0.1")
    """The names agents use for us. ``bucket.<hostname>`` is virtual-host style."""
    workers: int = Field(default=1, ge=1, le=64)
    state_directory: Path = Path("state")
    """Holds the audit log, access requests and caches; mode 0700."""

    catalogue_directory: Path | None = None
    """Keeps the compiled models of botocore; ``catalogue`` under the state directory
    when it is not given. Several gateways of one user may share it."""

    _paths = field_validator("state_directory", "catalogue_directory")(_resolve)


class TLSSettings(_Section):
    """``[tls]``: the certificate agents see (PEM files)."""

    certificate: Path
    private_key: Path

    _paths = field_validator("certificate", "private_key")(_resolve)


class SessionSettings(_Section):
    """``[session]``: the sealed sessions handed to agents."""

    keyring: Path
    """File of sealing keys, newest first: ``id base64(32 bytes)`` a line, mode
    0600. ``gatekeep keys rotate`` makes and rotates it."""
    duration_s: int = Field(default=3600, ge=60, le=43_200)
    """What the gateway enforces. The SDK is told at least 20 minutes."""

    _paths = field_validator("keyring")(_resolve)


class IssuerSettings(_Section):
    """``[[issuer]]``: an OIDC issuer whose tokens name agents or people."""

    issuer: str
    """Exactly the ``iss`` claim; its discovery document is at
    ``<issuer>/.well-known/openid-configuration`` unless ``jwks_uri`` is given."""
    audience: tuple[str, ...] = Field(min_length=1)
    """One of these must be in ``aud``."""
    algorithms: tuple[
        Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
                "ES384", "ES512", "EdDSA"], ...
    ] = ("RS256", "ES256")  # fmt: skip
    jwks_uri: str | None = None
    ca_file: Path | None = None
    """PEM of a private CA for the issuer's TLS."""
    subject_claim: str = "sub"
    groups_claim: str = "groups"
    required_claims: dict[str, str] = {}
    """Claims that must equal these values."""
    age_s_max: int = Field(default=86_400, ge=60)
    """Oldest acceptable ``iat``."""
    skew_s: int = Field(default=60, ge=0, le=300)
    refresh_s: int = Field(default=600, ge=10)
    """How often keys are fetched again in the background."""

    _paths = field_validator("ca_file")(_resolve)

    @field_validator("issuer", "jwks_uri")
    @classmethod
    def _https_or_loopback(cls, value: str | None) -> str | None:
        if value is None:
            return value
        # The host is compared whole: `http://localhost.example.com` is not loopback.
        parts = urlsplit(value)
        if parts.scheme == "https" and parts.hostname:
            return value
        if parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS:
            return value
        raise ValueError("expected an https:// URL (http:// only for loopback)")


class RoleSettings(_Section):
    """``[[role]]``: an upstream role and who may ask for it."""

    arn: Annotated[str, StringConstraints(pattern=r"^arn:[^:]+:iam::\d{12}:role/.+$")]
    """What agents put in ``AWS_ROLE_ARN``."""
    groups: tuple[str, ...] = ()
    """Principals in one of these groups may use the role."""
    subjects: tuple[str, ...] = ()
    """So may these subjects (``sub``), whatever their groups. With ``#`` in it, an
    entry is a whole principal, ``issuer#subject``: write that when there are several
    issuers, or a subject of one is taken for the same subject of another."""
    assume: bool = True
    """True: AssumeRole on ``arn`` for every session, with its name and tags.
    False: the gateway's own credentials are used as they are."""
    external_id: str | None = None
    duration_s: int = Field(default=3600, ge=900, le=43_200)


class CredentialsSettings(_Section):
    """``[credentials]``: where the gateway's own AWS credentials come from."""

    source: Literal["default", "profile", "environment"] = "default"
    """``default`` is the standard chain: environment, profile, web identity,
    container, instance role."""
    profile: str | None = None
    region: str = "us-east-1"
    """Region of the STS endpoint that AssumeRole uses."""


class UpstreamSettings(_Section):
    """``[upstream]``: AWS itself unless an endpoint is given."""

    endpoint: str | None = None
    """URL for every service, for example ``http://127.0.0.1:5000``."""
    service_endpoints: dict[str, str] = {}
    """URL by botocore service name; wins over ``endpoint``."""
    ca_file: Path | None = None

    _paths = field_validator("ca_file")(_resolve)

    @field_validator("endpoint")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("expected an http:// or https:// URL")
        return value

    @field_validator("service_endpoints")
    @classmethod
    def _urls(cls, value: dict[str, str]) -> dict[str, str]:
        for service, url in value.items():
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"{service}: expected an http:// or https:// URL")
        return value


class PolicySettings(_Section):
    """``[policy]``: Cedar policy files."""

    directory: Path = Path("policies")
    """Every ``*.cedar`` in it, in name order, is one policy set."""
    cache_entries_max: int = Field(default=1_000_000, ge=0)

    _paths = field_validator("directory")(_resolve)


class ResourceSettings(_Section):
    """``[[resource]]``: labels that policy may read for matching resources."""

    arn: ARNPattern
    labels: tuple[Name, ...] = Field(min_length=1)


class DetectorSettings(_Section):
    """``[[masking.detector]]``: a pattern of the operator's own."""

    name: Name
    pattern: str
    """A regular expression of bounded width."""
    samples: tuple[str, ...] = Field(min_length=1)
    """Texts that must match; checked at load."""
    not_samples: tuple[str, ...] = ()
    """Texts that must not match; checked at load."""


Style = Annotated[
    str,
    StringConstraints(
        pattern=r"^(fixed|same-length|keep-last-[1-9]|token|digits|drop)$"
    ),
]


class MaskSettings(_Section):
    """One masked thing of a profile: a field or a detector, and its style."""

    field: str | None = None
    """An attribute name, a JSON path (``$.a.b[*].c``), or an XML path
    (``/a/b/c``); letter case does not count for names."""
    detector: Name | None = None
    style: Style = "fixed"

    @field_validator("detector")
    @classmethod
    def _one_of_two(cls, value: str | None, info: ValidationInfo) -> str | None:
        if (value is None) == (info.data.get("field") is None):
            raise ValueError("expected exactly one of `field` and `detector`")
        return value

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class ProfileSettings(_Section):
    """``[[masking.profile]]``: what ``@mask("name")`` masks."""

    name: Name
    mask: tuple[MaskSettings, ...] = Field(min_length=1)
    uninspectable: Literal["refuse", "pass"] = "refuse"
    """What happens to a body that cannot be read (Parquet, ciphertext, …)."""


class MaskingSettings(_Section):
    """``[masking]``: profiles and the operator's own detectors."""

    token_key: Path | None = None
    """File with the key of ``style = "token"``: base64 of 32 bytes, mode 0600."""
    record_profile: Name | None = None
    """Profile whose masks apply to every body that is recorded or shown to a
    reviewer, beside those the policy names. Built-in detectors always apply."""
    detector: tuple[DetectorSettings, ...] = ()
    profile: tuple[ProfileSettings, ...] = ()

    _paths = field_validator("token_key")(_resolve)


class AccessSettings(_Section):
    """``[access]``: holding requests for people."""

    hold_s_max: int = Field(default=600, ge=10, le=3600)
    """A held request that nobody decides within this time is refused."""


class AuditSettings(_Section):
    """``[audit]``: the tamper-evident log."""

    origin: str = "gatekeep"
    """Name of this log in every record: a schema-less URL by C2SP."""
    digest_key: Path
    """File with the key for digests of unmasked content (I5): base64 of 32
    bytes, mode 0600."""
    capture: Literal["none", "masked"] = "masked"
    """Whether masked bodies are kept beside their digests."""
    map_bytes: int = Field(default=1 << 38, ge=1 << 20)
    """LMDB map size: address space, not disk."""

    _paths = field_validator("digest_key")(_resolve)


class Settings(_Section):
    """The whole file."""

    gateway: GatewaySettings = Field(default={}, validate_default=True)
    tls: TLSSettings
    session: SessionSettings
    issuer: tuple[IssuerSettings, ...] = Field(min_length=1)
    role: tuple[RoleSettings, ...] = Field(min_length=1)
    credentials: CredentialsSettings = CredentialsSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    policy: PolicySettings = Field(default={}, validate_default=True)
    resource: tuple[ResourceSettings, ...] = ()
    masking: MaskingSettings = MaskingSettings()
    access: AccessSettings = AccessSettings()
    audit: AuditSettings

    @property
    def catalogue_path(self) -> Path:
        """Where the compiled catalogue is kept."""
        return self.gateway.catalogue_directory or self.state_path("catalogue")

    def state_path(self, name: str) -> Path:
        """The directory or socket of that name under the state directory."""
        return self.gateway.state_directory / name


def parse_settings(text: str, *, path: Path) -> Settings:
    """Return the settings that a TOML text holds.

    Args:
        text: the file's content.
        path: where it came from; named in errors, base of relative paths.

    Raises:
        OperatorError: not TOML, an unknown key, or a value of the wrong form;
            the message names the file and the key and says what was expected.
    """
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OperatorError("settings.toml", f"{path}: {error}") from error
    try:
        return Settings.model_validate(
            tree, context={"directory": path.resolve().parent}
        )
    except ValidationError as error:
        lines = [
            f"{path}: {_key(problem['loc'])}: {_expectation(problem['msg'])}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        raise OperatorError("settings.value", "\n".join(lines)) from error


def read_settings(path: Path) -> Settings:
    """Return the settings of a file; see `parse_settings` for the errors."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise OperatorError(
            "settings.unreadable", f"{path}: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise OperatorError("settings.toml", f"{path}: expected UTF-8") from error
    return parse_settings(text, path=path)


def _key(location: tuple[int | str, ...]) -> str:
    """Name a key as its file does: ``issuer[0].audience``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "(top level)"


def _expectation(message: str) -> str:
    """A validation message as gatekeep writes them: lower case, no prefix."""
    message = message.removeprefix("Value error, ")
    if message == "Extra inputs are not permitted":
        return "unknown key"
    if message == "Field required":
        return "required key is missing"
    return message[:1].lower() + message[1:]
