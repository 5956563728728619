"""Request bodies parsed strictly: JSON, CBOR, forms, and gzip around them.

Stricter than AWS on purpose, so that the gate and AWS cannot read one body in two
ways: duplicate keys, bad UTF-8, lone surrogates, ``NaN``, trailing bytes and depth
beyond `limits.PARAMETER_DEPTH_MAX` are refused with `UnrecognisedError`.
"""

from __future__ import annotations

import io
import json
import re
import zlib
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

import cbor2

from gatekeep import limits
from gatekeep.aws.readers import refuse

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        refuse("the request body names a key twice", "aws.duplicate_key")
    return result


def _no_constant(_: str) -> NoReturn:
    refuse("NaN and Infinity are not JSON", "aws.bad_body")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def parse_json(body: bytes) -> Any:
    """The value of a JSON text; raises `UnrecognisedError`."""
    if len(body) > limits.JSON_MARKS_MAX:
        marks = body.count(b",") + body.count(b"[") + body.count(b"{")
        if marks > limits.JSON_MARKS_MAX:
            refuse("the body has more values than any AWS call", "aws.too_many_fields")
    try:
        value = _DECODER.decode(body.decode())
    except (ValueError, RecursionError):
        refuse("the request body is not JSON in UTF-8", "aws.bad_body")
    if _SURROGATE.search(body) is not None:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except (UnicodeEncodeError, RecursionError):
            refuse("the request body holds half a character", "aws.bad_body")
    return value


def _refuse_tag(*_: object) -> NoReturn:
    refuse("the request body holds a CBOR tag that AWS does not use", "aws.bad_body")


def _bare(value: Any, _: object) -> Any:
    return value


# Smithy RPC v2 CBOR knows tag 1 (seconds since 1970) and no other. The built-in
# meanings (big numbers, shared references, regular expressions …) are shut.
_TAGS: dict[int, Any] = dict.fromkeys(
    (0, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004,
     43000, 55799),
    _refuse_tag,
) | {1: _bare}  # fmt: skip


def parse_cbor(body: bytes) -> Any:
    """The value of one CBOR item; raises `UnrecognisedError`."""
    if len(body) > limits.MIB:
        _bound_items(body)
    stream = io.BytesIO(body)
    decoder = cbor2.CBORDecoder(
        stream,
        semantic_decoders=_TAGS,
        tag_hook=_refuse_tag,
        max_depth=limits.PARAMETER_DEPTH_MAX + 1,
        allow_duplicate_keys=False,
        strict_hashable_types=True,
    )
    try:
        value = decoder.decode()
    except (cbor2.CBORDecodeError, ValueError, RecursionError, TypeError):
        refuse("the request body is not CBOR as AWS speaks it", "aws.bad_body")
    if stream.tell() != len(body):
        refuse("bytes follow the CBOR body", "aws.bad_body")
    return value


def _bound_items(body: bytes) -> None:
    """Raise when a CBOR body has more items than a call has; its form is not judged."""
    position = 0
    for _ in range(limits.CBOR_ITEMS_MAX):
        if position >= len(body):
            return
        major, info = body[position] >> 5, body[position] & 31
        position += 1
        size = 1 << (info - 24) if 24 <= info <= 27 else 0
        length = (
            int.from_bytes(body[position : position + size], "big") if size else info
        )
        position += size
        if major in (2, 3) and info < 28:
            position += length
    refuse("the body has more values than any AWS call", "aws.too_many_fields")


def parse_form(body: bytes) -> dict[str, str]:
    """Keys and values of an ``application/x-www-form-urlencoded`` text."""
    form: dict[str, str] = {}
    if not body:
        return form
    if body.count(b"&") >= limits.FORM_FIELDS_MAX:
        refuse("the form has more fields than any AWS call", "aws.too_many_fields")
    for pair in body.split(b"&"):
        if not pair:
            continue
        key, _, value = pair.partition(b"=")
        name = unquote_strict(key.replace(b"+", b" "))
        if name in form:
            refuse("the form names a field twice", "aws.duplicate_key")
        form[name] = unquote_strict(value.replace(b"+", b" "))
    return form


def unquote_strict(text: bytes) -> str:
    """Percent-coding undone once; raises `UnrecognisedError` unless it is UTF-8."""
    try:
        if b"%" not in text:
            return text.decode()
        if _BAD_ESCAPE.search(text) is not None:
            refuse("a percent sign is not followed by two hex digits", "aws.bad_escape")
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        refuse("the request is not UTF-8", "aws.bad_escape")


def inflate(body: bytes) -> bytes:
    """A gzip body undone, up to `limits.INFLATED_BODY_BYTES_MAX`."""
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(body, limits.INFLATED_BODY_BYTES_MAX)
    except zlib.error:
        refuse("the request body is not gzip", "aws.bad_body")
    if not inflater.eof or inflater.unused_data:
        refuse(
            "the gzip body is cut short, too large or followed by more", "aws.bad_body"
        )
    return plain


def text_of(body: bytes) -> str:
    """A body that is one string; raises `UnrecognisedError` unless it is UTF-8."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        refuse("the request body is not UTF-8", "aws.bad_body")
