"""What SigV4 signs with: keys derived from a secret for a day, region and service."""

from __future__ import annotations

import hmac
import time
from functools import lru_cache
from hashlib import sha256
from typing import Protocol

from gatekeep.limits import SIGNING_KEYS_MAX
from gatekeep.principal import Secret


class KeyHolder(Protocol):
    """Who signs: a session, or upstream credentials."""

    @property
    def secret_access_key(self) -> Secret:
        """What keys are derived from."""

    @property
    def signing_keys(self) -> dict[tuple[str, str, str], bytes]:
        """Keys derived so far."""


def signing_key(holder: KeyHolder, date: str, region: str, service: str) -> bytes:
    """Return the key that a holder signs with in a scope; derived once."""
    key = holder.signing_keys.get((date, region, service))
    if key is None:
        key = b"AWS4" + holder.secret_access_key.reveal()
        for part in (date, region, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        if len(holder.signing_keys) >= SIGNING_KEYS_MAX:
            holder.signing_keys.clear()
        holder.signing_keys[date, region, service] = key
    return key


def signature_of(canonical: bytes, *, key: bytes, amz_date: str, scope: str) -> str:
    """Return the signature of a canonical request, 64 hex digits."""
    hashed = sha256(canonical).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n{hashed}"
    return hmac.digest(key, text.encode(), "sha256").hex()


@lru_cache(maxsize=4)
def amz_date_of(second: int) -> str:
    """Return a time in seconds since 1970 as SigV4 writes it: YYYYMMDDTHHMMSSZ."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
