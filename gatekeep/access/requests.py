"""Access requests in an LMDB environment that workers and reviewers share.

Every step is one write transaction that reads the request, makes the step and stores
what came out. LMDB lets one writer in at a time over all processes, so of two claims,
two approvals or a claim and a denial at the same moment exactly one comes first.

Databases::

    requests  id                                 the request, JSON
    open      digest(principal) digest(binding)  id of a request that can be joined
    settled   big-endian time, id                empty; the order to forget in

Time passes without a write: what is read is shown as it stands now, and what has run
out is moved to ``settled`` when its principal asks again or room is needed.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

from gatekeep import limits
from gatekeep.access.quorum import Quorum, QuorumLike, merge_quorums
from gatekeep.access.request import (
    AccessRequest,
    Approval,
    ClaimError,
    Denial,
    RefusedError,
    State,
)
from gatekeep.aws.call import Call
from gatekeep.clock import SYSTEM_CLOCK, Clock
from gatekeep.errors import LimitError, OperatorError, UnavailableError
from gatekeep.principal import Principal, Session
from gatekeep.store import Environment, Transaction

__all__ = ["AccessRequest", "AccessRequests", "ClaimError", "RefusedError", "State"]

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ID_CHARACTERS = 10
_PRINCIPAL_BYTES = 16


class AccessRequests:
    """The access requests of one gateway; made anew in each process, after a fork.

    Args:
        path: directory of the store (``Settings.state_path("access")``).
        clock: gives the time that limits are held against.
        readonly: for looking only; nothing is made and nothing can be decided.

    Raises what `store.Environment` raises, here and in every method.
    """

    def __init__(
        self, path: Path, *, clock: Clock = SYSTEM_CLOCK, readonly: bool = False
    ) -> None:
        self._clock = clock
        self._store = Environment(
            path,
            map_bytes=limits.ACCESS_STORE_BYTES_MAX,
            databases=("requests", "open", "settled"),
            readonly=readonly,
        )

    def open(
        self,
        *,
        session: Session,
        call: Call,
        parameters_digest: str,
        parameters: object,
        quorums: Iterable[QuorumLike],
        reasons: Iterable[str],
        expires_at_s: float,
        exchange_id: str,
    ) -> AccessRequest:
        """Return the access request that this exchange waits on, new or joined.

        A request of the same principal for exactly the same is joined while it is open:
        a retry finds the approvals that its first try was given. The binding holds the
        principal, the role, the justification and ticket, the operation, the region,
        every action and resource, the digest of the parameters, and the quorums (when
        policy asks for more people by now, earlier approvals do not carry over).

        Args:
            session: of the asker.
            call: what is asked for.
            parameters_digest: keyed digest of everything in the request that decides
                what it does, a streamed payload's signed hash included.
            parameters: masked (I5), a tree of JSON values, at most
                `limits.ACCESS_PARAMETERS_BYTES_MAX` long as JSON.
            quorums: the people it takes; the greatest of each group counts.
            reasons: ids of the policies that ask for them.
            expires_at_s: Unix time after which nobody can approve or use it; a request
                that is joined keeps its own.
            exchange_id: of the exchange whose client waits.

        Raises:
            LimitError: `access.too_long` or `access.too_many_open`.
            OperatorError: `access.quorum`.
        """
        needs = tuple(sorted({(need.action, need.resource) for need in call.needs}))
        request = AccessRequest(
            id="",
            state=State.PENDING,
            principal_id=session.principal.id,
            session_id=session.id,
            session_name=session.name,
            role_arn=session.role_arn,
            justification=session.justification,
            ticket=session.ticket,
            service=call.service,
            operation=call.operation,
            region=call.region,
            needs=needs,
            changes=call.changes,
            parameters=parameters,
            parameters_digest=parameters_digest,
            reasons=tuple(reasons),
            quorums=merge_quorums(quorums),
            opened_at_ns=0,
            expires_at_s=expires_at_s,
        )
        size = len(json.dumps(parameters))
        if size > limits.ACCESS_PARAMETERS_BYTES_MAX:
            raise LimitError(
                "access.too_long",
                f"the request needs approval and its parameters take {size} bytes: a "
                f"reviewer is shown at most {limits.ACCESS_PARAMETERS_BYTES_MAX}; ask "
                "for less at once",
                status=403,
                aws_code="AccessDenied",
            )
        binding = _binding(request)
        with self._store.begin(write=True) as transaction:
            now_ns = self._clock.now_ns()
            known = transaction.get("open", binding)
            joined = None if known is None else _get(transaction, known.decode())
            if joined is None or not joined.is_open(now_ns):
                self._make_room(transaction, binding[:_PRINCIPAL_BYTES], now_ns)
                joined = replace(
                    request,
                    id=_new_id(transaction),
                    opened_at_ns=now_ns,
                    changed_at_ns=now_ns,
                )
                transaction.put("open", binding, joined.id.encode())
            joined = joined.attached(exchange_id, now_ns=now_ns)
            _put(transaction, joined)
        return joined

    def get(self, request_id: str) -> AccessRequest:
        """The access request as it stands now.

        Raises:
            OperatorError: `access.unknown`: there is none with that id.
        """
        with self._store.begin() as transaction:
            request = _get(transaction, request_id)
        return request.at(self._clock.now_ns())

    def list(self, state: State | None = None) -> tuple[AccessRequest, ...]:
        """Access requests as they stand now, oldest first.

        Args:
            state: only those; all that are remembered when None.
        """
        now_ns = self._clock.now_ns()
        database = "open" if state in (State.PENDING, State.APPROVED) else "requests"
        with self._store.begin() as transaction:
            requests = [
                _get(transaction, value.decode())
                if database == "open"
                else _parse(value)
                for _, value in transaction.items(database)
            ]
        current = (request.at(now_ns) for request in requests)
        return tuple(
            sorted(
                (each for each in current if state in (None, each.state)),
                key=lambda each: (each.opened_at_ns, each.id),
            )
        )

    def approve(
        self, request_id: str, *, approver: Principal, comment: str = ""
    ) -> AccessRequest:
        """Add one person's approval; see `AccessRequest.approved_by` for what refuses.

        Raises:
            RefusedError: this person, or nobody, can approve it; nothing changed.
            OperatorError: `access.unknown`.
        """
        with self._store.begin(write=True) as transaction:
            now_ns = self._clock.now_ns()
            request = _get(transaction, request_id).approved_by(
                approver, comment=comment, now_ns=now_ns
            )
            _put(transaction, request)
        return request

    def deny(
        self, request_id: str, *, approver: Principal, comment: str = ""
    ) -> AccessRequest:
        """Deny it for good; see `AccessRequest.denied_by` for what refuses.

        Raises:
            RefusedError: this person, or nobody, can deny it; nothing changed.
            OperatorError: `access.unknown`.
        """
        with self._store.begin(write=True) as transaction:
            now_ns = self._clock.now_ns()
            request = _get(transaction, request_id).denied_by(
                approver, comment=comment, now_ns=now_ns
            )
            _settle(transaction, request)
        return request

    def claim(self, request_id: str, *, exchange_id: str) -> AccessRequest:
        """Use the request's approvals up for this exchange, once and for all.

        Durable when it returns: of all exchanges that ever claim, one succeeds.

        Raises:
            ClaimError: it is not approved (any more), another exchange was first, or
                the exchange does not wait on it; nothing changed.
            OperatorError: `access.unknown`.
        """
        with self._store.begin(write=True) as transaction:
            now_ns = self._clock.now_ns()
            request = _get(transaction, request_id).claimed(exchange_id, now_ns=now_ns)
            _settle(transaction, request)
        return request

    def abandon(self, request_id: str, exchange_id: str) -> AccessRequest:
        """The exchange's client has gone: the exchange can never claim.

        The access request is abandoned when no other exchange waits on it. Settled and
        unknown exchanges are left as they are.

        Raises:
            OperatorError: `access.unknown`.
        """
        with self._store.begin(write=True) as transaction:
            now_ns = self._clock.now_ns()
            stored = _get(transaction, request_id)
            request = stored.detached(exchange_id, now_ns=now_ns)
            if request.exchange_ids != stored.exchange_ids:
                _put(transaction, request)
        return request

    def last_transaction_id(self) -> int:
        """A number that grows with every change by any process; costs 1 µs."""
        return self._store.last_transaction_id()

    def close(self) -> None:
        """Close the store; a second call does nothing."""
        self._store.close()

    def __enter__(self) -> AccessRequests:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make_room(
        self, transaction: Transaction, principal: bytes, now_ns: int
    ) -> None:
        """Settle what is over; raise `LimitError` when too many are open still."""
        _sweep(transaction, principal, now_ns)
        own = sum(1 for _ in _open_of(transaction, principal))
        if own >= limits.ACCESS_OPEN_PER_PRINCIPAL_MAX:
            raise LimitError(
                "access.too_many_open",
                f"{own} requests of yours wait for approval already",
                status=403,
                aws_code="AccessDenied",
            )
        if transaction.count("open") >= limits.ACCESS_OPEN_MAX:
            _sweep(transaction, b"", now_ns)
        if transaction.count("open") >= limits.ACCESS_OPEN_MAX:
            raise UnavailableError(
                "access.too_many_held",
                "too many requests wait for approval; nothing was done",
            )


def _sweep(transaction: Transaction, principal: bytes, now_ns: int) -> None:
    """Settle what can be joined no more: one principal's, or with b"" everybody's."""
    for key, request in list(_open_of(transaction, principal)):
        if not request.is_open(now_ns):
            transaction.delete("open", key)
            _settle(transaction, request.at(now_ns))


def _open_of(
    transaction: Transaction, principal: bytes
) -> Iterator[tuple[bytes, AccessRequest]]:
    for key, value in transaction.items("open", principal):
        if not key.startswith(principal):
            return
        yield key, _get(transaction, value.decode())


def _settle(transaction: Transaction, request: AccessRequest) -> None:
    """Store a request that nothing can happen to any more; forget the oldest."""
    key = request.id.encode()
    transaction.delete("open", _binding(request))
    transaction.put("settled", request.changed_at_ns.to_bytes(8, "big") + key, b"")
    _put(transaction, request)
    surplus = transaction.count("settled") - limits.ACCESS_SETTLED_MAX
    for oldest, _ in list(islice(transaction.items("settled"), max(surplus, 0))):
        transaction.delete("settled", oldest)
        transaction.delete("requests", oldest[8:])


def _binding(request: AccessRequest) -> bytes:
    """What makes two exchanges the same request; the principal's comes first."""
    principal = hashlib.sha256(request.principal_id.encode()).digest()
    bound = (
        request.principal_id,
        request.role_arn,
        request.justification,
        request.ticket,
        request.service,
        request.operation,
        request.region,
        request.needs,
        request.parameters_digest,
        [(quorum.count, quorum.group) for quorum in request.quorums],
    )
    return (
        principal[:_PRINCIPAL_BYTES]
        + hashlib.sha256(json.dumps(bound).encode()).digest()
    )


