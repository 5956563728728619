"""A clock that stands still, people, and calls to ask for."""

from dataclasses import replace

from gatekeep.access.quorum import Quorum
from gatekeep.access.requests import AccessRequests
from gatekeep.aws.call import AccessLevel, Call, Need, Protocol
from gatekeep.principal import Principal, Secret, Session

ISSUER = "https://issuer.example"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/customers"


class StillClock:
    """Time that only a test moves."""

    def __init__(self, seconds: float = 1_800_000_000.0) -> None:
        self.seconds = seconds

    def now_s(self) -> float:
        return self.seconds

    def now_ns(self) -> int:
        return int(self.seconds * 1e9)

    def monotonic_s(self) -> float:
        return self.seconds


def person(subject, *groups):
    return Principal(ISSUER, subject, tuple(sorted(groups)))


def session_of(principal, **changes):
    session = Session(
        id="S" * 26,
        principal=principal,
        role_arn="arn:aws:iam::123456789012:role/agent",
        name="agent-1",
        access_key_id="ASIAEXAMPLE",
        secret_access_key=Secret(b"secret"),
        issued_at_s=1_800_000_000,
        expires_at_s=1_800_003_600,
        justification="close the account of a customer who left",
        ticket="OPS-7",
    )
    return replace(session, **changes)


def update(**changes):
    call = Call(
        service="dynamodb",
        operation="UpdateItem",
        protocol=Protocol.JSON,
        region="us-east-1",
        needs=(Need("dynamodb:UpdateItem", TABLE, AccessLevel.WRITE),),
        parameters={},
    )
    return replace(call, **changes)


AGENT = person("agent-1", "agents")
DORA = person("dora", "dba")
DANA = person("dana", "dba")
BOTH = person("bo", "dba", "security")
SAM = person("sam", "security")


class Asking:
    """Opens access requests with one thing changed at a time."""

    def __init__(self, requests: AccessRequests, clock: StillClock) -> None:
        self.requests = requests
        self.clock = clock

    def __call__(self, exchange_id="x-1", **changes):
        arguments = {
            "session": session_of(AGENT),
            "call": update(),
            "parameters_digest": "d" * 64,
            "parameters": {"TableName": "customers", "Key": {"id": {"S": "c-1"}}},
            "quorums": (Quorum(1, "dba"),),
            "reasons": ("writes-need-a-dba",),
            "expires_at_s": self.clock.seconds + 600,
        }
        return self.requests.open(exchange_id=exchange_id, **(arguments | changes))
