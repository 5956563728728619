"""XML bodies; see `walk_xml.pyx`."""

from gatekeep._fast.names import Names
from gatekeep._fast.splice import Rules, Scanner

class XmlScanner(Scanner):
    """Masks an XML document."""

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
