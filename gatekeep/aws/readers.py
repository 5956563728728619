"""Values of a request body, read by the modelled shape: JSON and CBOR.

A reader takes what a parser made of the bytes and gives the value under its
modelled names, or raises `UnrecognisedError`. It is strict where AWS is lax: a
member that the model does not have is refused, because the gate would not know
what it asks for (I3). A null member is left out, as AWS does.

Values come out as botocore takes them in: blob as bytes, timestamp as the number
or text that was sent.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from collections.abc import Sequence as Shapes
from typing import Any, NoReturn, Protocol

from gatekeep import limits
from gatekeep.aws.call import UnrecognisedError

_WHOLE = re.compile(r"[+-]?[0-9]{1,40}", re.ASCII)
_REAL = re.compile(
    r"[+-]?([0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})([eE][+-]?[0-9]{1,4})?"
)
_LEAVES = frozenset((str, int, float, bool, type(None)))
_NOT_FINITE = frozenset(("NaN", "Infinity", "-Infinity"))


def refuse(message: str, code: str = "aws.bad_parameters") -> NoReturn:
    """Raise `UnrecognisedError` for parameters that are not what the model says."""
    raise UnrecognisedError(code, message)


class Reader(Protocol):
    """Reads one value of one shape."""

    def read(self, value: Any, depth: int) -> Any:
        """The value under its modelled names; ``depth`` containers enclose it."""


class Text:
    """A string."""

    def read(self, value: Any, depth: int) -> Any:
        """The string itself."""
        if type(value) is not str:
            refuse("a string was expected in the request body")
        return value


class Whole:
    """An integer; ``1.0`` counts, as it does for AWS."""

    def read(self, value: Any, depth: int) -> Any:
        """An int."""
        if type(value) is int:
            return value
        if type(value) is float and value.is_integer():
            return int(value)
        refuse("an integer was expected in the request body")


class Real:
    """A float or double; the three values JSON lacks come as strings."""

    def read(self, value: Any, depth: int) -> Any:
        """An int or float, or one of ``NaN``, ``Infinity``, ``-Infinity``."""
        if (
            type(value) is float
            or type(value) is int
            or (type(value) is str and value in _NOT_FINITE)
        ):
            return value
        refuse("a number was expected in the request body")


class Flag:
    """A boolean."""

    def read(self, value: Any, depth: int) -> Any:
        """A bool."""
        if type(value) is not bool:
            refuse("a boolean was expected in the request body")
        return value


class Base64Blob:
    """A blob in JSON: base64 in a string."""

    def read(self, value: Any, depth: int) -> Any:
        """The bytes."""
        if type(value) is not str:
            refuse("base64 was expected in the request body")
        return from_base64(value)


class RawBlob:
    """A blob in CBOR: bytes."""

    def read(self, value: Any, depth: int) -> Any:
        """The bytes."""
        if type(value) is not bytes:
            refuse("bytes were expected in the request body")
        return value


class Moment:
    """A timestamp: seconds since 1970 or ISO 8601 text, kept as it was sent."""

    def read(self, value: Any, depth: int) -> Any:
        """An int, a float or a str."""
        if type(value) not in (int, float, str):
            refuse("a timestamp was expected in the request body")
        return value


class Document:
    """A document: any JSON value."""

    def read(self, value: Any, depth: int) -> Any:
        """The value itself, its depth checked."""
        bound_depth(value, depth)
        return value


class Structure:
    """A structure: members by their name on the wire."""

    __slots__ = ("members",)

    def __init__(self) -> None:
        self.members: dict[str, tuple[str, Reader]] = {}

    def read(self, value: Any, depth: int) -> Any:
        """A dict by modelled names."""
        if type(value) is not dict or depth >= limits.PARAMETER_DEPTH_MAX:
            refuse_container(depth, "an object")
        members = self.members
        result = {}
        for wire, item in value.items():
            member = members.get(wire)
            if member is None:
                if wire == "__type":  # Coral clients name the shape; it says nothing.
                    continue
                refuse_member(wire)
            if item is not None:
                result[member[0]] = member[1].read(item, depth + 1)
        return result


class Sequence:
    """A list."""

    __slots__ = ("item",)

    def __init__(self) -> None:
        self.item: Reader = Text()

    def read(self, value: Any, depth: int) -> Any:
        """A list; a null element stays None (sparse lists)."""
        if type(value) is not list or depth >= limits.PARAMETER_DEPTH_MAX:
            refuse_container(depth, "a list")
        read = self.item.read
        depth += 1
        return [None if item is None else read(item, depth) for item in value]


class Table:
    """A map; keys are strings."""

    __slots__ = ("item",)

    def __init__(self) -> None:
        self.item: Reader = Text()

    def read(self, value: Any, depth: int) -> Any:
        """A dict by the keys of the wire; a null value stays None (sparse maps)."""
        if type(value) is not dict or depth >= limits.PARAMETER_DEPTH_MAX:
            refuse_container(depth, "a map")
        read = self.item.read
        depth += 1
        return {
            key: None if item is None else read(item, depth)
            for key, item in value.items()
        }


TEXT, WHOLE, REAL, FLAG, MOMENT = Text(), Whole(), Real(), Flag(), Moment()
JSON_SCALARS: tuple[Reader, ...] = (
    TEXT, WHOLE, REAL, FLAG, Base64Blob(), MOMENT, Document(),
)  # fmt: skip
"""Readers by scalar index of `models.SCALARS`, for JSON."""
CBOR_SCALARS: tuple[Reader, ...] = (
    TEXT, WHOLE, REAL, FLAG, RawBlob(), MOMENT, Document(),
)  # fmt: skip
"""Readers by scalar index of `models.SCALARS`, for CBOR."""


def build_reader(
    reference: list[Any],
    shapes: Shapes[Any],
    scalars: tuple[Reader, ...],
    built: dict[int, Reader],
) -> Reader:
    """The reader of a compiled reference (`models`), sharing readers in ``built``."""
    index: int = reference[0]
    if index < len(scalars):
        return scalars[index]
    reader = built.get(index)
    if reader is not None:
        return reader
    shape = shapes[index - len(scalars)]
    if shape[0] == "structure":
        structure = built[index] = Structure()
        for name, target, traits in shape[1]:
            if "in" not in traits:
                structure.members[traits.get("name", name)] = (
                    name,
                    build_reader([target, traits], shapes, scalars, built),
                )
        return structure
    container: Sequence | Table = Sequence() if shape[0] == "list" else Table()
    built[index] = container
    container.item = build_reader(shape[-1], shapes, scalars, built)
    return container


# --- scalars that come as text: labels, queries, headers, forms, XML ------------


def from_base64(text: str) -> bytes:
    """The bytes of standard base64, padding required; raises `UnrecognisedError`."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        refuse("a value that should be base64 is not")


