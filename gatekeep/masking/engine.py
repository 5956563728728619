"""A profile compiled for the kernels: made once, then a scanner a body."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence

from gatekeep._fast.checks import checks
from gatekeep._fast.names import Names
from gatekeep._fast.splice import Rules
from gatekeep._fast.walk_csv import CsvScanner
from gatekeep._fast.walk_json import JsonScanner
from gatekeep._fast.walk_text import TextScanner
from gatekeep._fast.walk_xml import XmlScanner
from gatekeep.limits import MASKED_DEPTH_MAX, MASKED_TOKEN_BYTES_MAX
from gatekeep.masking.detectors import Detector, Pattern, fold
from gatekeep.masking.formats import is_opaque
from gatekeep.masking.naming import Cells, service_names
from gatekeep.masking.patterns import PatternCache, pattern_width
from gatekeep.masking.profiles import Profile
from gatekeep.masking.styles import Kind, Style, TokenKey, hide, hide_number
from gatekeep.masking.wire_facts import MODELLED_LEVELS

CHECKS = checks()
KINDS = {kind: place for place, kind in enumerate(Kind)}

CONTEXT = 8
"""What a check looks at before a value, and a boundary after it, in bytes."""


# Modes of `gatekeep._fast.splice`.
LENGTH_KEPT, DIGITS_STAY, ESCAPES, ENTITIES, MANY, TYPED = 1, 2, 4, 8, 16, 32

TYPED_SERVICES = frozenset(("dynamodb", "dynamodbstreams"))
"""Services whose values carry DynamoDB's type names."""


LOG_TAIL = b"x-amz-log-result"
"""The end of a Lambda function's log, in base64."""


