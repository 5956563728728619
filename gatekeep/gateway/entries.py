"""What an exchange writes down: its facts as records of the log.

Everything that goes into a record passes through the masks first (I5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeep import limits
from gatekeep.access.requests import AccessRequest
from gatekeep.audit.record import (
    Capture,
    HoldRequested,
    Intent,
    Outcome,
    Refusal,
    capture,
)
from gatekeep.aws.call import AccessLevel, Call
from gatekeep.errors import GatekeepError
from gatekeep.gateway.answer import Delivered
from gatekeep.policy.decision import Decision, Obligations
from gatekeep.principal import Session

if TYPE_CHECKING:
    from gatekeep.gateway.exchange import Exchange

_STRENGTH = {level: rank for rank, level in enumerate(
    (AccessLevel.LIST, AccessLevel.READ, AccessLevel.TAGGING, AccessLevel.WRITE,
     AccessLevel.PERMISSIONS)
)}  # fmt: skip


def intent_of(exchange: Exchange, *, upstream_host: str) -> Intent:
    """What the exchange is about to do."""
    session, call, decision = exchange.session, exchange.call, exchange.decision
    principal = session.principal
    approved = exchange.approved
    return Intent(
        exchange_id=exchange.id,
        at_ns=exchange.gate.clock.now_ns(),
        session_id=session.id,
        principal_id=principal.id,
        groups=principal.groups,
        justification=session.justification,
        ticket=session.ticket,
        source_address=exchange.source_address,
        user_agent=exchange.user_agent,
        service=call.service,
        operation=call.operation,
        region=call.region,
        needs=needs_of(call),
        access_level=_strongest(call).value,
        changes=call.changes,
        parameters=exchange.masked_parameters(),
        parameters_digest=approved.parameters_digest if approved else "",
        request_digest=_request_digest(exchange),
        decision=decision.effect.value,
        reasons=decision.reasons,
        policy_version=decision.policy_version,
        obligations=obligations_of(decision.obligations),
        approvals=tuple(
            (approved.id, approval.approver_id, approval.at_ns)
            for approval in approved.approvals
        )
        if approved
        else (),
        upstream_host=upstream_host,
    )


def outcome_of(
    exchange: Exchange,
    *,
    result: str,
    delivered: Delivered | None = None,
    upstream_request_id: str = "",
    error: GatekeepError | None = None,
    captures: tuple[Capture, ...] = (),
) -> Outcome:
    """What became of the exchange."""
    now_ns = exchange.gate.clock.now_ns()
    return Outcome(
        exchange_id=exchange.id,
        at_ns=now_ns,
        result=result,
        status=delivered.status if delivered else 0,
        upstream_request_id=upstream_request_id,
        response_sha256=delivered.sha256 if delivered else "",
        response_bytes=delivered.body_bytes if delivered else 0,
        error_code=error.code if error else "",
        duration_us=max(0, (now_ns - exchange.started_ns) // 1000),
        findings=delivered.findings if delivered else {},
        captures=captures,
    )


def refusal_of(exchange: Exchange, error: GatekeepError, *, status: int) -> Refusal:
    """That the gate said no, with as much as was known by then."""
    session: Session | None = getattr(exchange, "session", None)
    call: Call | None = getattr(exchange, "call", None)
    decision: Decision | None = getattr(exchange, "decision", None)
    known = exchange.known
    return Refusal(
        exchange_id=exchange.id,
        at_ns=exchange.gate.clock.now_ns(),
        code=error.code,
        message=error.message,
        session_id=session.id if session else "",
        principal_id=session.principal.id if session else "",
        groups=session.principal.groups if session else (),
        justification=session.justification if session else "",
        ticket=session.ticket if session else "",
        source_address=exchange.source_address,
        user_agent=exchange.user_agent,
        service=known.service if known else "",
        operation=call.operation if call else "",
        region=known.region if known else "",
        needs=needs_of(call) if call else (),
        parameters=exchange.masked_parameters() if call else {},
        decision=decision.effect.value if decision else "",
        reasons=decision.reasons if decision else (),
        policy_version=decision.policy_version if decision else "",
        status=status,
    )


def hold_of(exchange: Exchange, request: AccessRequest) -> HoldRequested:
    """That the exchange waits for people."""
    session, call, decision = exchange.session, exchange.call, exchange.decision
    return HoldRequested(
        exchange_id=exchange.id,
        at_ns=exchange.gate.clock.now_ns(),
        request_id=request.id,
        session_id=session.id,
        principal_id=session.principal.id,
        groups=session.principal.groups,
        justification=session.justification,
        ticket=session.ticket,
        service=call.service,
        operation=call.operation,
        region=call.region,
        needs=needs_of(call),
        parameters=exchange.masked_parameters(),
        parameters_digest=request.parameters_digest,
        quorums=tuple(f"{q.count} of {q.group}" for q in decision.obligations.approve),
        reasons=decision.reasons,
        policy_version=decision.policy_version,
        expires_at_s=int(request.expires_at_s),
    )


def _strongest(call: Call) -> AccessLevel:
    """The strongest access level that the call needs."""
    if len(call.needs) == 1:
        return call.needs[0].level
    return max((need.level for need in call.needs), key=_STRENGTH.__getitem__)


def needs_of(call: Call) -> tuple[tuple[str, str], ...]:
    """The permissions a call uses, as records carry them."""
    return tuple((need.action, need.resource) for need in call.needs)


def obligations_of(obligations: Obligations) -> tuple[str, ...]:
    """Obligations as policy writes them."""
    texts = [f"approve({q.count} of {q.group})" for q in obligations.approve]
    if obligations.mask:
        texts.insert(0, f"mask({','.join(obligations.mask)})")
    if obligations.justify:
        texts.append(f"justify({','.join(obligations.justify)})")
    if obligations.block_on:
        texts.append(f"block_on({','.join(obligations.block_on)})")
    return tuple(texts)


def captured_answer(
    exchange: Exchange, delivered: Delivered, content_type: bytes
) -> tuple[tuple[Capture, ...], tuple[bytes, ...]]:
    """The masked beginning of an answer, to be kept beside the outcome.

    It passes through the record's own masks too, so that an answer that policy
    lets through unmasked is still not stored raw (I5).

    Returns:
        The references for the record, and the bytes for the ledger.
    """
    gate = exchange.gate
    wanted = (
        gate.settings.audit.capture == "masked"
        and exchange.decision.obligations.capture != "none"
    )
    if not delivered.captured or not wanted:
        return (), ()
    kept = gate.masking.mask_capture(
        delivered.captured,
        content_type=content_type,
        profiles=exchange.decision.obligations.mask,
        call=exchange.call,
        whole=len(delivered.captured) == delivered.body_bytes,
    )[: limits.CAPTURE_BYTES_MAX]
    if not kept:
        return (), ()
    reference = capture(
        "response",
        kept,
        total_bytes=delivered.body_bytes,
        content_type=content_type.decode("latin-1"),
    )
    return (reference,), (kept,)


def _request_digest(exchange: Exchange) -> str:
    """A keyed digest of the request body; empty when it streams."""
    body = exchange.body.whole
    if not body:
        return ""
    return exchange.gate.digest_key.sign(body)
