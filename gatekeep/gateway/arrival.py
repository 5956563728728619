"""A connection that has not said yet which HTTP it speaks."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from gatekeep.gateway.connection import ClientConnection
from gatekeep.gateway.streams import Http2Connection
from gatekeep.http.h2 import is_h2_preface

Served = ClientConnection | Http2Connection


class Arrival(asyncio.Protocol):
    """Hands a new transport to the protocol that its client speaks.

    Over TLS the handshake has settled it (ALPN). Without TLS the first bytes tell:
    clients that speak HTTP/2 there begin with its preface (RFC 9113 3.3).
    """

    __slots__ = ("_begin", "_early", "_transport")

    def __init__(self, begin: Callable[[bool], Served]) -> None:
        """Wait for the transport.

        Args:
            begin: makes the protocol; True for HTTP/2.
        """
        self._begin = begin
        self._early = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand over at once when TLS has settled the protocol."""
        self._transport = cast("asyncio.Transport", transport)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._hand_over(self._begin(tls.selected_alpn_protocol() == "h2"))

    def data_received(self, data: bytes) -> None:
        """Hand over once the first bytes tell."""
        self._early += data
        speaks_h2 = is_h2_preface(self._early)
        if speaks_h2 is not None:
            served = self._begin(speaks_h2)
            self._hand_over(served)
            served.data_received(self._early)

    def _hand_over(self, served: Served) -> None:
        self._transport.set_protocol(served)
        served.connection_made(self._transport)
