"""The slow readable twin of `gatekeep/_fast/head.pyx`: the same subset, by regular expression."""

import re

HEAD_BYTES_READ_MAX = 32768
TARGET_BYTES_READ_MAX = 8192
FIELDS_READ_MAX = 64

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
FIELD = rb"(%b):[ \t]*([\t\x20-\x7e\x80-\xff]*)\r\n" % TOKEN
HEAD_END = rb"((?:%b)*)\r\n" % FIELD
REQUEST = re.compile(
    rb"(GET|HEAD|POST|PUT|PATCH|DELETE) (/[!\"$-~]*) HTTP/1\.1\r\n%b" % HEAD_END
)
RESPONSE = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*\r\n%b" % HEAD_END
)
HOST = re.compile(rb"[0-9A-Za-z\-._~]+(:[0-9]{1,5})?")


def read_request(buffer, start):
    """Method, target, fields, body length, keep-alive, expects, end; or None."""
    match = REQUEST.match(buffer, start)
    if match is None or len(match[2]) > TARGET_BYTES_READ_MAX:
        return None
    read = read_fields(match[3])
    if read is None or match.end() - start > HEAD_BYTES_READ_MAX:
        return None
    fields, length, chunked, closes, expects = read
    if not any(name == b"host" for name, _ in fields):
        return None
    has_body = chunked or bool(length)
    body_length = None if chunked else length or 0
    return (
        match[1],
        match[2],
        fields,
        body_length,
        not closes,
        expects and has_body,
        match.end(),
    )


def read_response(buffer, start, to_head):
    """Status, fields, body length, chunked, keep-alive, end; or None."""
    match = RESPONSE.match(buffer, start)
    if match is None:
        return None
    status = int(match[1])
    read = read_fields(match[2])
    if read is None or match.end() - start > HEAD_BYTES_READ_MAX:
        return None
    fields, length, chunked, closes, _ = read
    if status == 204:
        if chunked or length:
            return None
        length = 0
    elif to_head or status == 304:
        length, chunked = 0, False
    return status, fields, length, chunked, not closes, match.end()


def read_fields(lines):
    """Fields, length (None without), chunked, closes, expects; or None if unusual."""
    fields = [
        (name.lower(), value.rstrip(b" \t")) for name, value in re.findall(FIELD, lines)
    ]
    if len(fields) > FIELDS_READ_MAX:
        return None
    by_name = {}
    for name, value in fields:
        by_name.setdefault(name, []).append(value)
    hosts = by_name.get(b"host", [])
    lengths = by_name.get(b"content-length", [])
    codings = by_name.get(b"transfer-encoding", [])
    expectations = by_name.get(b"expect", [])
    connections = by_name.get(b"connection", [])
    if (
        len(hosts) > 1
        or not all(HOST.fullmatch(host) for host in hosts)
        or len(lengths + codings) > 1
        or not all(re.fullmatch(rb"[0-9]{1,15}", length) for length in lengths)
        or codings not in ([], [b"chunked"])
        or expectations not in ([], [b"100-continue"])
        or not set(connections) <= {b"close", b"keep-alive", b"Keep-Alive"}
    ):
        return None
    length = int(lengths[0]) if lengths else None
    return fields, length, bool(codings), b"close" in connections, bool(expectations)


def write_head(first_line, fields, without_own):
    """Lines, Content-Length or -1, chunked; ValueError for what cannot be written."""
    fields = list(fields)
    for name, value in fields:
        if re.fullmatch(TOKEN, name) is None or name != name.lower():
            raise ValueError(name)
        if re.search(rb"[\r\n\0]", value):
            raise ValueError(value)
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    if (
        re.search(rb"[\r\n\0]", first_line)
        or len(lengths + codings) > 1
        or not all(re.fullmatch(rb"[0-9]{1,15}", length) for length in lengths)
        or codings not in ([], [b"chunked"])
    ):
        raise ValueError(first_line)
    own = (b"connection", b"keep-alive", b"transfer-encoding") if without_own else ()
    lines = [b"%b: %b\r\n" % field for field in fields if field[0] not in own]
    return (
        first_line + b"\r\n" + b"".join(lines),
        int(lengths[0]) if lengths else -1,
        bool(codings),
    )
