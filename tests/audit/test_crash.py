"""No acknowledged record is lost, whenever the ledger is killed."""

import asyncio
import os
import random

from gatekeep.audit.client import LedgerClient
from gatekeep.errors import UnavailableError
from tests.support import audit_log as make

KILLS = int(os.environ.get("GATEKEEP_TEST_KILLS", "8"))
"""Each takes about half a second."""


def test_a_ledger_killed_at_random_points_loses_no_acknowledged_record(
    tmp_path, make_ledger
):
    """Workers append all the time; the ledger is killed and started again.

    In the end every receipt that was given names an entry of that hash and
    exchange, and the whole log holds. Each start verifies the log's end by itself.
    """
    ledger = make_ledger(tmp_path, map_bytes=1 << 34).start()
    chosen = random.Random(KILLS)
    acknowledged = {}

    async def worker(name, until):
        client = LedgerClient(ledger.socket_path)
        await client.connect()
        number = 0
        while not until.done():
            number += 1
            exchange = f"{name}-{number}"
            body = chosen.randbytes(chosen.choice([10, 5000, 70_000]))
            try:
                first = client.append(make.intent(exchange))
                acknowledged[(await first).index] = (exchange, (await first).hash)
                receipt = await client.append(
                    make.outcome(exchange, captures=(make.captured(body),)),
                    captures=(body,),
                )
                acknowledged[receipt.index] = (exchange, receipt.hash)
            except UnavailableError:
                await asyncio.sleep(0.001)
        await client.close()

    async def story():
        until = asyncio.get_running_loop().create_future()
        workers = [asyncio.create_task(worker(f"w{n}", until)) for n in range(6)]
        for _ in range(KILLS):
            target = len(acknowledged) + chosen.randrange(1, 60)
            while len(acknowledged) < target:  # each turn brings some
                await asyncio.sleep(0)
            # Somewhere within a commit, which takes about a millisecond.
            await asyncio.sleep(chosen.random() * 0.003)
            ledger.kill()
            ledger.start()
        until.set_result(None)
        await asyncio.gather(*workers)

    asyncio.run(asyncio.wait_for(story(), 60 + 3 * KILLS))
    assert ledger.stop() == 0
    summary = ledger.verify()
    assert summary.entries >= len(acknowledged) > KILLS
    with ledger.reader() as reader:
        found = {
            each.index: (each.record.exchange_id, each.hash)
            for each in reader.records()
        }
    assert {index: found.get(index) for index in acknowledged} == acknowledged
