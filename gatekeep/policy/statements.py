"""Facts about the SQL and PartiQL texts that a call carries.

Two readings are united. The words outside quotes and comments give every verb that is
there, whatever surrounds it; sqlglot's syntax tree gives the tables and says whether
the text is a statement at all. A verb that either finds counts, so a mistake of one
adds a verb and never hides one. Where the quotes and comments themselves can be read
in two ways, every word counts, and the text counts as unparsed.

What a function does is not seen (``SELECT pg_terminate_backend(1)``,
``TABLE(system.query(…))``): give agents a database role that may not call such.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from gatekeep import limits
from gatekeep.policy.lexical import Words, every_word, split_statements
from gatekeep.policy.recent import Recent
from gatekeep.policy.sql import parse_sql

_ENGINES: dict[str, tuple[tuple[str, ...], ...]] = {
    # Athena reads DDL as Hive does and everything else as Trino does.
    "athena": (("trino", "hive"),),
    "dynamodb": (("partiql",),),
    # The call does not tell which of the two the cluster runs.
    "rds-data": (("postgres",), ("mysql",)),
    "redshift-data": (("redshift",),),
    "s3": (("partiql",),),
    "timestream-query": (("trino",),),
}
"""What may run the statements of a service, each as the grammars to try in turn: the
first that understands the text counts. The facts of several engines are united."""

_ANY_ENGINE = (("postgres",), ("mysql",), ("trino",))

_ANYWHERE = frozenset(
    ["ALTER", "CREATE", "DELETE", "DROP", "GRANT", "INSERT", "MERGE", "REVOKE",
     "SELECT", "TRUNCATE", "UPDATE"]
)  # fmt: skip
"""Verbs wherever they stand: in a CTE, after EXPLAIN, in a WHEN of MERGE."""

VERBS = _ANYWHERE | frozenset(
    ["ANALYZE", "BEGIN", "CALL", "COMMENT", "COMMIT", "COPY", "DEALLOCATE", "DECLARE",
     "DESCRIBE", "DO", "EXECUTE", "EXPLAIN", "EXPORT", "IMPORT", "KILL", "LOAD", "LOCK",
     "MSCK", "OPTIMIZE", "PREPARE", "REFRESH", "RENAME", "REPLACE", "RESET", "ROLLBACK",
     "SET", "SHOW", "START", "UNLOAD", "USE", "VACUUM"]
)  # fmt: skip
"""Every verb that ``statement_verbs`` can hold."""

_PARTIQL_HEADS = ("DELETE", "EXISTS", "INSERT", "SELECT", "UPDATE")

_PLAIN = frozenset(["DEALLOCATE", "SHOW"])
"""Verbs whose statements hold nothing that would have to be understood, unless it is
a query (MySQL: ``SHOW TABLES WHERE …``)."""

_VERB_BY_NODE: dict[type[exp.Expr], str] = {
    exp.Alter: "ALTER",
    exp.Analyze: "ANALYZE",
    exp.Comment: "COMMENT",
    exp.Commit: "COMMIT",
    exp.Copy: "COPY",
    exp.Create: "CREATE",
    exp.Delete: "DELETE",
    exp.Describe: "DESCRIBE",
    exp.Drop: "DROP",
    exp.Grant: "GRANT",
    exp.Insert: "INSERT",
    exp.Kill: "KILL",
    exp.Merge: "MERGE",
    exp.Refresh: "REFRESH",
    exp.Revoke: "REVOKE",
    exp.Rollback: "ROLLBACK",
    exp.Select: "SELECT",
    exp.Set: "SET",
    exp.Show: "SHOW",
    exp.Transaction: "BEGIN",
    exp.TruncateTable: "TRUNCATE",
    exp.Update: "UPDATE",
    exp.Use: "USE",
}
_ROOTS = (*_VERB_BY_NODE, exp.Query)
"""Syntax trees that sqlglot understood; what it could not it calls a Command, or
takes for an expression."""

# What stands around another statement, on a text without comments.
_EXPLAIN = re.compile(
    r"EXPLAIN\b(?:\s+(?:ANALYZE|VERBOSE|EXTENDED|FORMATTED|FORMAT\s*=\s*\w+)\b"
    r"|\s*\([^()]*\))*(?P<inner>.+)",
    re.DOTALL | re.IGNORECASE,
)
_PREPARE = re.compile(
    r"PREPARE\s+\S+\s+(?:\([^()]*\)\s*)?(?:FROM|AS)\s(?P<inner>\s*[^\s'@].*)",
    re.DOTALL | re.IGNORECASE,
)
_UNLOAD = re.compile(r"UNLOAD\s*\((?P<inner>.*)\)\s*TO\s*'", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StatementFacts:
    """What policies may know of a call's statements."""

    verbs: tuple[str, ...] = ()
    """Sorted, from `VERBS`. ``SELECT … INTO`` counts as CREATE too, ``REPLACE`` as
    DELETE and INSERT; what EXPLAIN and PREPARE stand before counts as if it ran."""
    tables: tuple[str, ...] = ()
    """Sorted, lower case, each as written without quotes (``sales.orders``) and its
    last part (``orders``); names that a CTE defines are among them. May lack some when
    ``unparsed``."""
    unparsed: bool = False
    """True when a text cannot be read with certainty, or runs what it does not show
    (EXECUTE, CALL, DO)."""


_recent: Recent[bytes, StatementFacts] = Recent(limits.STATEMENT_FACTS_MAX)


