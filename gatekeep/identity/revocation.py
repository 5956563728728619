"""Sessions and principals whose right ended early: a small set, asked every request.

A sealed session cannot be taken back from who holds it; it can be refused. The set
is an LMDB environment that all processes of a host share. Each keeps a copy in
memory and reads it again when a commit has changed it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import msgpack

from gatekeep.clock import SYSTEM_CLOCK, Clock
from gatekeep.errors import AuthenticationError, OperatorError
from gatekeep.limits import REVOCATIONS_BYTES_MAX
from gatekeep.principal import Session
from gatekeep.store import Environment

_DATABASE = "revocations"
_SESSION_ID = re.compile(r"[A-Z2-7]{26}")


@dataclass(frozen=True, slots=True)
class Revocation:
    """One session or principal that is refused."""

    holder: str
    """A session's id, or a principal's: ``issuer#subject``."""
    until_s: float
    """When the refusal ends, seconds since 1970. A session needs it until its own
    end; a principal's new sessions are refused as well until then."""
    revoked_at_s: float
    reason: str = ""


class Revocations:
    """The revocations of a host. Open it after ``fork``.

    Raises what `store.Environment` raises, here and in every method: when the set
    cannot be read, nobody is let through (I3).
    """

    def __init__(self, path: Path, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._store = Environment(
            path, map_bytes=REVOCATIONS_BYTES_MAX, databases=(_DATABASE,)
        )
        self._read_at = -1
        """The transaction that `_until_s` was read at."""
        self._until_s: dict[str, float] = {}

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def revoke(self, holder: str, *, until_s: float, reason: str = "") -> Revocation:
        """Refuse a session or a principal from now on. Durable when it returns.

        A holder that is there already gets the new time and reason. Revocations
        that have ended are removed on the way.

        Raises:
            OperatorError: neither a session's id nor ``issuer#subject``.
        """
        if not _SESSION_ID.fullmatch(holder) and "#" not in holder:
            raise OperatorError(
                "identity.revocation",
                f"`{holder}`: expected a session's id (26 characters) or a "
                "principal's (issuer#subject)",
            )
        now_s = self._clock.now_s()
        revocation = Revocation(holder, until_s, now_s, reason)
        with self._store.begin(write=True) as transaction:
            ended = [
                key
                for key, value in transaction.items(_DATABASE)
                if _decode(value).until_s <= now_s
            ]
            for key in ended:
                transaction.delete(_DATABASE, key)
            transaction.put(_DATABASE, _key(holder), _encode(revocation))
        return revocation

    def restore(self, holder: str) -> bool:
        """Take a revocation back; False when there was none."""
        with self._store.begin(write=True) as transaction:
            return transaction.delete(_DATABASE, _key(holder))

    def list(self) -> tuple[Revocation, ...]:
        """The revocations in force, the newest first."""
        now_s = self._clock.now_s()
        with self._store.begin() as transaction:
            every = [_decode(value) for _, value in transaction.items(_DATABASE)]
        in_force = [revocation for revocation in every if revocation.until_s > now_s]
        return tuple(sorted(in_force, key=lambda each: -each.revoked_at_s))

    def is_revoked(self, session: Session) -> bool:
        """Whether a session, or its principal, is refused now (about 2 µs)."""
        transaction_id = self._store.last_transaction_id()
        if transaction_id != self._read_at:
            # The number is from before the read: a commit between the two is read
            # twice rather than missed.
            self._until_s = {each.holder: each.until_s for each in self.list()}
            self._read_at = transaction_id
        if not self._until_s:
            return False
        until_s = max(
            self._until_s.get(session.id, 0.0),
            self._until_s.get(session.principal.id, 0.0),
        )
        return until_s > self._clock.now_s()

    def verify(self, session: Session) -> Session:
        """Return a session that is not revoked.

        Raises:
            AuthenticationError: ``InvalidClientTokenId``: it or its principal is.
        """
        if self.is_revoked(session):
            raise AuthenticationError(
                "identity.session_revoked",
                "The security token included in the request was revoked: "
                "ask the operator",
                aws_code="InvalidClientTokenId",
            )
        return session


def _key(holder: str) -> bytes:
    """A key of fixed length: principal ids are longer than LMDB's keys may be."""
    return hashlib.sha256(holder.encode()).digest()


def _encode(revocation: Revocation) -> bytes:
    encoded: bytes = msgpack.packb(
        (
            revocation.holder,
            revocation.until_s,
            revocation.revoked_at_s,
            revocation.reason,
        )
    )
    return encoded


def _decode(value: bytes) -> Revocation:
    return Revocation(*msgpack.unpackb(value))
