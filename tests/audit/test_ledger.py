"""The ledger makes records durable for all its workers, or says that it did not.

Every test runs a real ledger in a process of its own and real clients.
"""

import asyncio
import contextlib
import os
import signal
import stat
import time
from pathlib import Path

import pytest

from gatekeep import limits
from gatekeep.audit.chain import entry_hash
from gatekeep.audit.client import LedgerClient
from gatekeep.audit.wire import encode_frame
from gatekeep.errors import UnavailableError, VerificationError
from gatekeep.store import Environment
from tests.support import audit_log as make


async def connected(ledger, **options):
    client = LedgerClient(ledger.socket_path, **options)
    await client.connect()
    return client


def run(story):
    return asyncio.run(asyncio.wait_for(story, 30))


def test_a_receipt_names_the_entry_that_is_durable(ledger):
    async def story():
        client = await connected(ledger)
        receipts = [await client.append(record) for record in make.every_kind()]
        await client.close()
        return receipts

    receipts = run(story())
    assert [receipt.index for receipt in receipts] == list(range(7))
    with ledger.reader() as reader:
        logged = list(reader.records())
        with reader.begin() as transaction:
            stored = [value for _, value in transaction.items("entries")]
    assert {each.index: each.hash for each in logged} == {
        receipt.index: receipt.hash for receipt in receipts
    }
    assert [entry_hash(value[32:]) for value in stored] == [
        receipt.hash for receipt in receipts
    ]
    by_index = {each.index: each.record for each in logged}
    assert [by_index[index] for index in range(7)] == make.every_kind()
    assert ledger.verify().entries == 7


def test_what_one_turn_appends_is_one_commit_in_order(ledger):
    async def story():
        client = await connected(ledger)
        await client.append(make.event())
        with ledger.reader() as reader:
            before = reader.transaction_id()
            receipts = await asyncio.gather(
                *(client.append(make.refusal(f"exchange-{n}")) for n in range(300))
            )
            after = reader.transaction_id()
            exchanges = [group[0].record.exchange_id for group in reader.exchanges()]
        await client.close()
        return before, after, receipts, exchanges

    before, after, receipts, exchanges = run(story())
    assert after == before + 1
    assert [receipt.index for receipt in receipts] == list(range(1, 301))
    assert exchanges == ["", *(f"exchange-{n}" for n in range(300))]


def test_many_workers_share_one_chain(ledger):
    async def worker(name):
        client = await connected(ledger)
        for number in range(40):
            exchange = f"{name}-{number}"
            await client.append(make.intent(exchange))
            body = f"answer {number % 5}".encode()
            await client.append(
                make.outcome(exchange, captures=(make.captured(body),)),
                captures=(body,),
            )
        await client.close()

    async def story():
        await asyncio.gather(*(worker(name) for name in "abcde"))

    run(story())
    summary = ledger.verify()
    assert (summary.entries, summary.exchanges, summary.open_exchanges) == (400, 200, 0)
    assert summary.bodies == 5


def test_the_log_verifies_at_every_moment_while_records_arrive(ledger):
    async def worker(until):
        client = await connected(ledger)
        count = 0
        while not until.is_set():
            count += 1
            await client.append(make.intent(f"e-{count}"))
            await client.append(make.outcome(f"e-{count}"))
        await client.close()
        return 2 * count

    async def story():
        until = asyncio.Event()
        working = asyncio.create_task(worker(until))
        seen = [(await asyncio.to_thread(ledger.verify)).entries for _ in range(20)]
        until.set()
        return seen, await working

    seen, appended = run(story())
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]
    assert ledger.verify().entries == appended


def test_bodies_of_every_size_come_back(ledger):
    sizes = [0, 1, 4079, 4080, 4081, 65_519, 65_520, 65_521, limits.CAPTURE_BYTES_MAX]
    bodies = [os.urandom(size) for size in sizes]

    async def story():
        client = await connected(ledger)
        for number, body in enumerate(bodies):
            captures = (make.captured(body), make.captured(body[::-1], "request"))
            await client.append(
                make.refusal(f"exchange-{number}", captures=captures),
                captures=(body, body[::-1]),
            )
        await client.close()

    run(story())
    with ledger.reader() as reader:
        for body in bodies:
            assert reader.body(make.captured(body).sha256) == body
        assert reader.body(bytes(32)) is None
    # An empty body reversed, and one of one byte, are the same body.
    assert ledger.verify().bodies == 2 * len(bodies) - 2


