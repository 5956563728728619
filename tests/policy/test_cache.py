"""Stored decisions: lost at times, wrong never."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeep import limits
from gatekeep.errors import UnavailableError
from gatekeep.policy.cache import DecisionCache
from gatekeep.store import Environment, Transaction


def entries(directory: Path) -> dict[bytes, bytes]:
    with (
        Environment(
            directory, map_bytes=1 << 30, databases=("decisions",), readonly=True
        ) as environment,
        environment.begin() as transaction,
    ):
        return dict(transaction.items("decisions"))


@pytest.fixture
def cache(tmp_path):
    """A cache in ``tmp_path / "decisions"``; close it to have everything written."""
    cache = DecisionCache(tmp_path / "decisions", entries_max=100)
    yield cache
    cache.close()


def reopened(cache: DecisionCache, directory: Path) -> DecisionCache:
    cache.close()
    return DecisionCache(directory / "decisions", entries_max=100)


def test_what_was_put_is_there_after_a_restart(cache, tmp_path):
    cache.put(b"k" * 32, b"read write")
    cache.put(b"n" * 32, b"")
    again = reopened(cache, tmp_path)
    assert again.get(b"k" * 32) == b"read write"
    assert again.get(b"n" * 32) == b""
    assert again.get(b"x" * 32) is None
    again.close()


def test_the_directory_is_for_its_owner_alone(cache, tmp_path):
    mode = stat.S_IMODE((tmp_path / "decisions").stat().st_mode)
    assert mode == 0o700


def test_it_is_bounded_and_new_entries_push_out_others(cache, tmp_path):
    keys = [os.urandom(32) for _ in range(300)]
    for round_ in range(3):
        for key in keys[round_ * 100 : round_ * 100 + 70]:
            cache.put(key, b"read")
        cache.close()
        stored = entries(tmp_path / "decisions")
        cache = DecisionCache(tmp_path / "decisions", entries_max=100)
        assert set(keys[round_ * 100 : round_ * 100 + 70]) <= set(stored)
        assert len(stored) <= 100
    assert len(stored) == 100
    cache.close()


def test_one_batch_over_the_bound_is_cut(cache, tmp_path):
    for _ in range(250):
        cache.put(os.urandom(32), b"read")
    cache.close()
    assert len(entries(tmp_path / "decisions")) == 100


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=40), st.integers(0, 60), st.integers(1, 255))
def test_an_entry_with_another_byte_is_a_miss(
    tmp_path_factory, value, position, difference
):
    directory = tmp_path_factory.mktemp("flipped")
    key = b"k" * 32
    cache = DecisionCache(directory, entries_max=100)
    cache.put(key, value)
    cache.close()
    entry = bytearray(entries(directory)[key])
    entry[position % len(entry)] ^= difference
    with Environment(
        directory, map_bytes=1 << 30, databases=("decisions",)
    ) as environment:
        environment.commit_batch([("decisions", key, bytes(entry))])
    again = DecisionCache(directory, entries_max=100)
    assert again.get(key) is None
    again.close()


def test_an_entry_under_another_key_or_cut_short_is_a_miss(cache, tmp_path):
    cache.put(b"k" * 32, b"read")
    cache.close()
    entry = entries(tmp_path / "decisions")[b"k" * 32]
    with Environment(
        tmp_path / "decisions", map_bytes=1 << 30, databases=("decisions",)
    ) as environment:
        environment.commit_batch(
            [
                ("decisions", b"moved" * 6, entry),
                ("decisions", b"k" * 32, entry[:-1]),
                ("decisions", b"short" * 6, b""),
            ]
        )
    again = DecisionCache(tmp_path / "decisions", entries_max=100)
    assert again.get(b"moved" * 6) is None
    assert again.get(b"k" * 32) is None
    assert again.get(b"short" * 6) is None
    again.close()


def test_a_long_value_is_not_stored(cache, tmp_path):
    cache.put(b"k" * 32, b"x" * (limits.DECISION_BYTES_MAX + 1))
    again = reopened(cache, tmp_path)
    assert again.get(b"k" * 32) is None
    again.close()


def test_a_full_disk_silences_the_cache_and_nothing_else(cache, tmp_path, monkeypatch):
    def full(*_, **__):
        raise UnavailableError("store.full", "no room")

    monkeypatch.setattr(Transaction, "put", full)
    cache.put(b"k" * 32, b"read")
    cache.close()
    assert cache.fault.code == "store.full"
    assert cache.get(b"k" * 32) is None
    cache.put(b"k" * 32, b"read")


def test_a_directory_that_cannot_be_made_leaves_no_cache(tmp_path):
    (tmp_path / "file").write_text("")
    cache = DecisionCache(tmp_path / "file" / "decisions", entries_max=100)
    assert cache.fault is not None
    assert cache.fault.code.startswith("store.")
    cache.put(b"k" * 32, b"read")
    assert cache.get(b"k" * 32) is None
    cache.close()


def test_damaged_pages_leave_no_cache(cache, tmp_path):
    cache.put(b"k" * 32, b"read")
    cache.close()
    path = tmp_path / "decisions" / "data.mdb"
    path.write_bytes(b"\xff" * path.stat().st_size)
    again = DecisionCache(tmp_path / "decisions", entries_max=100)
    assert again.get(b"k" * 32) is None
    assert again.fault is not None
    again.close()


def test_closing_twice_and_asking_after_is_harmless(cache):
    cache.close()
    cache.close()
    assert cache.get(b"k" * 32) is None
