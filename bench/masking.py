"""What masking finds, what it lets alone, how fast it is and how much it holds.

    python -m bench.masking                  # everything, about four minutes
    python -m bench.masking --quick          # smaller corpora, 256 MiB instead of 4 GiB
    python -m bench.masking --json out.json

Times are CPU time of the one thread, the best of several runs taken in turn with raw
Hyperscan over the same bytes with the same patterns, so that a noisy neighbour hits
both. Figures are asserted where the masking issue names a bound.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from bench import corpora
from bench.mitmproxy_mask import _DETECTED as MITMPROXY_PATTERNS
from gatekeep._fast.splice import Scanner
from gatekeep.masking.detectors import DETECTORS
from gatekeep.masking.engine import Engine
from gatekeep.masking.profiles import Profile
from gatekeep.masking.styles import Kind, Style

MIB = 1 << 20
CHUNK = 64 << 10
"""What the gateway's upstream side mostly brings at once."""

FIXED, LAST_FOUR = Style(Kind.FIXED), Style(Kind.KEEP_LAST, 4)
FEW = ("pan", "ssn", "email", "aws-key")


def engine(*names: str) -> Engine:
    styles = {name: LAST_FOUR if name in ("pan", "ssn") else FIXED for name in names}
    return Engine(Profile(detectors=styles), DETECTORS, None, where="bench")


# --- what is found ------------------------------------------------------------------


def masked(one: Engine, form: str, body: bytes) -> bytes:
    scanner = one.json("") if form == "json" else one.text(escapes=True)
    return scanner.feed(body) + scanner.finish()


def quality(count: int) -> list[dict[str, object]]:
    rows = []
    for name in corpora.POSITIVES:
        one = Engine(Profile(detectors={name: FIXED}), DETECTORS, None, where="bench")
        positives, negatives = corpora.corpus(name, count)
        hidden = sum(
            value not in masked(one, form, body) for form, body, value in positives
        )
        false = sum(masked(one, form, body) != body for form, body in negatives)
        rows.append(
            {
                "detector": name,
                "positives": count,
                "recall": hidden / count,
                "hard negatives": count,
                "false": false,
                "precision": hidden / (hidden + false),
            }
        )
    return rows


def clean(size: int) -> tuple[int, dict[str, int]]:
    one = engine(*DETECTORS)
    found: dict[str, int] = {}
    read = 0
    for page in corpora.clean_traffic(size):
        scanner = one.json("dynamodb")
        scanner.feed(page)
        scanner.finish()
        read += len(page)
        for name, number in scanner.findings.items():
            found[name] = found.get(name, 0) + number
    return read, found


# --- how fast -----------------------------------------------------------------------


def prose(size: int) -> bytes:
    return corpora.text(Random("prose"), size // 7).encode()


def table(size: int) -> bytes:
    random = Random("table")
    rows, left = [], size
    while left > 0:
        row = (
            f"{random.randrange(10**6)},{random.choice(corpora.WORDS)},{random.random() * 1e4:.2f},"
            f"2026-11-{random.randrange(1, 29):02}T10:00:00Z,{random.getrandbits(64):016x}\n"
        )
        rows.append(row)
        left -= len(row)
    return "".join(rows).encode()


def pages(size: int) -> bytes:
    return b"[" + b",".join(corpora.clean_traffic(size)) + b"]"


def seeded(data: bytes, every: int) -> bytes:
    """The data with a value in each stretch of that many bytes."""
    random = Random("seeded")
    values = (
        corpora.pan,
        lambda r: corpora.dashed(corpora.ssn_digits(r)),
        corpora.email,
    )
    pieces = []
    for at in range(0, len(data), every):
        value = random.choice(values)(random).encode()
        pieces += [data[at : at + every - len(value) - 2], b" ", value, b" "]
    return b"".join(pieces)


def chunks(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), CHUNK):
        yield data[at : at + CHUNK]


def ignore(*_: object) -> None:
    """Take no match: the least that a handler of Hyperscan's can do."""


def raw_s(one: Engine, data: bytes) -> float:
    stream = one.open_stream()
    begin = time.thread_time()
    for chunk in chunks(data):
        stream.scan(chunk, match_event_handler=ignore)
    spent = time.thread_time() - begin
    stream.close(match_event_handler=ignore)
    return spent


def scanner_s(make: Callable[[], Scanner], data: bytes) -> float:
    scanner = make()
    begin = time.thread_time()
    for chunk in chunks(data):
        scanner.feed(chunk)
    scanner.finish()
    return time.thread_time() - begin


def rate(
    one: Engine, make: Callable[[], Scanner], data: bytes, runs: int
) -> tuple[float, float]:
    """MB/s of raw Hyperscan and of masking; the best of runs taken in turn."""
    raw, ours = [], []
    for _ in range(runs):
        raw.append(raw_s(one, data))
        ours.append(scanner_s(make, data))
    return len(data) / min(raw) / 1e6, len(data) / min(ours) / 1e6


