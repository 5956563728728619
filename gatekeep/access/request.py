"""One access request: what is asked for, who has to agree, and what became of it.

A value: every step gives a new one or raises, so the same rules hold in the worker,
in the reviewer's command and in a test, and none of them reads a clock.

States, and who moves them::

    pending ──approve (the last one missing)──▶ approved ──claim──▶ used
       │  deny ────────────────────────────────────┼──▶ denied
       │  time ────────────────────────────────────┼──▶ expired
       │  the last client hangs up ────────────────┴──▶ abandoned
       ◀── the same request again, soon enough ─────────────┘

``used``, ``denied`` and ``expired`` are final, and ``abandoned`` is once
`limits.ACCESS_REATTACH_S` have passed. Nobody but a client that is there can claim
(I6): an abandoned request cannot be approved, and a retry of exactly the same request
brings it back with the approvals it had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from gatekeep import limits
from gatekeep.access.quorum import Missing, Quorum, missing_approvals
from gatekeep.errors import PeerError
from gatekeep.principal import Principal


class State(Enum):
    """Where an access request stands."""

    PENDING = "pending"
    APPROVED = "approved"
    USED = "used"
    DENIED = "denied"
    EXPIRED = "expired"
    ABANDONED = "abandoned"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset(
        {State.APPROVED, State.DENIED, State.EXPIRED, State.ABANDONED}
    ),
    State.APPROVED: frozenset(
        {State.USED, State.DENIED, State.EXPIRED, State.ABANDONED}
    ),
    State.ABANDONED: frozenset({State.PENDING, State.APPROVED}),
    State.USED: frozenset(),
    State.DENIED: frozenset(),
    State.EXPIRED: frozenset(),
}
"""Every step there is; no other is ever stored."""


class RefusedError(PeerError):
    """A reviewer may not decide this access request, or not any more."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, status=403, aws_code="AccessDenied")


