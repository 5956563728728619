"""Labels of resources, by the patterns that settings give them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gatekeep.settings import ResourceSettings


class Labels:
    """The ``[[resource]]`` settings, compiled.

    Attributes:
        settings: pattern and labels of each, sorted: they decide what is labelled.
    """

    def __init__(self, resources: Iterable[ResourceSettings]) -> None:
        self.settings = sorted(
            (resource.arn, sorted(resource.labels)) for resource in resources
        )
        self._exact: dict[str, set[str]] = {}
        patterns: dict[str, list[str]] = {}
        for arn, labels in self.settings:
            if "*" not in arn and "?" not in arn:
                self._exact.setdefault(arn, set()).update(labels)
                continue
            for label in labels:
                patterns.setdefault(label, []).append(_pattern(arn))
        self._patterns = [
            (label, re.compile("|".join(alternatives), re.DOTALL))
            for label, alternatives in patterns.items()
        ]

    def of(self, resource: str) -> tuple[str, ...]:
        """Return the labels of a resource, sorted; time is linear in its length."""
        labels = set(self._exact.get(resource, ()))
        labels.update(
            label for label, pattern in self._patterns if pattern.fullmatch(resource)
        )
        return tuple(sorted(labels))


def _pattern(glob: str) -> str:
    """A regular expression for IAM's ``*`` (any text) and ``?`` (one character).

    Each ``*`` takes the nearest match of what follows it and never gives it back
    (atomic groups): that is enough for globs, and keeps a resource name chosen by an
    agent from costing more than a scan.
    """
    first, *middle = (
        "".join("." if c == "?" else re.escape(c) for c in part)
        for part in re.split(r"\*+", glob)
    )
    if not middle:
        return first
    last = middle.pop()
    return first + "".join(f"(?>.*?{part})" for part in middle) + f".*{last}"
