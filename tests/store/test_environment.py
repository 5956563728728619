"""LMDB environments hold what they promise, on real files and in real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeep.errors import FatalError, UnavailableError
from gatekeep.store import Environment

MAP_BYTES = 1 << 24


def open_store(path, **options):
    options = {"map_bytes": MAP_BYTES, "databases": ("one", "two")} | options
    return Environment(path, **options)


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store") as environment:
        yield environment


def test_the_directory_and_its_parents_are_for_the_owner_alone(tmp_path):
    with open_store(tmp_path / "state" / "store"):
        modes = {
            path.name: path.stat().st_mode & 0o777
            for path in [tmp_path / "state", *tmp_path.joinpath("state").rglob("*")]
        }
    assert modes == {
        "state": 0o700,
        "store": 0o700,
        "data.mdb": 0o600,
        "lock.mdb": 0o600,
    }


def test_what_is_committed_is_there_after_opening_anew(tmp_path):
    with open_store(tmp_path) as environment:
        environment.commit_batch([("one", b"key", b"1"), ("two", b"key", b"2")])
        environment.commit_batch([("one", b"key", None), ("one", b"other", b"3")])
    with open_store(tmp_path) as environment:
        assert environment.get("one", b"key") is None
        assert environment.get("one", b"other") == b"3"
        assert environment.get("two", b"key") == b"2"


def test_an_exception_undoes_the_whole_transaction(store):
    def pairs():
        yield "one", b"key", b"value"
        raise LookupError

    with pytest.raises(LookupError):
        store.commit_batch(pairs())
    assert store.get("one", b"key") is None


def test_a_reader_keeps_its_snapshot_while_others_write(store):
    store.commit_batch([("one", b"key", b"old")])
    with store.begin() as reading:
        store.commit_batch([("one", b"key", b"new")])
        assert reading.get("one", b"key") == b"old"
    assert store.get("one", b"key") == b"new"


def test_a_put_that_may_not_overwrite_says_so(store):
    with store.begin(write=True) as transaction:
        assert transaction.put("one", b"key", b"1", overwrite=False)
        assert not transaction.put("one", b"key", b"2", overwrite=False)
        assert transaction.get("one", b"key") == b"1"


@pytest.mark.parametrize("key", [b"", b"k" * 512], ids=["empty", "too long"])
def test_a_key_that_lmdb_cannot_have_is_a_value_error(store, key):
    with pytest.raises(ValueError, match="1 to 511"):
        store.commit_batch([("one", key, b"")])
    assert not store.failed


@settings(max_examples=60, deadline=None)
@given(
    keys=st.sets(st.binary(min_size=1, max_size=4), max_size=30),
    start=st.binary(max_size=4),
)
def test_items_come_in_byte_order_from_the_start_on_in_both_directions(
    tmp_path_factory, keys, start
):
    with open_store(tmp_path_factory.mktemp("store")) as environment:
        environment.commit_batch(("one", key, key * 2) for key in keys)
        with environment.begin() as transaction:
            forward = list(transaction.items("one", start))
            backward = list(transaction.items("one", start, reverse=True))
            assert transaction.count("one") == len(keys)
            last = transaction.last("one")
    ordered = [(key, key * 2) for key in sorted(keys)]
    assert forward == [item for item in ordered if item[0] >= start]
    assert backward == [
        item for item in reversed(ordered) if not start or item[0] <= start
    ]
    assert last == (ordered[-1] if ordered else None)


def test_clearing_a_database_leaves_the_others(store):
    store.commit_batch([("one", b"a", b""), ("one", b"b", b""), ("two", b"c", b"")])
    with store.begin(write=True) as transaction:
        transaction.clear("one")
    with store.begin() as transaction:
        assert (transaction.count("one"), transaction.count("two")) == (0, 1)


def test_a_full_map_refuses_and_changes_nothing_and_less_still_fits(tmp_path):
    with open_store(tmp_path, map_bytes=1 << 18) as environment:
        environment.commit_batch([("one", b"kept", b"1")])
        with pytest.raises(UnavailableError) as refused:
            environment.commit_batch(
                ("one", number.to_bytes(4, "big"), bytes(4000)) for number in range(100)
            )
        assert refused.value.code == "store.full"
        assert not environment.failed
        with environment.begin() as transaction:
            assert list(transaction.items("one")) == [(b"kept", b"1")]
        environment.commit_batch([("one", b"small", b"2")])
        assert environment.get("one", b"small") == b"2"


def test_a_full_disk_refuses_each_write_until_opened_anew(tiny_disk):
    """Fill a real filesystem, hold that nothing acknowledged is lost, make room."""
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(512 << 10))
    acknowledged = []
    with open_store(tiny_disk / "store") as environment:

        def fill():
            for number in range(2000):
                key = number.to_bytes(4, "big")
                environment.commit_batch([("one", key, os.urandom(3000))])
                acknowledged.append(key)

        with pytest.raises(UnavailableError) as refused:
            fill()
        assert refused.value.code == "store.full"
        assert environment.failed
        ballast.unlink()
        with pytest.raises(UnavailableError):
            environment.commit_batch([("one", b"later", b"")])
    assert acknowledged
    with open_store(tiny_disk / "store") as environment:
        with environment.begin() as transaction:
            assert [key for key, _ in transaction.items("one")] == acknowledged
        environment.commit_batch([("one", b"later", b"")])


def test_a_read_only_disk_is_refused_at_open_and_can_be_read(tiny_disk):
    with open_store(tiny_disk / "store") as environment:
        environment.commit_batch([("one", b"key", b"value")])
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    with pytest.raises(UnavailableError) as refused:
        open_store(tiny_disk / "store")
    assert refused.value.code == "store.read_only"
    with open_store(tiny_disk / "store", readonly=True) as environment:
        assert environment.get("one", b"key") == b"value"
        with pytest.raises(UnavailableError) as refused:
            environment.commit_batch([("one", b"key", b"")])
        assert refused.value.code == "store.read_only"


def test_reading_what_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(UnavailableError) as missing:
        open_store(tmp_path / "none", readonly=True)
    assert missing.value.code == "store.missing"
    assert not (tmp_path / "none").exists()
    open_store(tmp_path / "some").close()
    with pytest.raises(UnavailableError) as missing:
        open_store(tmp_path / "some", databases=("three",), readonly=True)
    assert missing.value.code == "store.database_missing"


def test_opening_twice_in_one_process_is_refused(tmp_path, store):
    with pytest.raises(UnavailableError) as refused:
        open_store(tmp_path / "store")
    assert refused.value.code == "store.unopened"


def test_what_is_no_environment_is_fatal(tmp_path):
    (tmp_path / "data.mdb").write_bytes(b"not LMDB " * 4096)
    with pytest.raises(FatalError) as damaged:
        open_store(tmp_path)
    assert damaged.value.code == "store.damaged"


def test_a_forked_child_is_refused(store):
    """LMDB corrupts when a child uses what its parent opened."""
    child = os.fork()
    if child == 0:
        try:
            store.get("one", b"key")
        except FatalError as error:
            os._exit(0 if error.code == "store.forked" else 1)
        os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


def test_other_processes_commits_move_the_transaction_number(tmp_path, store):
    before = store.last_transaction_id()
    run_python(
        f"""
        with Environment(Path({str(tmp_path / "store")!r}), map_bytes={MAP_BYTES},
                         databases=("one", "two")) as store:
            store.commit_batch([("one", b"key", b"from afar")])
        """
    )
    assert store.last_transaction_id() == before + 1
    assert store.get("one", b"key") == b"from afar"


def test_slots_of_dead_readers_are_freed_at_open(tmp_path):
    """While another process keeps the store open, so that its table stays."""
    code = f"""
        store = Environment(Path({str(tmp_path)!r}), map_bytes={MAP_BYTES},
                            databases=("one", "two"))
        transaction = store.begin()
        print("reading", flush=True)
        sys.stdin.read()
        """
    with start_python(code) as alive, start_python(code) as dead:
        assert alive.stdout.readline() == dead.stdout.readline() == b"reading\n"
        dead.kill()
        dead.wait()
        with open_store(tmp_path) as environment:
            assert environment.stale_readers == 1
            assert environment.statistics()["used_bytes"] > 0
        alive.stdin.close()


def test_a_commit_whose_sync_fails_is_fatal_and_no_later_one_is_tried(
    tmp_path, failing_syncs
):
    """The kernel marks pages clean after a failed sync: going on would lose them."""
    code = f"""
        from gatekeep.errors import FatalError
        store = Environment(Path({str(tmp_path / "store")!r}), map_bytes={MAP_BYTES},
                            databases=("one",))
        store.commit_batch([("one", b"first", b"")])
        for attempt in range(2):
            try:
                store.commit_batch([("one", b"second", b"")])
            except FatalError as error:
                print(error.code, store.failed, store.get("one", b"first"))
        """
    # Making the environment commits once for its one database.
    with start_python(code, *failing_syncs(3)) as process:
        output = process.stdout.read().decode().splitlines()
    assert output == ["store.commit True b''"] * 2
    with open_store(tmp_path / "store", databases=("one",)) as environment:
        assert environment.get("one", b"first") == b""


def start_python(code: str, *before: str) -> subprocess.Popen[bytes]:
    """A Python of its own with `Environment` and `Path` at hand."""
    lines = [line.removeprefix(" " * 8) for line in code.splitlines()]
    head = (
        "import sys\nfrom pathlib import Path\nfrom gatekeep.store import Environment\n"
    )
    return subprocess.Popen(
        [*before, sys.executable, "-c", head + "\n".join(lines)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


def run_python(code: str) -> None:
    with start_python(code) as process:
        process.communicate()
    assert process.returncode == 0
