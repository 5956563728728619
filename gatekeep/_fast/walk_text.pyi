"""Bodies read as one text; see `walk_text.pyx`."""

from gatekeep._fast.splice import Scanner

class TextScanner(Scanner):
    """Masks a text; modes ESCAPES and ENTITIES say what is undone in it."""
