"""The verifier that stands alone: format by hand, every changed byte, no garbage."""

import hashlib
import io
import random
import shutil
import subprocess
import sys
from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeep import verify
from gatekeep.audit.canonical import canonical_tree, pack
from gatekeep.audit.verification import export_log
from gatekeep.verify import LogError, Verifier, decode, verify_file
from tests.support import audit_log as make

VERIFIER = Path(verify.__file__)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The bytes of an exported log of six records and two bodies."""
    path = tmp_path_factory.mktemp("log") / "log"
    items = [make.item(make.event()), *make.exchanges(2), make.item(make.refusal())]
    make.write_log(path, items)
    target = io.BytesIO()
    assert export_log(path, target, map_bytes=make.MAP_BYTES) == 6
    return target.getvalue()


def test_what_is_exported_holds(exported):
    origin, summary = verify_file(io.BytesIO(exported))
    assert origin == make.ORIGIN
    assert (summary.entries, summary.exchanges, summary.bodies) == (6, 2, 2)
    assert summary.open_exchanges == 0
    assert summary.first_ns == make.NOW_NS
    assert str(summary).startswith(
        "6 records, 2 exchanges (0 without an outcome), 2 bodies;"
        " 2026-11-18T11:06:40.000000Z to 2026-11-18T11:06:40.000005Z; tail "
    )


def test_an_entry_written_by_hand_holds():
    """The format, spelled out byte by byte: it must never drift."""
    genesis = hashlib.sha256(b"gatekeep audit log 1\nlog.example\n").digest()
    record = b"\x98\xa7gateway\xa0\xcd\x03\xe8\x90\x90\xa7started\x80"
    record = record.replace(b"\x98", b"\x97", 1)
    entry = b"".join(
        [
            b"\x95\x01\x00\xc4\x20",
            genesis,
            b"\xcd\x07\xd0\xc4",
            bytes([len(record)]),
            record,
        ]
    )
    verifier = Verifier("log.example")
    assert verifier.entry(0, entry) == []
    tail = hashlib.sha256(b"\0" + entry).digest()
    summary = verifier.end(1, tail)
    assert (summary.first_ns, summary.last_ns, summary.tail_hash) == (2000, 2000, tail)


def test_an_empty_log_holds():
    verifier = Verifier("log.example")
    genesis = hashlib.sha256(b"gatekeep audit log 1\nlog.example\n").digest()
    assert verifier.end(0, genesis).entries == 0


def test_every_changed_byte_of_an_export_is_found(exported):
    chosen = random.Random(3)
    for place in range(len(exported)):
        for change in (1 << chosen.randrange(8), 0xFF):
            changed = bytearray(exported)
            changed[place] ^= change
            with pytest.raises(LogError):
                verify_file(io.BytesIO(changed))


def test_every_shortened_export_is_found(exported):
    for size in range(len(exported)):
        with pytest.raises(LogError):
            verify_file(io.BytesIO(exported[:size]))


def test_blocks_removed_repeated_or_moved_are_found(exported):
    blocks = [
        letter + len(data).to_bytes(4, "big") + data
        for letter, data, _ in verify.read_blocks(io.BytesIO(exported))
    ]
    assert b"".join([verify.MAGIC, *blocks]) == exported
    variants = []
    for place in range(len(blocks)):
        variants.append(blocks[:place] + blocks[place + 1 :])
        variants.append([*blocks[:place], blocks[place], *blocks[place:]])
        for other in range(place + 1, len(blocks)):
            moved = blocks.copy()
            moved[place], moved[other] = moved[other], moved[place]
            variants.append(moved)
    harmless = 0
    for variant in variants:
        try:
            verify_file(io.BytesIO(b"".join([verify.MAGIC, *variant])))
        except LogError:
            continue
        # A body that stands elsewhere or twice is the same log.
        assert [b for b in variant if b[:1] != b"B"] == [
            b for b in blocks if b[:1] != b"B"
        ]
        assert set(variant) == set(blocks)
        harmless += 1
    assert harmless < len(variants) / 2


@given(st.binary(max_size=300))
def test_random_bytes_are_decoded_or_told(data):
    try:
        value = decode(data)
    except LogError:
        return
    # What it takes is exactly what the writer would have written.
    assert pack(canonical_tree(value)) == data


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.text(max_size=40)
        | st.binary(max_size=300),
        lambda inner: (
            st.lists(inner, max_size=20)
            | st.dictionaries(st.text(max_size=5), inner, max_size=20)
        ),
        max_leaves=30,
    )
)
def test_decoding_agrees_with_msgpack_on_canonical_bytes(value):
    data = pack(canonical_tree(value))
    assert decode(data) == msgpack.unpackb(data)


@pytest.mark.parametrize(
    "number",
    [0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**64 - 1,
     -1, -32, -33, -128, -129, -32_768, -32_769, -(2**31), -(2**31) - 1, -(2**63)],
)  # fmt: skip
def test_integers_at_every_edge_have_one_form(number):
    shortest = msgpack.packb(number)
    assert decode(shortest) == number
    forms = [(0xCC, 1, False), (0xCD, 2, False), (0xCE, 4, False), (0xCF, 8, False),
             (0xD0, 1, True), (0xD1, 2, True), (0xD2, 4, True), (0xD3, 8, True)]  # fmt: skip
    for code, size, signed in forms:
        try:
            form = bytes([code]) + number.to_bytes(size, "big", signed=signed)
        except OverflowError:
            continue
        if form != shortest:
            with pytest.raises(LogError):
                decode(form)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "ends too early"),
        (b"\xc1", "a type that no record has"),
        (b"\xca\0\0\0\0", "a type that no record has"),
        (b"\xd4\x01\x01", "a type that no record has"),
        (b"\xd9\x01a", "could be shorter"),
        (b"\xc5\x00\x01a", "could be shorter"),
        (b"\xdc\x00\x01\xc0", "could be shorter"),
        (b"\xde\x00\x00", "could be shorter"),
        (b"\xa1\xff", "not UTF-8"),
        (b"\xa3\xed\xa0\x80", "not UTF-8"),
        (b"\x82\xa1b\xc0\xa1a\xc0", "out of order"),
        (b"\x82\xa1a\xc0\xa1a\xc0", "out of order"),
        (b"\x81\x01\x01", "no text"),
        (b"\xc0\xc0", "bytes follow"),
        (b"\x91" * 5000, "nested too deep"),
        (b"\xdd\xff\xff\xff\xff", "ends too early"),
        (b"\xc6\xff\xff\xff\xff", "ends too early"),
    ],
    ids=repr,
)
def test_what_is_not_canonical_is_told_with_its_place(data, reason):
    with pytest.raises(LogError, match=reason) as told:
        decode(data)
    assert told.value.byte is not None


@given(data=st.binary(max_size=120), seed=st.integers(0, 2**32))
def test_random_files_are_told(data, seed, exported):
    chosen = random.Random(seed)
    place = chosen.randrange(len(exported))
    for file in (data, verify.MAGIC + data, exported[:place] + data):
        with pytest.raises(LogError):
            verify_file(io.BytesIO(file))


class TestTheCommand:
    def test_a_sound_file_exits_with_0_and_a_summary(self, tmp_path, exported):
        done = self.run(tmp_path, exported)
        assert done.returncode == 0
        assert "holds; origin 'gatekeep.example': 6 records" in done.stdout

    def test_a_changed_file_exits_with_1_and_names_the_entry(self, tmp_path, exported):
        done = self.run(tmp_path, exported.replace(b"agent-7", b"agent-8", 1))
        assert done.returncode == 1
        assert (
            "does not hold: entry 2: does not carry the hash of entry 1" in done.stderr
        )

    def test_no_file_exits_with_2(self, tmp_path):
        for arguments in ([], [tmp_path / "none"], ["--help"]):
            done = subprocess.run(
                [sys.executable, VERIFIER, *arguments], check=False, capture_output=True
            )
            assert done.returncode == 2
            assert done.stderr

    def run(self, directory, content):
        """A copy of the one file, where nothing of gatekeep can be imported."""
        (directory / "export").write_bytes(content)
        shutil.copy(VERIFIER, directory / "check.py")
        return subprocess.run(
            [sys.executable, "-I", "-S", "check.py", "export"],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
