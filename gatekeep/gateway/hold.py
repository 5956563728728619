"""Where held exchanges wait for people.

People decide in other processes and leave what they decided in the store of
access requests. One poll serves all that wait: it reads the store's transaction
number, which is one mapped page, and wakes them when it moved.
"""

from __future__ import annotations

import asyncio

from gatekeep import limits
from gatekeep.access.requests import AccessRequest, AccessRequests, State
from gatekeep.clock import Clock
from gatekeep.errors import UnavailableError
from gatekeep.gateway.client import Client, ClientGoneError
from gatekeep.http.messages import RequestHead


class HoldDesk:
    """Holds exchanges of one worker until their access requests are decided."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, access: AccessRequests, clock: Clock
    ) -> None:
        self._loop = loop
        self._access = access
        self._clock = clock
        self._changed = asyncio.Condition()
        self._held = 0
        self._poll: asyncio.Task[None] | None = None

    async def wait(
        self, request: AccessRequest, client: Client, head: RequestHead
    ) -> AccessRequest:
        """Return the access request once people decided it or its time is up.

        The client gets a ``100 Continue`` every `limits.HOLD_DRIP_S`, so that it
        waits without sending again; Go's gives up after five of them, so it gets
        none (aws-wire section 6).

        Raises:
            ClientGoneError: nobody waits for the answer any more (I6).
            UnavailableError: too many exchanges are held already.
        """
        if self._held >= limits.HELD_EXCHANGES_MAX:
            raise UnavailableError(
                "access.too_many_held",
                "too many requests wait for approval; nothing was done",
            )
        drips = b"lang/go" not in head.get(b"user-agent") and head.version != b"1.0"
        self._held += 1
        if self._poll is None:
            self._poll = self._loop.create_task(self._watch())
        try:
            next_drip_s = self._loop.time() + limits.HOLD_DRIP_S
            while request.state is State.PENDING:
                if client.ended:
                    raise ClientGoneError
                if self._clock.now_s() >= request.expires_at_s:
                    break
                now_s = self._loop.time()
                if now_s >= next_drip_s:
                    next_drip_s = now_s + limits.HOLD_DRIP_S
                    if drips:
                        client.still_here()
                await self._wait_for_change(min(next_drip_s - now_s, 1.0))
                request = self._access.get(request.id)
            if client.ended:
                raise ClientGoneError
            return request
        finally:
            self._held -= 1

    async def _wait_for_change(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                async with self._changed:
                    await self._changed.wait()
        except TimeoutError:
            return

    async def _watch(self) -> None:
        """Wake all that wait whenever the store moved; end with the last."""
        seen = self._access.last_transaction_id()
        try:
            while self._held:
                await asyncio.sleep(limits.HOLD_POLL_S)
                now = self._access.last_transaction_id()
                if now != seen:
                    seen = now
                    async with self._changed:
                        self._changed.notify_all()
        finally:
            self._poll = None
