"""sqlglot's parser, kept from taking for ever and from talking."""

from __future__ import annotations

import functools
import logging

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.parser import Parser

from gatekeep import limits

# It would log the statements it does not know, and they may hold protected data (I5).
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


class _TooManyStepsError(Exception):
    """The parser is trying too many readings."""


@functools.cache
def _parser_class(grammar: str) -> tuple[Dialect, type[Parser]]:
    dialect = Dialect.get_or_raise(grammar)

    class BoundedParser(dialect.parser_class):  # type: ignore[name-defined,misc]
        """The grammar's parser, stopped when it goes back and forth too often.

        sqlglot has no bound on time: ``SELECT ROW(ROW(ROW(…`` of 25 levels takes it
        hours. Every step forth or back is an `_advance`.
        """

        steps_left = 0

        def _advance(self, times: int = 1) -> None:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise _TooManyStepsError
            super()._advance(times)

    return dialect, BoundedParser


def parse_sql(grammar: str, text: str) -> list[exp.Expr | None]:
    """Return the syntax trees of a text; none when the parser cannot make any.

    Args:
        grammar: sqlglot's name of the dialect.
        text: any text; at most `limits.STATEMENT_STEPS_PER_TOKEN_MAX` steps are taken
            for each of its tokens.
    """
    dialect, parser_class = _parser_class(grammar)
    try:
        tokens = dialect.tokenize(text)
        parser = parser_class(dialect=dialect)
        steps = limits.STATEMENT_STEPS_PER_TOKEN_MAX * (len(tokens) + 10)
        parser.steps_left = steps  # type: ignore[attr-defined]
        return parser.parse(tokens, text)
    except Exception:
        # The text is hostile and the parser large: beside its own errors it raises
        # RecursionError, IndexError and others. Not read is not read.
        return []