class ClaimError(PeerError):
    """An exchange may not run under this access request.

    Attributes:
        state: the state that says why. `State.USED`: a concurrent twin of the exchange
            has used the approval up; open another access request.
    """

    def __init__(self, code: str, message: str, state: State) -> None:
        super().__init__(code, message, status=403, aws_code="AccessDenied")
        self.state = state


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's yes."""

    approver_id: str
    """`Principal.id`."""
    groups: tuple[str, ...]
    """Those of the approver's groups that made the approval count."""
    at_ns: int
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Denial:
    """One person's no; it suffices."""

    approver_id: str
    """`Principal.id`."""
    at_ns: int
    comment: str = ""


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What is asked for, by whom and why, and how it stands."""

    id: str
    """10 characters of lower-case Crockford base32."""
    state: State
    principal_id: str
    session_id: str
    session_name: str
    role_arn: str
    justification: str
    ticket: str
    service: str
    operation: str
    region: str
    needs: tuple[tuple[str, str], ...]
    """IAM action and resource ARN of every permission the call needs."""
    changes: bool
    """Whether anything at AWS can change through it."""
    parameters: object
    """The parameters, masked (I5): a tree of JSON values."""
    parameters_digest: str
    """Keyed digest of the parameters as they were sent."""
    reasons: tuple[str, ...]
    """Ids of the policies that ask for people."""
    quorums: tuple[Quorum, ...]
    opened_at_ns: int
    expires_at_s: float
    """Undecided or unused at this time, it has expired. Unix time."""
    exchange_ids: tuple[str, ...] = ()
    """The exchanges whose clients wait, oldest first."""
    approvals: tuple[Approval, ...] = ()
    denial: Denial | None = None
    claimed_by: str = ""
    """The one exchange that ran under it; empty before."""
    changed_at_ns: int = 0
    """When the state changed last."""

    @property
    def missing(self) -> Missing:
        """The approvals that are still missing."""
        return missing_approvals(self.quorums, [each.groups for each in self.approvals])

    def at(self, now_ns: int) -> AccessRequest:
        """The request as it stands at this time: expired when its time is over."""
        if self.state in (State.PENDING, State.APPROVED) and self._has_expired(now_ns):
            return self._moved(State.EXPIRED, int(self.expires_at_s * 1e9))
        return self

    def is_open(self, now_ns: int) -> bool:
        """Whether the same request, sent again now, belongs to this one."""
        if self.state is State.ABANDONED:
            gone_s = (now_ns - self.changed_at_ns) / 1e9
            return gone_s < limits.ACCESS_REATTACH_S and not self._has_expired(now_ns)
        return self.at(now_ns).state in (State.PENDING, State.APPROVED)

    def attached(self, exchange_id: str, *, now_ns: int) -> AccessRequest:
        """The request with one more exchange waiting; only while `is_open`.

        Beyond `limits.ACCESS_EXCHANGES_MAX` the oldest exchange has to go: it is the
        likeliest to be one whose worker died.
        """
        others = tuple(each for each in self.exchange_ids if each != exchange_id)
        waiting = (*others, exchange_id)[-limits.ACCESS_EXCHANGES_MAX :]
        request = replace(self, exchange_ids=waiting)
        if self.state is not State.ABANDONED:
            return request
        back = State.PENDING if self.missing.people else State.APPROVED
        return request._moved(back, now_ns)

    def detached(self, exchange_id: str, *, now_ns: int) -> AccessRequest:
        """The request without that exchange; abandoned when it was the last."""
        request = self.at(now_ns)
        waiting = tuple(each for each in self.exchange_ids if each != exchange_id)
        if waiting == self.exchange_ids:
            return request
        request = replace(request, exchange_ids=waiting)
        if waiting or request.state not in (State.PENDING, State.APPROVED):
            return request
        return request._moved(State.ABANDONED, now_ns)

    def approved_by(
        self, approver: Principal, *, comment: str, now_ns: int
    ) -> AccessRequest:
        """The request with one more approval; approved when that was the last.

        Raises:
            RefusedError: `access.not_pending`, `access.own_request`,
                `access.not_eligible`, `access.approved_already` by the same person,
                `access.not_counted`: the seats of the approver's groups are taken;
                `access.comment`: too long.
        """
        request = self.at(now_ns)
        if request.state is not State.PENDING:
            raise RefusedError(
                "access.not_pending",
                f"access request {self.id} is {request.state.value}: "
                "only a pending one can be approved",
            )
        groups = request._eligible(approver, comment)
        if any(each.approver_id == approver.id for each in self.approvals):
            raise RefusedError(
                "access.approved_already",
                f"you have approved access request {self.id} already; "
                f"it needs {self.missing}",
            )
        if not set(groups) & set(self.missing.groups):
            raise RefusedError(
                "access.not_counted",
                f"your approval would not count: access request {self.id} needs "
                f"{self.missing}",
            )
        approval = Approval(approver.id, groups, now_ns, comment)
        request = replace(request, approvals=(*self.approvals, approval))
        if request.missing.people:
            return request
        return request._moved(State.APPROVED, now_ns)

    def denied_by(
        self, approver: Principal, *, comment: str, now_ns: int
    ) -> AccessRequest:
        """The request, denied for good by one who could have approved it.

        Raises:
            RefusedError: `access.not_pending`, `access.own_request`,
                `access.not_eligible`, `access.comment`.
        """
        request = self.at(now_ns)
        if request.state not in (State.PENDING, State.APPROVED):
            raise RefusedError(
                "access.not_pending",
                f"access request {self.id} is {request.state.value}: "
                "only a pending or approved one can be denied",
            )
        request._eligible(approver, comment)
        denial = Denial(approver.id, now_ns, comment)
        return replace(request, denial=denial)._moved(State.DENIED, now_ns)

    def claimed(self, exchange_id: str, *, now_ns: int) -> AccessRequest:
        """The request, used up by this exchange.

        Raises:
            ClaimError: it is not approved (any more), or `access.not_waiting`: the
                exchange does not wait on it, so its client has gone.
        """
        request = self.at(now_ns)
        if request.state is not State.APPROVED:
            message = _CLAIM_MESSAGES[request.state].format(id=self.id)
            if self.denial and self.denial.comment:
                message += f": {self.denial.comment}"
            raise ClaimError(f"access.{request.state.value}", message, request.state)
        if exchange_id not in self.exchange_ids:
            raise ClaimError(
                "access.not_waiting",
                f"this exchange does not wait on access request {self.id}",
                State.ABANDONED,
            )
        used = replace(request, claimed_by=exchange_id, exchange_ids=())
        return used._moved(State.USED, now_ns)

    def _eligible(self, approver: Principal, comment: str) -> tuple[str, ...]:
        """The groups by which this person may decide; raises `RefusedError`."""
        if approver.id == self.principal_id:
            raise RefusedError(
                "access.own_request",
                f"access request {self.id} is your own: somebody else has to decide it",
            )
        wanted = [quorum.group for quorum in self.quorums]
        groups = tuple(group for group in wanted if group in approver.groups)
        if not groups:
            raise RefusedError(
                "access.not_eligible",
                f"access request {self.id} is decided by {' or '.join(wanted)}, and "
                f"you ({approver.subject}) are in none of them",
            )
        if len(comment) > limits.ACCESS_COMMENT_CHARACTERS_MAX:
            raise RefusedError(
                "access.comment",
                f"a comment has at most {limits.ACCESS_COMMENT_CHARACTERS_MAX} "
                "characters",
            )
        return groups

    def _has_expired(self, now_ns: int) -> bool:
        return now_ns >= self.expires_at_s * 1e9

    def _moved(self, state: State, at_ns: int) -> AccessRequest:
        return replace(self, state=state, changed_at_ns=at_ns)


_CLAIM_MESSAGES = {
    State.PENDING: "access request {id} still waits for approval",
    State.USED: "the approval of access request {id} was for one run and has been used",
    State.DENIED: "access request {id} was denied",
    State.EXPIRED: "access request {id} has expired",
    State.ABANDONED: "access request {id} was abandoned by its client",
}
