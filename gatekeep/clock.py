"""The time, as a value that is passed in.

Nothing else in gatekeep reads the system clock, so a test can hold it still and
move it. Wall time is for people and for records; monotonic time is for limits.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Gives the time. `SystemClock` in production; tests pass one they can move."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z; may jump when the host is set."""

    def now_s(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z; may jump when the host is set."""

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary point; never goes back."""


class SystemClock:
    """The clock of the host."""

    now_ns = staticmethod(time.time_ns)
    now_s = staticmethod(time.time)
    monotonic_s = staticmethod(time.monotonic)


SYSTEM_CLOCK: Clock = SystemClock()
