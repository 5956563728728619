"""Profiles, compiled: which names, paths and detectors hide what, and how."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeVar

from gatekeep.errors import OperatorError
from gatekeep.masking.detectors import DETECTORS, fold
from gatekeep.masking.styles import Kind, Style, TokenKey, parse_style
from gatekeep.settings import MaskingSettings

K = TypeVar("K")

Step = bytes | None
"""One step of a path: a folded name, or None for any list element."""

PATH_STEP = re.compile(r"\.([^.\[\]]+)|\[(\*|\d+)\]|\['([^']+)'\]")


@dataclass(frozen=True, slots=True)
class Rules:
    """What one set of profiles hides. Made once, shared by all exchanges."""

    names: dict[bytes, Style] = field(default_factory=dict)
    """By folded member name, wherever it stands."""
    paths: dict[tuple[Step, ...], Style] = field(default_factory=dict)
    """By the way from the top: ``$.a.b[*].c`` and ``/a/b/c``."""
    detectors: dict[str, Style] = field(default_factory=dict)
    refuses_uninspectable: bool = True
    key: TokenKey | None = None

    def merge(self, other: Rules) -> Rules:
        """Rules that hide what either hides, in the stricter style."""
        return Rules(
            _stricter(self.names, other.names),
            _stricter(self.paths, other.paths),
            _stricter(self.detectors, other.detectors),
            self.refuses_uninspectable or other.refuses_uninspectable,
            self.key or other.key,
        )


def _stricter(one: dict[K, Style], other: dict[K, Style]) -> dict[K, Style]:
    merged = dict(one)
    for key, style in other.items():
        merged[key] = min(style, merged.get(key, style), key=lambda s: s.rank)
    return merged


def parse_path(text: str) -> tuple[Step, ...]:
    """Return the steps of a JSON path or an XML path.

    Raises:
        ValueError: neither ``$.a.b[*].c`` nor ``/a/b/c``.
    """
    if text.startswith("/"):
        names = text[1:].split("/")
        if not all(names):
            raise ValueError("expected names between the slashes")
        return tuple(fold(name.encode()) for name in names)
    steps: list[Step] = []
    at = 1
    while at < len(text):
        step = PATH_STEP.match(text, at)
        if step is None:
            raise ValueError("expected `.name`, `['name']` or `[*]`")
        if step[2] and step[2] != "*":
            raise ValueError("expected `[*]`: list elements have no fixed place")
        name = step[1] or step[3]
        steps.append(fold(name.encode()) if name else None)
        at = step.end()
    if not steps:
        raise ValueError("expected a path below the top")
    return tuple(steps)


def compile_rules(settings: MaskingSettings) -> dict[str, Rules]:
    """Return the rules of each profile.

    Raises:
        OperatorError: a profile names an unknown detector, a path that is none,
            or a style that needs ``masking.token_key`` when there is none.
    """
    key = TokenKey.read(settings.token_key) if settings.token_key else None
    compiled: dict[str, Rules] = {}
    for number, profile in enumerate(settings.profile):
        rules = Rules(refuses_uninspectable=profile.uninspectable == "refuse", key=key)
        for place, mask in enumerate(profile.mask):
            where = f"masking.profile[{number}].mask[{place}]"
            style = parse_style(mask.style)
            if style.kind in (Kind.TOKEN, Kind.DIGITS) and key is None:
                raise OperatorError(
                    "masking.token_key_missing",
                    f"{where}.style: `{mask.style}` needs masking.token_key",
                )
            _add(rules, mask.field, mask.detector, style, where)
        if profile.name in compiled:
            raise OperatorError(
                "masking.profile_twice",
                f"masking.profile[{number}].name: `{profile.name}` is there already",
            )
        compiled[profile.name] = rules
    return compiled


def _add(
    rules: Rules, name: str | None, detector: str | None, style: Style, where: str
) -> None:
    """Put one mask of a profile into its rules."""
    if detector is not None:
        if detector not in DETECTORS:
            known = ", ".join(sorted(DETECTORS))
            raise OperatorError(
                "masking.detector_unknown",
                f"{where}.detector: `{detector}` is unknown; expected one of {known}",
            )
        rules.detectors[detector] = style
        return
    assert name is not None
    if not name.startswith(("$", "/")):
        rules.names[fold(name.encode())] = style
        return
    try:
        rules.paths[parse_path(name)] = style
    except ValueError as error:
        raise OperatorError(
            "masking.path", f"{where}.field: `{name}`: {error}"
        ) from error
