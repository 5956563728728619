"""Patterns made ready for Hyperscan: bounded, compiled, opened as streams.

This and the kernels it feeds are the only importers of hyperscan.
"""

from __future__ import annotations

import re._constants as sre  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import hyperscan

from gatekeep.errors import OperatorError
from gatekeep.limits import PATTERN_WIDTH_MAX
from gatekeep.masking.detectors import DETECTORS, Detector, Pattern
from gatekeep.settings import DetectorSettings

OpenStream = Callable[[], Any]


def pattern_width(expression: str, *, where: str) -> int:
    """Return the most bytes that a pattern can match.

    Hyperscan's wheel does not tell, so the width comes from a parse of the
    expression by the standard library, whose syntax is a superset for what
    Hyperscan takes.

    Args:
        expression: a regular expression over ASCII.
        where: the settings key it stands at; named in errors.

    Raises:
        OperatorError: it is no expression, has an anchor, or its matches have no
            bounded width.
    """
    try:
        tree = sre_parser.parse(expression.encode("ascii"))
    except UnicodeEncodeError as error:
        raise OperatorError(
            "masking.pattern", f"{where}: expected ASCII; write other bytes as \\xNN"
        ) from error
    except (re_error, OverflowError, RecursionError) as error:
        raise OperatorError("masking.pattern", f"{where}: {error}") from error
    if _has_anchor(tree):
        raise OperatorError(
            "masking.pattern_anchor",
            f"{where}: `{expression}` has an anchor; a value may stand anywhere",
        )
    narrowest, widest = tree.getwidth()
    if narrowest == 0:
        raise OperatorError(
            "masking.pattern_empty", f"{where}: `{expression}` matches the empty text"
        )
    if widest > PATTERN_WIDTH_MAX:
        raise OperatorError(
            "masking.pattern_width",
            f"{where}: `{expression}` can match more than {PATTERN_WIDTH_MAX} bytes;"
            " bound its repeats, as in {1,64}",
        )
    return int(widest)


re_error = sre_parser.error
ANCHORS = {
    sre.AT_BEGINNING,
    sre.AT_BEGINNING_LINE,
    sre.AT_BEGINNING_STRING,
    sre.AT_END,
    sre.AT_END_LINE,
    sre.AT_END_STRING,
}


def _has_anchor(tree: Iterable[Any]) -> bool:
    """Whether an anchor of a line or of the text stands anywhere in a parse."""
    for node in tree:
        if isinstance(node, sre_parser.SubPattern) and _has_anchor(node):
            return True
        if isinstance(node, tuple | list):
            if len(node) == 2 and node[0] is sre.AT and node[1] in ANCHORS:
                return True
            if _has_anchor(node):
                return True
    return False


class PatternCache:
    """Compiled databases by their patterns: engines with equal ones share one."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[Pattern, ...], OpenStream | None] = {}

    def open(self, patterns: Sequence[Pattern], *, where: str) -> OpenStream | None:
        """Return what opens a stream over the patterns; see `compile_patterns`."""
        key = tuple(patterns)
        if key not in self._compiled:
            self._compiled[key] = compile_patterns(key, where=where)
        return self._compiled[key]


def own_detectors(settings: Sequence[DetectorSettings]) -> dict[str, Detector]:
    """Return the operator's own detectors, each tried on its samples.

    Raises:
        OperatorError: a name that is taken, a pattern that is no bounded
            expression, or a sample that it does not treat as told.
    """
    own: dict[str, Detector] = {}
    for place, one in enumerate(settings):
        where = f"masking.detector[{place}]"
        if one.name in DETECTORS or one.name in own:
            raise OperatorError(
                "masking.detector_twice", f"{where}.name: `{one.name}` is taken"
            )
        width = pattern_width(one.pattern, where=f"{where}.pattern")
        pattern = Pattern(one.pattern, "match", width)
        found = _finder(pattern, where=f"{where}.pattern")
        for key, samples, expected in (
            ("samples", one.samples, True),
            ("not_samples", one.not_samples, False),
        ):
            for number, sample in enumerate(samples):
                if found(sample.encode()) is not expected:
                    verb = "does not match" if expected else "matches"
                    raise OperatorError(
                        "masking.sample",
                        f"{where}.{key}[{number}]: `{one.pattern}` {verb} it",
                    )
        own[one.name] = Detector(one.name, (pattern,))
    return own


def _finder(pattern: Pattern, *, where: str) -> Callable[[bytes], bool]:
    """Return what tells whether a pattern matches anywhere in a text."""
    open_stream = compile_patterns([pattern], where=where)
    assert open_stream is not None

    def found(text: bytes) -> bool:
        matches: list[int] = []

        def take(*match: int) -> None:
            matches.append(match[2])

        stream = open_stream()
        stream.scan(text, match_event_handler=take)
        stream.close(match_event_handler=take)
        return bool(matches)

    return found


def compile_patterns(patterns: Sequence[Pattern], *, where: str) -> OpenStream | None:
    """Return what opens a stream over patterns; a match's id is its place.

    Raises:
        OperatorError: Hyperscan cannot take one of them.
    """
    if not patterns:
        return None
    flags = []
    mode = hyperscan.HS_MODE_STREAM
    for pattern in patterns:
        flag = hyperscan.HS_FLAG_CASELESS if pattern.caseless else 0
        if pattern.check == "match":
            # No check walks back to the start of an operator's pattern.
            flag |= hyperscan.HS_FLAG_SOM_LEFTMOST
            mode |= hyperscan.HS_MODE_SOM_HORIZON_LARGE
        flags.append(flag)
    database = hyperscan.Database(mode=mode)
    try:
        database.compile(
            expressions=[pattern.expression.encode("ascii") for pattern in patterns],
            ids=list(range(len(patterns))),
            elements=len(patterns),
            flags=flags,
        )
    except hyperscan.HyperscanError as error:
        raise OperatorError(
            "masking.pattern",
            f"{where}: the pattern engine does not take it: {error}",
        ) from error

    def open_stream() -> Any:
        # Whoever scans passes its own handler; the wrapper asks for one here too.
        return database.stream(match_event_handler=_no_handler).__enter__()

    return open_stream


def _no_handler(*_: object) -> None:
    """Take no match."""
