"""``python -m bench.micro``: what each room and each kernel costs, one by one.

Times are of this machine and this minute. Instructions, counted by callgrind, are the
same on a busy machine: ``--budget`` holds them against ``bench/budget.toml``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from bench.micro.cases import NOTHING
from bench.micro.child import COUNTED
from bench.peers import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Gatekeep
from gatekeep.aws.catalogue import load_catalogue
from gatekeep.settings import read_settings
from tests.support.stand import Issuer, Stand

BUDGET = Path("bench/budget.toml")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", action="store_true", help="count instructions too")
    parser.add_argument(
        "--budget", action="store_true", help="only count, and compare with the budget"
    )
    parser.add_argument("--write-budget", action="store_true", help="set it anew")
    parser.add_argument("case", nargs="*", help="only these")
    given = parser.parse_args()
    counting = given.count or given.budget or given.write_budget
    with tempfile.TemporaryDirectory(prefix="gatekeep-micro-") as name:
        directory = Path(name)
        config = laid_out(directory)
        times = {}
        if not (given.budget or given.write_budget):
            times = json.loads(_run([], config, "", given.case))
        counts = _counted(directory, config, given.case) if counting else {}
    for case in counts or times:
        least, median = times.get(case, (None, None))
        line = f"{case:32}"
        if least is not None:
            line += f"{least:12,.2f} µs{median:12,.2f} µs (median)"
        if case in counts:
            line += f"{counts[case]:14,} instructions"
        print(line)
    if given.write_budget:
        _write_budget(counts)
    if given.budget:
        sys.exit(_compared(counts))


def laid_out(directory: Path) -> Path:
    """Keys, policies, settings and the compiled catalogue of a gateway."""
    issuer = Issuer()
    stand = Stand(
        directory,
        "http://127.0.0.1:1",
        issuer,
        Gatekeep.policies,
        extra=Gatekeep.settings,
        assume=False,
    )
    stand.write()
    issuer.close()
    config = directory / "gatekeep.toml"
    # Compiled here once, since under valgrind it would take minutes.
    settings = read_settings(config)
    settings.gateway.state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    load_catalogue(settings.catalogue_path)
    return config


def child(around: list[str], config: Path, how: str, cases: list[str]) -> Any:
    """Start `bench.micro.child`; see there for what the arguments are."""
    return subprocess.Popen(
        [*around, sys.executable, "-m", "bench.micro.child", config, how, *cases],
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONHASHSEED": "0",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        },
    )


def _run(around: list[str], config: Path, how: str, cases: list[str]) -> str:
    process = child(around, config, how, cases)
    said, _ = process.communicate()
    if process.returncode != 0:
        sys.exit(process.returncode)
    return str(said)


def _counted(directory: Path, config: Path, cases: list[str]) -> dict[str, int]:
    """Instructions of one call of each case, by callgrind."""
    control = directory / "control.so"
    source = Path(__file__).with_name("valgrind.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", control, source], check=True)
    out = directory / "callgrind.out"
    # Without address randomisation: where objects lie decides how hashes collide.
    valgrind = [
        "setarch", "-R", "valgrind", "--quiet", "--tool=callgrind",
        "--instr-atstart=no", f"--callgrind-out-file={out}",
    ]  # fmt: skip
    _run(valgrind, config, str(control), [NOTHING, *cases] if cases else [])
    counts: dict[int, tuple[str, int]] = {}
    for dump in directory.glob("callgrind.out.*"):
        text = dump.read_text()
        name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
        total = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
        if name and total:
            counts[int(dump.suffix[1:])] = (name[1], int(total[1]))
    in_order = dict(counts[number] for number in sorted(counts))
    loop = in_order.pop(NOTHING)
    return {name: (total - loop) // COUNTED for name, total in in_order.items()}


def _write_budget(counts: dict[str, int]) -> None:
    lines = [
        "# Instructions of one call, counted by callgrind; see `python -m bench.micro`.",
        "# `make bench-budget` fails when one needs more. Lower it when it needs less.",
        f'python = "{_minor()}"',
        "tolerance = 0.05",
        "",
        "[instructions]",
        *(f'"{name}" = {count}' for name, count in counts.items()),
    ]
    BUDGET.write_text("\n".join(lines) + "\n")


def _compared(counts: dict[str, int]) -> int:
    """Hold the counts against the budget; give the exit code."""
    budget = tomllib.loads(BUDGET.read_text())
    if budget["python"] != _minor():
        print(f"the budget is for CPython {budget['python']}; nothing was compared")
        return 0
    over = 0
    for name, allowed in budget["instructions"].items():
        count = counts.get(name)
        if count is None:
            print(f"{name}: in the budget, but not measured")
            over += 1
        elif count > allowed * (1 + budget["tolerance"]):
            print(f"{name}: {count:,} instructions, {count / allowed:.2f} × its budget")
            over += 1
        elif count < allowed * (1 - budget["tolerance"]):
            print(f"{name}: {count / allowed:.2f} × its budget; lower it: {count}")
    print(f"{len(counts) - over} cases within their budget, {over} over it")
    return 1 if over else 0


def _minor() -> str:
    return ".".join(platform.python_version_tuple()[:2])


if __name__ == "__main__":
    main()
