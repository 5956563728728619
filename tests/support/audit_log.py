"""Records and small logs for tests, made with the parts that make real ones."""

from pathlib import Path

from gatekeep.audit.codec import encode_record
from gatekeep.audit.record import (
    Approval,
    Capture,
    GatewayEvent,
    HoldRequested,
    Intent,
    Outcome,
    Record,
    Refusal,
    SessionIssued,
    capture,
)
from gatekeep.audit.writer import Item, LogWriter, principal_key

ORIGIN = "gatekeep.example"
MAP_BYTES = 1 << 26
AGENT = "https://issuer.example#agent-7"
PERSON = "https://issuer.example#dana"
NOW_NS = 1_795_000_000_000_000_000


def intent(exchange_id: str = "exchange-1", **fields: object) -> Intent:
    return Intent(
        **{  # type: ignore[arg-type]
            "exchange_id": exchange_id,
            "at_ns": NOW_NS,
            "session_id": "SESSION",
            "principal_id": AGENT,
            "groups": ("agents",),
            "justification": "customer asked",
            "ticket": "T-1",
            "source_address": "10.0.0.7",
            "user_agent": "Boto3/1.43",
            "service": "dynamodb",
            "operation": "GetItem",
            "region": "us-east-1",
            "needs": (("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:1:table/t"),),
            "access_level": "Read",
            "changes": False,
            "parameters": {"TableName": "t", "Key": {"id": {"S": "42"}}},
            "decision": "allow",
            "reasons": ("read",),
        }
        | fields
    )


def outcome(exchange_id: str = "exchange-1", **fields: object) -> Outcome:
    return Outcome(
        **{  # type: ignore[arg-type]
            "exchange_id": exchange_id,
            "at_ns": NOW_NS + 5_000_000,
            "result": "completed",
            "status": 200,
            "upstream_request_id": "AWS-1",
            "response_sha256": "ab" * 32,
            "response_bytes": 400,
            "duration_us": 5000,
            "findings": {"ssn": 2},
        }
        | fields
    )


def refusal(exchange_id: str = "exchange-1", **fields: object) -> Refusal:
    return Refusal(
        **{  # type: ignore[arg-type]
            "exchange_id": exchange_id,
            "at_ns": NOW_NS,
            "code": "policy.denied",
            "message": "no policy permits it",
            "principal_id": AGENT,
            "service": "s3",
            "operation": "DeleteBucket",
            "decision": "deny",
        }
        | fields
    )


def hold(exchange_id: str = "exchange-1", **fields: object) -> HoldRequested:
    return HoldRequested(
        **{  # type: ignore[arg-type]
            "exchange_id": exchange_id,
            "at_ns": NOW_NS,
            "request_id": "request-1",
            "session_id": "SESSION",
            "principal_id": AGENT,
            "service": "dynamodb",
            "operation": "PutItem",
            "region": "us-east-1",
            "needs": (("dynamodb:PutItem", "arn:aws:dynamodb:us-east-1:1:table/t"),),
            "parameters_digest": "cd" * 32,
            "quorums": ("1 of dba",),
            "expires_at_s": NOW_NS // 10**9 + 600,
        }
        | fields
    )


def approval(exchange_id: str = "exchange-1", **fields: object) -> Approval:
    return Approval(
        **{  # type: ignore[arg-type]
            "exchange_id": exchange_id,
            "at_ns": NOW_NS,
            "request_id": "request-1",
            "approver_id": PERSON,
            "asker_id": AGENT,
            "decision": "approved",
            "comment": "go on",
        }
        | fields
    )


def session(**fields: object) -> SessionIssued:
    return SessionIssued(
        **{  # type: ignore[arg-type]
            "exchange_id": "",
            "at_ns": NOW_NS,
            "session_id": "SESSION",
            "principal_id": AGENT,
            "role_arn": "arn:aws:iam::123456789012:role/agent",
            "name": "agent-7",
            "expires_at_s": NOW_NS // 10**9 + 3600,
        }
        | fields
    )


def event(**fields: object) -> GatewayEvent:
    return GatewayEvent(
        **{"at_ns": NOW_NS, "event": "started", "detail": {"version": "1"}} | fields  # type: ignore[arg-type]
    )


def every_kind() -> list[Record]:
    return [event(), session(), hold(), approval(), intent(), outcome(), refusal()]


def captured(body: bytes, part: str = "response") -> Capture:
    return capture(part, body, total_bytes=len(body), content_type="application/json")


def item(record: Record, *captures: bytes) -> Item:
    """A record as the client hands it to the ledger."""
    return Item(
        encode_record(record),
        record.exchange_id.encode(),
        [principal_key(each) for each in record.principals],
        captures,
    )


def write_log(path: Path, items: list[Item], *, now_ns: int = NOW_NS) -> None:
    """A log with these records, a commit each."""
    writer = LogWriter(path, origin=ORIGIN, map_bytes=MAP_BYTES)
    for number, each in enumerate(items):
        writer.append([each], now_ns=now_ns + number * 1000)
    writer.close()


def exchanges(count: int) -> list[Item]:
    """Intents and outcomes of exchanges ``exchange-0`` on, each with a body."""
    items = []
    for number in range(count):
        body = f'{{"Item": {{"name": {{"S": "Customer {number}"}}}}}}'.encode()
        items.append(item(intent(f"exchange-{number}")))
        items.append(
            item(
                outcome(f"exchange-{number}", captures=(captured(body),)),
                body,
            )
        )
    return items