def test_a_turn_that_brings_more_than_a_message_holds_is_cut(ledger):
    async def story():
        client = await connected(ledger)
        futures = []
        for number in range(40):
            body = os.urandom(limits.CAPTURE_BYTES_MAX)
            record = make.refusal(f"e-{number}", captures=(make.captured(body),))
            futures.append(client.append(record, captures=(body,)))
        receipts = await asyncio.gather(*futures)
        await client.close()
        return receipts

    assert [receipt.index for receipt in run(story())] == list(range(40))
    assert ledger.verify().bodies == 40


def test_only_the_owner_can_reach_the_socket(ledger):
    mode = ledger.socket_path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert stat.S_IMODE(ledger.socket_path.parent.stat().st_mode) == 0o700


def test_a_second_ledger_on_the_same_log_is_refused(ledger, tmp_path, make_ledger):
    with pytest.raises(RuntimeError, match=r"audit\.locked.*another gatekeep"):
        make_ledger(tmp_path).start()
    assert ledger.stop() == 0
    make_ledger(tmp_path).start()


def test_another_origin_is_refused(ledger, tmp_path, make_ledger):
    ledger.stop()
    with pytest.raises(RuntimeError, match=r"audit\.origin"):
        make_ledger(tmp_path, origin="other.example").start()


def test_a_log_whose_end_was_changed_is_not_continued(ledger, tmp_path):
    async def story():
        client = await connected(ledger)
        await client.append(make.intent())
        await client.append(make.outcome())
        await client.close()

    run(story())
    ledger.stop()
    with Environment(
        ledger.log_path, map_bytes=make.MAP_BYTES, databases=("entries",)
    ) as store:
        stored = store.get("entries", bytes(8))
        store.commit_batch(
            [("entries", bytes(8), stored.replace(b"agent-7", b"agent-8"))]
        )
    with pytest.raises(RuntimeError, match=r"audit\.chain.*index 0"):
        ledger.start()


def test_sigterm_answers_what_has_arrived_and_ends_in_order(ledger):
    async def story():
        client = await connected(ledger)
        await client.append(make.event())
        waiting = [client.append(make.refusal(f"e-{n}")) for n in range(200)]
        await asyncio.sleep(0)  # one turn: now they are in the socket
        ledger.send(signal.SIGTERM)
        receipts = await asyncio.gather(*waiting, return_exceptions=True)
        await client.close()
        return receipts

    receipts = run(story())
    assert ledger.wait()[0] == 0
    assert not ledger.socket_path.exists()
    assert [receipt.index for receipt in receipts] == list(range(1, 201))
    assert ledger.verify().entries == 201


def test_a_dead_ledger_refuses_until_there_is_a_new_one(ledger):
    async def story():
        client = await connected(ledger)
        await client.append(make.event())
        ledger.send(signal.SIGSTOP)
        waiting = client.append(make.refusal())
        await asyncio.sleep(0)
        ledger.kill()
        with pytest.raises(UnavailableError) as gone:
            await waiting
        assert gone.value.code == "audit.ledger_gone"
        with pytest.raises(UnavailableError) as gone:
            client.append(make.refusal())
        assert gone.value.code == "audit.ledger_gone"
        ledger.start()
        receipt = await append_when_connected(client, make.refusal("again"))
        await client.close()
        return receipt

    receipt = run(story())
    with ledger.reader() as reader:
        logged = [each for each in reader.records() if each.index == receipt.index]
    assert logged[0].record.exchange_id == "again"
    ledger.verify()


