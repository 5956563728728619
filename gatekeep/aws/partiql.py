"""What one PartiQL statement for DynamoDB does, and to which table.

DynamoDB's PartiQL has four statements (developer guide, "PartiQL for DynamoDB"):
``SELECT … FROM table[.index]``, ``INSERT INTO table``, ``UPDATE table[.index]``,
``DELETE FROM table``, and ``EXISTS (SELECT …)`` inside a transaction. Only the verb
and the name after it are read, by a scanner that knows strings, quoted names and
brackets; what is not exactly one of these is refused (I3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn

from gatekeep.aws.readers import refuse

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<string>'(?:[^']|'')*')
  | (?P<name>"(?:[^"]|"")*")
  | (?P<word>[A-Za-z_$][A-Za-z0-9_$]*)
  | (?P<number>[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)
  | (?P<mark><<|>>|<=|>=|<>|!=|\|\||[()\[\]{},.:?*+\-/<>=])
    """,
    re.VERBOSE,
)

_OPEN = frozenset(("(", "[", "{", "<<"))
_CLOSE = frozenset((")", "]", "}", ">>"))

_VERBS = {
    "SELECT": "dynamodb:PartiQLSelect",
    "INSERT": "dynamodb:PartiQLInsert",
    "UPDATE": "dynamodb:PartiQLUpdate",
    "DELETE": "dynamodb:PartiQLDelete",
}

Token = tuple[str, str]
"""Kind and text; words in upper case are given apart by the reader."""


def statement_target(statement: str) -> tuple[str, str, str]:
    """The IAM action of a statement, its table, and its index or an empty string.

    Raises:
        UnrecognisedError: the statement is not one that the gate understands.
    """
    tokens = list(_tokens(statement))
    if len(tokens) > 3 and _is(tokens[0], "EXISTS") and tokens[1][1] == "(":
        # EXISTS (SELECT …) reads like the SELECT inside.
        if tokens[-1][1] != ")":
            _refuse()
        tokens = tokens[2:-1]
    if not tokens or tokens[0][0] != "word":
        _refuse()
    verb = tokens[0][1].upper()
    action = _VERBS.get(verb)
    if action is None:
        _refuse()
    if verb == "SELECT":
        position = _after_from(tokens)
    elif verb == "UPDATE":
        position = 1
    else:
        if len(tokens) < 2 or not _is(
            tokens[1], "INTO" if verb == "INSERT" else "FROM"
        ):
            _refuse()
        position = 2
    table, position = _name(tokens, position)
    index = ""
    if position < len(tokens) and tokens[position] == ("mark", "."):
        index, position = _name(tokens, position + 1)
        if verb == "INSERT":
            _refuse()
    _check_rest(tokens, position, verb)
    return action, table, index


def _tokens(statement: str) -> Iterator[Token]:
    position = 0
    body = statement.strip().removesuffix(";")
    while position < len(body):
        match = _TOKEN.match(body, position)
        # Comments begin with -- or /*; DynamoDB takes none and neither do we.
        if match is None or body.startswith(("--", "/*"), position):
            _refuse()
        kind = match.lastgroup or ""
        if kind != "space":
            yield kind, match.group()
        position = match.end()


def _after_from(tokens: list[Token]) -> int:
    """The position after the FROM of a SELECT, outside all brackets."""
    depth = 0
    for position, token in enumerate(tokens):
        if token[1] in _OPEN:
            depth += 1
        elif token[1] in _CLOSE:
            depth -= 1
        elif depth == 0 and position and _is(token, "FROM"):
            return position + 1
    return _refuse()


def _name(tokens: list[Token], position: int) -> tuple[str, int]:
    """The name at a position, unquoted, and the position after it."""
    if position < len(tokens):
        kind, text = tokens[position]
        if kind == "name" and len(text) > 2:
            return text[1:-1].replace('""', '"'), position + 1
        if kind == "word":
            return text, position + 1
    return _refuse()


def _check_rest(tokens: list[Token], position: int, verb: str) -> None:
    """Refuse a second statement, join or subquery behind the first name."""
    expected = {
        "SELECT": ("WHERE", "ORDER"),
        "UPDATE": ("SET", "REMOVE"),
        "DELETE": ("WHERE",),
        "INSERT": ("VALUE",),
    }[verb]
    if position < len(tokens) and not any(
        _is(tokens[position], word) for word in expected
    ):
        _refuse()
    for token in tokens[1:]:
        if token[0] == "word" and token[1].upper() in _VERBS:
            _refuse()
    froms = sum(_is(token, "FROM") for token in tokens)
    if froms != (verb in ("SELECT", "DELETE")):
        _refuse()


def _is(token: Token, word: str) -> bool:
    return token[0] == "word" and token[1].upper() == word


def _refuse() -> NoReturn:
    refuse("the PartiQL statement is not one the gate understands", "aws.bad_statement")
