"""Runs the cases in this process; `bench.micro` starts it, with or without valgrind.

Arguments: settings, how, and the cases' names (none: all). How is empty to take times,
a library that switches callgrind on and off to count instructions, or for how many
seconds to repeat one case while a sampler looks on.
"""

from __future__ import annotations

import ctypes
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

from bench.micro.cases import Case, build

COUNTED = 20
"""Calls of a case that are counted together."""
_WARM_UP = 20
_TIMED, _BATCH_S = 15, 0.02


def main() -> None:
    config, control, *names = sys.argv[1:]
    cases = build(Path(config))
    chosen = {name: cases[name] for name in names} if names else cases
    gc.collect()
    # A collection falls into one case or another by chance; the bench of whole
    # requests has them.
    gc.disable()
    if control.isdigit():
        _go_round(chosen[names[0]], int(control))
    elif control:
        library = ctypes.CDLL(control)
        for name, case in chosen.items():
            _count(case, library.begin, lambda n=name: library.end(n.encode()))
    else:
        print(json.dumps({name: _timed(case) for name, case in chosen.items()}))


def _count(case: Case, begin: Callable[[], object], end: Callable[[], object]) -> None:
    for _ in repeat(None, _WARM_UP):
        case()
    begin()
    for _ in repeat(None, COUNTED):
        case()
    end()


def _go_round(case: Case, seconds: int) -> None:
    """Give a sampler something to look at, then say what a call cost."""
    print("going round", flush=True)
    until_s, calls, before_s = time.monotonic() + seconds, 0, time.process_time()
    while time.monotonic() < until_s:
        for _ in repeat(None, 50):
            case()
        calls += 50
    print((time.process_time() - before_s) / calls * 1e6)


def _timed(case: Case) -> tuple[float, float]:
    """Microseconds of one call: the least and the median of the batches."""
    for _ in repeat(None, _WARM_UP):
        case()
    calls, taken = 1, 0.0
    while taken < _BATCH_S and calls < 1 << 20:
        calls *= 2
        taken = _batch(case, calls)
    each = [_batch(case, calls) / calls * 1e6 for _ in range(_TIMED)]
    return min(each), statistics.median(each)


def _batch(case: Case, calls: int) -> float:
    began = time.perf_counter()
    for _ in repeat(None, calls):
        case()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
