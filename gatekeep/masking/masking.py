"""The room's door: settings in, plans and masked values out."""

from __future__ import annotations

import json

from gatekeep.aws.call import Call
from gatekeep.http.messages import RequestHead
from gatekeep.masking.detectors import DETECTORS
from gatekeep.masking.failure import MaskingError
from gatekeep.masking.json_body import JsonMask
from gatekeep.masking.plan import MaskPlan, ResponseMask, is_json
from gatekeep.masking.profiles import Rules, compile_rules
from gatekeep.masking.styles import Kind, Style
from gatekeep.settings import MaskingSettings

__all__ = ["MaskPlan", "Masking", "ResponseMask"]

RECORD_STYLES = {name: Style(Kind.FIXED) for name in DETECTORS} | {
    # Truncation as PCI DSS 3.5.1 allows it for what is stored.
    "pan": Style(Kind.KEEP_LAST, 4)
}
"""How built-in detectors hide what is recorded or shown to a reviewer (I5)."""


class Masking:
    """Compiled masking settings: made once a process, shared by all exchanges."""

    def __init__(self, settings: MaskingSettings) -> None:
        """Compile the profiles.

        Raises:
            OperatorError: a mask, style, path or pattern is wrong; names its key.
        """
        self._profiles = compile_rules(settings)
        self._merged: dict[tuple[str, ...], Rules] = {}
        record = Rules(detectors=dict(RECORD_STYLES))
        if settings.record_profile is not None:
            record = record.merge(self._named(settings.record_profile))
        self._record = record
        self._records: dict[tuple[str, ...], Rules] = {}

    def plan(
        self, call: Call, head: RequestHead, profiles: tuple[str, ...]
    ) -> MaskPlan:
        """Return how the answer to this call is masked.

        Args:
            call: what is asked.
            head: the request's head.
            profiles: names from the decision's obligations; none: nothing is masked.

        Raises:
            MaskingError: what is asked for cannot be masked.
        """
        return MaskPlan(call, self._rules(profiles) if profiles else None)

    def mask_value(
        self, value: object, profiles: tuple[str, ...]
    ) -> tuple[object, dict[str, int]]:
        """Return a JSON-able copy of a parameter tree, masked, and what was found.

        Bytes become text, or their count where they are not UTF-8. The record profile
        and every built-in detector apply beside the named profiles (I5).
        """
        mask = JsonMask(self._recorded(profiles), modelled_levels=0)
        text = json.dumps(value, default=_plain, ensure_ascii=False)
        masked = mask.mask(text.encode("utf-8", "replace"))
        return json.loads(masked), dict(mask.counts)

    def mask_capture(
        self,
        body: bytes,
        *,
        content_type: bytes,
        profiles: tuple[str, ...],
        whole: bool,
    ) -> bytes:
        """Return a body, or its beginning, as it may be stored (I5).

        Args:
            body: the bytes.
            content_type: the media type its head gave.
            profiles: as for `mask_value`.
            whole: False when more of the body followed.

        Returns:
            The masked bytes; empty when the body cannot be inspected.
        """
        if not (whole and is_json(content_type)):
            return b""
        mask = JsonMask(self._recorded(profiles), modelled_levels=0)
        try:
            return mask.mask(body)
        except MaskingError:
            return b""

    def _named(self, name: str) -> Rules:
        if name not in self._profiles:
            raise MaskingError(
                "masking.profile_unknown",
                f"policy asks for the masking profile `{name}`, which settings lack",
            )
        return self._profiles[name]

    def _rules(self, profiles: tuple[str, ...]) -> Rules:
        rules = self._merged.get(profiles)
        if rules is None:
            rules = self._named(profiles[0])
            for name in profiles[1:]:
                rules = rules.merge(self._named(name))
            self._merged[profiles] = rules
        return rules

    def _recorded(self, profiles: tuple[str, ...]) -> Rules:
        rules = self._records.get(profiles)
        if rules is None:
            rules = self._record
            for name in profiles:
                rules = rules.merge(self._named(name))
            self._records[profiles] = rules
        return rules


def _plain(value: object) -> object:
    """A value that JSON has no form for, as text."""
    if isinstance(value, bytes | bytearray | memoryview):
        try:
            return bytes(value).decode("utf-8")
        except UnicodeDecodeError:
            return f"({len(value)} bytes)"
    return str(value)
