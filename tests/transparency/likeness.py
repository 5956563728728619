"""Whether two runs of one table gave the same, up to times and random names.

Nothing is dropped because of its name. A moment may differ by the time between the
runs. Any other difference must be a renaming: the same word on one side always
stands for the same word on the other, both ways, and the two look alike (as random
ids do).
"""

from __future__ import annotations

import datetime
import email.utils
import re
from typing import Any

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}
"""Fields about one connection; the gateway's are its own (RFC 9110, 7.6.1)."""

_moment = re.compile(
    r"(?P<iso>20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<basic>20\d{6}T\d{6}Z)"
    r"|(?P<http>[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} 20\d\d \d\d:\d\d:\d\d GMT)"
    r"|(?P<ms>(?<![\w.])1[78]\d{11}(?![\w.]))"
    r"|(?P<s>(?<![\w.])1[78]\d{8}(?:\.\d+)?(?:[eE]\+?9)?(?![\w.]))"
    r"|(?P<e>(?<![\w.])1\.[78]\d+[eE]\+?(?:9|09|12)(?!\w))"
)
_word = re.compile(r"[A-Za-z0-9]+")
_blob = re.compile(r"[A-Za-z0-9+/]{32,}={0,2}")
_APART_S = 600.0
"""How far apart in time the two runs may do the same."""


class Likeness:
    """Compares two runs; the renaming grows as it goes on.

    Args:
        left_hosts: what the left side's upstream is called in answers.
        right_hosts: the same of the right side.
    """

    def __init__(self, left_host: str, right_host: str) -> None:
        self._hosts = (left_host, right_host)
        self._there: dict[str, str] = {}
        self._back: dict[str, str] = {}
        self.renamed = self._there
        """Words of the left run that have another name in the right one."""

    def differences(self, left: Any, right: Any, where: str = "") -> list[str]:
        """What differs, each with its place; empty when the runs are alike."""
        if isinstance(left, dict) and isinstance(right, dict):
            # Keys can be random names too; both sides have them in the wire's order.
            left = [part for item in left.items() for part in item]
            right = [part for item in right.items() for part in item]
        if isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return [f"{where}: {len(left)} and {len(right)} elements"]
            return [
                found
                for number, pair in enumerate(zip(left, right, strict=True))
                for found in self.differences(*pair, f"{where}.{number}")
            ]
        if type(left) is not type(right):
            return [f"{where}: {left!r:.300} and {right!r:.300}"]
        if left == right or self._alike(str(left), str(right)):
            return []
        return [f"{where}: {left!r:.600} and {right!r:.600}"]

    def _alike(self, left: str, right: str) -> bool:
        left = left.replace(self._hosts[0], "UPSTREAM")
        right = right.replace(self._hosts[1], "UPSTREAM")
        for moments in zip(
            _moment.finditer(left), _moment.finditer(right), strict=False
        ):
            apart_s = abs(_seconds(moments[0]) - _seconds(moments[1]))
            if apart_s > _APART_S or moments[0].lastgroup != moments[1].lastgroup:
                return False
        left, right = _moment.sub("WHEN", left), _moment.sub("WHEN", right)
        return any(self._differ_in_names(left, right, word) for word in (_word, _blob))

    def _differ_in_names(self, left: str, right: str, word: re.Pattern[str]) -> bool:
        if word.split(left) != word.split(right):
            return False
        pairs = zip(word.findall(left), word.findall(right), strict=True)
        return all(a == b or self._is_renaming(a, b) for a, b in pairs)

    def _is_renaming(self, left: str, right: str) -> bool:
        if (
            left not in self._there
            and right not in self._back
            and _look_alike(left, right)
        ):
            self._there[left], self._back[right] = right, left
        return self._there.get(left) == right and self._back.get(right) == left


def _seconds(match: re.Match[str]) -> float:
    """A moment as seconds since the epoch."""
    text, kind = match[0], match.lastgroup
    if kind in ("iso", "basic"):
        read = datetime.datetime.fromisoformat(text)
        return read.replace(tzinfo=read.tzinfo or datetime.UTC).timestamp()
    if kind == "http":
        return email.utils.parsedate_to_datetime(text).timestamp()
    number = float(text)
    return number / 1000 if number > 1e11 else number


def _look_alike(left: str, right: str) -> bool:
    """Same alphabet and length, and too long to be a word that means something.

    The longest ids are base64 without its signs, so that their lengths vary.
    """
    shorter, longer = sorted((len(left), len(right)))
    return (
        shorter == longer >= 4 or (shorter >= 32 and longer - shorter <= 16)
    ) and any(
        re.fullmatch(alphabet, left) and re.fullmatch(alphabet, right)
        for alphabet in (r"\d+", r"[0-9a-f]+", r"[A-Z0-9]{8,}", r"[A-Za-z0-9+/=]{10,}")
    )
