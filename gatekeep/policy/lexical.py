"""What a statement says at the level of words, without believing any parser.

Each database reads quotes and comments in its own way, and that is where a verb can
hide. This module cuts a text into statements and words as one database does, and says
when another reading of the quotes and comments is possible.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_COMMENT = r"/\*.*?\*/"
_TO_LINE_END = r"--[^\r\n]*"
_SINGLE = r"'(?:[^']|'')*+'"
_DOUBLE = r'"(?:[^"]|"")*+"'
_BACK = r"`(?:[^`]|``)*+`"
_DOLLAR = r"\$(?:[^\W\d]\w*)?\$"


def _lexer(comment: str, quotes: str, openings: str) -> re.Pattern[str]:
    """A pattern whose last group names the token it found."""
    return re.compile(
        rf"(?P<comment>{comment})|(?P<quoted>{quotes})|(?P<word>[^\W\d][\w$]*)"
        rf"|(?P<end>;)|(?P<unclosed>{openings}|/\*)|(?P<sign>\S)",
        re.DOTALL,
    )


_STANDARD = _lexer(
    f"{_TO_LINE_END}|{_COMMENT}", f"{_SINGLE}|{_DOUBLE}|{_BACK}", "['\"`]"
)
_POSTGRES = _lexer(
    f"{_TO_LINE_END}|{_COMMENT}",
    rf"{_SINGLE}|{_DOUBLE}|(?P<tag>{_DOLLAR}).*?(?P=tag)",
    f"['\"]|{_DOLLAR}",
)
_LEXERS = {
    "trino": _STANDARD,
    "hive": _STANDARD,
    "partiql": _STANDARD,
    "postgres": _POSTGRES,
    "redshift": _POSTGRES,
    # MySQL wants white space after two dashes; without it they are operators.
    "mysql": _lexer(
        rf"#[^\n]*|--(?=\s|$)[^\n]*|{_COMMENT}",
        f"{_SINGLE}|{_DOUBLE}|{_BACK}",
        "['\"`]",
    ),
}

_DIVERGENT = re.compile(
    r"\\['\"`]"  # a quote that some databases and settings escape, and others do not
    r"|/\*M?!"  # a comment that MySQL and MariaDB execute
    r"|\r(?!\n)"  # the end of a comment's line for some
    r"|[uU]&['\"]"  # escapes in identifiers: two spellings of one table
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"  # white space for some, an end for others
)
_INVISIBLE = re.compile(r"[^\S \t\r\n]|[\u200b-\u200f\u2060-\u2064\ufeff]")
"""White space and invisible characters that databases do not agree about."""


@dataclass(slots=True)
class Words:
    """One statement of a text."""

    text: str = ""
    """Up to its semicolon, comments turned into blanks."""
    words: list[str] = field(default_factory=list)
    """Words in upper case, things in quotes as they are, and single signs."""

    @property
    def head(self) -> str:
        """The first word that is no bracket, or an empty string."""
        return next((word for word in self.words if word != "("), "")


def split_statements(grammar: str, text: str) -> tuple[list[Words], bool]:
    """Return the statements of a text, and whether it can be read in another way.

    Reading stops at a quote or comment that nothing closes; that counts as another
    way to read it. Time is linear in the text.
    """
    divergent = _DIVERGENT.search(text) is not None
    statements: list[Words] = []
    pieces: list[str] = []
    current = Words()
    at = 0
    for token in _LEXERS[grammar].finditer(text):
        gap, value = text[at : token.start()], token[0]
        at = token.end()
        kind = token.lastgroup
        pieces.append(gap)
        if gap not in ("", " ") or kind == "sign":
            divergent = divergent or _INVISIBLE.search(gap + value) is not None
        if kind == "comment":
            # PostgreSQL nests comments, the others do not.
            divergent = divergent or (value[0] == "/" and "/*" in value[2:])
            pieces.append(" ")
            continue
        if kind == "unclosed":
            divergent = True
            break
        if kind == "end":
            current.text = "".join(pieces)
            statements.append(current)
            current, pieces = Words(), []
            continue
        pieces.append(value)
        current.words.append(value.upper() if kind == "word" else value)
    divergent = divergent or _INVISIBLE.search(text, at) is not None
    current.text = "".join(pieces)
    statements.append(current)
    return [statement for statement in statements if statement.words], divergent


def every_word(text: str) -> Iterator[str]:
    """Yield every word of a text in upper case, from quotes and comments as well."""
    return (word[0].upper() for word in re.finditer(r"[^\W\d]\w*", text))