def _whole(text: str) -> int:
    if _WHOLE.fullmatch(text) is None:
        refuse("a value that should be an integer is not")
    return int(text)


def _real(text: str) -> float | str:
    if text in _NOT_FINITE:
        return text
    if _REAL.fullmatch(text) is None:
        refuse("a value that should be a number is not")
    return float(text)


def _flag(text: str) -> bool:
    # Ruby and hand-written clients capitalise; AWS takes it.
    lowered = text.lower()
    if lowered not in ("true", "false"):
        refuse("a value that should be true or false is not")
    return lowered == "true"


def _text(text: str) -> str:
    return text


FROM_TEXT: tuple[Callable[[str], Any], ...] = (
    _text, _whole, _real, _flag, from_base64, _text, _text,
)  # fmt: skip
"""Readers of text by scalar index of `models.SCALARS`."""


# --- refusals ------------------------------------------------------------------


def bound_depth(value: Any, depth: int) -> None:
    """Raise `UnrecognisedError` when containers nest deeper than the limit."""
    level = [value]
    while level:
        depth += 1
        inner: list[Any] = []
        for item in level:
            if type(item) is dict:
                inner.extend(item.values())
            elif type(item) is list:
                inner.extend(item)
            elif type(item) not in _LEAVES:
                refuse("a document holds a value that JSON does not have")
        if depth > limits.PARAMETER_DEPTH_MAX and inner:
            refuse_container(depth, "a value")
        level = inner


def refuse_container(depth: int, expected: str) -> NoReturn:
    """Raise `UnrecognisedError`: too deep, or another type."""
    if depth >= limits.PARAMETER_DEPTH_MAX:
        refuse("the request body nests deeper than any AWS call", "aws.too_deep")
    refuse(f"{expected} was expected in the request body")


def refuse_member(wire: object) -> NoReturn:
    """Raise `UnrecognisedError` for a member the model does not have."""
    refuse(
        f"the call has no parameter {str(wire)[:64]!r} in the gateway's service models",
        "aws.unknown_parameter",
    )
