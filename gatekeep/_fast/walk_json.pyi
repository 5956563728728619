"""JSON bodies; see `walk_json.pyx`."""

from gatekeep._fast.names import Names
from gatekeep._fast.splice import Rules, Scanner

class JsonScanner(Scanner):
    """Masks a JSON text, or several one after the other (`many`)."""

    def __init__(
        self,
        rules: Rules,
        names: Names,
        *,
        modelled_levels: int = ...,
        many: bool = False,
        typed: bool = False,
        nesting: int = 0,
        length_kept: bool = False,
        digits_stay: bool = False,
        token_size: int = ...,
    ) -> None: ...
