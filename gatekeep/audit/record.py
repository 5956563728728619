"""What the log says: one typed record an event; `codec` writes them down.

Everything in a record is masked before it comes here (I5); nothing here masks. A log
outlives the program that wrote it, so the fields of a kind never change: what needs
other fields is another kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple


@dataclass(frozen=True, slots=True)
class Receipt:
    """The ledger's word that a record is durable."""

    index: int
    """Its place in the log, from 0."""
    hash: bytes
    """SHA-256 of its entry, 32 bytes; the next entry carries it."""


class Capture(NamedTuple):
    """A masked body that the log keeps beside a record; see `capture`."""

    part: str
    """``request`` or ``response``."""
    sha256: bytes
    """SHA-256 of the kept bytes, 32 bytes: their address in the log."""
    kept_bytes: int
    total_bytes: int
    """What the masked body had; more than was kept when it was cut."""
    content_type: str


def capture(part: str, kept: bytes, *, total_bytes: int, content_type: str) -> Capture:
    """Return the reference a record carries for bytes that go to the ledger with it.

    Args:
        part: ``request`` or ``response``.
        kept: masked bytes, at most `limits.CAPTURE_BYTES_MAX`.
        total_bytes: size of the whole masked body.
        content_type: as in its head, 256 characters of it; empty when there was none.
    """
    digest = hashlib.sha256(kept).digest()
    return Capture(part, digest, len(kept), total_bytes, content_type[:256])


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What every record has. Times are nanoseconds since 1970-01-01T00:00:00Z."""

    KIND: ClassVar[str]
    """The first element of the encoded record."""
    TREE: ClassVar[str] = ""
    """Name of the field that holds a free tree of values, encoded last."""

    exchange_id: str
    """The exchange it belongs to; empty when there was none."""
    at_ns: int
    """When it happened, by the clock of the process that saw it."""
    truncated: tuple[str, ...] = ()
    """What `codec.encode_record` had to shorten, in words; empty for nearly all."""
    captures: tuple[Capture, ...] = ()

    @property
    def principals(self) -> tuple[str, ...]:
        """Ids of the people and agents it is about; the log is indexed by them."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent(Record):
    """What is about to be done, durable before it is done (I1)."""

    KIND: ClassVar[str] = "intent"
    TREE: ClassVar[str] = "parameters"

    session_id: str
    principal_id: str
    groups: tuple[str, ...] = ()
    justification: str = ""
    ticket: str = ""
    source_address: str = ""
    user_agent: str = ""
    service: str
    operation: str
    region: str
    needs: tuple[tuple[str, str], ...]
    """``(IAM action, resource ARN)`` of each permission used."""
    access_level: str
    """The strongest of IAM's levels that the call needs."""
    changes: bool
    """Whether anything at AWS can change through it."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """Masked. JSON-able, and bytes; a number that is no 64-bit integer is text."""
    parameters_digest: str = ""
    """HMAC-SHA-256 of the unmasked parameters, hex; what an approval is bound to."""
    request_digest: str = ""
    """HMAC-SHA-256 of the unmasked body, hex; empty when it streams."""
    decision: str
    reasons: tuple[str, ...] = ()
    """``@id`` of the policies that decided."""
    policy_version: str = ""
    obligations: tuple[str, ...] = ()
    """As policy writes them, for example ``mask(pii,pan)``, ``approve(2 of dba)``."""
    approvals: tuple[tuple[str, str, int], ...] = ()
    """``(access request id, approver's principal id, at_ns)`` of each approval."""
    upstream_host: str = ""

    @property
    def principals(self) -> tuple[str, ...]:
        """Who asks."""
        return (self.principal_id,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Record):
    """What became of an intent, durable before the answer's last byte (I2)."""

    KIND: ClassVar[str] = "outcome"
    TREE: ClassVar[str] = "findings"

    result: str
    """``completed``, ``refused``, ``unknown`` (sent, no answer: it may have
    happened), ``client_gone`` or ``upstream_failed``."""
    status: int = 0
    """The upstream's HTTP status; 0 when no answer came."""
    upstream_request_id: str = ""
    """AWS's own request id: the same one is in CloudTrail."""
    response_sha256: str = ""
    """SHA-256 of the masked body as it went to the client, hex."""
    response_bytes: int = 0
    error_code: str = ""
    duration_us: int = 0
    findings: Mapping[str, int] = field(default_factory=dict)
    """How many values each detector or field mask has masked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Record):
    """The gate said no to somebody it knew; no intent was made."""

    KIND: ClassVar[str] = "refusal"
    TREE: ClassVar[str] = "parameters"

    code: str
    """gatekeep's own code, for example ``policy.denied``."""
    message: str
    session_id: str = ""
    principal_id: str = ""
    groups: tuple[str, ...] = ()
    justification: str = ""
    ticket: str = ""
    source_address: str = ""
    user_agent: str = ""
    service: str = ""
    operation: str = ""
    region: str = ""
    needs: tuple[tuple[str, str], ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)
    parameters_digest: str = ""
    decision: str = ""
    reasons: tuple[str, ...] = ()
    policy_version: str = ""
    status: int = 0
    """The HTTP status the client was told."""

    @property
    def principals(self) -> tuple[str, ...]:
        """Who asked, when it was known."""
        return (self.principal_id,) if self.principal_id else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionIssued(Record):
    """A sealed session was handed out."""

    KIND: ClassVar[str] = "session"

    session_id: str
    principal_id: str
    groups: tuple[str, ...] = ()
    role_arn: str
    name: str
    justification: str = ""
    ticket: str = ""
    grant: str = ""
    source_address: str = ""
    user_agent: str = ""
    door: str = ""
    """``sts``, ``container`` or ``process``: how it was asked for."""
    expires_at_s: int

    @property
    def principals(self) -> tuple[str, ...]:
        """Whose session it is."""
        return (self.principal_id,)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRequested(Record):
    """A request waits for people."""

    KIND: ClassVar[str] = "hold"
    TREE: ClassVar[str] = "parameters"

    request_id: str
    """The access request that people decide."""
    session_id: str
    principal_id: str
    groups: tuple[str, ...] = ()
    justification: str = ""
    ticket: str = ""
    service: str
    operation: str
    region: str
    needs: tuple[tuple[str, str], ...]
    parameters: Mapping[str, object] = field(default_factory=dict)
    parameters_digest: str
    quorums: tuple[str, ...]
    """For example ``2 of dba``; all must be met."""
    reasons: tuple[str, ...] = ()
    policy_version: str = ""
    expires_at_s: int

    @property
    def principals(self) -> tuple[str, ...]:
        """Who asks."""
        return (self.principal_id,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval(Record):
    """One person's answer to an access request."""

    KIND: ClassVar[str] = "approval"

    request_id: str
    approver_id: str
    approver_groups: tuple[str, ...] = ()
    asker_id: str
    decision: str
    """``approved`` or ``denied``."""
    comment: str = ""
    parameters_digest: str = ""
    """Of what the approver was shown; the intent carries the same one."""

    @property
    def principals(self) -> tuple[str, ...]:
        """The approver, then the asker."""
        return (self.approver_id, self.asker_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayEvent(Record):
    """The gateway itself did something that an examiner asks about."""

    KIND: ClassVar[str] = "gateway"
    TREE: ClassVar[str] = "detail"

    exchange_id: str = ""
    event: str
    """For example ``started``, ``stopped``, ``policy_loaded``."""
    detail: Mapping[str, object] = field(default_factory=dict)


KINDS: dict[str, type[Record]] = {
    each.KIND: each
    for each in (
        Intent, Outcome, Refusal, SessionIssued, HoldRequested, Approval, GatewayEvent
    )
}  # fmt: skip
"""Every class of records by the first element of its bytes."""