def test_a_stalled_ledger_refuses_until_it_answers_again(ledger):
    async def story():
        client = await connected(ledger, stall_timeout_s=0.2)
        await client.append(make.event())
        ledger.send(signal.SIGSTOP)
        begun = time.monotonic()
        waiting = [client.append(make.refusal(f"e-{n}")) for n in range(3)]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [result.code for result in results] == ["audit.stalled"] * 3
        assert 0.2 <= time.monotonic() - begun < 2
        with pytest.raises(UnavailableError):
            client.append(make.refusal())
        ledger.send(signal.SIGCONT)
        receipt = await append_when_connected(client, make.refusal("again"))
        await client.close()
        return receipt

    # What was sent before the stall may be in the log: it was refused all the same.
    assert run(story()).index in range(1, 5)
    ledger.verify()


def test_too_much_that_waits_is_refused(ledger):
    async def story():
        client = await connected(ledger, stall_timeout_s=20)
        ledger.send(signal.SIGSTOP)
        body = bytes(limits.CAPTURE_BYTES_MAX)
        record = make.refusal(captures=(make.captured(body),))
        waiting = []
        with pytest.raises(UnavailableError) as full:  # noqa: PT012
            for _ in range(2 * limits.LEDGER_PENDING_BYTES_MAX // len(body)):
                waiting.append(client.append(record, captures=(body,)))  # noqa: PERF401
        assert full.value.code == "audit.backlog"
        assert len(waiting) * len(body) <= limits.LEDGER_PENDING_BYTES_MAX
        ledger.send(signal.SIGCONT)
        await asyncio.gather(*waiting)
        await client.append(record, captures=(body,))
        await client.close()

    run(story())
    ledger.verify()


def test_a_cancelled_waiter_does_not_disturb_the_others(ledger):
    async def story():
        client = await connected(ledger)
        futures = [client.append(make.refusal(f"e-{n}")) for n in range(3)]
        futures[1].cancel()
        assert (await futures[0]).index == 0
        assert (await futures[2]).index == 2
        await client.close()

    run(story())
    assert ledger.verify().entries == 3


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        b"\0\0\0\1\xc1",
        encode_frame("text"),
        encode_frame((1, (("no", "record"),))),
        encode_frame((1, ((b"record", b"x" * 65, (), ()),))),
        encode_frame((1, ((b"record", b"x", (b"short",), ()),))),
        encode_frame((1, ((b"record", b"x", (), ("text",)),))),
    ],
    ids=range(8),
)
def test_garbage_is_cut_off_and_the_others_go_on(ledger, garbage):
    async def story():
        client = await connected(ledger)
        reader, writer = await asyncio.open_unix_connection(str(ledger.socket_path))
        writer.write(garbage)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        receipt = await client.append(make.event())
        await client.close()
        return receipt.index

    assert run(story()) == 0


class TestCannotStore:
    def test_a_full_map_refuses_every_record_and_the_log_still_holds(
        self, tmp_path, make_ledger
    ):
        ledger = make_ledger(tmp_path, map_bytes=1 << 20).start()
        acknowledged, error = run(fill(ledger))
        assert error.code == "store.full"
        assert ledger.verify().entries == len(acknowledged)
        assert ledger.stop() == 0

    def test_a_full_disk_refuses_every_record_until_there_is_room(
        self, tiny_disk, make_ledger
    ):
        """And nothing that was acknowledged is lost, and it goes on by itself."""
        ballast = tiny_disk / "ballast"
        ballast.write_bytes(bytes(512 << 10))
        ledger = make_ledger(tiny_disk).start()

        async def story():
            acknowledged, error = await fill(ledger)
            assert error.code == "store.full"
            ballast.unlink()
            client = await connected(ledger)
            receipt = await append_when_stored(client, make.refusal("room"))
            await client.close()
            return acknowledged, receipt

        acknowledged, receipt = run(story())
        assert receipt.index == len(acknowledged)
        summary = ledger.verify()
        assert summary.entries == len(acknowledged) + 1
        with ledger.reader() as reader:
            hashes = [each.hash for each in reader.records()]
        assert hashes[:-1] == [each.hash for each in acknowledged]
        assert ledger.stop() == 0

    def test_a_read_only_store_is_not_started_on(self, tiny_disk, make_ledger):
        ledger = make_ledger(tiny_disk).start()
        assert ledger.stop() == 0
        assert os.system(f"mount -o remount,ro {tiny_disk}") == 0
        with pytest.raises(RuntimeError, match="Read-only file system"):
            ledger.start()

    def test_a_commit_that_fails_ends_the_ledger_and_nothing_acknowledged_is_lost(
        self, tmp_path, make_ledger, failing_syncs
    ):
        ledger = make_ledger(tmp_path).start(*failing_syncs(30))

        async def story():
            client = await connected(ledger)
            acknowledged = []
            with pytest.raises(UnavailableError) as gone:  # noqa: PT012
                while True:
                    acknowledged.append(await client.append(make.event()))
            assert gone.value.code == "audit.ledger_gone"
            await client.close()
            return acknowledged

        acknowledged = run(story())
        code, said = ledger.wait()
        assert code != 0
        assert said.startswith("store.commit: ")
        ledger.start()
        with ledger.reader() as reader:
            hashes = [each.hash for each in reader.records()]
        assert hashes == [each.hash for each in acknowledged]
        ledger.verify()


