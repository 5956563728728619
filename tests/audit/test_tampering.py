"""I9: whatever is changed, removed, added or reordered in the log is found."""

import os
import random
import shutil
import tempfile
from pathlib import Path

import lmdb
import pytest

from gatekeep.audit.canonical import pack
from gatekeep.audit.chain import encode_entry, entry_hash, genesis_hash, parse_entry
from gatekeep.audit.codec import encode_record, parse_record
from gatekeep.audit.verification import verify_log
from gatekeep.audit.writer import DATABASES, index_key, principal_key
from gatekeep.errors import VerificationError
from gatekeep.store import Environment
from tests.support import audit_log as make

MAP_BYTES = 1 << 20


def open_log(path, **options):
    return Environment(path, map_bytes=MAP_BYTES, databases=DATABASES, **options)


def verify(path):
    return verify_log(path, map_bytes=MAP_BYTES)


def contents(path):
    """Every key and value of every database of a log."""
    with open_log(path, readonly=True) as store, store.begin() as transaction:
        return {name: list(transaction.items(name)) for name in DATABASES}


@pytest.fixture(scope="module")
def sound_log(tmp_path_factory):
    """A log of five records, two of them an exchange with a body."""
    path = tmp_path_factory.mktemp("sound") / "log"
    make.write_log(
        path,
        [
            make.item(make.event()),
            *make.exchanges(1),
            make.item(make.approval("")),
            make.item(make.refusal("exchange-9")),
        ],
    )
    assert verify(path).entries == 5
    return path


@pytest.fixture
def log(sound_log, quick_path):
    """A copy of it that a test may change."""
    path = quick_path / "log"
    path.mkdir()
    shutil.copy(sound_log / "data.mdb", path)
    return path


