"""``gatekeep audit``: read, verify and export the log; the gateway may be running."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from gatekeep.audit.log import LoggedRecord, LogReader, Query
from gatekeep.audit.record import KINDS
from gatekeep.audit.text import exchange_text, record_json
from gatekeep.audit.verification import export_log, verify_log
from gatekeep.cli.options import CONFIG_DEFAULT, Config
from gatekeep.errors import OperatorError
from gatekeep.settings import read_settings

app = typer.Typer(
    help="Read, verify and export the tamper-evident log.", no_args_is_help=True
)

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

_When = "A time (2026-11-23, 2026-11-23T05:00:00Z) or how long ago (90s, 15m, 2h, 7d)."


@app.command()
def dump(  # noqa: PLR0913  # each is an option of the command line
    config: Config = CONFIG_DEFAULT,
    *,
    principal: Annotated[
        str | None,
        typer.Option(help="A principal id, what follows its `#`, or a pattern."),
    ] = None,
    action: Annotated[
        str | None,
        typer.Option(help="An IAM action or operation: `s3:Get*`, `PutItem`."),
    ] = None,
    since: Annotated[str | None, typer.Option(help=_When)] = None,
    until: Annotated[str | None, typer.Option(help=_When)] = None,
    exchange: Annotated[str | None, typer.Option(help="One exchange id.")] = None,
    kind: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(KINDS)}.")
    ] = None,
    decision: Annotated[
        str | None, typer.Option(help="For example allow, deny, hold, approved.")
    ] = None,
    last: Annotated[
        int | None, typer.Option(min=1, help="Only the newest so many exchanges.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One record a line.")] = False,
    bodies: Annotated[
        bool, typer.Option("--bodies", help="With the captured bodies, masked.")
    ] = False,
) -> None:
    """Print exchanges, oldest first: a block each, or with --json a line a record."""
    if kind is not None and kind not in KINDS:
        raise OperatorError(
            "cli.kind", f"--kind: `{kind}`: expected one of {', '.join(KINDS)}"
        )
    query = Query(
        principal=principal,
        action=action,
        since_ns=parse_time(since, "--since"),
        until_ns=parse_time(until, "--until"),
        exchange=exchange,
        kind=kind,
        decision=decision,
    )
    path, map_bytes = _log_of(config)
    with LogReader(path, map_bytes=map_bytes) as reader:
        groups: Iterable[tuple[LoggedRecord, ...]] = reader.exchanges(query)
        if last is not None:
            newest = list(islice(reader.exchanges(query, newest_first=True), last))
            groups = reversed(newest)
        body = reader.body if bodies else None
        for number, group in enumerate(groups):
            if json:
                lines = [record_json(logged, body=body) for logged in group]
            else:
                lines = [*([""] if number else []), *exchange_text(group, body=body)]
            print("\n".join(lines))


@app.command()
def verify(config: Config = CONFIG_DEFAULT) -> None:
    """Check every entry, body, index and the tail; exit 1 names what is broken."""
    path, map_bytes = _log_of(config)
    summary = verify_log(path, map_bytes=map_bytes, progress=_Progress("verified"))
    print(f"{path}: holds: {summary}")


@app.command()
def export(
    file: Annotated[
        Path,
        typer.Argument(help="What to write; `python -m gatekeep.verify` reads it."),
    ],
    config: Config = CONFIG_DEFAULT,
) -> None:
    """Write the whole log into one file that a stranger can verify offline."""
    path, map_bytes = _log_of(config)
    try:
        with file.open("xb") as target:
            count = export_log(
                path, target, map_bytes=map_bytes, progress=_Progress("exported")
            )
    except FileExistsError as error:
        raise OperatorError(
            "cli.export", f"{file}: is there already; name a new file"
        ) from error
    except OSError as error:
        raise OperatorError("cli.export", f"{file}: {error.strerror}") from error
    print(f"{file}: {count} records; check it with: python -m gatekeep.verify {file}")


def parse_time(text: str | None, option: str) -> int | None:
    """Nanoseconds since 1970 of a time or of how long ago; None stays None.

    Without a zone it is UTC.

    Raises:
        OperatorError: it is neither.
    """
    if text is None:
        return None
    if ago := re.fullmatch(r"(\d{1,9})([smhdw])", text):
        return time.time_ns() - int(ago[1]) * _UNITS_S[ago[2]] * 10**9
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise OperatorError(
            "cli.time", f"{option}: `{text}`: expected {_When[0].lower()}{_When[1:-1]}"
        ) from error
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return int(at.timestamp()) * 10**9 + at.microsecond * 1000


def _log_of(config: Path) -> tuple[Path, int]:
    """Where the settings' log is, and its map size."""
    settings = read_settings(config)
    path = settings.state_path("audit")
    if not (path / "data.mdb").exists():
        raise OperatorError(
            "cli.no_log", f"{path}: no log is there; has this gateway ever run?"
        )
    return path, settings.audit.map_bytes


class _Progress:
    """Says on a terminal how far long work is, four times a second."""

    def __init__(self, done: str) -> None:
        self._done = done
        self._next_s = time.monotonic() + 1.0

    def __call__(self, count: int, size: int) -> None:
        if not sys.stderr.isatty() or time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + 0.25
        end = "\r" if count < size else "\n"
        print(f"{count:,} of {size:,} {self._done}", end=end, file=sys.stderr)
