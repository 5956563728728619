"""JSON bodies; see `walk_json.pyx`."""

from gatekeep._fast.names import Names
from gatekeep._fast.splice import Rules, Scanner

class JsonScanner(Scanner):
    """Masks a JSON text, or in mode MANY several one after the other."""

    def __init__(
        self,
        rules: Rules,
        mode: int,
        token_size: int,
        names: Names,
        modelled_levels: int = ...,
        nesting: int = 0,
        /,
    ) -> None: ...
