"""Refusals of bytes that are not HTTP, each with its own stable code.

Both sides of an exchange are hostile until read. The same rule broken by the
client and by the upstream gets the same name; the code says whose bytes they were:
``wire.content_length_conflict`` and ``wire.upstream_content_length_conflict``.
"""

from __future__ import annotations

from enum import Enum

from gatekeep.errors import FramingError, LimitError


class Sender(Enum):
    """Whose bytes are being read."""

    CLIENT = ""
    UPSTREAM = "upstream_"

    def framing_error(
        self, name: str, message: str, *, status: int = 400
    ) -> FramingError:
        """The error for bytes that break a rule of HTTP.

        Args:
            name: last part of the code.
            message: which rule; never quotes the bytes.
            status: what a client is told; a client is told 502 of an upstream.
        """
        if self is Sender.UPSTREAM:
            return FramingError(
                f"wire.upstream_{name}",
                f"the upstream broke HTTP: {message}",
                status=502,
                aws_code="BadGateway",
            )
        return FramingError(f"wire.{name}", message, status=status)

    def limit_error(self, name: str, message: str, *, status: int = 400) -> LimitError:
        """The error for bytes that pass a bound of `limits`; as `framing_error`."""
        if self is Sender.UPSTREAM:
            return LimitError(
                f"wire.upstream_{name}",
                f"the upstream passed a limit: {message}",
                status=502,
                aws_code="BadGateway",
            )
        return LimitError(f"wire.{name}", message, status=status)
