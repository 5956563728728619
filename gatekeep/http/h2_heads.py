"""HTTP/2 request heads under the rules of HTTP/1.1.

`h2` has refused what RFC 9113 calls malformed: pseudo fields missing, repeated or late,
upper-case names, fields of a connection, a host unlike ``:authority``. HTTP/1.1 is stricter about bytes, and
the request goes on in HTTP/1.1.
"""

from __future__ import annotations

import re

from gatekeep import limits
from gatekeep.http import rules
from gatekeep.http.faults import Sender
from gatekeep.http.messages import Field, RequestHead

_SENDER = Sender.CLIENT
_NAME = re.compile(rules.TOKEN)
_TARGET = re.compile(rb"[\x21-\x7e]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

CONNECTION_FIELDS = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding",
     b"upgrade")
)  # fmt: skip
"""Fields that HTTP/2 does not have (RFC 9113 8.2.2); left out of what we send."""


def read_request_fields(headers: list[Field]) -> RequestHead:
    """A request head from HTTP/2 header fields, under the rules of HTTP/1.1.

    ``:authority`` becomes the host field, in the first place as clients of HTTP/1.1
    send it; `h2` has refused one that differs from a host field beside it.

    Raises:
        FramingError: a field that HTTP/1.1 could not carry, or that breaks a rule.
        LimitError: too many fields, or too long a target.
    """
    if len(headers) > limits.HEAD_FIELDS_MAX:
        raise _SENDER.limit_error(
            "fields_too_many",
            f"more than {limits.HEAD_FIELDS_MAX} header fields",
            status=431,
        )
    pseudo: dict[bytes, bytes] = {}
    fields: list[Field] = []
    for name, value in headers:
        if _CONTROL.search(value):
            raise _SENDER.framing_error("control_byte", "a control byte in a head")
        if name.startswith(b":"):
            pseudo[name] = value
        elif _NAME.fullmatch(name) is None:
            raise _SENDER.framing_error("field_name", "not a header field name")
        else:
            fields.append((name, value))
    if b":authority" in pseudo and not rules.values_of(fields, b"host"):
        fields.insert(0, (b"host", pseudo[b":authority"]))
    method, target = pseudo[b":method"], pseudo.get(b":path", b"")
    if _NAME.fullmatch(method) is None:
        raise _SENDER.framing_error("request_line", "not a request method")
    rules.check_target(method, target)
    if _TARGET.fullmatch(target) is None or pseudo[b":scheme"] not in (
        b"https",
        b"http",
    ):
        raise _SENDER.framing_error("request_line", "not a request target")
    rules.check_host(fields, b"2")
    return RequestHead(method, target, fields, b"2")
