"""The one way to write a value down: canonical msgpack, strict both ways.

Integers, lengths and map headers take their shortest form, text is str and digests
are bin, map keys are text and ascend by their UTF-8 bytes, floats and extension
types do not occur. `unpack` does not check all of this; its callers encode what they
got again and compare, which does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgpack

from gatekeep.errors import VerificationError
from gatekeep.limits import RECORD_DEPTH_MAX

_pack = msgpack.Packer().pack


def pack(value: object) -> bytes:
    r"""The canonical bytes of None, bool, int, str, bytes, and tuples, lists and dicts.

    Dictionaries are written in their own order: give them with their keys ascending,
    as `canonical_tree` makes them. A lone surrogate, which UTF-8 cannot say, becomes
    six characters of text such as ``\ud800``.

    Raises:
        TypeError: something else is in it.
        OverflowError: an integer does not fit 64 bits.
    """
    try:
        data: bytes = _pack(value)
    except UnicodeEncodeError:
        data = _pack(printable(value))
    return data


def unpack(data: bytes) -> object:
    """The value of msgpack bytes, arrays as tuples.

    Raises:
        VerificationError: they are not the msgpack of exactly one value.
    """
    try:
        value: object = msgpack.unpackb(data, use_list=False, strict_map_key=True)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        # FormatError, StackError, ExtraData and UnicodeDecodeError are ValueErrors;
        # TypeError is a map whose key cannot be one.
        raise VerificationError(
            "audit.msgpack", f"not msgpack: {error or type(error).__name__}"
        ) from error
    return value


def canonical_tree(value: Any, depth: int = RECORD_DEPTH_MAX) -> Any:
    """A free tree of values as `pack` writes it, keys sorted and all.

    Text, bytes, bool, None and 64-bit integers stay; every other number becomes its
    decimal text, every other object its ``str``; lists become tuples; what lies
    deeper than ``depth`` becomes ``…``.
    """
    kind = type(value)
    if kind is str or kind is bool or kind is bytes or value is None:
        return value
    if kind is int:
        return value if -(2**63) <= value < 2**64 else str(value)
    if kind is dict or isinstance(value, Mapping):
        if depth == 0:
            return "…"
        try:
            "".join(value)  # the quickest way to see that each key is text
        except TypeError:
            value = {str(key): each for key, each in value.items()}
        return {
            # Most leaves are text: a call saved for each.
            key: each
            if type(each := value[key]) is str
            else canonical_tree(each, depth - 1)
            for key in sorted(value)
        }
    if isinstance(value, list | tuple):
        if depth == 0:
            return "…"
        return tuple(canonical_tree(each, depth - 1) for each in value)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return str(value)


def printable(value: object) -> object:
    """The same with every lone surrogate written out, keys sorted anew."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        texts = {printable(key): printable(each) for key, each in value.items()}
        return {key: texts[key] for key in sorted(texts, key=str)}
    if isinstance(value, list | tuple):
        return tuple(printable(each) for each in value)
    return value


def shortened(value: object, *, text_max: int, count_max: int) -> object:
    """A canonical tree with long text, bytes and collections cut.

    Text ends in ``…`` where it was cut; a tuple gets a last element and a map a last
    key that say how many are missing.
    """
    if isinstance(value, str):
        if len(value) <= text_max:
            return value
        return f"{value[:text_max]}…"
    if isinstance(value, bytes):
        return value[:text_max]
    if isinstance(value, Mapping):
        kept = {
            key[:text_max]: shortened(
                value[key], text_max=text_max, count_max=count_max
            )
            for key in sorted(value)[:count_max]
        }
        if len(value) > len(kept):
            # U+10FFFF sorts after every key that a request can have.
            kept["\U0010ffff"] = f"… and {len(value) - len(kept)} more"
        return {key: kept[key] for key in sorted(kept)}
    if isinstance(value, list | tuple):
        cut = tuple(
            shortened(each, text_max=text_max, count_max=count_max)
            for each in value[:count_max]
        )
        missing = len(value) - len(cut)
        return (*cut, f"… and {missing} more") if missing else cut
    return value