def speed(size: int, runs: int) -> list[dict[str, object]]:
    rows = []
    bodies = {"prose": prose(size), "table": table(size), "JSON page": pages(size)}
    for name, clean_body in bodies.items():
        for kind, data in (
            ("no match", clean_body),
            (
                "one in 500 bytes",
                seeded(clean_body, 500) if name != "JSON page" else seeded_page(size),
            ),
        ):
            for label, one in (
                ("4 detectors", engine(*FEW)),
                ("all", engine(*DETECTORS)),
            ):
                makers = {
                    "text": lambda one=one: one.text(escapes=True, length_kept=True)
                }
                if name == "JSON page":
                    makers["JSON"] = lambda one=one: one.json("dynamodb", many=True)
                if name == "table":
                    makers["CSV"] = lambda one=one: one.csv(length_kept=True)
                for codec, make in makers.items():
                    raw, ours = rate(one, make, data, runs)
                    rows.append(
                        {
                            "body": name,
                            "matches": kind,
                            "detectors": label,
                            "codec": codec,
                            "Hyperscan MB/s": raw,
                            "masked MB/s": ours,
                            "ratio": ours / raw,
                        }
                    )
    return rows


def seeded_page(size: int) -> bytes:
    random = Random("page")
    items, left = [], size
    while left > 0:
        value = random.choice((corpora.pan, corpora.email))(random)
        item = {
            "pk": {"S": f"CUST#{random.randrange(10**8)}"},
            "note": {"S": corpora.text(random, 40)},
            "value": {"S": value},
            "n": {"N": str(random.randrange(10**9))},
        }
        items.append(json.dumps(item))
        left -= len(items[-1]) + 2
    return ('{"Items": [' + ", ".join(items) + "]}").encode()


def regular_expressions_s(data: bytes) -> float:
    """A whole body through the bench's mitmproxy add-on's patterns."""
    begin = time.thread_time()
    MITMPROXY_PATTERNS.sub(b"***", data)
    return time.thread_time() - begin


def against_expressions(size: int, runs: int) -> dict[str, object]:
    one, data = engine(*FEW), seeded(table(size), 500)
    theirs = min(regular_expressions_s(data) for _ in range(runs))
    ours = min(
        scanner_s(lambda: one.text(escapes=True, length_kept=True), data)
        for _ in range(runs)
    )
    return {
        "expressions MB/s": len(data) / theirs / 1e6,
        "masked MB/s": len(data) / ours / 1e6,
        "ratio": theirs / ours,
    }


SMALL = json.dumps(
    {
        "Item": {
            "pk": {"S": "CUST#62094"}, "name": {"S": "Ann Example"}, "balance": {"N": "1932.11"},
            "createdAt": {"N": "1700000000000"}, "note": {"S": corpora.text(Random(1), 12)},
            "email": {"S": "ann@example.com"}, "ssn": {"S": "123-45-6789"},
            "arn": {"S": "arn:aws:dynamodb:us-east-1:123456789012:table/customers"},
        }
    },
    separators=(",", ":"),
).encode()  # fmt: skip


def small_us(count: int) -> dict[str, object]:
    """Microseconds for one small answer, made and masked."""
    row: dict[str, object] = {"bytes": len(SMALL)}
    for label, one in (("4 detectors", engine(*FEW)), ("all", engine(*DETECTORS))):
        spent = []
        for _ in range(5):
            begin = time.thread_time()
            for _ in range(count):
                scanner = one.json("dynamodb")
                scanner.feed(SMALL)
                scanner.finish()
            spent.append(time.thread_time() - begin)
        row[f"{label} us"] = min(spent) / count * 1e6
    return row


# --- how much it holds --------------------------------------------------------------


def resident_kib() -> int:
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return (
        int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    )


def memory(size: int) -> dict[str, object]:
    """Growth of resident memory while an object of that size streams."""
    one, data = engine(*DETECTORS), seeded(table(4 * MIB), 500)
    scanner = one.text(escapes=True, length_kept=True)
    scanner.feed(data[:CHUNK])
    before = highest = resident_kib()
    done = 0
    while done < size:
        for chunk in chunks(data):
            scanner.feed(chunk)
            done += len(chunk)
        highest = max(highest, resident_kib())
    scanner.finish()
    return {"object MiB": done // MIB, "grew KiB": highest - before}


# --- report -------------------------------------------------------------------------


def markdown(rows: list[dict[str, object]]) -> str:
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for row in rows:
        cells = [f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Benches the masking room alone.")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    quick = options.quick
    size, runs = (2 * MIB, 5) if quick else (8 * MIB, 9)

    found = quality(500 if quick else 2000)
    print("## What is found\n\n" + markdown(found), flush=True)
    read, false = clean((2 if quick else 50) * 1_000_000)
    print(
        f"\nClean AWS traffic: {read / 1e6:.0f} MB, {sum(false.values())} false: {false}",
        flush=True,
    )
    speeds = speed(size, runs)
    print("\n## How fast\n\n" + markdown(speeds), flush=True)
    small = small_us(2_000 if quick else 20_000)
    print("\nA small DynamoDB answer\n\n" + markdown([small]), flush=True)
    theirs = against_expressions(size, 3)
    print(
        "\nRegular expressions over the whole body\n\n" + markdown([theirs]), flush=True
    )
    held = memory((256 if quick else 4096) * MIB)
    print("\n## How much it holds\n\n" + markdown([held]), flush=True)
    if options.json:
        report = {
            "found": found, "clean_bytes": read, "clean_false": false, "speed": speeds,
            "small": small, "expressions": theirs, "memory": held,
        }  # fmt: skip
        options.json.write_text(json.dumps(report, indent=2))

    missed = [row["detector"] for row in found if float(str(row["recall"])) < 0.999]
    bounds = {
        f"recall of {missed}": not missed,
        "false findings on clean traffic": sum(false.values()) <= read / 10e6,
        "memory": int(str(held["grew KiB"])) < 16 * 1024,
    }
    for bound, holds in bounds.items():
        if not holds:
            print(f"bound not held: {bound}", file=sys.stderr)
    return 0 if all(bounds.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
