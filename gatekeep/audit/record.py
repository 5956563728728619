"""What the log says: one typed record an event, as canonical bytes.

A record is a msgpack array ``[kind, field, field, …]``. Its fields stand in the
order of its class; `Record.exchange_id`, `at_ns`, `truncated` and `captures` come
first in every kind. There is one way to write a value down: integers and lengths in
their shortest form, text as str, digests as bin, map keys ascending, no floats, no
nil in a field. So what parses re-encodes to the same bytes.

Everything in a record is masked before it comes here (I5); nothing here masks.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple

from gatekeep.audit.canonical import canonical_tree, pack, shortened, unpack
from gatekeep.audit.shape import quick_check_of, shape_of
from gatekeep.errors import LimitError, VerificationError
from gatekeep.limits import RECORD_BYTES_MAX


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
    """What `encode_record` had to shorten, in words; empty for nearly all."""
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


class _Kind:
    """How one class of records is written: its fields, their types and shapes."""

    def __init__(self, record_class: type[Record]) -> None:
        hints = typing.get_type_hints(record_class)
        self.record_class = record_class
        self.names = [
            each.name
            for each in dataclasses.fields(record_class)
            if each.name != record_class.TREE
        ]
        self.shapes = [shape_of(hints[name]) for name in self.names]
        self.values = attrgetter("KIND", *self.names)
        self.types = (
            str,
            *(typing.get_origin(hints[name]) or hints[name] for name in self.names),
        )
        checks = [
            (place, quick_check_of(hints[name]))
            for place, name in enumerate(self.names, 1)
        ]
        self.checks = [(place, check) for place, check in checks if check is not None]
        """What tuples are checked with, by their place in ``values``."""
        self.tree = attrgetter(record_class.TREE) if record_class.TREE else None


KINDS: dict[str, type[Record]] = {
    each.KIND: each
    for each in (
        Intent, Outcome, Refusal, SessionIssued, HoldRequested, Approval, GatewayEvent
    )
}  # fmt: skip
"""Every class of records by the first element of its bytes."""

_KIND_BY_CLASS = {each: _Kind(each) for each in KINDS.values()}


def encode_record(record: Record) -> bytes:
    """Return the canonical bytes of a record, at most `limits.RECORD_BYTES_MAX`.

    What is too large is shortened: parameters first, then the rest, and
    ``truncated`` says what. Identity, digests and captures are never shortened.

    Raises:
        LimitError: ``audit.record_too_large``: too large all the same.
        TypeError: a field does not hold what its annotation says.
    """
    kind = _KIND_BY_CLASS[type(record)]
    values = kind.values(record)
    try:
        # One look at all types at once, then at what is in tuples: 2 µs together.
        if tuple(map(type, values)) != kind.types:
            raise TypeError
        for place, check in kind.checks:
            if values[place]:
                check(values[place])
    except TypeError:
        values = (values[0], *_shaped(kind, values[1:]))
    if kind.tree is not None:
        tree = kind.tree(record)
        values = (*values, canonical_tree(tree) if tree else {})
    data = pack(values)
    return data if len(data) <= RECORD_BYTES_MAX else _encode_shortened(kind, values)


def parse_record(data: bytes) -> Record:
    """Return the record of canonical bytes.

    Raises:
        VerificationError: they are not what `encode_record` gives for any record.
            Nothing else, whatever the bytes.
    """
    values = unpack(data)
    if not isinstance(values, tuple) or not values or type(values[0]) is not str:
        raise VerificationError("audit.record", "not a record: no kind")
    if values[0] not in KINDS:
        raise VerificationError("audit.record", f"unknown kind `{values[0][:40]}`")
    kind = _KIND_BY_CLASS[KINDS[values[0]]]
    count = 1 + len(kind.names) + (kind.tree is not None)
    if len(values) != count:
        raise VerificationError(
            "audit.record", f"{values[0]}: expected {count} fields, got {len(values)}"
        )
    try:
        named = dict(
            zip(kind.names, _shaped(kind, values[1 : len(kind.names) + 1]), strict=True)
        )
    except TypeError as error:
        raise VerificationError("audit.record", f"{values[0]}: {error}") from error
    if kind.tree is not None:
        if not isinstance(values[-1], dict):
            raise VerificationError("audit.record", f"{values[0]}: expected a map")
        named[kind.record_class.TREE] = values[-1]
    record = kind.record_class(**named)
    if len(data) > RECORD_BYTES_MAX or encode_record(record) != data:
        raise VerificationError("audit.record", f"{values[0]}: not in canonical form")
    return record


def _shaped(kind: _Kind, values: tuple[Any, ...]) -> list[Any]:
    """Values of a record's plain fields in the types its annotations promise."""
    shaped = []
    for name, shape, value in zip(kind.names, kind.shapes, values, strict=True):
        try:
            shaped.append(shape(value))
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from None
    return shaped


_WHOLE = frozenset({"exchange_id", "truncated", "captures", "approvals"})
"""Fields that are never shortened, beside those that end in ``_id``, ``_digest`` and
``_sha256``: without them a record proves nothing."""


def _encode_shortened(kind: _Kind, values: tuple[Any, ...]) -> bytes:
    """The bytes of a record whose full form is too large."""
    names = [*kind.names, *([kind.record_class.TREE] if kind.tree else [])]
    fields = dict(zip(names, values[1:], strict=True))
    passes = [(1024, 256), (256, 32), (64, 8)]
    trees = [({kind.record_class.TREE}, each) for each in passes] if kind.tree else []
    rest = {
        name
        for name in kind.names
        if name not in _WHOLE and not name.endswith(("_id", "_digest", "_sha256"))
    }
    data = b""
    for chosen, (text_max, count_max) in [*trees, *((rest, each) for each in passes)]:
        for name in chosen:
            whole = fields[name]
            if isinstance(whole, tuple):
                # No element that says how many are missing: its shape is fixed.
                short: object = tuple(
                    shortened(each, text_max=text_max, count_max=count_max)
                    for each in whole[:count_max]
                )
            else:
                short = shortened(whole, text_max=text_max, count_max=count_max)
            if short != whole:
                fields[name] = short
                note = f"{name}: {_measure(values[1 + names.index(name)])}"
                if note not in fields["truncated"]:
                    fields["truncated"] = (*fields["truncated"], note)
        data = pack((values[0], *fields.values()))
        if len(data) <= RECORD_BYTES_MAX:
            return data
    raise LimitError(
        "audit.record_too_large",
        f"the record of this request would have {len(data)} bytes, of"
        f" {RECORD_BYTES_MAX} at most; split the request",
    )


def _measure(value: object) -> str:
    """How much there was of what was shortened, in words."""
    if isinstance(value, str):
        return f"{len(value)} characters"
    if isinstance(value, tuple):
        return f"{len(value)} elements"
    return f"{len(pack(value))} bytes"
