"""The gate: every room that an exchange calls, as one worker holds them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from gatekeep.access.requests import AccessRequests
from gatekeep.audit.client import LedgerClient
from gatekeep.aws.endpoints import Endpoints
from gatekeep.aws.recognise import Recogniser
from gatekeep.aws.signer import Signer
from gatekeep.aws.signing_keys import SigningKey
from gatekeep.clock import Clock
from gatekeep.credentials.source import CredentialSource
from gatekeep.gateway.hold import HoldDesk
from gatekeep.gateway.upstream import UpstreamPool
from gatekeep.identity.issuers import Issuers
from gatekeep.identity.revocation import Revocations
from gatekeep.identity.sessions import SessionKeyring
from gatekeep.identity.sts import Door
from gatekeep.masking.masking import Masking
from gatekeep.policy.engine import PolicyEngine
from gatekeep.settings import Settings


@dataclass(slots=True)
class Gate:
    """One worker's rooms. Made once by `worker`, read by every exchange."""

    settings: Settings
    loop: asyncio.AbstractEventLoop
    clock: Clock
    issuers: Issuers
    keyring: SessionKeyring
    revocations: Revocations
    door: Door
    recogniser: Recogniser
    endpoints: Endpoints
    signer: Signer
    policy: PolicyEngine
    masking: Masking
    access: AccessRequests
    hold_desk: HoldDesk
    credentials: CredentialSource
    ledger: LedgerClient
    pool: UpstreamPool
    digest_key: SigningKey
    """Keys the digests of unmasked content (I5)."""
    parameter_bytes: int = 0
    """Parameter bodies buffered right now; see limits.PARAMETER_BODIES_BYTES_MAX."""
