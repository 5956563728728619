"""Heads read with care: h11 is the authority, and where it forgives we do not.

h11 joins folded lines, ends lines at a bare line feed, merges equal
Content-Lengths, and lets control bytes through. Each of those is a place where a
proxy before us and a server behind us can see different messages, so they are
refused here, on the raw bytes, before h11 reads them. What h11 then refuses is
refused too.

A head is read in two steps: `find_head_end` says where it ends as bytes arrive,
`read_request_head` and `read_response_head` say what it means once it is whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import h11

from gatekeep import limits
from gatekeep.http import rules
from gatekeep.http.faults import Sender
from gatekeep.http.messages import Field, RequestHead, ResponseHead

_FORBIDDEN = re.compile(
    rb"(?P<line_feed_bare>(?<!\r)\n)"
    rb"|(?P<carriage_return_bare>\r(?!\n|\Z))"
    rb"|(?P<control_byte>[\x00-\x08\x0b\x0c\x0e-\x1f\x7f])"
)
_FORBIDDEN_MESSAGES = {
    "line_feed_bare": "a line ends with LF alone, CR LF was expected",
    "carriage_return_bare": "CR without LF in a head",
    "control_byte": "a control byte in a head",
}
_REQUEST_LINE = re.compile(rb"(%b) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])" % rules.TOKEN)
_STATUS_LINE = re.compile(rb"HTTP/([0-9])\.([0-9]) ([0-9]{3})( .*)?")
_FIELD_NAME = re.compile(rules.TOKEN)


class RequestReading(NamedTuple):
    """A request head and what it says about its own transport."""

    head: RequestHead
    body_length: int | None
    """Bytes of the body; None when it is chunked."""
    keeps_alive: bool
    expects_continue: bool


class ResponseReading(NamedTuple):
    """A response head and what it says about its own transport."""

    head: ResponseHead
    body_length: int | None
    """Bytes of the body; None when it is chunked or ends with the connection."""
    chunked: bool
    keeps_alive: bool


def find_head_end(buffer: bytes, start: int, searched: int, sender: Sender) -> int:
    """The index after a head's last byte, or -1 while it is not whole.

    Garbage is refused as soon as it is seen, not when the head is whole: a TLS
    handshake on a plain port never becomes a head. The verdict on a byte never
    changes with the bytes after it, so how the bytes were cut changes nothing.

    Args:
        buffer: what was received.
        start: where the head begins.
        searched: how far an earlier call looked; `start` for the first.
        sender: whose bytes.

    Raises:
        FramingError: a byte that no head holds.
        LimitError: over `limits.HEAD_BYTES_MAX` (431; 414 while still in the first
            line).
    """
    bound = start + limits.HEAD_BYTES_MAX
    # Three bytes back: a CR LF CR LF may lie across the two calls.
    end = buffer.find(b"\r\n\r\n", max(start, searched - 3), bound)
    stop = end + 4 if end >= 0 else min(len(buffer), bound)
    # One byte back: a CR that was last could not be judged yet.
    forbidden = _FORBIDDEN.search(buffer, max(start, searched - 1), stop)
    if buffer.startswith(b"\r\n", start):
        raise sender.framing_error("first_line_empty", "a head begins with a line")
    name = str(forbidden.lastgroup) if forbidden is not None else ""
    if buffer.startswith(b"\n", start):
        # Whatever is before `start` is another message's, a CR there too.
        name = "line_feed_bare"
    if name:
        raise sender.framing_error(name, _FORBIDDEN_MESSAGES[name])
    if end >= 0:
        return end + 4
    if len(buffer) >= bound:
        if buffer.find(b"\r\n", start, bound) < 0 and sender is Sender.CLIENT:
            raise rules.target_too_long()
        raise sender.limit_error(
            "head_too_large",
            f"the head is over {limits.HEAD_BYTES_MAX} bytes",
            status=431,
        )
    return -1


def read_request_head(raw: bytes) -> tuple[RequestReading, h11.Connection]:
    """A request head's meaning, and the h11 connection that read it.

    Args:
        raw: the head with its closing empty line, as `find_head_end` cut it.

    Raises:
        FramingError: not a request head, or one that can be read in two ways.
        LimitError: too many fields, or too long a target.
    """
    sender = Sender.CLIENT
    lines = raw[:-4].split(b"\r\n")
    method, target, version = _read_request_line(lines[0])
    fields = read_field_lines(lines[1:], sender)
    rules.check_host(fields, version)
    rules.check_connection_options(fields)
    body_length, chunked = rules.read_framing(fields, version, sender)
    expects = rules.read_expectation(fields)
    connection = h11.Connection(
        h11.SERVER, max_incomplete_event_size=limits.HEAD_BYTES_MAX
    )
    event = _ask_h11(connection, raw, sender)
    if not isinstance(event, h11.Request) or (
        (event.method, event.target, event.http_version, list(event.headers))
        != (method, target, version, fields)
    ):
        raise sender.framing_error("head_unread", "not a request head")
    has_body = chunked or bool(body_length)
    reading = RequestReading(
        RequestHead(method, target, fields, version),
        None if chunked else body_length or 0,
        rules.keeps_alive(fields, version),
        has_body and version == b"1.1" and expects,
    )
    return reading, connection


def read_response_head(
    raw: bytes, request_method: bytes
) -> tuple[ResponseReading, h11.Connection]:
    """A response head's meaning (interim ones too), and the h11 that read it.

    Args:
        raw: the head with its closing empty line, as `find_head_end` cut it.
        request_method: of the request it answers.

    Raises:
        FramingError: not a response head, or one that can be read in two ways.
        LimitError: too many fields.
    """
    sender = Sender.UPSTREAM
    lines = raw[:-4].split(b"\r\n")
    status, version = _read_status_line(lines[0])
    fields = read_field_lines(lines[1:], sender)
    body_length, chunked = rules.read_framing(fields, version, sender)
    if status < 200 or status == 204:
        # RFC 9112 6.1 forbids both fields here; "Content-Length: 0" is harmless and
        # some servers send it.
        if chunked or body_length:
            raise sender.framing_error(
                "body_forbidden", "a body on a status that has none"
            )
        body_length = 0
    elif status == 304 or request_method == b"HEAD":
        body_length, chunked = 0, False
    connection = h11.Connection(
        h11.CLIENT, max_incomplete_event_size=limits.HEAD_BYTES_MAX
    )
    connection.send(
        h11.Request(method=request_method, target=b"/", headers=[(b"host", b"-")])
    )
    event = _ask_h11(connection, raw, sender)
    if not isinstance(event, h11.Response | h11.InformationalResponse) or (
        (event.status_code, event.http_version, list(event.headers))
        != (status, version, fields)
    ):
        raise sender.framing_error("head_unread", "not a response head")
    reading = ResponseReading(
        ResponseHead(status, fields, version),
        body_length,
        chunked,
        rules.keeps_alive(fields, version),
    )
    return reading, connection


def read_field_lines(lines: Sequence[bytes], sender: Sender) -> list[Field]:
    """The fields of a head or of a trailer section, without `_FORBIDDEN` bytes.

    Raises:
        FramingError: a line that is not one field.
        LimitError: more than `limits.HEAD_FIELDS_MAX` lines.
    """
    if len(lines) > limits.HEAD_FIELDS_MAX:
        raise sender.limit_error(
            "fields_too_many",
            f"more than {limits.HEAD_FIELDS_MAX} header fields",
            status=431,
        )
    fields = []
    for line in lines:
        if line.startswith((b" ", b"\t")):
            raise sender.framing_error("field_folded", "a header field is folded")
        name, colon, value = line.partition(b":")
        if not colon:
            raise sender.framing_error("field_colon", "a header field without a colon")
        if name.endswith((b" ", b"\t")):
            raise sender.framing_error(
                "field_name_space", "white space between a field's name and its colon"
            )
        if _FIELD_NAME.fullmatch(name) is None:
            raise sender.framing_error("field_name", "not a header field name")
        fields.append((name.lower(), value.strip(b" \t")))
    return fields


def _ask_h11(connection: h11.Connection, raw: bytes, sender: Sender) -> object:
    """What h11 makes of a head. Its error's text may quote bytes, so it stays here."""
    connection.receive_data(raw)
    try:
        return connection.next_event()
    except h11.RemoteProtocolError as error:
        raise sender.framing_error(
            "head_unread", "not an HTTP head", status=error.error_status_hint
        ) from None


# --- first lines ----------------------------------------------------------------


def _read_request_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    sender = Sender.CLIENT
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise sender.framing_error("request_line", "not a request line")
    method, target, major, minor = match.groups()
    rules.check_target(method, target)
    return method, target, _read_version(major, minor, sender)


def _read_status_line(line: bytes) -> tuple[int, bytes]:
    sender = Sender.UPSTREAM
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise sender.framing_error("status_line", "not a status line")
    version = _read_version(match[1], match[2], sender)
    status = int(match[3])
    if not 100 <= status <= 599:
        raise sender.framing_error("status", "a status outside 100 to 599")
    if status == 101:
        raise sender.framing_error("switch", "a change of protocol nobody asked for")
    return status, version


def _read_version(major: bytes, minor: bytes, sender: Sender) -> bytes:
    if major != b"1" or minor not in (b"0", b"1"):
        raise sender.framing_error(
            "version", "HTTP/1.1 and HTTP/1.0 are spoken here", status=505
        )
    return b"1." + minor
