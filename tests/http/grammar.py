"""Heads and bodies as clients and upstreams send them, and nearly so.

Everything is made from one `random.Random`: hypothesis hands in its own, which it can
shrink, and fixed seeds drive the same grammar over tens of thousands of messages. Each
choice is now and then an odd one: the faults people attack proxies with.
"""

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

ODD = 0.04
"""How often a choice is an odd one; with some 20 choices half the messages are right."""


def holds_for(count, *, search=100):
    """Makes a property of a generator a test: some by hypothesis, then many seeds."""

    def decorate(holds):
        try_some = settings(max_examples=search, deadline=None)(
            given(st.randoms(use_true_random=False))(holds)
        )

        def test():
            try_some()
            for seed in range(count):
                try:
                    holds(random.Random(seed))
                except BaseException as error:
                    error.add_note(f"random.Random({seed})")
                    raise

        test.__name__ = holds.__name__
        return test

    return decorate


def seeds(count):
    """As many generators, the same ones each time."""
    return map(random.Random, range(count))


def rarely(r, odds=ODD):
    """True now and then; false for the least draw, which is what shrinking goes to."""
    return r.random() >= 1 - odds


def pick(r, usual, odd):
    """One of the usual, now and then one of the odd."""
    return r.choice(odd if rarely(r) else usual)


def newline(r):
    return pick(r, [b"\r\n"], [b"\n", b"\r", b"\n\r", b"\r\r\n", b""])


METHODS = [b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"PATCH"]
ODD_METHODS = [b"OPTIONS", b"CONNECT", b"get", b"G@T", b"", b"PRI", b"TRACE", b"X-Y"]
TARGETS = [
    b"/",
    b"/b/a%20b/../%C3%BC%2B//x",
    b"/?list-type=2&prefix=a%2Fb",
    b"/a|{}^`b",
]
ODD_TARGETS = [
    b"*", b"http://h/", b"h:443", b"/a#b", b"/\xc3\xa9", b"/a b", b"", b"//", b"/\x7f",
]  # fmt: skip
ODD_VERSIONS = [
    b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.2", b"http/1.1", b"HTTP/1.1 ", b"HTTP/01.1", b"",
]  # fmt: skip
STATUSES = [b"200", b"206", b"301", b"400", b"404", b"503", b"204", b"304"]
ODD_STATUSES = [b"100", b"103", b"101", b"099", b"600", b"20", b"2000", b"\xb2\xb2\xb2"]
REASONS = [b" OK", b" ", b" Not Found"]
ODD_REASONS = [b"", b" \xff", b"\tOK", b" \x01", b" a\tb"]
SEPARATORS = [b": ", b": ", b":", b":  ", b":\t"]
ODD_SEPARATORS = [b" :", b": \x00", b"", b"\t:", b": \x0b", b"\x00:"]
PLAIN = [
    (b"X-Amz-Target", b"DynamoDB_20120810.GetItem"),
    (b"x-amz-date", b"20261123T101010Z"),
    (b"Content-Type", b"application/x-amz-json-1.0"),
    (b"x-amz-meta-note", b"caf\xc3\xa9 \xff\t x"),
    (b"Empty", b""),
    (b"Padded", b"  a b \t"),
    (b"X-Amz-Security-Token", b"A" * 300),
    (b"TE", b"trailers"),
    (b"Upgrade", b"h2c"),
    (b"Trailer", b"x-amz-checksum-crc32"),
    (b"~!#$%&'*+-.^_`|", b"x"),
    (b"Host2", b"x"),
]
ODD_PLAIN = [
    (b'Quo"ted', b"x"), (b" folded", b"x"), (b"\tfolded", b"x"), (b"", b"x"),
    (b"ctl", b"a\x01b"), (b"nul", b"a\x00b"), (b"del", b"a\x7fb"), (b"cr", b"a\rb"),
    (b"a\xc3\xa9", b"x"), (b"\xa0a", b"x"), (b"tail", b"a\xa0"), (b"nel", b"\x85"),
]  # fmt: skip
TRANSPORT = [
    (b"Content-Length", b"5"),
    (b"Content-Length", b"0"),
    (b"Transfer-Encoding", b"chunked"),
    (b"Connection", b"keep-alive"),
    (b"Connection", b"close"),
    (b"Expect", b"100-continue"),
]
ODD_TRANSPORT = [
    *((b"Content-Length", value) for value in (
        b"17", b"05", b"+5", b"-1", b"5, 5", b"5,", b"0x5", b"", b"5 ", b"\xb2", b"1_0",
        b"9" * 15, b"9" * 21, b"5, 6", b"5\t",
    )),
    *((b"Transfer-Encoding", value) for value in (
        b"Chunked", b"gzip", b"gzip, chunked", b"chunked,", b"identity", b"\tchunked",
        b"", b"chunked;a=b", b"\x0bchunked", b"chunked\xa0",
    )),
    *((b"Connection", value) for value in (
        b"Keep-Alive", b"Close", b"close, x-amz-date", b"upgrade", b"", b"te", b"x",
        b"Upgrade, HTTP2-Settings", b"keep-alive, close", b"\xa0close", b"clos\xe9",
    )),
    *((b"Expect", value) for value in (b"100-Continue", b"200-ok", b"", b"100-continue,")),
    (b"Host", b"second"),
]  # fmt: skip
HOSTS = [b"dynamodb.gw.internal:8443", b"127.0.0.1:8443", b"localhost"]
ODD_HOSTS = [
    b"[::1]:8443", b"", b"a b", b"a/b", b"a:", b"a:123456", b"u@h", b"h\x00", b"\xff",
    b"a:1:2", b"a,b", b"[::1", b"a:\xb2",
]  # fmt: skip


