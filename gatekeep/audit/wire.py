"""What a worker and the ledger say to each other over their Unix socket.

Each message is its size (4 bytes, big-endian) and as many bytes of canonical
msgpack. A worker sends ``[number, [[payload, exchange, [principal key, …], [capture,
…]], …]]``, its batches numbered from 0; the ledger answers each batch, in order, with
``[number, index of the first record, hashes]`` when it is durable, or with ``[number,
code, message]`` when nothing of it was stored.
"""

from __future__ import annotations

from gatekeep.audit.canonical import pack, unpack
from gatekeep.errors import FramingError, VerificationError
from gatekeep.limits import LEDGER_FRAME_BYTES_MAX

_SIZE_BYTES = 4


def encode_frame(message: object) -> bytes:
    """The bytes of one message."""
    body = pack(message)
    return len(body).to_bytes(_SIZE_BYTES, "big") + body


class FrameReader:
    """Cuts received bytes into messages, however they arrive."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, data: bytes) -> list[object]:
        """The messages that these bytes complete.

        Raises:
            FramingError: they are not the protocol; the connection is of no use.
        """
        received = self._received
        received += data
        messages = []
        place = 0
        while len(received) - place >= _SIZE_BYTES:
            start = place + _SIZE_BYTES
            size = int.from_bytes(received[place:start], "big")
            if size > LEDGER_FRAME_BYTES_MAX:
                raise FramingError(
                    "audit.frame", f"a message of {size} bytes is too large"
                )
            if len(received) - start < size:
                break
            try:
                messages.append(unpack(bytes(received[start : start + size])))
            except VerificationError as error:
                raise FramingError("audit.frame", error.message) from error
            place = start + size
        del received[:place]
        return messages
