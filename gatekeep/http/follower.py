"""h11 reading a message beside our own reader.

A head outside the common subset is h11's, and then the whole message is: its body
is read by h11 too, from the first byte to the last, and both must say the same.
"""

from __future__ import annotations

import h11

from gatekeep.http.faults import Sender


class Follower:
    """Reads what the body reader read and refuses to differ from it."""

    __slots__ = ("_connection", "_ended", "_sender")

    def __init__(self, connection: h11.Connection, sender: Sender) -> None:
        self._connection = connection
        self._sender = sender
        self._ended = False

    def follow(self, raw: bytes, data: bytes, *, ended: bool) -> None:
        """Read the same bytes.

        Args:
            raw: bytes off the wire; empty when the connection ended.
            data: the body bytes that the other reader found in them.
            ended: whether the body ended with them.

        Raises:
            FramingError: h11 refuses them or finds something else in them.
        """
        found = []
        try:
            self._connection.receive_data(raw)
            while not self._ended:
                event = self._connection.next_event()
                if isinstance(event, h11.Data):
                    found.append(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    self._ended = True
                else:
                    break
        except h11.RemoteProtocolError:
            raise self._differ() from None
        if self._ended is not ended or b"".join(found) != data:
            raise self._differ()

    def _differ(self) -> Exception:
        return self._sender.framing_error(
            "body_unread", "a body that can be read in two ways"
        )
