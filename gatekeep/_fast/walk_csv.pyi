"""Tables of text; see `walk_csv.pyx`."""

from collections.abc import Sequence

from gatekeep._fast.names import Names
from gatekeep._fast.splice import Rules, Scanner

class CsvScanner(Scanner):
    """Masks a table of text, by columns and by detectors."""

    def __init__(
        self,
        rules: Rules,
        mode: int,
        token_size: int,
        names: Names,
        separator: int = ...,
        header: Sequence[bytes] | None = None,
        /,
    ) -> None: ...
