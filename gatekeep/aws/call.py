"""A recognised AWS call: what the bytes of a request ask for.

Made by `aws.recognise`, read by every room above.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import gatekeep.errors


class Protocol(Enum):
    """The wire protocol a request speaks, so that refusals speak it too."""

    JSON = "json"
    """AWS JSON 1.0 and 1.1: ``X-Amz-Target``."""
    QUERY = "query"
    EC2 = "ec2"
    REST_JSON = "rest-json"
    REST_XML = "rest-xml"
    CBOR = "smithy-rpc-v2-cbor"


class AccessLevel(Enum):
    """IAM's access levels, as the Service Authorization Reference names them."""

    READ = "Read"
    LIST = "List"
    WRITE = "Write"
    PERMISSIONS = "Permissions management"
    TAGGING = "Tagging"

    @property
    def changes(self) -> bool:
        """Whether a call of this level can change anything (I1)."""
        return self not in (AccessLevel.READ, AccessLevel.LIST)


@dataclass(frozen=True, slots=True)
class Need:
    """One IAM permission that a call needs: an action on a resource."""

    action: str
    """For example ``dynamodb:GetItem``."""
    resource: str
    """An ARN, or ``*`` for actions that have no resource."""
    level: AccessLevel


@dataclass(frozen=True, slots=True)
class Route:
    """What the head alone tells: which service, which operations it may be."""

    service: str
    """botocore's service name, for example ``dynamodb``."""
    protocol: Protocol
    region: str
    """The region of the credential scope, checked against the service's."""
    candidates: tuple[str, ...]
    """Operation names; more than one only for declared ambiguities or while the
    body is still to tell (query)."""
    streams: bool
    """True: the body is an opaque payload and the head tells all; decide before
    reading it. False: the body holds parameters; read it before deciding."""
    detail: object = field(default=None, compare=False, repr=False)
    """What the recogniser keeps from the head for `Recogniser.call`."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a request asks AWS to do."""

    service: str
    operation: str
    """For example ``GetItem``. Of an ambiguous call, the first candidate."""
    protocol: Protocol
    region: str
    needs: tuple[Need, ...]
    """Every permission needed; all must be allowed. Never empty."""
    parameters: Mapping[str, object]
    """Input members by modelled name, as botocore types them (blob: bytes); the
    streaming payload is absent."""
    statements: tuple[str, ...] = ()
    """SQL or PartiQL texts the call carries (Athena, PartiQL, RDS Data, …)."""
    ambiguous: tuple[str, ...] = ()
    """All candidates as ``service:Operation``, when the bytes fit several."""
    host_prefix: str = ""
    """What stood before our own name in Host: ``bucket.``, ``sync-``, or nothing."""

    @property
    def changes(self) -> bool:
        """Whether anything at AWS can change through this call (I1)."""
        return any(need.level.changes for need in self.needs)


class UnrecognisedError(gatekeep.errors.UnsupportedError):
    """The request is not an AWS call that the catalogue knows (I3)."""
