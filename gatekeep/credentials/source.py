"""Where each session's upstream credentials come from.

One AssumeRole a session, kept until shortly before its end. There is one set a
session today; a set cut down to a class of operations would be kept under (session,
class) and carry a session policy.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from gatekeep.aws.credentials import UpstreamCredentials
from gatekeep.clock import SYSTEM_CLOCK, Clock
from gatekeep.credentials.assume import assume_role, assume_role_request
from gatekeep.credentials.kept import Fetched, Kept
from gatekeep.credentials.own import OwnCredentials
from gatekeep.errors import AuthenticationError, UnavailableError
from gatekeep.limits import (
    ASSUMED_CREDENTIALS_MAX,
    CREDENTIALS_MARGIN_S,
    OWN_CREDENTIALS_RECHECK_S,
    STS_CALLS_MAX,
)
from gatekeep.principal import Session
from gatekeep.settings import CredentialsSettings, RoleSettings, UpstreamSettings

log = structlog.get_logger()

_REFRESH_SHARE = (0.15, 0.25)
"""New credentials are fetched when this share of their life is left; at random, so
that sessions that began together do not call STS together."""


class CredentialSource:
    """Gives the credentials to sign a session's requests with. One event loop's.

    Raises:
        OperatorError: as `own.OwnCredentials`.
    """

    def __init__(
        self,
        settings: CredentialsSettings,
        upstream: UpstreamSettings,
        roles: tuple[RoleSettings, ...],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._clock = clock
        self._roles = {role.arn: role for role in roles}
        self._own = OwnCredentials(settings, upstream)
        # Threads of its own: slow STS calls must not hold up the loop's name look-ups.
        self._threads = ThreadPoolExecutor(
            STS_CALLS_MAX, thread_name_prefix="gatekeep-sts"
        )
        self._kept_own = Kept(self._read_own, clock)
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    async def start(self) -> None:
        """Read the gateway's own credentials, so that the first request need not.

        Never fails: without credentials, requests are refused until there are some.
        """
        try:
            await self._kept_own.get("")
        except UnavailableError as error:
            log.warning("no credentials yet", error=str(error), detail=error.detail)

    async def close(self) -> None:
        """Stop fetching. A call under way ends by its own time limit, unawaited."""
        for kept in (self._kept_own, *self._kept.values()):
            await kept.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def credentials_for(
        self, session: Session, *, exchange_id: str
    ) -> UpstreamCredentials:
        """Return what a session's requests are signed with now.

        At once when they are there, which is nearly always: they are fetched again
        ahead of their end, behind the requests that use them.

        Args:
            session: opened and not revoked.
            exchange_id: goes into the session tags if the role is assumed for it.

        Raises:
            AuthenticationError: ``AccessDenied``: the role is no longer in settings.
            UnavailableError: the role cannot be assumed as this session. The
                gateway's own credentials never take its place: they are used only
                for a role that says ``assume = false``.
        """
        kept = self._kept.get(session.id)
        if kept is None:
            kept = self._keep(session)
        else:
            self._kept.move_to_end(session.id)
        return await kept.get(exchange_id)

    def _keep(self, session: Session) -> Kept:
        """Where the credentials of a session that is new to us will be kept."""
        role = self._roles.get(session.role_arn)
        if role is None:
            raise AuthenticationError(
                "credentials.role_gone",
                f"role `{session.role_arn}` is no longer configured: "
                "ask the operator for a [[role]]",
                aws_code="AccessDenied",
            )
        if not role.assume:
            return self._kept_own
        kept = self._kept[session.id] = Kept(self._assumes(session, role), self._clock)
        if len(self._kept) > ASSUMED_CREDENTIALS_MAX:
            self._kept.popitem(last=False)
        return kept

    def _assumes(
        self, session: Session, role: RoleSettings
    ) -> Callable[[str], Awaitable[Fetched]]:
        """How a session's credentials are fetched."""

        async def fetch(exchange_id: str) -> Fetched:
            request = assume_role_request(session, role, exchange_id=exchange_id)
            loop = asyncio.get_running_loop()
            try:
                credentials = await loop.run_in_executor(
                    self._threads, lambda: assume_role(self._own.sts_client(), request)
                )
            except UnavailableError as error:
                log.error("role not assumed", error=str(error), detail=error.detail)
                raise
            left_s = credentials.expires_at_s - self._clock.now_s()
            share = random.uniform(*_REFRESH_SHARE)  # noqa: S311  # only to spread
            return Fetched(
                credentials,
                refresh_at_s=credentials.expires_at_s - share * left_s,
                usable_until_s=credentials.expires_at_s - CREDENTIALS_MARGIN_S,
            )

        return fetch

    async def _read_own(self, _exchange_id: str) -> Fetched:
        loop = asyncio.get_running_loop()
        credentials = await loop.run_in_executor(self._threads, self._own.read)
        now_s = self._clock.now_s()
        return Fetched(
            credentials,
            refresh_at_s=now_s + OWN_CREDENTIALS_RECHECK_S,
            usable_until_s=now_s + 4 * OWN_CREDENTIALS_RECHECK_S,
        )
