"""Bodies read as one text; see `walk_text.pyx`."""

from gatekeep._fast.splice import Rules, Scanner

class TextScanner(Scanner):
    """Masks a text."""

    def __init__(
        self,
        rules: Rules,
        *,
        escapes: bool = False,
        entities: bool = False,
        length_kept: bool = False,
        digits_stay: bool = False,
        token_size: int = ...,
    ) -> None: ...
