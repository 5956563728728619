"""A bounded memory of what was asked most recently."""

from __future__ import annotations

from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Keeps values by key, at most ``entries_max``, and forgets the stale half.

    Two generations: new and used entries are in the young one; when that has grown to
    half the bound it becomes the old one, and the old one is dropped. A look-up that
    hits the young one costs one dictionary access, which an ordered dictionary's
    move-to-end would double.
    """

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, entries_max: int) -> None:
        self._half = entries_max // 2
        self._young: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        """The value of a key, or None."""
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: Key, value: Value) -> None:
        """Keep a value, which must not be None; with a bound under 2 nothing is."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        if self._half:
            self._young[key] = value

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())
