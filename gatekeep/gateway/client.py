"""Who asks, as an exchange sees it: the same over HTTP/1.1 and HTTP/2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gatekeep.errors import PeerError
from gatekeep.http.messages import ResponseHead


class ClientGoneError(PeerError):
    """The client went away. There is nobody left to answer."""

    def __init__(self) -> None:
        super().__init__("client.gone", "the client closed the connection")


class Client(Protocol):
    """The client's side of one exchange."""

    on_lost: Callable[[], None] | None
    """Called when the client is gone: what it alone wanted stops too."""

    @property
    def closed(self) -> bool:
        """Whether the client is gone; what is written goes nowhere."""

    @property
    def ended(self) -> bool:
        """Whether the client sends nothing more, ever."""

    @property
    def body_length(self) -> int | None:
        """Bytes of the request body as its head says; None when it does not."""

    @property
    def answer_began(self) -> bool:
        """Whether a final head was written."""

    @property
    def peer_address(self) -> str:
        """Where it connects from."""

    async def body_piece(self) -> bytes | None:
        """The next piece of the request body, or None at its end.

        The client that waits for ``100 Continue`` gets it with the first call.

        Raises:
            ClientGoneError: the client stopped before the body's end.
            FramingError: the body's framing is broken.
        """

    async def discard_body(self) -> None:
        """See a refused client off that may still be sending."""

    def send_whole(self, head: ResponseHead, body: bytes, *, method: bytes) -> None:
        """Send a whole answer in one write."""

    def send_head(self, head: ResponseHead, *, method: bytes) -> None:
        """Send the head of an answer whose body follows."""

    async def send_data(self, data: bytes) -> None:
        """Send a piece of the body; return when the client takes more.

        Raises:
            ClientGoneError: it does not any more.
        """

    def send_end(self, last: bytes) -> None:
        """Send the last piece of the body and its end in one write."""

    def still_here(self) -> None:
        """Tell a client that waits for people that its request is alive."""

    def abort(self) -> None:
        """Cut the answer off so that nobody takes it for whole."""
