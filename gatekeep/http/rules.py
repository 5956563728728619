"""What a head may say, whichever version of HTTP it came in.

Each rule has one error of its own. The bytes are past `heads` or `h2` by then: names
are lower case, values hold no control bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gatekeep import limits
from gatekeep.errors import LimitError
from gatekeep.http.faults import Sender
from gatekeep.http.messages import Field

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
"""RFC 9110 5.6.2: methods and field names."""

_CONTENT_LENGTH = re.compile(rb"[0-9]{1,15}")
# RFC 9112 3.2 with RFC 3986 3.2.2, without percent coding and sub-delims, which no
# name of ours has.
_HOST = re.compile(rb"(?:[A-Za-z0-9._~\-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
# A field that Connection names is for us alone and must not be passed on. A request
# that could name any would be decided with the field and sent without it; so only
# options are known whose fields have no meaning to AWS. Java's client asks for h2c.
_KNOWN_OPTIONS = frozenset(
    (b"", b"close", b"keep-alive", b"upgrade", b"http2-settings", b"te")
)


def values_of(fields: Sequence[Field], name: bytes) -> list[bytes]:
    """All values of a field in wire order."""
    return [value for key, value in fields if key == name]


def check_target(method: bytes, target: bytes) -> None:
    """Pass a request in origin form (RFC 9112 3.2.1), the only one a server is sent.

    Raises:
        FramingError: another form, or a fragment.
        LimitError: over `limits.TARGET_BYTES_MAX` (414).
    """
    sender = Sender.CLIENT
    if len(target) > limits.TARGET_BYTES_MAX:
        raise target_too_long()
    if method == b"CONNECT":
        raise sender.framing_error(
            "target_authority", "this is no CONNECT proxy", status=405
        )
    if target == b"*":
        raise sender.framing_error("target_asterisk", "a target of * is not served")
    if not target.startswith(b"/"):
        if b"://" in target:
            raise sender.framing_error(
                "target_absolute",
                "the target is a whole URL: set the endpoint URL, not a proxy",
            )
        raise sender.framing_error("target_form", "the target begins with /")
    if b"#" in target:
        raise sender.framing_error("target_fragment", "a # in the target")


def target_too_long() -> LimitError:
    """The error for a target over its bound."""
    return Sender.CLIENT.limit_error(
        "target_too_long",
        f"the request target is over {limits.TARGET_BYTES_MAX} bytes",
        status=414,
    )


def check_host(fields: Sequence[Field], version: bytes) -> None:
    """Pass exactly one Host that names a host; HTTP/1.0 may have none.

    Raises:
        FramingError: none, several, or something else in it.
    """
    sender = Sender.CLIENT
    hosts = values_of(fields, b"host")
    if len(hosts) > 1:
        raise sender.framing_error("host_repeated", "more than one Host field")
    if not hosts:
        if version != b"1.0":
            raise sender.framing_error("host_missing", "no Host field")
    elif _HOST.fullmatch(hosts[0]) is None:
        raise sender.framing_error("host_invalid", "the Host field names no host")


def read_framing(
    fields: Sequence[Field], version: bytes, sender: Sender
) -> tuple[int | None, bool]:
    """The body's declared length, and whether it is chunked (RFC 9112 6.3).

    Raises:
        FramingError: framing that two readers could understand differently.
    """
    lengths = values_of(fields, b"content-length")
    codings = values_of(fields, b"transfer-encoding")
    if lengths and codings:
        raise sender.framing_error(
            "length_and_coding", "Content-Length together with Transfer-Encoding"
        )
    if codings:
        if version == b"1.0":
            raise sender.framing_error(
                "coding_in_1_0", "Transfer-Encoding in an HTTP/1.0 message"
            )
        if codings != [b"chunked"]:
            raise sender.framing_error(
                "coding", "a Transfer-Encoding other than chunked", status=501
            )
        return None, True
    if len(lengths) > 1:
        raise sender.framing_error(
            "content_length_conflict", "more than one Content-Length"
        )
    if not lengths:
        return None, False
    if _CONTENT_LENGTH.fullmatch(lengths[0]) is None:
        raise sender.framing_error("content_length", "Content-Length is not a number")
    return int(lengths[0]), False


def read_expectation(fields: Sequence[Field]) -> bool:
    """Whether 100 Continue is expected.

    Raises:
        FramingError: something else is, or it is said twice (417).
    """
    expectations = [value.lower() for value in values_of(fields, b"expect")]
    if expectations not in ([], [b"100-continue"]):
        raise Sender.CLIENT.framing_error(
            "expectation", "only 100-continue can be expected", status=417
        )
    return bool(expectations)


def keeps_alive(fields: Sequence[Field], version: bytes) -> bool:
    """Whether the connection outlives the message (RFC 9112 9.3, without 1.0)."""
    return version == b"1.1" and b"close" not in _connection_options(fields)


def check_connection_options(fields: Sequence[Field]) -> None:
    """Pass a request whose Connection field names no field that AWS would read.

    Raises:
        FramingError: it names an unknown one.
    """
    if not _connection_options(fields) <= _KNOWN_OPTIONS:
        raise Sender.CLIENT.framing_error(
            "connection_option", "an unknown Connection option"
        )


def _connection_options(fields: Sequence[Field]) -> set[bytes]:
    options = b",".join(values_of(fields, b"connection")).lower().split(b",")
    return {option.strip(b" \t") for option in options}
