"""Profiles: which names, paths and detectors are hidden, and how."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from gatekeep.errors import OperatorError
from gatekeep.masking.detectors import Detector, fold
from gatekeep.masking.styles import Kind, Style, TokenKey, parse_style
from gatekeep.settings import MaskingSettings, MaskSettings

K = TypeVar("K")

Step = bytes | None
"""One step of a path: a folded name, or None for any list element."""

PATH_STEP = re.compile(r"\.([^.\[\]]+)|\[(\*|\d+)\]|\['([^']+)'\]")

NAME_BYTES_MAX = 64
"""A field's name; `gatekeep._fast.names` compares no longer ones."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What one set of profiles hides. Made once, shared by all exchanges."""

    names: dict[bytes, Style] = field(default_factory=dict)
    """By folded member name, wherever it stands."""
    paths: dict[tuple[Step, ...], Style] = field(default_factory=dict)
    """By the way from the top: ``$.a.b[*].c`` and ``/a/b/c``."""
    detectors: dict[str, Style] = field(default_factory=dict)
    refuses_uninspectable: bool = True

    @property
    def names_fields(self) -> bool:
        """Whether a body's structure must be known to find what is hidden."""
        return bool(self.names or self.paths)

    def merge(self, other: Profile) -> Profile:
        """A profile that hides what either hides, in the stricter style."""
        return Profile(
            _stricter(self.names, other.names),
            _stricter(self.paths, other.paths),
            _stricter(self.detectors, other.detectors),
            self.refuses_uninspectable or other.refuses_uninspectable,
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


def compile_profiles(
    settings: MaskingSettings, detectors: Mapping[str, Detector], key: TokenKey | None
) -> dict[str, Profile]:
    """Return the profiles of the settings by name.

    Args:
        settings: the ``[masking]`` table.
        detectors: the built-in ones and the operator's own.
        key: of the styles ``token`` and ``digits``; None: settings name none.

    Raises:
        OperatorError: a profile names an unknown detector, a path that is none,
            or a style that needs ``masking.token_key`` when there is none.
    """
    compiled: dict[str, Profile] = {}
    for number, one in enumerate(settings.profile):
        profile = Profile(refuses_uninspectable=one.uninspectable == "refuse")
        if one.name in compiled:
            raise OperatorError(
                "masking.profile_twice",
                f"masking.profile[{number}].name: `{one.name}` is there already",
            )
        for place, mask in enumerate(one.mask):
            where = f"masking.profile[{number}].mask[{place}]"
            style = parse_style(mask.style)
            if style.kind in (Kind.TOKEN, Kind.DIGITS) and key is None:
                raise OperatorError(
                    "masking.token_key_missing",
                    f"{where}.style: `{mask.style}` needs masking.token_key",
                )
            _add(profile, mask, style, detectors, where)
        compiled[one.name] = profile
    return compiled


def _add(
    profile: Profile,
    mask: MaskSettings,
    style: Style,
    detectors: Mapping[str, Detector],
    where: str,
) -> None:
    """Put one mask into its profile."""
    if mask.detector is not None:
        if mask.detector not in detectors:
            known = ", ".join(sorted(detectors))
            raise OperatorError(
                "masking.detector_unknown",
                f"{where}.detector: `{mask.detector}` is unknown; expected one of {known}",
            )
        profile.detectors[mask.detector] = style
        return
    name = mask.field or ""
    try:
        if name.startswith(("$", "/")):
            steps = parse_path(name)
            profile.paths[steps] = style
        else:
            steps = (fold(name.encode()),)
            profile.names[steps[0] or b""] = style
    except ValueError as error:
        raise OperatorError(
            "masking.path", f"{where}.field: `{name}`: {error}"
        ) from error
    for step in steps:
        if step is not None and not 0 < len(step) <= NAME_BYTES_MAX:
            raise OperatorError(
                "masking.field",
                f"{where}.field: `{name}`: expected names of 1 to {NAME_BYTES_MAX} bytes",
            )
