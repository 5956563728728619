"""Records as bytes, strict both ways.

A record is a canonical msgpack array ``[kind, field, field, …]``. Its fields stand in
the order of its class; ``exchange_id``, ``at_ns``, ``truncated`` and ``captures`` come
first in every kind, a free tree of values last. There is one way to write a record
down, so what parses re-encodes to the same bytes.
"""

from __future__ import annotations

import dataclasses
import typing
from operator import attrgetter
from typing import Any

from gatekeep.audit.canonical import canonical_tree, pack, shortened, unpack
from gatekeep.audit.record import KINDS, Record
from gatekeep.audit.shape import quick_check_of, shape_of
from gatekeep.errors import LimitError, VerificationError
from gatekeep.limits import RECORD_BYTES_MAX


class _Kind:
    """How one class of records is written: its fields, their types and shapes."""

    def __init__(self, record_class: type[Record]) -> None:
        hints = typing.get_type_hints(record_class)
        self.record_class = record_class
        self.names = [
            each.name
            for each in dataclasses.fields(record_class)
            if each.name != record_class.TREE
        ]
        self.shapes = [shape_of(hints[name]) for name in self.names]
        self.values = attrgetter("KIND", *self.names)
        self.types = (
            str,
            *(typing.get_origin(hints[name]) or hints[name] for name in self.names),
        )
        checks = [
            (place, quick_check_of(hints[name]))
            for place, name in enumerate(self.names, 1)
        ]
        self.checks = [(place, check) for place, check in checks if check is not None]
        """What tuples are checked with, by their place in ``values``."""
        self.tree = attrgetter(record_class.TREE) if record_class.TREE else None


_KIND_BY_CLASS = {each: _Kind(each) for each in KINDS.values()}


def encode_record(record: Record) -> bytes:
    """Return the canonical bytes of a record, at most `limits.RECORD_BYTES_MAX`.

    What is too large is shortened: parameters first, then the rest, and
    ``truncated`` says what. Identity, digests and captures are never shortened.

    Raises:
        LimitError: ``audit.record_too_large``: too large all the same.
        TypeError: a field does not hold what its annotation says.
    """
    kind = _KIND_BY_CLASS[type(record)]
    values = kind.values(record)
    try:
        # One look at all types at once, then at what is in tuples: 2 µs together.
        if tuple(map(type, values)) != kind.types:
            raise TypeError
        for place, check in kind.checks:
            if values[place]:
                check(values[place])
    except TypeError:
        values = (values[0], *_shaped(kind, values[1:]))
    if kind.tree is not None:
        tree = kind.tree(record)
        values = (*values, canonical_tree(tree) if tree else {})
    data = pack(values)
    return data if len(data) <= RECORD_BYTES_MAX else _encode_shortened(kind, values)


def parse_record(data: bytes) -> Record:
    """Return the record of canonical bytes.

    Raises:
        VerificationError: they are not what `encode_record` gives for any record.
            Nothing else, whatever the bytes.
    """
    values = unpack(data)
    if not isinstance(values, tuple) or not values or type(values[0]) is not str:
        raise VerificationError("audit.record", "not a record: no kind")
    if values[0] not in KINDS:
        raise VerificationError("audit.record", f"unknown kind `{values[0][:40]}`")
    kind = _KIND_BY_CLASS[KINDS[values[0]]]
    count = 1 + len(kind.names) + (kind.tree is not None)
    if len(values) != count:
        raise VerificationError(
            "audit.record", f"{values[0]}: expected {count} fields, got {len(values)}"
        )
    try:
        named = dict(
            zip(kind.names, _shaped(kind, values[1 : len(kind.names) + 1]), strict=True)
        )
    except TypeError as error:
        raise VerificationError("audit.record", f"{values[0]}: {error}") from error
    if kind.tree is not None:
        if not isinstance(values[-1], dict):
            raise VerificationError("audit.record", f"{values[0]}: expected a map")
        named[kind.record_class.TREE] = values[-1]
    record = kind.record_class(**named)
    if len(data) > RECORD_BYTES_MAX or encode_record(record) != data:
        raise VerificationError("audit.record", f"{values[0]}: not in canonical form")
    return record


def _shaped(kind: _Kind, values: tuple[Any, ...]) -> list[Any]:
    """Values of a record's plain fields in the types its annotations promise."""
    shaped = []
    for name, shape, value in zip(kind.names, kind.shapes, values, strict=True):
        try:
            shaped.append(shape(value))
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from None
    return shaped


_WHOLE = frozenset({"exchange_id", "truncated", "captures", "approvals"})
"""Fields that are never shortened, beside those that end in ``_id``, ``_digest`` and
``_sha256``: without them a record proves nothing."""

_PASSES = ((1024, 256), (256, 32), (64, 8))
"""How many characters of a text and elements of a collection stay, pass by pass."""


def _encode_shortened(kind: _Kind, values: tuple[Any, ...]) -> bytes:
    """The bytes of a record whose full form is too large."""
    tree = [kind.record_class.TREE] if kind.tree else []
    names = [*kind.names, *tree]
    rest = [
        name
        for name in kind.names
        if name not in _WHOLE and not name.endswith(("_id", "_digest", "_sha256"))
    ]
    whole = dict(zip(names, values[1:], strict=True))
    fields = whole.copy()
    data = b""
    for chosen in (tree, rest):
        for text_max, count_max in _PASSES:
            for name in chosen:
                fields[name] = _shortened_field(fields[name], text_max, count_max)
            fields["truncated"] = tuple(
                f"{name}: {_measure(whole[name])}"
                for name in names
                if name != "truncated" and fields[name] != whole[name]
            )
            data = pack((values[0], *fields.values()))
            if len(data) <= RECORD_BYTES_MAX:
                return data
    raise LimitError(
        "audit.record_too_large",
        f"the record of this request would have {len(data)} bytes, of"
        f" {RECORD_BYTES_MAX} at most; split the request",
    )


def _shortened_field(value: object, text_max: int, count_max: int) -> object:
    """One field shortened.

    A tuple gets no element that tells how many are missing, as those of the tree do:
    its elements have a fixed shape.
    """
    if not isinstance(value, tuple):
        return shortened(value, text_max=text_max, count_max=count_max)
    return tuple(
        shortened(each, text_max=text_max, count_max=count_max)
        for each in value[:count_max]
    )


def _measure(value: object) -> str:
    """How much there was of what was shortened, in words."""
    if isinstance(value, str):
        return f"{len(value)} characters"
    if isinstance(value, tuple):
        return f"{len(value)} elements"
    return f"{len(pack(value))} bytes"
