"""The OIDC issuers that vouch for principals, and their keys kept fresh."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import structlog

from gatekeep.clock import SYSTEM_CLOCK, Clock
from gatekeep.errors import AuthenticationError, OperatorError, UnavailableError
from gatekeep.identity.discovery import IssuerDocuments
from gatekeep.identity.keysets import KeySet, PublishedKey, check_signature
from gatekeep.identity.tokens import (
    UnverifiedToken,
    VerifiedToken,
    check_claims,
    parse_token,
    refuse,
)
from gatekeep.limits import ISSUER_FETCH_S_MAX, ISSUER_REFETCH_S
from gatekeep.principal import Principal
from gatekeep.settings import IssuerSettings

log = structlog.get_logger()

_RETRY_S_MIN = 1.0
"""First wait after an issuer did not answer; it doubles up to `ISSUER_REFETCH_S`."""


class Issuers:
    """Verifies identity tokens of the configured issuers.

    Belongs to one event loop. Works before `start` too, which only fetches keys
    ahead of need and keeps them fresh.

    Raises:
        OperatorError: an issuer is there twice, or its ``ca_file`` is unusable.
    """

    def __init__(
        self, issuers: tuple[IssuerSettings, ...], *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._issuers: dict[str, _Issuer] = {}
        for settings in issuers:
            if settings.issuer in self._issuers:
                raise OperatorError(
                    "identity.issuer_twice",
                    f"issuer `{settings.issuer}` is configured twice: "
                    "list all its audiences in one [[issuer]]",
                )
            self._issuers[settings.issuer] = _Issuer(settings, clock)

    async def start(self) -> None:
        """Fetch every issuer's keys, now and again, in the background."""
        for issuer in self._issuers.values():
            issuer.start()

    async def close(self) -> None:
        """Stop fetching. A fetch under way ends by its own time limit, unawaited."""
        for issuer in self._issuers.values():
            await issuer.close()

    async def verify(self, token: bytes) -> Principal:
        """Return whom a token names; see `verify_token` for the errors."""
        return (await self.verify_token(token)).principal

    async def verify_token(self, token: bytes) -> VerifiedToken:
        """Return what a token proves. Waits only while keys are being fetched.

        Raises:
            AuthenticationError: ``InvalidIdentityToken``, ``ExpiredTokenException``,
                or ``IDPCommunicationError`` while the issuer's keys are unknown.
        """
        unverified = parse_token(token)
        issuer = self._issuers.get(unverified.issuer)
        if issuer is None:
            raise refuse(
                "identity.issuer_unknown",
                f"no issuer `{_printable(unverified.issuer)}` is configured: "
                "ask the operator for an [[issuer]] with exactly this URL",
            )
        return await issuer.verify(unverified)


class _Issuer:
    """One issuer: its settings and the last good copy of its keys."""

    def __init__(self, settings: IssuerSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        # A thread of its own: a slow issuer holds up neither the other issuers nor
        # the loop's name look-ups.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gatekeep-issuer")
        self._documents = IssuerDocuments(settings, clock=clock)
        self._keys: KeySet | None = None
        self._failure = ""
        """Why the last fetch failed; empty when it did not, or there was none."""
        self._fetching: asyncio.Task[None] | None = None
        self._refetched_s = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._refreshing = asyncio.create_task(
            self._refresh(), name=f"keys of {self._settings.issuer}"
        )

    async def close(self) -> None:
        tasks = [task for task in (self._refreshing, self._fetching) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def verify(self, token: UnverifiedToken) -> VerifiedToken:
        if token.algorithm not in self._settings.algorithms:
            raise refuse(
                "identity.algorithm",
                f"the token's `alg` is not `{'` or `'.join(self._settings.algorithms)}`",
            )
        check_signature(token, await self._key(token))
        return check_claims(self._settings, token.claims, now_s=self._clock.now_s())

    async def _key(self, token: UnverifiedToken) -> PublishedKey:
        """The key a token names, if need be after one more look at the issuer."""
        if self._keys and (key := self._keys.find(token)):
            return key
        now_s = self._clock.monotonic_s()
        if now_s - self._refetched_s >= ISSUER_REFETCH_S and not self._is_fetching():
            self._refetched_s = now_s
            self._fetch()
        if self._fetching is not None and self._is_fetching():
            # Shielded: one client that goes away must not end it for the others.
            await asyncio.shield(self._fetching)
        if self._keys and (key := self._keys.find(token)):
            return key
        if self._failure or self._keys is None:
            raise AuthenticationError(
                "identity.issuer_down",
                f"the keys of issuer `{self._settings.issuer}` cannot be fetched",
                aws_code="IDPCommunicationError",
                status=400,
                detail=self._failure,
            )
        raise refuse(
            "identity.key_unknown",
            "the issuer publishes no key for the token's `kid` and `alg`",
        )

    def _is_fetching(self) -> bool:
        return self._fetching is not None and not self._fetching.done()

    def _fetch(self) -> asyncio.Task[None]:
        """Start the one fetch, or give the one that is under way."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch_now())
        return self._fetching

    async def _fetch_now(self) -> None:
        """Fetch the keys; the last good ones stay when that fails."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(2 * ISSUER_FETCH_S_MAX):
                keys = await loop.run_in_executor(
                    self._thread, self._documents.fetch_key_set
                )
        except (UnavailableError, TimeoutError) as error:
            self._failure = str(error) or "no answer in time"
            log.warning(
                "issuer keys not fetched",
                issuer=self._settings.issuer,
                error=self._failure,
                has_keys=self._keys is not None,
            )
        else:
            self._keys, self._failure = keys, ""

    async def _refresh(self) -> None:
        """Fetch again and again: soon after a failure, else every ``refresh_s``."""
        retry_s = _RETRY_S_MIN
        while True:
            await asyncio.shield(self._fetch())
            if not self._failure:
                retry_s = _RETRY_S_MIN
                await asyncio.sleep(self._settings.refresh_s)
            else:
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, ISSUER_REFETCH_S)


def _printable(text: str) -> str:
    """What a stranger wrote, fit for a message."""
    return "".join(c if c.isprintable() else "?" for c in text[:200])
