"""The machine under the bench: what it is, and what its processes cost."""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROXY_CORE = 0
"""Each proxy, with everything it starts, runs here."""
LOAD_CORE = 1
"""The load generator and the upstream share this one."""

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Processes started inside are pinned to that core, with all they start."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core} & before or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def family(pid: int) -> list[int]:
    """A process and all that descend from it, oldest first."""
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """Seconds of CPU that processes used so far, user and system."""
    total = 0.0
    for pid in pids:
        # The name in parentheses may hold anything; fields count from behind it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) * _TICK_S
    return total


def resident_bytes(pids: Iterable[int]) -> int:
    """Memory of processes, with what they share counted once (PSS)."""
    total = 0
    for pid in pids:
        found = re.search(
            r"^Pss:\s+(\d+)",
            Path(f"/proc/{pid}/smaps_rollup").read_text(),
            re.MULTILINE,
        )
        total += int(found[1]) * 1024 if found else 0
    return total


def peak_begins(pids: Iterable[int]) -> float:
    """Begin to watch the most memory that processes use; give what they use now."""
    total = 0.0
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
        total += _status_bytes(pid, "VmRSS")
    return total


def peak_bytes(pids: Iterable[int]) -> float:
    """The most memory that processes used since `peak_begins`."""
    return sum(_status_bytes(pid, "VmHWM") for pid in pids)


def _status_bytes(pid: int, name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def busy_share(seconds: float) -> float:
    """The share of all cores in use over a while: is somebody else at work here?"""
    before = _busy_and_all()
    time.sleep(seconds)
    after = _busy_and_all()
    return (after[0] - before[0]) / max(1, after[1] - before[1])


def _busy_and_all() -> tuple[int, int]:
    ticks = [
        int(n) for n in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    ]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def sync_us(directory: Path) -> float:
    """The median cost of making 4 KiB durable there, in microseconds."""
    taken = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(100):
            file.seek(0)
            file.write(os.urandom(4096))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - began) * 1e6)
    return statistics.median(taken)


def facts(directory: Path) -> dict[str, str]:
    """What a reader must know to judge the figures, by name."""
    cpu = re.search(
        r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE
    )
    return {
        "processor": f"{cpu[1] if cpu else platform.processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * _PAGE_BYTES / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "making 4 KiB durable": f"{sync_us(directory):.0f} µs (median)",
        "already busy before the run": f"{busy_share(1.0):.0%} of all cores",
        "commit": _said("git", "describe", "--always", "--dirty", "--abbrev=12"),
    }


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().split("\n")[0]


def version_of(*command: str, after: str = "") -> str:
    """The version a program prints, as short as it can be said.

    Args:
        command: what prints it.
        after: what stands right before it.
    """
    found = re.search(re.escape(after) + r"(\d+\.\d+(?:\.\d+)*)", _said(*command))
    return found[1] if found else "unknown"
