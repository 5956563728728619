"""Ctrl-C and its kin, noted at once and acted on where nothing is half done.

An exception out of a signal handler can come between the start of a process and the
note that it was started, and then nobody ends it.
"""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Takes the signals over while it is entered; `check` acts on them."""

    def __init__(self) -> None:
        self._number = 0
        self._before: dict[int, Any] = {}

    def check(self) -> None:
        """Raise `SystemExit` with 128 and the signal's number if one came."""
        if self._number:
            raise SystemExit(128 + self._number)

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            # Once one came the process is on its way out, whoever presses it again.
            signal.signal(number, signal.SIG_IGN if self._number else handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._number = number
