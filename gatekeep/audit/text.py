"""Records as people and programs read them: blocks of text, and JSON.

Much of a record was written by whoever sent the request. As text it is escaped, so
that it can move no cursor and forge no line of a terminal.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from gatekeep.audit.log import LoggedRecord
from gatekeep.audit.record import (
    Approval,
    Capture,
    GatewayEvent,
    HoldRequested,
    Intent,
    Outcome,
    Refusal,
    SessionIssued,
)

Body = Callable[[bytes], bytes | None]
"""Gives a captured body by its SHA-256; `LogReader.body`."""

_LINE_MAX = 160
"""Characters of parameters on one line of a block."""


def time_text(time_ns: int) -> str:
    """A time in UTC to the microsecond, as RFC 3339 writes it."""
    seconds, rest = divmod(time_ns, 10**9)
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


def record_json(logged: LoggedRecord, *, body: Body | None = None) -> str:
    """A record as one line of JSON; with ``body``, its captured bodies in it.

    Digests are hex. Bytes elsewhere are ``{"base64": …}``.
    """
    record = logged.record
    fields: dict[str, object] = {
        "index": logged.index,
        "hash": logged.hash.hex(),
        "kind": record.KIND,
        "at": time_text(record.at_ns),
        "received_at": time_text(logged.received_at_ns),
    }
    for each in dataclasses.fields(record):
        if each.name not in ("captures", "at_ns"):
            fields[each.name] = getattr(record, each.name)
    if isinstance(record, Intent):
        fields["needs"] = [{"action": a, "resource": r} for a, r in record.needs]
        fields["approvals"] = [
            {"request_id": request, "approver_id": approver, "at": time_text(at_ns)}
            for request, approver, at_ns in record.approvals
        ]
    fields["captures"] = [_capture_json(each, body) for each in record.captures]
    return json.dumps(fields, default=_json_value)


def exchange_text(
    group: tuple[LoggedRecord, ...], *, body: Body | None = None
) -> Iterator[str]:
    """Lines of a block that tells one exchange, or one lone record, to a person."""
    lead = next(
        (each for each in group if isinstance(each.record, Intent | Refusal)), group[0]
    )
    outcome = next((e.record for e in group if isinstance(e.record, Outcome)), None)
    yield f"{time_text(lead.record.at_ns)}  {_headline(lead, outcome)}"
    for name, value in _facts(group):
        if value:
            yield f"    {name:<11} {value}"
    if body is not None:
        for logged in group:
            for capture in logged.record.captures:
                yield from _body_lines(capture, body(capture.sha256))


def _headline(lead: LoggedRecord, outcome: Outcome | None) -> str:
    """Who did what, and how it went: one line."""
    match lead.record:
        case Intent() as intent:
            end = "no outcome yet"
            if outcome is not None:
                end = f"{outcome.result} {outcome.status or ''}".rstrip()
                end += f" in {outcome.duration_us / 1000:.1f} ms"
            return printable_text(
                f"{intent.principal_id}  {intent.service}:{intent.operation} "
                f" {intent.decision}  {end}"
            )
        case Refusal() as refusal:
            what = f"{refusal.service}:{refusal.operation}".strip(":") or "a request"
            who = refusal.principal_id or refusal.source_address or "somebody"
            return printable_text(f"{who}  {what}  refused  {refusal.code}")
        case HoldRequested() as hold:
            return printable_text(
                f"{hold.principal_id}  {hold.service}:{hold.operation}  held"
            )
        case SessionIssued() as session:
            return printable_text(f"{session.principal_id}  session issued")
        case Approval() as approval:
            return printable_text(f"{approval.approver_id}  {approval.decision}")
        case GatewayEvent() as event:
            return printable_text(f"gateway  {event.event}")
        case record:
            return record.KIND


def _facts(group: tuple[LoggedRecord, ...]) -> Iterator[tuple[str, str]]:
    """Names and values of what a block tells beside its headline."""
    for logged in group:
        match logged.record:
            case Intent() | Refusal() | HoldRequested() as asked:
                if asked is group[0].record or not isinstance(asked, Intent):
                    yield from _asked_facts(asked)
                if isinstance(asked, Refusal):
                    yield "refused", printable_text(asked.message)
                if isinstance(asked, HoldRequested):
                    yield (
                        "held",
                        printable_text(
                            f"request {asked.request_id} for {', '.join(asked.quorums)}"
                        ),
                    )
                if isinstance(asked, Intent):
                    yield "obligations", printable_text(", ".join(asked.obligations))
            case Approval() as approval:
                yield (
                    approval.decision[:11],
                    printable_text(
                        f"by {approval.approver_id} at {time_text(approval.at_ns)}"
                        f" {approval.comment and f'“{approval.comment}”'}".rstrip()
                    ),
                )
            case SessionIssued() as session:
                yield (
                    "session",
                    printable_text(f"{session.session_id} as {session.role_arn}"),
                )
                yield "why", _why(session.justification, session.ticket)
            case Outcome() as outcome:
                masked = ", ".join(f"{k} × {n}" for k, n in outcome.findings.items())
                yield "masked", printable_text(masked)
                yield "AWS request", printable_text(outcome.upstream_request_id)
                yield "error", printable_text(outcome.error_code)
            case GatewayEvent() as event:
                yield "detail", _tree_text(event.detail)
        yield "shortened", printable_text("; ".join(logged.record.truncated))
    yield "exchange", printable_text(group[0].record.exchange_id)
    yield "entries", ", ".join(str(each.index) for each in group)


def _asked_facts(
    asked: Intent | Refusal | HoldRequested,
) -> Iterator[tuple[str, str]]:
    """What was asked for, by whom and why."""
    for action, resource in asked.needs:
        yield "needs", printable_text(f"{action} on {resource}")
    yield "parameters", _tree_text(asked.parameters)
    yield "why", _why(asked.justification, asked.ticket)
    yield "groups", printable_text(", ".join(asked.groups))
    yield "policies", printable_text(", ".join(asked.reasons))


def _why(justification: str, ticket: str) -> str:
    quoted = f"“{justification}”" if justification else ""
    return printable_text(f"{quoted} {ticket}".strip())


def _tree_text(tree: Mapping[str, object]) -> str:
    """A tree of values on one line, cut where it gets long."""
    if not tree:
        return ""
    text = json.dumps(tree, default=_json_value, ensure_ascii=False)
    return printable_text(text if len(text) <= _LINE_MAX else f"{text[:_LINE_MAX]}…")


def _body_lines(capture: Capture, body: bytes | None) -> Iterator[str]:
    size = f"{capture.kept_bytes} bytes"
    if capture.total_bytes != capture.kept_bytes:
        size += f" of {capture.total_bytes}"
    kind = printable_text(f"{capture.part} body, {capture.content_type}".rstrip(", "))
    yield f"    {kind}, {size}:"
    if body is None:
        yield "      (not in the log)"
        return
    try:
        text = body.decode()
    except UnicodeDecodeError:
        yield f"      (binary, SHA-256 {capture.sha256.hex()})"
        return
    for line in text.splitlines():
        yield f"      {printable_text(line)}"


def printable_text(text: str) -> str:
    """The same with everything that a terminal would act on written as escapes."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in text
    )


def _capture_json(capture: Capture, body: Body | None) -> dict[str, object]:
    fields: dict[str, object] = capture._asdict() | {"sha256": capture.sha256.hex()}
    kept = None if body is None else body(capture.sha256)
    if kept is not None:
        try:
            fields["text"] = kept.decode()
        except UnicodeDecodeError:
            fields["base64"] = base64.b64encode(kept).decode()
    return fields


def _json_value(value: object) -> object:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no record holds a {type(value).__name__}")