@pytest.fixture
def quick_path(tmp_path):
    """A directory where a sync costs nothing, when the host has one."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        yield Path(directory)


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("part", ["key", "value"])
def test_every_changed_byte_of_what_is_stored_is_found(log, database, part):
    """One bit of one byte after the other, written back through LMDB itself."""
    chosen = random.Random(f"{database} {part}")
    flips = [
        (key, value, place)
        for key, value in contents(log)[database]
        for place in range(len(key if part == "key" else value))
    ]
    for key, value, place in flips:
        changed = bytearray(key if part == "key" else value)
        changed[place] ^= 1 << chosen.randrange(8)
        with open_log(log) as store:
            if part == "key":
                other = store.get(database, bytes(changed))
                changes = [(database, key, None), (database, bytes(changed), value)]
                undo = [(database, bytes(changed), other), (database, key, value)]
            else:
                changes = [(database, key, bytes(changed))]
                undo = [(database, key, value)]
            store.commit_batch(changes)
        with pytest.raises(VerificationError):
            verify(log)
        with open_log(log) as store:
            store.commit_batch(undo)
    verify(log)


def test_flipped_bytes_of_the_file_are_found_or_change_nothing(log, quick_path):
    """Of a file with no freed pages in it; what changes nothing is slack.

    LMDB reads pages in C, so each hundred flips have a process of their own: a crash
    must be seen, and be none.
    """
    dense = quick_path / "dense"
    dense.mkdir()
    with lmdb.open(str(log), max_dbs=len(DATABASES)) as environment:
        environment.copy(str(dense), compact=True)
    data = (dense / "data.mdb").read_bytes()
    whole = contents(dense)
    found = 0
    for seed in range(15):
        child = os.fork()
        if child == 0:
            os._exit(flip_and_verify(random.Random(seed), data, whole, dense))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert 0 <= code <= 100
        found += code
    assert found > 50


def flip_and_verify(chosen, data, whole, path):
    """How many of a hundred flips were found; 101 when one was missed."""
    found = 0
    try:
        for _ in range(100):
            changed = bytearray(data)
            changed[chosen.randrange(len(data))] ^= 1 << chosen.randrange(8)
            (path / "data.mdb").write_bytes(changed)
            try:
                verify(path)
            except VerificationError:
                found += 1
                continue
            if contents(path) != whole:
                return 101
    except BaseException:  # of a forked child: nothing may get out
        return 101
    return found


def rewrite(log, entries):
    """Put other entries into a log, with all that belongs to them but the chain."""
    with open_log(log) as store:
        tail = (0, b"", 0)
        with store.begin(write=True) as transaction:
            for name in ("entries", "exchanges", "principals"):
                transaction.clear(name)
            for place, data in enumerate(entries):
                entry = parse_entry(data)
                key = index_key(place)
                hash_ = entry_hash(data)
                transaction.put("entries", key, hash_ + data)
                exchange, principals = found_by(entry.payload)
                if exchange:
                    transaction.put("exchanges", exchange + key, b"")
                for principal in principals:
                    transaction.put("principals", principal + key, b"")
                tail = (place + 1, hash_, entry.received_at_ns)
            transaction.put("meta", b"tail", pack(tail))


def found_by(payload):
    record = parse_record(payload)
    return record.exchange_id.encode(), map(principal_key, record.principals)


def entries_of(log):
    return [value[32:] for _, value in contents(log)["entries"]]


@pytest.mark.parametrize("index", range(4))
def test_a_removed_entry_is_found(log, index):
    entries = entries_of(log)
    del entries[index]
    rewrite(log, entries)
    with pytest.raises(VerificationError, match=f"entry {index}"):
        verify(log)


@pytest.mark.parametrize("index", range(4))
def test_two_entries_that_changed_places_are_found(log, index):
    entries = entries_of(log)
    entries[index : index + 2] = reversed(entries[index : index + 2])
    rewrite(log, entries)
    with pytest.raises(VerificationError, match=f"entry {index}"):
        verify(log)


@pytest.mark.parametrize("index", range(5))
def test_a_repeated_entry_is_found(log, index):
    entries = entries_of(log)
    entries.insert(index, entries[index])
    rewrite(log, entries)
    with pytest.raises(VerificationError, match=f"entry {index + 1}"):
        verify(log)


@pytest.mark.parametrize("index", range(6))
def test_an_added_entry_is_found(log, index):
    """It is numbered and chained to the one before it, as a forger would."""
    entries = entries_of(log)
    previous = entry_hash(entries[index - 1]) if index else genesis_hash(make.ORIGIN)
    payload = encode_record(make.event(event="forged"))
    entries.insert(index, encode_entry(index, previous, make.NOW_NS + 10**9, payload))
    if index == 5:
        # At the very end nothing carries its hash but the tail.
        with open_log(log) as store:
            key = index_key(index)
            stored = entry_hash(entries[index]) + entries[index]
            store.commit_batch([("entries", key, stored)])
    else:
        rewrite(log, entries)
    with pytest.raises(VerificationError):
        verify(log)


def test_a_log_made_anew_from_some_place_on_ends_in_another_hash(log):
    """All that a chain can show by itself: compare with a hash noted elsewhere."""
    noted = verify(log).tail_hash
    entries = entries_of(log)[:-1]
    payload = encode_record(make.event(event="forged"))
    last = parse_entry(entries_of(log)[-1])
    entries.append(
        encode_entry(4, entry_hash(entries[-1]), last.received_at_ns, payload)
    )
    rewrite(log, entries)
    assert verify(log).tail_hash != noted


def test_an_outcome_without_its_intent_is_found(tmp_path):
    make.write_log(tmp_path / "log", [make.item(make.outcome())])
    with pytest.raises(VerificationError, match=r"entry 0: an outcome .* without"):
        verify_log(tmp_path / "log", map_bytes=make.MAP_BYTES)


def test_a_second_outcome_and_a_second_intent_are_found(tmp_path):
    again = [*make.exchanges(1), make.item(make.outcome("exchange-0"))]
    make.write_log(tmp_path / "one", again)
    with pytest.raises(VerificationError, match="entry 2"):
        verify_log(tmp_path / "one", map_bytes=make.MAP_BYTES)
    make.write_log(
        tmp_path / "two", [make.item(make.intent()), make.item(make.intent())]
    )
    with pytest.raises(VerificationError, match="entry 1: a second intent"):
        verify_log(tmp_path / "two", map_bytes=make.MAP_BYTES)


def test_a_time_that_goes_back_is_never_written(tmp_path):
    items = make.exchanges(2)
    make.write_log(tmp_path / "log", items[:2], now_ns=make.NOW_NS)
    make.write_log(tmp_path / "log", items[2:], now_ns=make.NOW_NS - 10**15)
    verify_log(tmp_path / "log", map_bytes=make.MAP_BYTES)
    times = [
        parse_entry(data).received_at_ns
        for data in (value[32:] for _, value in contents_of_big(tmp_path / "log"))
    ]
    assert times == sorted(times)


def contents_of_big(path):
    with (
        Environment(
            path, map_bytes=make.MAP_BYTES, databases=DATABASES, readonly=True
        ) as store,
        store.begin() as transaction,
    ):
        return list(transaction.items("entries"))


def test_a_missing_and_an_extra_body_are_found(log):
    (key, body), *_ = contents(log)["bodies"]
    with open_log(log) as store:
        store.commit_batch([("bodies", key, None)])
    with pytest.raises(VerificationError, match=r"entry 2: the body .* is not there"):
        verify(log)
    with open_log(log) as store:
        store.commit_batch([("bodies", key, body), ("bodies", bytes(36), b"")])
    with pytest.raises(VerificationError, match="the database `bodies` has 2 keys"):
        verify(log)


def test_a_missing_database_is_found(log):
    """As when its name was flipped in the page that lists the databases."""
    data = (log / "data.mdb").read_bytes()
    (log / "data.mdb").write_bytes(data.replace(b"principals", b"princibals"))
    with pytest.raises(VerificationError):
        verify(log)
