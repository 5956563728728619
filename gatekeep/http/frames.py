"""HTTP/2 frames weighed before they are parsed.

`h2` parses what it is given and believes the length a frame declares: it would
buffer a 16 MiB frame before refusing it, and answer every ping of a flood. So each
frame's header is looked at first. A connection has patience: frames cost some, time
and traffic that gets somewhere give it back. Rapid reset (CVE-2023-44487,
CVE-2025-8671), and floods of pings, settings, priorities, empty frames and
continuations (CVE-2019-9512 to 9518, CVE-2024-24549) all run out of it.
"""

from __future__ import annotations

from gatekeep import limits
from gatekeep.errors import PeerError
from gatekeep.http.faults import Sender

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What an HTTP/2 client sends first (RFC 9113 3.4)."""

_HEADER_BYTES = 9
_DATA = 0
_REQUEST_COST = 10
# A request gets its cost back with its answer, and that of some small frames: so what
# costs are requests that are thrown away.
_ANSWER_WORTH = 15
# By frame type: HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY,
# WINDOW_UPDATE, CONTINUATION (RFC 9113 6).
_COSTS = {1: _REQUEST_COST, 2: 1, 3: 1, 4: 10, 5: 10, 6: 2, 7: 1, 8: 1, 9: 5}


class FrameMeter:
    """Follows the frames of one connection, however they are cut."""

    __slots__ = ("_header", "_left", "_measured_s", "_patience")

    def __init__(self) -> None:
        self._left = len(PREFACE)  # bytes up to the next frame header
        self._header = b""
        self._patience = limits.H2_PATIENCE_MAX
        self._measured_s = float("-inf")

    @property
    def is_between_frames(self) -> bool:
        """Nothing of a frame has arrived that is not there to its end."""
        return not self._left and not self._header

    def measure(self, data: bytes, now_s: float) -> tuple[int, PeerError | None]:
        """How many of the bytes may be parsed, and what the first of the rest broke.

        Args:
            data: bytes as received, the preface included.
            now_s: monotonic time.
        """
        waited_s = max(0.0, now_s - self._measured_s)
        self._measured_s = now_s
        self.give_back(int(min(waited_s, 3600.0) * limits.H2_PATIENCE_PER_S))
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            missing = _HEADER_BYTES - len(self._header)
            self._header += data[at : at + missing]
            if len(self._header) == _HEADER_BYTES:
                error = self._weigh(self._header)
                if error is not None:
                    return at, error
                self._header = b""
            at = min(len(data), at + missing)
        return len(data), None

    def give_back(self, patience: int) -> None:
        """More patience, up to its bound."""
        self._patience = min(limits.H2_PATIENCE_MAX, self._patience + patience)

    def answered(self) -> None:
        """A request got its answer: it was worth its cost."""
        self.give_back(_ANSWER_WORTH)

    def sent(self, size: int) -> None:
        """Body bytes were sent, for which window updates will come."""
        self.give_back(size // 1024)

    def _weigh(self, header: bytes) -> PeerError | None:
        length, kind = int.from_bytes(header[:3]), header[3]
        if length > limits.H2_FRAME_BYTES_MAX:
            return Sender.CLIENT.framing_error(
                "h2_frame_too_large", "an HTTP/2 frame above the announced size"
            )
        self._left = length
        if kind == _DATA:
            self.give_back(length // 1024)
        self._patience -= _COSTS.get(kind, 1)
        if self._patience < 0:
            return Sender.CLIENT.limit_error(
                "h2_patience", "HTTP/2 frames that lead nowhere", status=429
            )
        return None
