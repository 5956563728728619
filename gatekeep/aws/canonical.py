"""SigV4's canonical request: the one spelling of a request that is signed.

Works on raw received bytes. Two spellings that AWS takes for the same request
give the same canonical bytes; nothing else does. Source: "Create a signed AWS API
request", AWS IAM User Guide; where that is silent, what botocore signs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import quote_from_bytes

from gatekeep.http.messages import Field

S3_FAMILY = frozenset({"s3", "s3-object-lambda", "s3-outposts", "s3express"})
"""Signing names whose path is signed as it is sent, encoded once and never
normalised. In botocore's models and endpoint rules no other name is."""

# Percent-triplets of bytes that are not unreserved (RFC 3986 section 2.3), in
# upper case: the only ones that stand in a canonical path or query.
_TRIPLET = rb"(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-DF])"
_uncanonical = re.compile(rb"%(?!" + _TRIPLET + rb")|[^A-Za-z0-9\-._~%]").search
_uncanonical_in_path = re.compile(
    rb"%(?!" + _TRIPLET + rb")|[^A-Za-z0-9\-._~/%]"
).search
_plain_path = re.compile(rb"(?:/[A-Za-z0-9\-_~][A-Za-z0-9\-._~]*)+/?").fullmatch
_field_name = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
_foreign = re.compile(rb"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~]")
_foreign_in_path = re.compile(rb"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~/]")
_UNRESERVED = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)


def canonical_path(path: bytes, *, service: str) -> bytes:
    """Return the canonical URI of a raw path.

    For S3 it is the path as sent; bytes that a client left bare and AWS encodes
    are encoded. For all others dots and double slashes are resolved and the sent
    spelling is encoded once more.
    """
    if service in S3_FAMILY:
        if not _uncanonical_in_path(path):
            return path or b"/"
        return _foreign_in_path.sub(_respell, path)
    if path == b"/" or _plain_path(path):
        return path
    segments: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del segments[-1:]
        elif segment not in (b"", b"."):
            segments.append(segment)
    if not segments:
        return b"/"
    resolved = b"/" + b"/".join(segments) + (b"/" if path.endswith(b"/") else b"")
    return quote_from_bytes(resolved, safe="/~").encode()


def canonical_query(query: bytes) -> bytes:
    """Return the canonical query of a raw one: respelled, then sorted."""
    if not query:
        return b""
    pairs = []
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        pairs.append((canonical_component(name), canonical_component(value)))
    pairs.sort()
    return b"&".join([b"%b=%b" % pair for pair in pairs])


def canonical_component(component: bytes) -> bytes:
    """Return a query name or value as SigV4 spells it.

    Unreserved bytes stand bare, all others as triplets in upper case; a bare ``+``
    is the space that it means.
    """
    if not _uncanonical(component):
        return component
    return _foreign.sub(_respell, component.replace(b"+", b"%20"))


def _respell(match: re.Match[bytes]) -> bytes:
    """One byte, bare or as a triplet, in its canonical spelling."""
    spelling = match[0]
    byte = int(spelling[1:], 16) if len(spelling) == 3 else spelling[0]
    return bytes((byte,)) if byte in _UNRESERVED else b"%%%02X" % byte


_AUTHORITY = b":authority"
"""What clients of HTTP/2 may sign instead of ``host``: the JavaScript SDK does. The
head has it as its host field (`http.h2_heads`), so that is what is verified."""


class SignedNames(NamedTuple):
    """A ``SignedHeaders`` list made ready: the same for every request of a client."""

    listed: bytes
    """As the client listed them."""
    names: tuple[bytes, ...]
    """The fields that are signed; ``host`` for ``:authority``."""
    as_set: frozenset[bytes]
    template: bytes
    """``host:%b\\nx-amz-date:%b\\n``: canonical headers without their values."""
    values: Callable[[Mapping[bytes, bytes]], tuple[bytes, ...]]
    """The values in order; KeyError when a listed field is not there."""


@lru_cache(maxsize=256)
def signed_names(listed: bytes) -> SignedNames:
    """Return a ``SignedHeaders`` list (``host;x-amz-date``) made ready.

    The order stays the client's: it is bound by the signature like all else.

    Raises:
        ValueError: not names in lower case, or a name twice.
    """
    spelled = listed.split(b";")
    names = tuple([b"host" if name == _AUTHORITY else name for name in spelled])
    if not all(map(_field_name, names)):
        raise ValueError("expected names in lower case")
    if len(set(names)) != len(names):
        raise ValueError("expected each name once")
    template = b"".join([name.replace(b"%", b"%%") + b":%b\n" for name in spelled])
    # `itemgetter` of one name gives a value, not a tuple.
    values = itemgetter(*names) if len(names) > 1 else _values_of_one(names[0])
    return SignedNames(listed, names, frozenset(names), template, values)


def _values_of_one(name: bytes) -> Callable[[Mapping[bytes, bytes]], tuple[bytes, ...]]:
    return lambda by_name: (by_name[name],)


def canonical_fields(
    signed: SignedNames, fields: Sequence[Field], by_name: Mapping[bytes, bytes]
) -> bytes:
    """Return the canonical headers, one line each.

    Args:
        signed: the names that are signed.
        fields: all fields in wire order; those of one name are joined by commas.
        by_name: the first value of each name.

    Raises:
        KeyError: a signed field is not there; its argument is the name.
    """
    if len(by_name) == len(fields):
        lines = signed.template % signed.values(by_name)
        # Two spaces take ten times as long to look for as one, which is rare.
        if b"\t" not in lines and (b" " not in lines or b"  " not in lines):
            return lines
    joined: dict[bytes, list[bytes]] = {name: [] for name in signed.names}
    for name, value in fields:
        if name in joined:
            joined[name].append(b" ".join(value.split()))
    for name, values in joined.items():
        if not values:
            raise KeyError(name)
    return signed.template % tuple(map(b",".join, joined.values()))


def canonical_request(
    *,
    method: bytes,
    path: bytes,
    query: bytes,
    service: str,
    fields: bytes,
    listed: bytes,
    body_sha256: str,
) -> bytes:
    """Return the canonical request.

    Args:
        method: as sent.
        path: raw.
        query: raw, without the signature itself.
        service: the signing name; it decides how the path is spelled.
        fields: what `canonical_fields` gives.
        listed: the ``SignedHeaders`` list.
        body_sha256: the body's hash, or what stands for it.
    """
    return b"%b\n%b\n%b\n%b\n%b\n%b" % (
        method,
        canonical_path(path, service=service),
        canonical_query(query),
        fields,
        listed,
        body_sha256.encode(),
    )