def read_statements(service: str, statements: Sequence[str]) -> StatementFacts:
    """Return the facts about statements that a call to a service carries.

    Never fails: what cannot be read is ``unparsed``, and of more text than
    `limits.STATEMENTS_CHARACTERS_MAX` every verb is assumed.
    """
    size = sum(map(len, statements))
    if size > limits.STATEMENTS_CHARACTERS_MAX:
        return StatementFacts(tuple(sorted(VERBS)), (), unparsed=True)
    key = hashlib.sha256(repr((service, statements)).encode()).digest()
    facts = _recent.get(key)
    if facts is None:
        reader = _Reader(parses=size <= limits.STATEMENTS_PARSED_CHARACTERS_MAX)
        for text in statements:
            reader.read(_ENGINES.get(service, _ANY_ENGINE), text)
        facts = StatementFacts(
            tuple(sorted(reader.verbs)), tuple(sorted(reader.tables)), reader.unparsed
        )
        _recent.put(key, facts)
    return facts


class _Reader:
    """Collects the facts of several texts."""

    def __init__(self, *, parses: bool) -> None:
        self.verbs: set[str] = set()
        self.tables: set[str] = set()
        self.unparsed = False
        self._parses = parses
        self._doubtful: set[str] = set()
        """Words of statements that a grammar did not understand, quoted ones too."""

    def read(self, engines: Iterable[tuple[str, ...]], text: str) -> None:
        """Add the facts of one text, which one engine at least has to understand."""
        self._doubtful.clear()
        understood = [
            any(self._read_as(grammar, text, depth=0) for grammar in grammars)
            for grammars in engines
        ]
        if not any(understood):
            self.unparsed = True
            # What nothing understands may hold any verb at any place.
            self.verbs.update(VERBS & self._doubtful)

    def _read_as(self, grammar: str, text: str, *, depth: int) -> bool:
        """Add what a text says in one grammar; whether all of it was understood."""
        statements, divergent = split_statements(grammar, text)
        if divergent:
            self.unparsed = True
            self.verbs.update(VERBS.intersection(every_word(text)))
        understood = bool(statements)
        for statement in statements:
            if not self._read_statement(grammar, statement, depth):
                understood = False
                self._doubtful.update(every_word(statement.text))
        return understood

    def _read_statement(self, grammar: str, statement: Words, depth: int) -> bool:
        self.verbs.update(_verbs(statement))
        if statement.head in _PLAIN and "SELECT" not in statement.words:
            return True
        if grammar == "partiql":
            return self._read_partiql(statement.words)
        if not self._parses or depth == limits.STATEMENT_WRAPS_MAX:
            return False
        for wrapper in (_EXPLAIN, _PREPARE, _UNLOAD):
            if found := wrapper.match(statement.text.lstrip()):
                inner = _unquoted(found["inner"])
                return self._read_as(grammar, inner, depth=depth + 1)
        return self._read_tree(grammar, statement.text)

    def _read_tree(self, grammar: str, text: str) -> bool:
        roots = parse_sql(grammar, text)
        # One statement for us and several for the parser: they do not agree.
        root = roots[0] if len(roots) == 1 else None
        if root is None or not isinstance(root, _ROOTS):
            return False
        understood = True
        if isinstance(root, exp.Query):
            self.verbs.add("SELECT")
        for node in root.walk():
            if verb := _VERB_BY_NODE.get(type(node)):
                self.verbs.add(verb)
            if isinstance(node, exp.Table):
                self._add_table([part.name for part in node.parts])
            elif isinstance(node, exp.Into):
                self.verbs.add("CREATE")
            elif isinstance(node, exp.Command):
                understood = False
        return understood

    def _read_partiql(self, words: Sequence[str]) -> bool:
        """PartiQL of DynamoDB and S3 Select: one verb, and tables by position."""
        named = 0
        for before, name in itertools.pairwise(words):
            if before in ("FROM", "INTO") or (before == words[0] == "UPDATE"):
                if name[0] != '"' and not name[0].isalpha():
                    return False
                self._add_table([name.strip('"')])
                named += 1
        return named > 0 and words[0] in _PARTIQL_HEADS

    def _add_table(self, parts: Iterable[str]) -> None:
        names = [part.lower() for part in parts if part]
        if names:
            self.tables.update((".".join(names), names[-1]))


def _verbs(statement: Words) -> Iterator[str]:
    """Yield the verbs of a statement by its words alone."""
    head = statement.head
    if head in VERBS:
        yield head
    if head == "REPLACE":
        yield from ("DELETE", "INSERT")
    words = ["", *statement.words, ""]
    for before, word, after in zip(words, words[1:], words[2:], strict=False):
        if word not in _ANYWHERE or before == ".":
            continue
        if word in ("DELETE", "UPDATE") and before in ("ON", "FOR"):
            continue  # ON DELETE CASCADE, FOR UPDATE
        if word == "CREATE" and before == "SHOW":
            continue  # SHOW CREATE TABLE
        if word in ("INSERT", "TRUNCATE") and after == "(" and before != "THEN":
            continue  # functions of these names; not THEN INSERT (…) of MERGE
        yield word


def _unquoted(text: str) -> str:
    """The query in the brackets of UNLOAD: Redshift wants it in quotes."""
    text = text.strip()
    if text.startswith("'") and text.endswith("'"):
        return text[1:-1].replace("''", "'")
    if text.startswith("$$") and text.endswith("$$"):
        return text[2:-2]
    return text
