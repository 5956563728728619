"""The ``application/vnd.amazon.eventstream`` framing: messages in and out of bytes.

A message is a prelude (total length, headers length, CRC-32 of both), typed headers,
a payload, and a CRC-32 of all before it. Decoding and encoding again gives the same
bytes. Source: "Amazon Event Stream Specification", Smithy 2.0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple, NoReturn
from zlib import crc32

from gatekeep.errors import FramingError, LimitError
from gatekeep.limits import EVENT_HEADERS_BYTES_MAX, EVENT_PAYLOAD_BYTES_MAX

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_OVERHEAD = _PRELUDE.size + _CRC.size


class HeaderType(IntEnum):
    """The type of a header's value, as it stands on the wire."""

    TRUE = 0
    FALSE = 1
    INT8 = 2
    INT16 = 3
    INT32 = 4
    INT64 = 5
    BYTES = 6
    STRING = 7
    TIMESTAMP = 8
    """Milliseconds since 1970."""
    UUID = 9
    """16 bytes."""


_FIXED = {
    HeaderType.INT8: struct.Struct(">b"),
    HeaderType.INT16: struct.Struct(">h"),
    HeaderType.INT32: struct.Struct(">i"),
    HeaderType.INT64: struct.Struct(">q"),
    HeaderType.TIMESTAMP: struct.Struct(">q"),
    HeaderType.UUID: struct.Struct("16s"),
}
_LENGTH = struct.Struct(">H")


class Header(NamedTuple):
    """One header of a message."""

    name: str
    type: HeaderType
    value: bool | int | bytes | str
    """bool, int, bytes (BYTES, UUID) or str, as the type has it."""


class Message(NamedTuple):
    """One message."""

    headers: tuple[Header, ...]
    payload: bytes

    def header(self, name: str) -> bool | int | bytes | str | None:
        """The value of a header; None when there is none of that name."""
        for header in self.headers:
            if header.name == name:
                return header.value
        return None


class EventStreamDecoder:
    """Takes a stream of messages apart, however it is cut."""

    __slots__ = ("_buffer", "_lengths")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lengths: tuple[int, int] | None = None

    def feed(self, data: bytes) -> list[Message]:
        """Take in what came; return the messages that it completes.

        Raises:
            FramingError: a CRC does not hold, or a length or header is malformed.
            LimitError: a message passes `limits.EVENT_PAYLOAD_BYTES_MAX` or
                `limits.EVENT_HEADERS_BYTES_MAX`.
        """
        self._buffer += data
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def finish(self) -> None:
        """Say that no more comes; raises FramingError inside a message."""
        if self._buffer:
            _refuse("the stream stopped in the middle of a message")

    def _next(self) -> Message | None:
        """The next message, once it is whole."""
        if self._lengths is None:
            if len(self._buffer) < _PRELUDE.size:
                return None
            self._lengths = _read_prelude(self._buffer)
        total, headers_length = self._lengths
        if len(self._buffer) < total:
            return None
        frame = bytes(self._buffer[:total])
        del self._buffer[:total]
        self._lengths = None
        (crc,) = _CRC.unpack_from(frame, total - _CRC.size)
        if crc32(frame[: -_CRC.size]) != crc:
            _refuse("the CRC of a message does not hold")
        headers_end = _PRELUDE.size + headers_length
        headers = tuple(_read_headers(frame, headers_end))
        if len({header.name for header in headers}) != len(headers):
            _refuse("a header is there twice")
        return Message(headers, frame[headers_end : -_CRC.size])


def encode_message(message: Message) -> bytes:
    """Return a message's bytes.

    Raises:
        ValueError: a name, value or payload does not fit its type or length.
    """
    try:
        headers = b"".join(map(encode_header, message.headers))
    except (struct.error, UnicodeError) as error:
        raise ValueError(f"a header that cannot be encoded: {error}") from error
    if (
        len(headers) > EVENT_HEADERS_BYTES_MAX
        or len(message.payload) > EVENT_PAYLOAD_BYTES_MAX
    ):
        raise ValueError("a message over the limit")
    lengths = struct.pack(
        ">II", _OVERHEAD + len(headers) + len(message.payload), len(headers)
    )
    frame = b"".join((lengths, _CRC.pack(crc32(lengths)), headers, message.payload))
    return frame + _CRC.pack(crc32(frame))


def encode_header(header: Header) -> bytes:
    """Return a header's bytes.

    Raises:
        ValueError, struct.error: a name or value does not fit its type.
    """
    name = header.name.encode()
    if not 0 < len(name) < 256:
        raise ValueError("a header name is 1 to 255 bytes long")
    start = bytes((len(name),)) + name + bytes((header.type,))
    if header.type in (HeaderType.TRUE, HeaderType.FALSE):
        return start
    if header.type in (HeaderType.BYTES, HeaderType.STRING):
        value = header.value
        raw = value.encode() if isinstance(value, str) else bytes(value)
        return start + _LENGTH.pack(len(raw)) + raw
    return start + _FIXED[header.type].pack(header.value)


def encode_error(code: str, message: str) -> bytes:
    """Return the message that ends a stream with an error, as SDKs parse it.

    Args:
        code: for example ``AccessDeniedException``.
        message: for whoever called.
    """
    return encode_message(
        Message(
            (
                Header(":message-type", HeaderType.STRING, "error"),
                Header(":error-code", HeaderType.STRING, code),
                Header(":error-message", HeaderType.STRING, message),
            ),
            b"",
        )
    )


def _read_prelude(buffer: bytearray) -> tuple[int, int]:
    """Total and headers length that a prelude tells, its CRC checked."""
    total, headers_length, crc = _PRELUDE.unpack_from(buffer)
    if crc32(buffer[: _PRELUDE.size - _CRC.size]) != crc:
        _refuse("the CRC of a message's lengths does not hold")
    payload_length = total - headers_length - _OVERHEAD
    if payload_length < 0:
        _refuse("the lengths of a message contradict each other")
    if (
        headers_length > EVENT_HEADERS_BYTES_MAX
        or payload_length > EVENT_PAYLOAD_BYTES_MAX
    ):
        raise LimitError("limit.event", f"a message of {total} bytes is over the limit")
    return total, headers_length


def _read_headers(frame: bytes, end: int) -> Iterator[Header]:
    """The headers between the prelude and their end."""
    at = _PRELUDE.size
    try:
        while at < end:
            name_end = at + 1 + frame[at]
            name = frame[at + 1 : name_end].decode()
            type_ = HeaderType(frame[name_end])
            at = name_end + 1
            value: bool | int | bytes | str
            if type_ in (HeaderType.TRUE, HeaderType.FALSE):
                value = type_ is HeaderType.TRUE
            elif type_ in (HeaderType.BYTES, HeaderType.STRING):
                (length,) = _LENGTH.unpack_from(frame, at)
                at += _LENGTH.size
                raw = frame[at : at + length]
                value = raw.decode() if type_ is HeaderType.STRING else raw
                at += length
            else:
                (value,) = _FIXED[type_].unpack_from(frame, at)
                at += _FIXED[type_].size
            if not name or at > end:
                raise ValueError("no name, or a value past the end")
            yield Header(name, type_, value)
    except (IndexError, ValueError, struct.error):
        _refuse("the headers of a message are malformed")


def _refuse(message: str) -> NoReturn:
    raise FramingError("body.event_stream", message, aws_code="InvalidRequest")
