"""The types that a record's annotations promise, held at run time.

What is encoded must be what `parse_record` takes back, whatever a caller passed; and
what is parsed must be what the annotations say. One function from a type to a
checker serves both.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from typing import Any, cast

Shape = Callable[[object], Any]
"""Returns the value in the promised type, or raises TypeError."""


def shape_of(annotation: Any) -> Shape:
    """The checker of str, int, bool, bytes, tuples, named tuples and mappings.

    A list is taken for a tuple and a subclass for its base (an Enum of str, say), so
    that a caller's harmless slip does not refuse a request.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return _sequence(shape_of(arguments[0]))
        return _row(tuple, [shape_of(each) for each in arguments])
    if origin is Mapping:
        return _mapping
    if issubclass(annotation, tuple):
        hints = typing.get_type_hints(annotation)
        return _row(annotation._make, [shape_of(each) for each in hints.values()])
    return _plain(annotation)


def quick_check_of(annotation: Any) -> Shape | None:
    """What tells, at the least cost, whether a tuple's elements are as promised.

    None for what is no tuple: its own type tells. The check raises TypeError.
    """
    if typing.get_origin(annotation) is not tuple:
        return None
    element = typing.get_args(annotation)[0]
    if element is str:
        return "".join  # type: ignore[return-value]
    if set(typing.get_args(element)) == {str}:
        return _texts_of(len(typing.get_args(element)))
    return shape_of(annotation)


def _texts_of(count: int) -> Shape:
    """Checks a tuple of tuples of so many texts."""

    def check(value: object) -> None:
        for row in cast("tuple[tuple[str, ...], ...]", value):
            if len(row) != count:
                raise TypeError(f"expected {count} elements")
            "".join(row)

    return check


def _plain(kind: type) -> Shape:
    def shape(value: object) -> object:
        if type(value) is kind:
            return value
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
        # str(member) of an Enum is its name; its base's __str__ gives the value.
        return str.__str__(value) if isinstance(value, str) else kind(value)

    return shape


def _sequence(element: Shape) -> Shape:
    def shape(value: object) -> object:
        if not isinstance(value, list | tuple):
            raise TypeError(f"expected a tuple, got {type(value).__name__}")
        return tuple([element(each) for each in value])

    return shape


def _row(make: Callable[[list[object]], object], elements: list[Shape]) -> Shape:
    def shape(value: object) -> object:
        if not isinstance(value, list | tuple) or len(value) != len(elements):
            raise TypeError(f"expected {len(elements)} elements")
        return make(
            [element(each) for element, each in zip(elements, value, strict=True)]
        )

    return shape


def _mapping(value: object) -> object:
    if not isinstance(value, Mapping):
        raise TypeError(f"expected a mapping, got {type(value).__name__}")
    return value
