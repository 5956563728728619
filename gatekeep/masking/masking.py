"""The room's door: settings in, plans and masked values out."""

from __future__ import annotations

from collections.abc import Iterable

from gatekeep._fast.splice import MalformedTextError
from gatekeep.aws.call import Call
from gatekeep.errors import PeerError
from gatekeep.http.messages import RequestHead, ResponseHead
from gatekeep.masking.block import BlockScanner, block_scanner
from gatekeep.masking.codecs import answer_codec, media_type
from gatekeep.masking.detectors import DETECTORS, Detector
from gatekeep.masking.engine import Engine
from gatekeep.masking.failure import MaskingError, unreadable
from gatekeep.masking.objects import payload_codec
from gatekeep.masking.patterns import PatternCache, own_detectors
from gatekeep.masking.plan import MaskPlan, ResponseMask
from gatekeep.masking.profiles import Profile, compile_profiles
from gatekeep.masking.styles import Kind, Style, TokenKey
from gatekeep.masking.values import mask_form, mask_tree
from gatekeep.settings import MaskingSettings

__all__ = ["MaskPlan", "Masking", "ResponseMask"]

FORM = b"application/x-www-form-urlencoded"

RECORD_STYLES = {name: Style(Kind.FIXED) for name in DETECTORS} | {
    # Truncation as PCI DSS 3.5.1 allows it for what is stored.
    "pan": Style(Kind.KEEP_LAST, 4)
}
"""How built-in detectors hide what is recorded or shown to a reviewer (I5)."""


class Masking:
    """Compiled masking settings: made once a process, shared by all exchanges."""

    def __init__(self, settings: MaskingSettings) -> None:
        """Compile the profiles and try the operator's own patterns on their samples.

        Raises:
            OperatorError: a mask, style, path or pattern is wrong; names its key.
        """
        self._key = TokenKey.read(settings.token_key) if settings.token_key else None
        self._patterns = PatternCache()
        own = own_detectors(settings.detector)
        self._detectors: dict[str, Detector] = {**DETECTORS, **own}
        self._profiles = compile_profiles(settings, self._detectors, self._key)
        record = Profile(detectors=dict(RECORD_STYLES))
        if settings.record_profile is not None:
            record = record.merge(self._named(settings.record_profile))
        self._record = record
        self._engines: dict[tuple[str, ...], Engine] = {}
        self._record_engines: dict[tuple[str, ...], Engine] = {}
        self._block_engines: dict[tuple[str, ...], Engine] = {}
        for name in self._profiles:
            self._engine((name,))
        self._recorded(())

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
        return MaskPlan(call, head, self._engine(profiles) if profiles else None)

    def mask_value(
        self, value: object, profiles: tuple[str, ...]
    ) -> tuple[object, dict[str, int]]:
        """Return a JSON-able copy of a parameter tree, masked, and what was found.

        Bytes become text, or their count where they are not UTF-8. The record
        profile and every built-in detector apply beside the named profiles (I5).
        """
        try:
            return mask_tree(self._recorded(profiles), value)
        except MalformedTextError as error:
            raise unreadable(error) from error

    def mask_capture(
        self,
        body: bytes,
        *,
        content_type: bytes,
        profiles: tuple[str, ...],
        whole: bool,
        call: Call | None = None,
    ) -> bytes:
        """Return a body, or its beginning, as it may be stored (I5).

        Args:
            body: the bytes.
            content_type: the media type its head gave.
            profiles: as for `mask_value`.
            whole: False when more of the body followed.
            call: whose answer it is, so that its blobs and messages are opened;
                None: of a request, or not known.

        Returns:
            The masked bytes; empty when the body cannot be inspected.
        """
        engine = self._recorded(profiles)
        media = media_type(content_type)
        try:
            if media == FORM:
                return mask_form(engine, body)
            if call is None:
                codec = payload_codec(engine, media=media)
            else:
                head = ResponseHead(200, [(b"content-type", content_type)])
                codec = answer_codec(engine, call, head, part=False)
            masked = codec.feed(body)
            # Of a body that goes on, what could still become a value is left out.
            return masked + codec.finish() if whole else masked
        except (MalformedTextError, PeerError):
            return b""

    def block_scanner(
        self,
        call: Call,
        detectors: tuple[str, ...],
        *,
        content_type: bytes = b"",
        content_encoding: bytes = b"",
    ) -> BlockScanner:
        """Return what scans what a call sends out; its parameters are scanned now.

        Args:
            call: what is asked.
            detectors: names from the decision's ``@block_on``.
            content_type: of the streaming body.
            content_encoding: of the streaming body.

        Raises:
            MaskingError: the parameters carry such a value, a detector is unknown,
                or the body is of a form that cannot be read.
        """
        engine = self._block_engines.get(detectors)
        if engine is None:
            for name in detectors:
                if name not in self._detectors:
                    raise MaskingError(
                        "masking.detector_unknown",
                        f"policy blocks on `{name}`, which is no detector",
                    )
            profile = Profile(detectors={name: Style(Kind.FIXED) for name in detectors})
            engine = self._compile((profile,), detectors)
            self._block_engines[detectors] = engine
        return block_scanner(
            engine,
            call,
            media=media_type(content_type),
            encoding=content_encoding.lower(),
        )

    @property
    def detectors(self) -> frozenset[str]:
        """The names that ``@block_on`` and profiles may use."""
        return frozenset(self._detectors)

    @property
    def profiles(self) -> frozenset[str]:
        """The names that ``@mask`` may use."""
        return frozenset(self._profiles)

    def _named(self, name: str) -> Profile:
        if name not in self._profiles:
            raise MaskingError(
                "masking.profile_unknown",
                f"policy asks for the masking profile `{name}`, which settings lack",
            )
        return self._profiles[name]

    def _compile(self, profiles: Iterable[Profile], names: tuple[str, ...]) -> Engine:
        first, *others = profiles
        for profile in others:
            first = first.merge(profile)
        where = f"masking.profile {', '.join(names)}"
        return Engine(
            first, self._detectors, self._key, where=where, cache=self._patterns
        )

    def _engine(self, names: tuple[str, ...]) -> Engine:
        engine = self._engines.get(names)
        if engine is None:
            engine = self._compile(map(self._named, names), names)
            self._engines[names] = engine
        return engine

    def _recorded(self, names: tuple[str, ...]) -> Engine:
        engine = self._record_engines.get(names)
        if engine is None:
            profiles = [self._record, *map(self._named, names)]
            engine = self._record_engines[names] = self._compile(profiles, names)
        return engine
