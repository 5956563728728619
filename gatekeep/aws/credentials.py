"""AWS credentials that the gateway signs with. They never leave it (I4)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from gatekeep.principal import Secret


@dataclass(frozen=True, slots=True)
class UpstreamCredentials:
    """What one session's requests are signed with towards AWS."""

    access_key_id: str
    secret_access_key: Secret
    session_token: str | None = field(default=None, repr=False)
    """Present for temporary credentials; sent as ``X-Amz-Security-Token``."""
    expires_at_s: float = math.inf
    """When AWS stops accepting them, seconds since 1970; infinite for a user's."""
    signing_keys: dict[tuple[str, str, str], Any] = field(
        default_factory=dict, compare=False, repr=False
    )
    """Derived SigV4 keys by (date, region, service); a cache, owned by SigV4."""
