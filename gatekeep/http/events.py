"""What a reader of HTTP says next: a head, a piece of a body, an end, or nothing yet.

The same words serve both sides of an exchange and both HTTP versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from gatekeep.http.messages import Field


@dataclass(slots=True)
class Data:
    """A piece of a body, its framing taken off. How it is cut means nothing."""

    data: bytes


@dataclass(slots=True)
class InformationalHead:
    """An interim answer (1xx, never 101): the final one is still to come."""

    status: int
    fields: Sequence[Field]


class Signal(Enum):
    """The events that carry nothing."""

    END_OF_MESSAGE = "end of message"
    NEED_DATA = "need data"
    CLOSED = "closed"


EndOfMessage: Final[Literal[Signal.END_OF_MESSAGE]] = Signal.END_OF_MESSAGE
"""The message is whole. Given once, also for a message without a body."""

NeedData: Final[Literal[Signal.NEED_DATA]] = Signal.NEED_DATA
"""Nothing more can be said before `receive` brings more (or, after the end of a
message, before `next_exchange`)."""

Closed: Final[Literal[Signal.CLOSED]] = Signal.CLOSED
"""The other side ended between two messages. It stays the answer."""