def field_lines(r, host):
    """Field lines and the empty line."""
    fields = [pick(r, PLAIN, ODD_PLAIN) for _ in range(r.randrange(4))]
    for _ in range(r.choice((0, 1, 1, 1, 2))):
        name, value = pick(r, TRANSPORT, ODD_TRANSPORT)
        fields.append((r.choice((name, name.lower(), name.upper())), value))
    if host and not rarely(r):
        fields.insert(r.randint(0, len(fields)), (b"Host", pick(r, HOSTS, ODD_HOSTS)))
    lines = [
        name + pick(r, SEPARATORS, ODD_SEPARATORS) + value + newline(r)
        for name, value in fields
    ]
    return b"".join(lines) + newline(r)


def request_head(r):
    """A request head, right or nearly."""
    method = pick(r, METHODS, ODD_METHODS)
    target = pick(r, TARGETS, ODD_TARGETS)
    version = pick(r, [b"HTTP/1.1"], ODD_VERSIONS)
    line = b" ".join((method, target, version)) + newline(r)
    return mutated(r, line + field_lines(r, host=True))


def response_head(r):
    """A response head, right or nearly."""
    version = pick(r, [b"HTTP/1.1"], ODD_VERSIONS)
    status = pick(r, STATUSES, ODD_STATUSES)
    line = version + b" " + status + pick(r, REASONS, ODD_REASONS) + newline(r)
    return mutated(r, line + field_lines(r, host=False))


def chunked_body(r):
    """A chunked body, right or nearly."""
    raw = b""
    for _ in range(r.randrange(4)):
        data = r.choice((b"a", b"hello", b"\r\n0\r\n\r\n", b"x" * 17, b"\x00\xff\n"))
        raw += pick(r, [b"%x", b"%X", b"0%x"], [b"0x%x", b"+%x", b" %x"]) % len(data)
        raw += pick(r, [b"", b"", b"", b";a=b"], [b" ", b";", b";\x00", b" ;a", b";\n"])
        raw += newline(r) + data + newline(r)
    raw += pick(
        r, [b"0", b"000"], [b"-0", b"", b"0" * 21, b"f" * 15, b"f" * 17, b"0;a"]
    )
    raw += newline(r)
    trailers = [
        b"Content-Length: 5\r\n", b"a: b\r\n c\r\n", b"a : b\r\n", b"a: b\n", b"nonsense\r\n",
        b"a: \x00\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"a: \xff\r\n", b"\n",
    ]  # fmt: skip
    raw += pick(r, [b"", b"", b"x-amz-checksum-crc32: AAAAAA==\r\n"], trailers)
    return mutated(r, raw + newline(r))


def body_after(r, head):
    """A body that mostly fits the head."""
    if rarely(r):
        return r.choice((b"hello", b"", b"0\r\n\r\n", b"\r\n", b"hello\r\n", b"\x00"))
    head = head.lower()
    if b"transfer-encoding" in head:
        return chunked_body(r)
    return b"hello" if b"content-length" in head and b"5" in head else b""


def mutated(r, raw):
    """The bytes, one time in eight with a byte changed, put in or taken out."""
    while rarely(r, 0.12):
        at = r.randint(0, len(raw))
        byte = bytes([r.choice(b"\r\n\t :;,/0159aZ\x00\x0b\x7f\x80\xff")])
        raw = raw[:at] + r.choice((byte, b"")) + raw[at + r.randrange(2) :]
    return raw


def request_stream(r):
    """Some pipelined requests, right or nearly."""
    raw = b""
    for _ in range(r.randint(1, 3)):
        head = request_head(r)
        raw += head + body_after(r, head)
    return raw


def response_stream(r):
    """An answer with interim ones before it, right or nearly."""
    raw = b"HTTP/1.1 100 Continue\r\n\r\n" if rarely(r, 0.1) else b""
    head = response_head(r)
    return raw + head + body_after(r, head)


def cut(r, raw):
    """The bytes in pieces, none of them empty; now and then byte by byte."""
    if rarely(r, 0.1):
        places = range(len(raw))
    else:
        places = [r.randint(0, len(raw)) for _ in range(r.randrange(6))]
    return [raw[a:b] for a, b in pairwise(sorted({0, len(raw), *places}))]