def _new_id(transaction: Transaction) -> str:
    """50 random bits that no remembered request has."""
    while True:
        identity = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARACTERS))
        if transaction.get("requests", identity.encode()) is None:
            return identity


def _get(transaction: Transaction, request_id: str) -> AccessRequest:
    # A command line can hold bytes that are no text, and too many for a key.
    key = request_id.encode("ascii", "replace")[:40]
    value = transaction.get("requests", key) if key else None
    if value is None:
        raise OperatorError(
            "access.unknown", f"there is no access request {key.decode()!r}"
        )
    return _parse(value)


def _put(transaction: Transaction, request: AccessRequest) -> None:
    text = json.dumps(asdict(request) | {"state": request.state.value})
    transaction.put("requests", request.id.encode(), text.encode())


def _parse(value: bytes) -> AccessRequest:
    tree = json.loads(value)
    return AccessRequest(
        **tree
        | {
            "state": State(tree["state"]),
            "needs": tuple((action, resource) for action, resource in tree["needs"]),
            "reasons": tuple(tree["reasons"]),
            "quorums": tuple(Quorum(**each) for each in tree["quorums"]),
            "exchange_ids": tuple(tree["exchange_ids"]),
            "approvals": tuple(
                Approval(**each | {"groups": tuple(each["groups"])})
                for each in tree["approvals"]
            ),
            "denial": tree["denial"] and Denial(**tree["denial"]),
        }
    )
