"""What policies learn of SQL and PartiQL, and what cannot be hidden from them."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatekeep import limits
from gatekeep.policy.lexical import _LEXERS, split_statements
from gatekeep.policy.statements import VERBS, StatementFacts, read_statements

ATHENA, REDSHIFT, RDS, DYNAMODB = "athena", "redshift-data", "rds-data", "dynamodb"
EVERYWHERE = (ATHENA, REDSHIFT, RDS, "timestream-query", "a service of next year")


def facts(service: str, *statements: str) -> tuple[set[str], set[str], bool]:
    read = read_statements(service, statements)
    assert isinstance(read, StatementFacts)
    return set(read.verbs), set(read.tables), read.unparsed


READABLE = [
    # text, verbs, tables
    ("SELECT 1", "SELECT", ""),
    ("select * from customers", "SELECT", "customers"),
    ('SELECT * FROM "Sales"."Orders" o', "SELECT", "sales.orders orders"),
    ("SELECT * FROM a JOIN db.b ON a.x = b.x", "SELECT", "a db.b b"),
    ("(SELECT 1) UNION (SELECT x FROM t)", "SELECT", "t"),
    ("SELECT * FROM (SELECT * FROM inner_t) q", "SELECT", "inner_t"),
    ("WITH q AS (SELECT * FROM t) SELECT * FROM q", "SELECT", "t q"),
    ("DROP TABLE customers", "DROP", "customers"),
    ("dRoP tAbLe IF EXISTS a", "DROP", "a"),
    ("DROP/**/TABLE/**/customers", "DROP", "customers"),
    ("DROP -- DROP it\n TABLE customers", "DROP", "customers"),
    ("  \t\n DROP\r\nTABLE\tx ;", "DROP", "x"),
    ("DELETE FROM t", "DELETE", "t"),
    ("DELETE FROM t -- WHERE id = 1", "DELETE", "t"),
    ("DELETE FROM t WHERE id IN (SELECT id FROM u)", "DELETE SELECT", "t u"),
    ("WITH q AS (SELECT 1) DELETE FROM t", "DELETE SELECT", "t"),
    ("WITH q AS (DELETE FROM t RETURNING *) SELECT * FROM q",
     "DELETE SELECT", "t q"),
    ("WITH q AS (SELECT 1), r AS (INSERT INTO t VALUES (1) RETURNING *)"
     " SELECT * FROM r", "INSERT SELECT", "t r"),
    ("SELECT 1; DROP TABLE x", "SELECT DROP", "x"),
    ("SELECT 1;;; ; DELETE FROM x;", "SELECT DELETE", "x"),
    ("/* SELECT */ DROP TABLE x /* ; */", "DROP", "x"),
    ("SELECT 'DROP TABLE x; -- '", "SELECT", ""),
    ("SELECT 'it''s; DROP TABLE x'", "SELECT", ""),
    ('SELECT "drop" FROM t', "SELECT", "t"),
    ("SELECT 1 -- ; DROP TABLE x", "SELECT", ""),
    ("SELECT 1 /* ; DROP TABLE x */", "SELECT", ""),
    ("SELECT t.delete FROM t", "SELECT", "t"),
    ("SELECT * FROM t FOR UPDATE", "SELECT", "t"),
    ("SELECT truncate(1.5), insert('a', 1, 1, 'b') FROM t", "SELECT", "t"),
    ("INSERT INTO a SELECT * FROM b", "INSERT SELECT", "a b"),
    ("INSERT INTO a (x) VALUES (1)", "INSERT", "a"),
    ("UPDATE t SET a = 1 WHERE b = 2", "UPDATE", "t"),
    ("CREATE TABLE a AS SELECT * FROM b", "CREATE SELECT", "a b"),
    ("CREATE OR REPLACE VIEW v AS SELECT * FROM t", "CREATE SELECT", "v t"),
    ("CREATE TABLE a (x int REFERENCES b (x) ON DELETE CASCADE)", "CREATE", "a b"),
    ("ALTER TABLE t DROP COLUMN c", "ALTER DROP", "t"),
    ("TRUNCATE TABLE t", "TRUNCATE", "t"),
    ("MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE"
     " WHEN NOT MATCHED THEN INSERT (a) VALUES (1)", "MERGE DELETE INSERT", "t s"),
    ("GRANT SELECT ON t TO somebody", "GRANT SELECT", "t"),
    ("REVOKE ALL ON t FROM somebody", "REVOKE", "t"),
    ("EXPLAIN SELECT * FROM t", "EXPLAIN SELECT", "t"),
    ("EXPLAIN DELETE FROM t", "EXPLAIN DELETE", "t"),
    ("EXPLAIN ANALYZE DELETE FROM t", "EXPLAIN DELETE", "t"),
    ("EXPLAIN (FORMAT JSON) SELECT * FROM t", "EXPLAIN SELECT", "t"),
    ("PREPARE p FROM DELETE FROM t WHERE id = ?", "PREPARE DELETE", "t"),
    ("DEALLOCATE PREPARE p", "DEALLOCATE", ""),
    ("SHOW CREATE TABLE t", "SHOW", ""),
    ("SHOW TABLES", "SHOW", ""),
    ("DESCRIBE t", "DESCRIBE", "t"),
    ("BEGIN; DELETE FROM t; COMMIT", "BEGIN DELETE COMMIT", "t"),
    ("USE db", "USE", "db"),
    ("SELECT * INTO copy FROM t", "SELECT CREATE", "copy t"),
]  # fmt: skip


@pytest.mark.parametrize("service", EVERYWHERE)
@pytest.mark.parametrize(("text", "verbs", "tables"), READABLE)
def test_what_can_be_read_is_read_whole(service, text, verbs, tables):
    found_verbs, found_tables, unparsed = facts(service, text)
    assert found_verbs == set(verbs.split())
    assert found_tables == set(tables.split())
    assert not unparsed


DIALECTS = [
    (ATHENA, "UNLOAD (SELECT * FROM t) TO 's3://b/' WITH (format = 'PARQUET')",
     "UNLOAD SELECT", "t"),
    (REDSHIFT, "UNLOAD ('select * from t where a = ''x''') TO 's3://b/' IAM_ROLE 'r'",
     "UNLOAD SELECT", "t"),
    (REDSHIFT, "UNLOAD ($$ DELETE FROM t $$) TO 's3://b/' IAM_ROLE 'r'",
     "UNLOAD DELETE", "t"),
    (ATHENA, "CREATE EXTERNAL TABLE t (a int) LOCATION 's3://b/'", "CREATE", "t"),
    (ATHENA, "ALTER TABLE t DROP PARTITION (d = '1')", "ALTER DROP", "t"),
    (ATHENA, "SELECT * FROM t CROSS JOIN UNNEST(a) AS x (y)", "SELECT", "t"),
    (REDSHIFT, "COPY t FROM 's3://b/' IAM_ROLE 'r'", "COPY", "t"),
    (RDS, "SELECT `a` FROM `t`", "SELECT", "t"),
    (RDS, "SELECT a::text FROM t WHERE b = $1", "SELECT", "t"),
    (RDS, "DELETE t FROM t JOIN u ON t.a = u.a", "DELETE", "t u"),
    # To PostgreSQL a comment, to MySQL minus minus one.
    (RDS, "SELECT 5--1; DROP TABLE x", "SELECT DROP", "x"),
    (RDS, "SELECT 1 # 2; DROP TABLE x", "SELECT DROP", "x"),
    (DYNAMODB, 'SELECT * FROM "Music"."ByYear" WHERE a = ?', "SELECT", "music"),
    (DYNAMODB, "select * from Music", "SELECT", "music"),
    (DYNAMODB, "INSERT INTO \"Music\" VALUE {'a': 'DROP; DELETE'}", "INSERT", "music"),
    (DYNAMODB, "UPDATE \"Music\" SET a = 1 REMOVE b WHERE c = ';'", "UPDATE", "music"),
    (DYNAMODB, 'DELETE FROM "Music" WHERE a = 1', "DELETE", "music"),
    (DYNAMODB, "dElEtE/**/FrOm Music WHERE a = 1", "DELETE", "music"),
    (DYNAMODB, '-- SELECT\nDELETE FROM "Music" WHERE a = 1', "DELETE", "music"),
    (DYNAMODB, 'EXISTS(SELECT * FROM "Music" WHERE a = 1)', "SELECT", "music"),
    ("s3", "SELECT s.name FROM S3Object s WHERE s.a > 1", "SELECT", "s3object"),
]  # fmt: skip


@pytest.mark.parametrize(("service", "text", "verbs", "tables"), DIALECTS)
def test_each_service_is_read_in_its_own_dialect(service, text, verbs, tables):
    assert facts(service, text) == (set(verbs.split()), set(tables.split()), False)


SUSPICIOUS = [
    # text, verbs that must be among those found
    ("", ""),
    (";", ""),
    ("-- nothing", ""),
    ("hello", ""),
    ("SELEC 1", ""),
    ("DROP", "DROP"),
    ("(DROP TABLE x)", "DROP"),
    ("SELECT 1; DROP", "SELECT DROP"),
    # What runs is not in the text.
    ("EXECUTE p USING 1", "EXECUTE"),
    ("EXECUTE IMMEDIATE 'DROP TABLE x'", "EXECUTE DROP"),
    ("CALL cleanup(1)", "CALL"),
    ("DO $$ BEGIN DELETE FROM t; END $$", "DO DELETE"),
    ("PREPARE p FROM 'DROP TABLE x'", "PREPARE DROP"),
    ("PREPARE p FROM @text", "PREPARE"),
    # Statements that the parser does not know.
    ("MSCK REPAIR TABLE t", "MSCK"),
    ("VACUUM t", "VACUUM"),
    ("REPLACE INTO t VALUES (1)", "REPLACE DELETE INSERT"),
    ("LOAD DATA INFILE 'x' INTO TABLE t", "LOAD"),
    ("LOCK TABLES t WRITE", "LOCK"),
    ("RENAME TABLE a TO b", "RENAME"),
    # Comments that some execute, nest, or end elsewhere.
    ("/*! DROP TABLE x */", "DROP"),
    ("/*!50000DROP*/ TABLE x", "DROP"),
    ("SELECT 1 /*!; DROP TABLE x */", "SELECT DROP"),
    ("/*M!100100 DROP TABLE x */", "DROP"),
    ("/* /* */ DROP TABLE x -- */", "DROP"),
    ("SELECT 1 -- \r; DROP TABLE x", "SELECT DROP"),
    ("SELECT 1 /* DROP TABLE x", "SELECT DROP"),
    # Quotes that some escape and others do not.
    (r"SELECT 'a\'; DROP TABLE x; --'", "SELECT DROP"),
    (r'SELECT "a\"; DROP TABLE x; --"', "SELECT DROP"),
    ("SELECT 'unclosed; DROP TABLE x", "SELECT DROP"),
    ('SELECT "unclosed; DROP TABLE x', "SELECT DROP"),
    # Identifiers and white space in disguise.
    ('SELECT * FROM U&"c\\0075stomers"', "SELECT"),
    ("DROP\u00a0TABLE x", "DROP"),
    ("DROP\u3000TABLE x", "DROP"),
    ("DROP\u200bTABLE x", ""),
    ("DROP\x00TABLE x", "DROP"),
    ("DROP\x0bTABLE x", "DROP"),
    ("\ufeffDROP TABLE x", "DROP"),
    ("ＤＲＯＰ TABLE x", ""),
    ("SELECT 1\x85DROP TABLE x", "SELECT DROP"),
]


@pytest.mark.parametrize("service", EVERYWHERE)
@pytest.mark.parametrize(("text", "verbs"), SUSPICIOUS)
def test_what_may_be_read_in_two_ways_is_unparsed_and_no_verb_is_lost(
    service, text, verbs
):
    found_verbs, _, unparsed = facts(service, text)
    assert unparsed
    assert found_verbs >= set(verbs.split())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "DROP TABLE x",
        'TRUNCATE "Music"',
        'SELECT * FROM (SELECT * FROM "Music")',
        "SELECT * FROM 'Music'",
        "SELECT 1",
        'DELETE FROM "Music" WHERE a = \'open',
        'SELECT * FROM "Music" /* open',
    ],
)
def test_partiql_beyond_its_four_statements_is_unparsed(text):
    assert read_statements(DYNAMODB, (text,)).unparsed


def test_a_query_within_show_is_seen():
    text = "SHOW TABLES WHERE 1 IN (SELECT x FROM t)"
    assert facts(RDS, text) == ({"SHOW", "SELECT"}, {"t"}, False)
    assert facts(ATHENA, text) == ({"SHOW", "SELECT"}, set(), True)


def test_facts_of_all_statements_of_a_call_are_united():
    assert facts(
        DYNAMODB, 'SELECT * FROM "a"', 'DELETE FROM "b" WHERE x = 1', "hello"
    ) == ({"SELECT", "DELETE"}, {"a", "b"}, True)


def test_no_statement_has_no_facts():
    assert read_statements(ATHENA, ()) == StatementFacts((), (), unparsed=False)


@pytest.mark.parametrize(
    "text",
    [
        # Exponential for the parser: 2 ** 30 readings.
        "SELECT " + "ROW(" * 30 + "DELETE" + ")" * 30,
        "SELECT " + "(" * 3000 + "1" + ")" * 3000,
        "SELECT " + "NOT " * 3000 + "1",
        "SELECT " + "CASE " * 2000,
        "EXPLAIN " * 1500 + "DELETE FROM t",
        "PREPARE p FROM " * 900 + "DELETE FROM t",
        "/* " * 80_000,
        "$a$ $b$ " * 30_000,
        "'\"`" * 80_000,
        "a" * 200_000,
        "'" + "a" * 200_000,
        "EXPLAIN" + " " * 200_000,
        "UNLOAD (" + ") " * 7000,
    ],
)
@pytest.mark.parametrize("service", [ATHENA, RDS, DYNAMODB])
def test_hostile_texts_are_given_up_in_time(service, text):
    started = time.perf_counter()
    read_statements(service, (text,))
    assert time.perf_counter() - started < 5


def test_a_long_text_is_looked_into_but_not_parsed():
    long = "SELECT " + "a, " * limits.STATEMENTS_PARSED_CHARACTERS_MAX + "a FROM t"
    assert facts(ATHENA, long) == ({"SELECT"}, set(), True)
    assert facts(ATHENA, "SELECT 1", long[:9000], f"DROP {long[:9000]}")[2]


def test_a_batch_of_long_partiql_statements_is_read():
    long = f"UPDATE \"Music\" SET a = '{'x' * 8000}' WHERE b = 1"
    assert facts(DYNAMODB, *[long] * 25) == ({"UPDATE"}, {"music"}, False)


def test_of_a_text_over_the_bound_every_verb_is_assumed():
    huge = " " * (limits.STATEMENTS_CHARACTERS_MAX + 1)
    assert facts(ATHENA, huge) == (set(VERBS), set(), True)


def test_facts_are_the_same_when_asked_again():
    assert read_statements(RDS, ("DROP TABLE x",)) is read_statements(
        RDS, ("DROP TABLE x",)
    )


def test_statements_are_never_logged(caplog):
    read_statements(ATHENA, ("VACUUM secret_table",))
    assert not caplog.records


fragments = st.sampled_from(
    ["SELECT", "1", "FROM", "t", "DELETE", "DROP TABLE x", "WITH q AS (", ")", "(",
     ";", ",", "'", '"', "`", "--", "\n", "/*", "*/", "$$", "$a$", "#", "\\", "E'",
     "EXPLAIN", "PREPARE p FROM", "UNLOAD (", ") TO 's3://b'", "INSERT INTO", "UPDATE",
     "SET", "=", "\r", "\x00", "\u00a0", "é", "CASE", "ROW(", "U&", "!", "VALUES"]
)  # fmt: skip


@given(
    st.sampled_from([*EVERYWHERE, DYNAMODB, "s3"]),
    st.lists(fragments, max_size=25).map(" ".join) | st.text(max_size=60),
)
@example(ATHENA, "EXPLAIN ( ")
@example(REDSHIFT, "UNLOAD ( ' ) TO '")
def test_any_text_has_facts(service, text):
    read = read_statements(service, (text,))
    assert set(read.verbs) <= VERBS
    assert list(read.verbs) == sorted(read.verbs)
    assert read.verbs or read.unparsed


benign = st.sampled_from(
    [
        "SELECT 1",
        "SELECT * FROM t WHERE a = 'b'",
        "SHOW TABLES",
        "INSERT INTO t VALUES (1)",
    ]
)
wrappers = st.sampled_from(
    ["{}", "/* c */ {}", "{} -- c\n", "EXPLAIN {}", "WITH q AS ({}) SELECT 1",
     "SELECT 'x'; {}", "{}; SELECT 1", "\n\t{} ;", "PREPARE p FROM {}"]
)  # fmt: skip


@given(
    st.sampled_from(EVERYWHERE),
    st.lists(benign, max_size=2),
    st.sampled_from(["DROP TABLE x", "DELETE FROM t", "TRUNCATE TABLE t",
                     "ALTER TABLE t ADD COLUMN c int", "UPDATE t SET a = 1"]),
    st.lists(wrappers, max_size=3),
    st.randoms(),
)  # fmt: skip
def test_nothing_around_a_verb_hides_it(service, before, verb, around, random):
    text = "; ".join([*before, verb])
    for wrapper in around:
        text = wrapper.format(text)
    text = "".join(random.choice([c.lower(), c.upper()]) for c in text)
    assert verb.split()[0] in read_statements(service, (text,)).verbs


@given(
    st.sampled_from(sorted(_LEXERS)),
    st.lists(fragments, max_size=25).map("".join) | st.text(max_size=60),
)
def test_cutting_loses_no_word_outside_quotes_and_comments(grammar, text):
    statements, divergent = split_statements(grammar, text)
    code = " ".join(word for each in statements for word in each.words)
    if not divergent and not set(text) & set("'\"`-/#$"):
        assert "".join(code.split()) == "".join(
            "" if c == ";" else c.upper() for c in text if not c.isspace()
        )
