"""``python -m bench.run``: measure gatekeep beside what people use instead."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import connections, latency, machine, report, small_requests, transfers
from bench.peers import Gatekeep, installed
from bench.stage import Session, Table, session

SCENARIOS: dict[str, Callable[[Session], Table]] = {
    "small-read-32": partial(small_requests.small_read, connections=32),
    "small-read-256": partial(small_requests.small_read, connections=256),
    "small-write-32": partial(small_requests.small_write, connections=32),
    "page-32": partial(small_requests.page, connections=32),
    "download": partial(transfers.download, masked=False),
    "download-masked": partial(transfers.download, masked=True),
    "upload": transfers.upload,
    "handshakes": connections.handshakes,
    "idle": connections.idle,
    "holds": connections.holds,
    "latency": latency.added,
    "mixed-64": partial(small_requests.mixed, connections=64),
}
"""By name, in the order they run."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--scenario", action="append", choices=SCENARIOS, help="only these; repeatable"
    )
    parser.add_argument(
        "--proxy", action="append", help="only these beside gatekeep; repeatable"
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="of one burst")
    parser.add_argument("--rounds", type=int, default=5, help="bursts of each proxy")
    parser.add_argument("--json", type=Path, default=Path("bench/results/bench.json"))
    parser.add_argument(
        "--place",
        type=Path,
        default=Path(".bench"),
        help="where the log is written: put it on the disk that counts",
    )
    given = parser.parse_args()
    # So that who is told to stop leaves no proxy behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    proxies = installed([Gatekeep.name, *given.proxy] if given.proxy else None)
    given.place.mkdir(exist_ok=True)
    facts = machine.facts(given.place) | {p.name: p.version() for p in proxies}
    facts |= {"bursts": f"{given.rounds} rounds of {given.seconds:g} s, interleaved"}
    tables: list[Table] = []
    with session(
        given.place, proxies, seconds=given.seconds, rounds=given.rounds
    ) as stage:
        for name in given.scenario or SCENARIOS:
            began = time.monotonic()
            tables.append(SCENARIOS[name](stage))
            print(report.as_text(tables[-1]))
            print(f"({time.monotonic() - began:.0f} s)\n", flush=True)
            # Written after each, so that a long run that is stopped leaves figures.
            report.write(given.json, facts, tables)
    print(f"written: {given.json}, and .md and .svg beside it")


if __name__ == "__main__":
    main()
