"""PartiQL statements: the verb, the table and the index, or a refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeep.aws.call import UnrecognisedError
from gatekeep.aws.partiql import statement_target


@pytest.mark.parametrize(
    ("statement", "action", "table", "index"),
    [
        ("SELECT * FROM Music", "Select", "Music", ""),
        ('select a, "b c", d[0].e from "Music" where x = ?', "Select", "Music", ""),
        ('SELECT * FROM "Music"."by-date" WHERE a IN [1,2]', "Select", "Music", "by-date"),
        ("SELECT * FROM \"arn:aws:dynamodb:us-east-1:1:table/t\"", "Select",
         "arn:aws:dynamodb:us-east-1:1:table/t", ""),
        ("SELECT a FROM t WHERE b = 'FROM x; DROP'", "Select", "t", ""),
        ("SELECT a FROM t ORDER BY a DESC;", "Select", "t", ""),
        ("INSERT INTO \"t\" VALUE {'a': 'it''s', 'b': <<1, 2>>}", "Insert", "t", ""),
        ("UPDATE t SET a = 1 SET b = list_append(b, [?]) WHERE k = 'x' RETURNING ALL OLD *",
         "Update", "t", ""),
        ("UPDATE t REMOVE a.b WHERE k = 1", "Update", "t", ""),
        ("DELETE FROM t WHERE k = 1 RETURNING ALL OLD *", "Delete", "t", ""),
        ("EXISTS(SELECT * FROM t WHERE k = 1)", "Select", "t", ""),
        ('SELECT * FROM "a""b"', "Select", 'a"b', ""),
    ],
)  # fmt: skip
def test_a_statement_is_understood(
    statement: str, action: str, table: str, index: str
) -> None:
    assert statement_target(statement) == (f"dynamodb:PartiQL{action}", table, index)


@pytest.mark.parametrize(
    "statement",
    [
        "",
        ";",
        "DROP TABLE t",
        "CREATE TABLE t",
        "SELECT * FROM a, b",
        "SELECT * FROM a JOIN b",
        "SELECT * FROM a WHERE x IN (SELECT y FROM b)",
        "SELECT (SELECT y FROM b) FROM a",
        "SELECT * FROM a; DELETE FROM b",
        "SELECT * FROM a -- b",
        "SELECT * /* b */ FROM a",
        "SELECT * FROM a.b.c",
        "SELECT * FROM 'a'",
        "SELECT * FROM",
        "SELECT 1",
        "INSERT t VALUE {}",
        "INSERT INTO t.i VALUE {}",
        "UPDATE t",
        "DELETE t",
        "DELETE FROM t USING u",
        "EXISTS SELECT * FROM t",
        "EXISTS(SELECT * FROM t",
        "EXISTS(DROP TABLE t)",
        'SELECT * FROM "unclosed',
        "SELECT * FROM t WHERE a = 'unclosed",
        "SELECT * FROM \x00",
    ],
)
def test_anything_else_is_refused(statement: str) -> None:
    if statement == "UPDATE t":
        # Only a name is there, and DynamoDB refuses it; the table is still plain.
        assert statement_target(statement)[1] == "t"
        return
    with pytest.raises(UnrecognisedError):
        statement_target(statement)


@given(st.text(alphabet="SELECTFROMINTODU \"'.;,()*[]abt=?-/", max_size=60))
def test_any_text_gives_a_target_or_a_refusal(statement: str) -> None:
    try:
        action, table, _ = statement_target(statement)
    except UnrecognisedError:
        return
    assert action.startswith("dynamodb:PartiQL")
    assert table
