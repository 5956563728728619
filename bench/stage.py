"""One session of the bench: upstream and proxies side by side, and what was measured."""

from __future__ import annotations

import hashlib
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import evidence, load, machine
from bench.agents import Agent, credentials_of
from bench.peers import Gatekeep, Proxy
from bench.upstream import Upstream

Sample = dict[str, float]
"""One round's figures by name; the name ends in the unit."""


@dataclass
class Row:
    """What one proxy did in one scenario, a sample each round."""

    label: str
    samples: list[Sample] = field(default_factory=list)

    def median(self, figure: str) -> float | None:
        """The median of a figure over the rounds; None when it was not measured."""
        values = [sample[figure] for sample in self.samples if figure in sample]
        return statistics.median(values) if values else None


@dataclass
class Table:
    """What a scenario found out."""

    scenario: str
    figure: str
    """The figure that proxies are compared by."""
    higher_is_better: bool = True
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def row(self, label: str) -> Row:
        """The row of that label, made when it is not there."""
        for row in self.rows:
            if row.label == label:
                return row
        self.rows.append(Row(label))
        return self.rows[-1]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Work:
    """A kind of request, sent through one proxy."""

    label: str
    proxy: Proxy
    requests: Callable[[Agent], list[bytes]]
    check: Callable[[load.Answer], None]
    """Raises AssertionError when an answer is not what the agent must get."""


@dataclass
class Session:
    """Upstream and proxies, started once; scenarios run through it."""

    directory: Path
    upstream: Upstream
    proxies: list[Proxy]
    seconds: float
    rounds: int

    @property
    def gateway(self) -> Gatekeep:
        """Gatekeep is always there: it hands out the sessions."""
        found = self.proxies[0]
        assert isinstance(found, Gatekeep)
        return found

    def agent(self, proxy: Proxy) -> Agent:
        """An agent of that proxy's, with a session of the gateway's STS door."""
        return Agent(proxy.port, credentials_of(self.gateway))

    def closed_loop(self, table: Table, works: list[Work], connections: int) -> None:
        """Measure works in turn, round after round, and hold the log against it."""
        expected = evidence.Expected()
        for work in works:
            self._burst(work, connections, min(2.0, self.seconds), expected)
        for number in range(self.rounds):
            # Each round starts with another one, so that none is always first.
            shift = number % len(works)
            for work in works[shift:] + works[:shift]:
                sample = self._burst(work, connections, self.seconds, expected)
                table.row(work.label).samples.append(sample)
        exchanges = evidence.verify(self.gateway, expected)
        table.notes.append(
            f"{exchanges:,} exchanges left intent and outcome, each with the digest of"
            " the right answer; `gatekeep audit verify` holds"
        )

    def _burst(
        self,
        work: Work,
        connections: int,
        seconds: float,
        expected: evidence.Expected,
    ) -> Sample:
        proxy = work.proxy
        requests = work.requests(self.agent(proxy))
        probe = load.ask(proxy.port, requests[0])
        work.check(probe)
        before = _costs(proxy)
        burst = load.wrk(
            proxy.port,
            requests,
            connections=connections,
            seconds=seconds,
            script=self.directory / "wrk.lua",
        )
        used = {name: cost - before[name] for name, cost in _costs(proxy).items()}
        probe_after = load.ask(proxy.port, requests[-1])
        work.check(probe_after)
        if isinstance(proxy, Gatekeep):
            assert burst.failed == 0, f"{work.label}: {burst}"
            expected.answered += burst.requests + 2
            expected.cut += connections
            for answer in (probe, probe_after):
                expected.sha256s.add(hashlib.sha256(answer.body).hexdigest())
        if not burst.requests:  # handshakes were all it had time for
            return {"requests_per_s": 0.0, "failed": float(burst.failed)}
        return {
            "requests_per_s": burst.per_s,
            "requests_per_cpu_s": burst.requests / used["cpu_us"] * 1e6,
            "p50_ms": burst.p50_ms,
            "p99_ms": burst.p99_ms,
            "p999_ms": burst.p999_ms,
            **{name: cost / burst.requests for name, cost in used.items()},
            "core_share": used["cpu_us"] / 1e6 / burst.seconds,
            "resident_mib": machine.resident_bytes(proxy.pids()) / 2**20,
            "failed": float(burst.failed),
        }


def _costs(proxy: Proxy) -> dict[str, float]:
    """CPU so far in microseconds: all of the proxy, and its parts where it has any."""
    costs = {"cpu_us": machine.cpu_s(proxy.pids()) * 1e6}
    if isinstance(proxy, Gatekeep):
        costs["worker_us"] = machine.cpu_s([proxy.worker_pid]) * 1e6
        costs["ledger_us"] = machine.cpu_s([proxy.ledger_pid]) * 1e6
    return costs


@contextmanager
def session(
    place: Path, proxies: list[type[Proxy]], *, seconds: float, rounds: int
) -> Iterator[Session]:
    """Start everything; stop it whatever happens.

    Args:
        place: a directory on the disk whose durability counts.
        proxies: gatekeep first.
        seconds: of one burst.
        rounds: how often each burst is repeated, interleaved with the others.
    """
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.resolve()) as name:
        directory = Path(name)
        upstream = Upstream(directory / "upstream")
        upstream.directory.mkdir()
        started: list[Proxy] = []
        try:
            upstream.start()
            for each in proxies:
                started.append(each(directory, upstream))
                started[-1].start()
            yield Session(directory, upstream, started, seconds, rounds)
        finally:
            for proxy in started:
                proxy.stop()
            upstream.stop()
