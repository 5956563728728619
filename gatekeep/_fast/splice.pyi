"""The masking engine; see `splice.pyx`."""

from collections.abc import Callable, Sequence
from typing import Any

class MalformedTextError(ValueError):
    """The body is not of its format or passes a bound: ``args`` are (code, what)."""

class Rules:
    """What a set of profiles hides, as the engine reads it; shared, never changed."""

    hold: int
    names: tuple[str, ...]

    def __init__(
        self,
        *,
        open_stream: Callable[[], Any] | None,
        patterns: Sequence[tuple[int, int, int]],
        keyed: Sequence[tuple[int, int]],
        styles: Sequence[tuple[int, int, bytes, str]],
        hold: int,
        render: Callable[[int, bytes, bool], bytes],
        opaque: Callable[[bytes], bool] | None = None,
        pan_style: int = -1,
    ) -> None: ...

class Scanner:
    """Masks one body: bytes in, bytes out, however they are cut."""

    length_kept: bool

    def __init__(self, rules: Rules, mode: int, token_size: int, /) -> None: ...
    def feed(self, data: bytes) -> bytes:
        """Take bytes of the body; return masked bytes that are final."""

    def finish(self) -> bytes:
        """End the body; return the masked rest."""

    def edits_of(self, data: bytes) -> list[tuple[int, int, bytes, int]]:
        """Return what would be replaced in a whole body: (start, end, bytes, style)."""

    @property
    def findings(self) -> dict[str, int]:
        """How many values were hidden so far, by detector."""
