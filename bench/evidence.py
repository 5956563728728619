"""What the gateway's log says of a measurement: no figure counts without its records."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from bench.peers import Gatekeep
from gatekeep.audit.log import LogReader, Query
from gatekeep.audit.record import Intent, Outcome
from gatekeep.settings import read_settings
from tests.support.stand import run_gatekeep

_SETTLE_S = 20.0


@dataclass
class Expected:
    """What a measurement must have left in the log."""

    since_ns: int = field(default_factory=time.time_ns)
    answered: int = 0
    """Requests whose answer the load generator has."""
    cut: int = 0
    """At most so many more were under way when a load generator stopped."""
    sha256s: set[str] = field(default_factory=set)
    """What the bodies that left may hash to."""


def verify(gateway: Gatekeep, expected: Expected) -> int:
    """Hold the log against what was measured; give the number of exchanges.

    Raises:
        AssertionError: an exchange without its two records, too few or too many
            exchanges, an answer that is not the expected one, or a log that
            `gatekeep audit verify` refuses.
    """
    until_s = time.monotonic() + _SETTLE_S
    while True:
        counts = _counted(gateway, expected)
        if counts["open"] == 0 or time.monotonic() > until_s:
            break
        time.sleep(0.2)
    assert counts["open"] == 0, counts
    assert counts["wrong"] == 0, counts
    low, high = expected.answered, expected.answered + expected.cut
    assert low <= counts["completed"] <= high, (counts, low, high)
    assert counts["completed"] + counts["gone"] <= high, (counts, high)
    config = str(gateway.directory / "gatekeep.toml")
    said = run_gatekeep("audit", "verify", "--config", config)
    assert "holds" in said, said
    return counts["completed"]


def _counted(gateway: Gatekeep, expected: Expected) -> Counter[str]:
    settings = read_settings(gateway.directory / "gatekeep.toml")
    counts: Counter[str] = Counter()
    with LogReader(
        settings.state_path("audit"), map_bytes=settings.audit.map_bytes
    ) as reader:
        for group in reader.exchanges(Query(since_ns=expected.since_ns)):
            records = [logged.record for logged in group]
            intents = [record for record in records if isinstance(record, Intent)]
            outcomes = [record for record in records if isinstance(record, Outcome)]
            if not intents and not outcomes:
                continue
            if len(intents) != 1 or len(outcomes) != 1:
                counts["open"] += 1
            elif outcomes[0].result == "client_gone":
                counts["gone"] += 1
            elif (
                outcomes[0].result == "completed"
                and outcomes[0].status == 200
                and outcomes[0].response_sha256 in expected.sha256s
            ):
                counts["completed"] += 1
            else:
                counts["wrong"] += 1
    return counts
