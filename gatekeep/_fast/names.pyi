"""The names and paths that profiles and AWS's models give a meaning; see `names.pyx`."""

from collections.abc import Mapping, Sequence

class Names:
    """Looks names up, and follows paths; shared, never changed."""

    def __init__(
        self,
        names: Mapping[bytes, tuple[int, int, int, int]],
        ways: Sequence[tuple[int, int, int]],
        nodes: Sequence[tuple[int, int]],
        secure_style: int = -1,
        inside: Names | None = None,
    ) -> None: ...
