"""Credentials kept fresh: fetched once for all who wait, and again ahead of need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gatekeep.aws.credentials import UpstreamCredentials
from gatekeep.clock import Clock
from gatekeep.errors import UnavailableError
from gatekeep.limits import CREDENTIALS_RETRY_S


@dataclass(frozen=True, slots=True)
class Fetched:
    """Credentials, and how long they are good for. Times in seconds since 1970."""

    credentials: UpstreamCredentials
    refresh_at_s: float
    """From here on new ones are fetched, while these are still handed out."""
    usable_until_s: float
    """From here on these are not handed out."""


class Kept:
    """One set of credentials over its generations. Belongs to one event loop.

    At most one fetch runs at a time, and after a failure none for
    `CREDENTIALS_RETRY_S`.
    """

    __slots__ = ("_clock", "_failure", "_fetch", "_fetched", "_fetching", "_retry_at_s")

    def __init__(
        self, fetch: Callable[[str], Awaitable[Fetched]], clock: Clock
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._fetched: Fetched | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._failure: UnavailableError | None = None
        self._retry_at_s = 0.0

    async def get(self, exchange_id: str) -> UpstreamCredentials:
        """Return usable credentials. Waits only when there are none.

        Args:
            exchange_id: what a fetch that this starts is for.

        Raises:
            UnavailableError: there are none, and the last fetch failed.
        """
        fetched, now_s = self._fetched, self._clock.now_s()
        if fetched is not None and now_s < fetched.refresh_at_s:
            return fetched.credentials
        if self._fetching is None and now_s >= self._retry_at_s:
            self._fetching = asyncio.create_task(self._run(exchange_id))
        if fetched is not None and now_s < fetched.usable_until_s:
            return fetched.credentials
        if self._fetching is not None:
            # Shielded: one client that goes away must not end it for the others.
            await asyncio.shield(self._fetching)
        fetched = self._fetched
        if fetched is not None and self._clock.now_s() < fetched.usable_until_s:
            return fetched.credentials
        failure = self._failure or UnavailableError(
            "credentials.expired",
            "AWS gave credentials that have ended already: check the gateway's clock",
        )
        raise UnavailableError(failure.code, failure.message, detail=failure.detail)

    async def close(self) -> None:
        """Stop waiting for a fetch under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    async def _run(self, exchange_id: str) -> None:
        try:
            self._fetched = await self._fetch(exchange_id)
            self._failure = None
        except UnavailableError as error:
            self._failure = error
        finally:
            self._retry_at_s = self._clock.now_s() + CREDENTIALS_RETRY_S
            self._fetching = None
