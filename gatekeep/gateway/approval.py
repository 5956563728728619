"""Holding one exchange until people approve exactly that request, once (I6)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgpack

from gatekeep.access.requests import AccessRequest, ClaimError, State
from gatekeep.aws.call import Call
from gatekeep.aws.signing_keys import SigningKey
from gatekeep.errors import PeerError
from gatekeep.gateway.entries import hold_of
from gatekeep.gateway.refusal import DeniedError

if TYPE_CHECKING:
    from gatekeep.gateway.exchange import Exchange


async def approve(exchange: Exchange) -> AccessRequest:
    """Return the access request once people approved it and this exchange claimed it.

    What was claimed is used up: the caller must run the call, and may run it once.

    Args:
        exchange: held by policy; its body was read whole, so that what is approved
            is that content and no other.

    Raises:
        DeniedError: people denied it, or nobody decided in time.
        ClientGoneError: the client went away; it is not run.
        UnavailableError: too many requests are held, or a store cannot be used.
    """
    while True:
        request = await _open(exchange)
        claimed = False
        try:
            request = await exchange.gate.hold_desk.wait(
                request, exchange.client, exchange.head
            )
            if request.state is State.APPROVED:
                request = exchange.gate.access.claim(
                    request.id, exchange_id=exchange.id
                )
                claimed = True
                return request
        except ClaimError as error:
            # A twin of this request, sent at the same time, used the approval up:
            # this one needs its own.
            if error.state is not State.USED:
                raise
            continue
        finally:
            if not claimed:
                exchange.gate.access.abandon(request.id, exchange_id=exchange.id)
        if request.state is State.USED:
            continue
        raise _not_approved(exchange, request)


async def _open(exchange: Exchange) -> AccessRequest:
    """Open an access request, or join the pending one for exactly the same."""
    gate, call, decision = exchange.gate, exchange.call, exchange.decision
    content = hashlib.sha256(exchange.body.whole or b"").hexdigest()
    request = gate.access.open(
        session=exchange.session,
        call=call,
        parameters_digest=call_digest(
            gate.digest_key, call, content if exchange.route.streams else ""
        ),
        parameters=exchange.masked_parameters(),
        quorums=decision.obligations.approve,
        reasons=decision.reasons,
        expires_at_s=gate.clock.now_s() + gate.settings.access.hold_s_max,
        exchange_id=exchange.id,
    )
    try:
        # A reviewer must not be asked about what the log does not know.
        await gate.ledger.append(hold_of(exchange, request))
    except BaseException:
        gate.access.abandon(request.id, exchange_id=exchange.id)
        raise
    return request


def _not_approved(exchange: Exchange, request: AccessRequest) -> DeniedError:
    if request.state is State.DENIED:
        said = request.denial.comment if request.denial else ""
        comment = f": {said}" if said else ""
        return DeniedError(
            "access.denied",
            f"a reviewer denied access request {request.id}{comment}",
            exchange.decision,
        )
    return DeniedError(
        "access.expired",
        f"nobody decided access request {request.id} in time and nothing was done;"
        " ask a reviewer, then send the same request again",
        exchange.decision,
    )


def call_digest(key: SigningKey, call: Call, content_sha256: str) -> str:
    """A keyed digest of what a call asks, the same however its bytes are spelled.

    Dates, signatures and the order of members do not count; every parameter does.
    It is keyed, because parameters may hold protected values (I5).

    Returns:
        64 hex characters.

    Raises:
        PeerError: the parameters hold something that has no canonical form.
    """
    needs = [(need.action, need.resource) for need in call.needs]
    try:
        text = msgpack.packb(
            (call.service, call.operation, call.region, needs,
             _canonical(call.parameters), content_sha256),
            use_bin_type=True,
        )  # fmt: skip
    except (TypeError, ValueError, OverflowError) as error:
        raise PeerError(
            "access.no_canonical_form",
            "the request's parameters have no canonical form to approve",
        ) from error
    return key.sign(text)


def _canonical(value: object) -> object:
    """The value with every mapping as a sorted list of pairs."""
    if isinstance(value, Mapping):
        return {"m": sorted((str(k), _canonical(v)) for k, v in value.items())}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    return value if isinstance(value, str | bytes | int | float | None) else str(value)
