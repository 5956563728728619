"""The reader finds exchanges by who, what, when and how, both ways through the log."""

import pytest

from gatekeep import limits
from gatekeep.audit.log import LogReader, Query
from gatekeep.errors import UnavailableError, VerificationError
from gatekeep.store import Environment
from tests.support import audit_log as make

OTHER = "https://issuer.example#agent-8"
SECOND = 10**9


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """Nine records a second apart: four exchanges, and two records of none."""
    path = tmp_path_factory.mktemp("reader") / "log"
    records = [
        make.event(),  # 0
        make.intent("read"),  # 1
        make.hold("write", principal_id=OTHER),  # 2
        make.outcome("read"),  # 3
        make.refusal("no"),  # 4
        make.approval("write", asker_id=OTHER),  # 5
        make.intent("write", principal_id=OTHER, operation="PutItem"),  # 6
        make.session(),  # 7
        make.outcome("write"),  # 8
        make.intent("open", service="s3", operation="GetObject",
                    needs=(("s3:GetObject", "*"), ("kms:Decrypt", "*"))),  # 9
    ]  # fmt: skip
    for number, record in enumerate(records):
        make.write_log(path, [make.item(record)], now_ns=make.NOW_NS + number * SECOND)
    with LogReader(path, map_bytes=make.MAP_BYTES) as reader:
        yield reader


def groups(reader, newest_first=False, **query):
    return [
        [logged.index for logged in group]
        for group in reader.exchanges(Query(**query), newest_first=newest_first)
    ]


def test_every_exchange_comes_once_with_all_its_records(reader):
    everything = [[0], [1, 3], [2, 5, 6, 8], [4], [7], [9]]
    assert groups(reader) == everything
    assert groups(reader, newest_first=True) == everything[::-1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"principal": make.AGENT}, [[1, 3], [4], [7], [9]]),
        ({"principal": "agent-7"}, [[1, 3], [4], [7], [9]]),
        ({"principal": OTHER}, [[2, 5, 6, 8]]),
        ({"principal": "*agent-?"}, [[1, 3], [2, 5, 6, 8], [4], [7], [9]]),
        ({"principal": make.PERSON}, [[2, 5, 6, 8]]),
        ({"principal": "nobody"}, []),
        ({"principal": "nobody#nowhere"}, []),
        ({"action": "PutItem"}, [[2, 5, 6, 8]]),
        ({"action": "dynamodb:*"}, [[1, 3], [2, 5, 6, 8]]),
        ({"action": "S3:getobject"}, [[9]]),
        ({"action": "kms:*"}, [[9]]),
        ({"action": "s3:DeleteBucket"}, [[4]]),
        ({"exchange": "write"}, [[2, 5, 6, 8]]),
        ({"exchange": "writ"}, []),
        ({"kind": "outcome"}, [[1, 3], [2, 5, 6, 8]]),
        ({"kind": "gateway"}, [[0]]),
        ({"decision": "approved"}, [[2, 5, 6, 8]]),
        ({"decision": "deny"}, [[4]]),
        ({"since_ns": make.NOW_NS + 4 * SECOND}, [[4], [7], [9]]),
        ({"since_ns": make.NOW_NS + 4 * SECOND + 1}, [[7], [9]]),
        ({"until_ns": make.NOW_NS + 2 * SECOND}, [[0], [1, 3]]),
        ({"since_ns": 0, "until_ns": 1}, []),
        ({"since_ns": 2**62}, []),
        (
            {"principal": make.AGENT, "since_ns": make.NOW_NS + 4 * SECOND},
            [[4], [7], [9]],
        ),
        (
            {"principal": make.PERSON, "until_ns": make.NOW_NS + 3 * SECOND},
            [[2, 5, 6, 8]],
        ),
        ({"principal": make.AGENT, "action": "*Get*", "kind": "outcome"}, [[1, 3]]),
    ],
    ids=str,
)
def test_a_query_chooses_exchanges(reader, query, expected):
    assert groups(reader, **query) == expected
    assert groups(reader, newest_first=True, **query) == expected[::-1]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("query", [{}, {"principal": make.AGENT}], ids=["all", "agent"])
def test_windows_do_not_show(reader, monkeypatch, newest_first, query):
    whole = groups(reader, newest_first, **query)
    for window in (1, 2, 3, 5):
        monkeypatch.setattr("gatekeep.audit.log.LOG_WINDOW_RECORDS", window)
        assert groups(reader, newest_first, **query) == whole


def test_records_carry_their_place_hash_and_time(reader):
    logged = list(reader.records(Query(exchange="read")))
    assert [each.index for each in logged] == [1, 3]
    assert [each.received_at_ns for each in logged] == [
        make.NOW_NS + SECOND,
        make.NOW_NS + 3 * SECOND,
    ]
    assert logged[1].record == make.outcome("read")
    last = list(reader.records())[-1]
    assert (reader.tail().size, reader.tail().hash) == (10, last.hash)
    assert reader.origin() == make.ORIGIN


def test_a_listing_goes_on_while_records_are_appended(tmp_path, monkeypatch):
    """It ends where the log ended when it began."""
    monkeypatch.setattr("gatekeep.audit.log.LOG_WINDOW_RECORDS", 2)
    path = tmp_path / "log"
    make.write_log(path, make.exchanges(5))
    script = [
        "from pathlib import Path",
        "from tests.support import audit_log as make",
        f"make.write_log(Path({str(path)!r}), [make.item(make.refusal('late'))])",
    ]
    with LogReader(path, map_bytes=make.MAP_BYTES) as reader:
        listing = reader.exchanges()
        first = next(listing)
        make_in_another_process("\n".join(script))
        rest = list(listing)
        assert [first[0].index, *(group[0].index for group in rest)] == [0, 2, 4, 6, 8]
        assert reader.tail().size == 11


def make_in_another_process(script):
    import subprocess
    import sys
    from pathlib import Path

    subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2]
    )


def test_no_log_is_unavailable(tmp_path):
    with pytest.raises(UnavailableError) as missing:
        LogReader(tmp_path, map_bytes=make.MAP_BYTES)
    assert missing.value.code == "store.missing"


def test_a_changed_record_is_named_and_not_shown(tmp_path):
    path = tmp_path / "log"
    make.write_log(path, make.exchanges(2))
    with Environment(path, map_bytes=make.MAP_BYTES, databases=("entries",)) as store:
        stored = store.get("entries", (2).to_bytes(8, "big"))
        changed = stored.replace(b"Read", b"\xff\xff\xff\xff")
        store.commit_batch([("entries", (2).to_bytes(8, "big"), changed)])
    with (
        LogReader(path, map_bytes=make.MAP_BYTES) as reader,
        pytest.raises(VerificationError, match="entry 2"),
    ):
        list(reader.records())


def test_a_window_is_bounded():
    assert limits.LOG_WINDOW_RECORDS <= 1024