async def fill(ledger):
    """Append until thirty in a row are refused; the receipts, and a refusal.

    After the first refusal a smaller record may find room in pages that are there.
    """
    client = await connected(ledger)
    receipts = []
    refused = []
    while len(refused) < 30:
        body = os.urandom(3000 if not refused else 10)
        record = make.refusal("e" * 8, captures=(make.captured(body),))
        try:
            receipts.append(await client.append(record, captures=(body,)))
            refused.clear()
        except UnavailableError as error:
            refused.append(error)
    await client.close()
    return receipts, refused[-1]


async def append_when_connected(client, record):
    """The receipt of a record once the client is connected again."""
    while True:
        try:
            return await client.append(record)
        except UnavailableError as error:
            assert error.code == "audit.ledger_gone"  # noqa: PT017
        await asyncio.sleep(0.01)


async def append_when_stored(client, record):
    """The receipt of a record once the store takes it."""
    while True:
        try:
            return await client.append(record)
        except UnavailableError as error:
            assert error.code in ("store.full", "store.read_only")  # noqa: PT017
        await asyncio.sleep(0.05)


def test_no_ledger_is_unavailable(tmp_path):
    async def story():
        with pytest.raises(UnavailableError) as gone:
            await LedgerClient(tmp_path / "none.sock").connect()
        assert gone.value.code == "audit.ledger_gone"

    run(story())


def test_captures_that_the_record_does_not_name_are_a_mistake(ledger):
    async def story():
        client = await connected(ledger)
        for record, captures in [
            (make.refusal(), (b"body",)),
            (make.refusal(captures=(make.captured(b"body"),)), ()),
            (make.refusal(captures=(make.captured(b"body"),)), (b"other body",)),
        ]:
            with pytest.raises(ValueError, match="captures"):
                client.append(record, captures=captures)
        large = bytes(limits.CAPTURE_BYTES_MAX + 1)
        with pytest.raises(ValueError, match="too large"):
            client.append(
                make.refusal(captures=(make.captured(large),)), captures=(large,)
            )
        with pytest.raises(ValueError, match="exchange id"):
            client.append(make.refusal("x" * 65))
        await client.close()

    run(story())
    assert ledger.verify().entries == 0


def test_a_log_that_lost_its_description_is_not_begun_anew(ledger):
    run(fill_one(ledger))
    ledger.stop()
    with Environment(
        ledger.log_path, map_bytes=make.MAP_BYTES, databases=("meta",)
    ) as store:
        store.commit_batch([("meta", b"log", None)])
    with pytest.raises(RuntimeError, match=r"audit\.meta"):
        ledger.start()
    with pytest.raises(VerificationError):
        ledger.verify()


async def fill_one(ledger):
    client = await connected(ledger)
    await client.append(make.event())
    await client.close()


def test_a_socket_path_that_is_too_long_is_told(tmp_path, make_ledger):
    place = tmp_path / ("d" * 60) / ("e" * 60)
    Path(place).mkdir(parents=True)
    with pytest.raises(RuntimeError, match=r"audit\.socket.*ledger\.sock"):
        make_ledger(place).start()