class Engine:
    """What masks bodies for one set of profiles."""

    def __init__(
        self,
        profile: Profile,
        detectors: Mapping[str, Detector],
        key: TokenKey | None,
        *,
        where: str,
        cache: PatternCache | None = None,
    ) -> None:
        """Compile a profile.

        Args:
            profile: what is hidden.
            detectors: all there are.
            key: of the styles ``token`` and ``digits``.
            where: the settings key of the profile; named in errors.
            cache: databases that engines share.

        Raises:
            OperatorError: the pattern engine cannot take one of its patterns.
        """
        self.profile = profile
        self._key = key
        self._styles = self._ranked()
        self._place = {entry: place for place, entry in enumerate(self._styles)}
        enabled = [one for one in detectors.values() if one.name in profile.detectors]
        patterns = [
            (pattern, self._detector_style(one.name))
            for one in enabled
            for pattern in one.patterns
        ]
        self.keyed = [
            (named, self._detector_style(one.name))
            for one in enabled
            for named in one.named
        ]
        widths = [_back(pattern) for pattern, _ in patterns]
        self.hold = max(widths, default=0) + CONTEXT
        self.reach = max((one.reach for one in enabled), default=0) + self.hold
        """The most bytes around a byte that decide whether it is hidden."""
        self.open_stream = (cache or PatternCache()).open(
            [one for one, _ in patterns], where=where
        )
        """Opens a Hyperscan stream over the patterns; None: there are none."""
        self.rules = Rules(
            open_stream=self.open_stream,
            patterns=[(CHECKS[one.check], one.width, style) for one, style in patterns],
            keyed=[(CHECKS[named.check], style) for named, style in self.keyed],
            styles=[
                (
                    KINDS[style.kind],
                    style.keep,
                    b"[masked]" if name == "field" else b"[" + name.encode() + b"]",
                    name,
                )
                for name, style in self._styles
            ],
            hold=self.hold,
            render=self._render,
            opaque=is_opaque if profile.refuses_uninspectable else None,
            pan_style=self._place.get(("pan", profile.detectors.get("pan", None)), -1),  # type: ignore[arg-type]
        )
        self._names: dict[str, Names] = {}

    def json(
        self,
        service: str = "",
        *,
        many: bool = False,
        length_kept: bool = False,
        cells: Cells | None = None,
    ) -> JsonScanner:
        """Return what masks a JSON body.

        Args:
            service: botocore's name, whose model names the members; empty: the
                names are the users' own.
            many: JSON texts one after the other.
            length_kept: every byte stays at its place.
            cells: what more is hidden in this body alone; see `service_names`.
        """
        mode = (MANY if many else 0) | (LENGTH_KEPT | DIGITS_STAY if length_kept else 0)
        if service in TYPED_SERVICES:
            mode |= TYPED
        return JsonScanner(
            self.rules,
            mode,
            MASKED_TOKEN_BYTES_MAX,
            self._service_names(service, cells) if cells else self.names(service),
            MODELLED_LEVELS.get(service, MASKED_DEPTH_MAX),
        )

    def xml(self, service: str = "", *, length_kept: bool = False) -> XmlScanner:
        """Return what masks an XML body; the arguments are those of `json`."""
        return XmlScanner(
            self.rules,
            LENGTH_KEPT if length_kept else 0,
            MASKED_TOKEN_BYTES_MAX,
            self.names(service),
            MODELLED_LEVELS.get(service, MASKED_DEPTH_MAX),
        )

    def csv(
        self,
        *,
        separator: bytes = b",",
        header: Sequence[bytes] | None = None,
        length_kept: bool = False,
    ) -> CsvScanner:
        """Return what masks a table of text.

        Args:
            separator: what stands between cells, one byte.
            header: the columns' names when the table has no row of them.
            length_kept: every byte stays at its place.
        """
        return CsvScanner(
            self.rules,
            LENGTH_KEPT if length_kept else 0,
            MASKED_TOKEN_BYTES_MAX,
            self.names(""),
            separator[0],
            header,
        )

    def names(self, service: str) -> Names:
        """What names mean in answers of a service; empty: in users' own texts."""
        names = self._names.get(service)
        if names is None:
            names = self._names[service] = self._service_names(service)
        return names

    def _service_names(self, service: str, cells: Cells | None = None) -> Names:
        bits = [(named.names, 1 << bit) for bit, (named, _) in enumerate(self.keyed)]
        inside = self.names("") if service else None
        return service_names(service, self.profile, bits, self._place, inside, cells)

    def means(self, name: bytes) -> tuple[int, int]:
        """What a column's name means: a style's place or -1, and keyed bits."""
        folded = fold(name)
        style = self.profile.names.get(folded)
        keyed = sum(
            1 << bit
            for bit, (named, _) in enumerate(self.keyed)
            if folded in named.names
        )
        return (-1 if style is None else self._place["field", style], keyed)

    def text(
        self,
        *,
        escapes: bool = False,
        entities: bool = False,
        length_kept: bool = False,
        digits_stay: bool = False,
    ) -> TextScanner:
        """Return what masks a body read as one text.

        Args:
            escapes: undo JSON's escapes.
            entities: undo XML's entities.
            length_kept: every byte stays at its place.
            digits_stay: a bare number stays one, as the text may be JSON.
        """
        mode = (
            (ESCAPES if escapes else 0)
            | (ENTITIES if entities else 0)
            | (LENGTH_KEPT if length_kept else 0)
            | (DIGITS_STAY if digits_stay else 0)
        )
        return TextScanner(self.rules, mode, MASKED_TOKEN_BYTES_MAX)

    def mask_field(self, name: bytes, value: bytes) -> bytes:
        """Return a header field's value, masked as a member of its name would be."""
        short = name.removeprefix(b"x-amz-meta-").decode("latin-1")
        text = value.decode("utf-8", "replace")
        if name == LOG_TAIL:
            text = base64.b64decode(value).decode("utf-8", "replace")
        codec = self.json("")
        told = json.dumps({short: text}, ensure_ascii=False).encode()
        masked = json.loads(codec.feed(told) + codec.finish())
        # A name may be masked as well: the value counts.
        (changed,) = masked.values()
        if changed == text:
            return value
        raw = str(changed).encode()
        return base64.b64encode(raw) if name == LOG_TAIL else raw

    def _ranked(self) -> list[tuple[str, Style]]:
        """Every style in use with the name it counts under, strictest first."""
        profile = self.profile
        entries = {("field", style) for style in profile.names.values()}
        entries |= {("field", style) for style in profile.paths.values()}
        entries |= set(profile.detectors.items())
        return sorted(entries, key=lambda entry: (entry[1].rank, entry[0]))

    def _detector_style(self, name: str) -> int:
        return self._place[name, self.profile.detectors[name]]

    def _render(self, place: int, value: bytes, number: bool) -> bytes:
        """What a value becomes: for the kernels, where a key or a number is in play."""
        name, style = self._styles[place]
        if number:
            return hide_number(style, value, key=self._key)
        label = b"masked" if name == "field" else name.encode()
        hidden, text = hide(style, value, label=label, key=self._key)
        return text + value[hidden:]


def _back(pattern: Pattern) -> int:
    """How far before a match's end its value may begin, or its name."""
    width = pattern_width(pattern.expression, where=f"detector {pattern.check}")
    return max(width, pattern.width) + pattern.back
