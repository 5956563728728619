"""``python -m bench.profile``: where the CPU of a request goes, room by room.

Samples the worker with py-spy while wrk loads it, and shares out the CPU microseconds
that a request costs (from `/proc`) by what was on the stack. The ledger is moved to the
other core meanwhile: on the worker's core it would run whenever it is sent something,
and the sampler would blame the sending line.

py-spy sees Python frames. What runs outside of any (uvloop, TLS records, sockets) is
under `loop and TLS`; TLS that a Python call starts (`write`) is split off by line.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
import threading
from collections import Counter
from functools import partial
from pathlib import Path

from bench import load, machine
from bench.micro.__main__ import child, laid_out
from bench.peers import BENCH_BIN, Gatekeep
from bench.small_requests import get_item, put_item, query
from bench.stage import session

WORKS = {
    "read": get_item("orders"),
    "masked-read": get_item("customers"),
    "write": put_item("orders"),
    "masked-page": query("customers"),
}

ROOMS = (
    (r"gateway/wire\.py|send_whole|ssl\.py", "sockets and TLS, from Python"),
    (r"gatekeep/http/", "HTTP"),
    (r"identity/", "session"),
    (r"aws/(authorization|sigv4|canonical|signing_keys|signature_chain)\.py", "SigV4"),
    (r"aws/signer\.py", "SigV4"),
    (r"aws/endpoint", "endpoint"),
    (r"gatekeep/aws/", "recognise"),
    (r"gatekeep/policy/", "decide"),
    (r"gatekeep/masking/", "mask"),
    (r"gatekeep/audit/|gateway/entries\.py", "audit"),
    (r"gatekeep/credentials/", "credentials"),
    (r"gateway/(forward|upstream)\.py", "forward"),
    (r"gatekeep/gateway/", "exchange and connection"),
)
"""What a frame's place says of its room. The innermost frame that is of a room, wins."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", choices=WORKS, default="read")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument(
        "--alone",
        metavar="CASE",
        help="a case of bench.micro in one process, such as `exchange: small read`:"
        " no loop, no TLS, no other process that could blur the picture",
    )
    parser.add_argument("--ledger", action="store_true", help="sample it instead")
    parser.add_argument("--place", type=Path, default=Path(".bench"))
    given = parser.parse_args()
    sampler = BENCH_BIN / "py-spy"
    if not sampler.exists():
        raise SystemExit("py-spy is not installed; install it with: make bench-peers")
    if given.alone:
        _sample_alone(sampler, given.alone, given.seconds)
        return
    with session(given.place, [Gatekeep], seconds=1, rounds=1) as stage:
        gateway = stage.gateway
        os.sched_setaffinity(gateway.ledger_pid, {machine.LOAD_CORE})
        pid = gateway.ledger_pid if given.ledger else gateway.worker_pid
        raw = stage.directory / "samples"
        requests = WORKS[given.work](stage.agent(gateway))
        run = partial(
            load.wrk,
            gateway.port,
            requests,
            connections=given.connections,
            script=stage.directory / "wrk.lua",
        )
        run(seconds=2)
        before_s = machine.cpu_s([pid])
        burst = run(seconds=given.seconds)
        cpu_us = (machine.cpu_s([pid]) - before_s) / burst.requests * 1e6
        # Sampled apart from the measurement, because sampling stops the process.
        loading = threading.Thread(target=partial(run, seconds=given.seconds + 2))
        loading.start()
        _sample(sampler, pid, given.seconds, raw)
        loading.join()
        _show(raw.read_text(), cpu_us)


def _sample_alone(sampler: Path, case: str, seconds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="gatekeep-micro-") as name:
        config, raw = laid_out(Path(name)), Path(name) / "samples"
        with machine.on_core(machine.PROXY_CORE):
            process = child([], config, str(seconds + 2), [case])
        process.stdout.readline()
        _sample(sampler, process.pid, seconds, raw)
        cpu_us = float(process.communicate()[0])
        _show(raw.read_text(), cpu_us)


def _sample(sampler: Path, pid: int, seconds: int, raw: Path) -> None:
    subprocess.run(
        [sampler, "record", "--pid", str(pid), "--duration", str(seconds),
         "--rate", "400", "--format", "raw", "--output", raw],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _show(samples: str, cpu_us: float) -> None:
    stacks = []
    for line in samples.splitlines():
        stack, _, count = line.rpartition(" ")
        if "Thread._bootstrap" in stack:
            continue  # helpers that wait, which py-spy takes for work
        stacks.append((stack.split(";"), int(count)))
    total = sum(count for _, count in stacks)
    rooms: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    own: Counter[str] = Counter()
    for stack, count in stacks:
        rooms[_room(stack)] += count
        for name in {frame.rpartition(":")[0] for frame in stack}:
            inside[name] += count
        own[stack[-1]] += count
    print(f"{cpu_us:.0f} µs of CPU a request, {total} samples\n")
    for title, counter, shown in (
        ("room", rooms, 20),
        ("function, with what it calls", inside, 60),
        ("line, itself", own, 30),
    ):
        print(f"| µs | share | {title} |\n| ---: | ---: | --- |")
        for name, count in counter.most_common(shown):
            share = count / total
            # What is in nearly every stack is the way in, not work.
            if share < 0.97 or counter is rooms:
                print(f"| {share * cpu_us:.1f} | {share:.1%} | `{name}` |")
        print()


def _room(stack: list[str]) -> str:
    for frame in reversed(stack):
        for pattern, room in ROOMS:
            if re.search(pattern, frame):
                return "loop and TLS" if "run_worker" in frame else room
    return "loop and TLS"


if __name__ == "__main__":
    main()
