"""JSON bodies, masked as plainly as it can be said; see `masking_twin`."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gatekeep.masking.detectors import fold
from gatekeep.masking.naming import PAIR_NAMES, PAIR_VALUES, SECRET_VALUE
from gatekeep.masking.profiles import Step
from gatekeep.masking.styles import Style, hide_number
from gatekeep.masking.untouched import UNTOUCHED_MEMBERS
from tests.reference.masking_twin import (
    Edit,
    Hider,
    View,
    is_pan,
    json_view,
    mask_text,
    painted,
    spliced,
    text_view,
)
from tests.reference.masking_twin import replace as put

TOKEN = re.compile(
    rb"[ \t\r\n]*(?:([{}\[\],:])"
    rb'|"((?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*)"'
    rb"|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![-+.0-9eE])"
    rb"|(true|false|null)(?![a-z]))"
)
TAGS = frozenset((b"S", b"N", b"B", b"SS", b"NS", b"BS", b"M", b"L", b"BOOL", b"NULL"))
DEPTH, NESTING = 64, 4


class NotJSONError(ValueError):
    pass


@dataclass
class Context:
    """What stands over a value."""

    path: tuple[Step | int, ...] = ()
    style: Style | None = None
    name: bytes = b""
    """The nearest name that is no type tag."""
    tag: bytes = b""
    untouched: bool = False
    pair: bytes = b""


@dataclass
class Level:
    is_object: bool
    context: Context
    state: str = "first"
    raw_name: bytes = b""
    index: int = 0
    pair: bytes | None = None
    plain: bool = False


@dataclass
class JsonTwin:
    hider: Hider
    service: str = ""
    modelled_levels: int = 0
    many: bool = False
    length_kept: bool = False
    blobs: frozenset[bytes] = frozenset()
    nesting: int = 0

    def mask(self, raw: bytes) -> bytes:
        """The masked body. Raises NotJSONError."""
        if self.length_kept:
            return self._painted(raw)
        return put(raw, self.edits(raw))

    def edits(self, raw: bytes) -> list[tuple[int, int, bytes]]:
        """What is replaced: [start, end) of the body by these bytes."""
        placed = []
        for base, view, edits, inside in self._texts(raw):
            for start, end, made in spliced(view, edits):
                placed.append(
                    (base + start, base + end, escape(made) if inside else made)
                )
        return placed

    def _painted(self, raw: bytes) -> bytes:
        output = bytearray(raw)
        for base, view, edits, _ in self._texts(raw):
            size = view.ends[-1] if view.ends else 0
            output[base : base + size] = painted(
                raw[base : base + size], view, edits, self.hider
            )
        return bytes(output)

    # --- grammar ----------------------------------------------------------------

    def _texts(self, raw: bytes) -> Iterator[tuple[int, View, list[Edit], bool]]:
        levels: list[Level] = []
        state, at, begun = "value", 0, False
        while at < len(raw):
            token = TOKEN.match(raw, at)
            if token is None:
                if raw[at:].strip(b" \t\r\n"):
                    raise NotJSONError(at)
                break
            at = token.end()
            level = levels[-1] if levels else None
            if token[1]:
                state = self._mark(token[1], levels, state)
                begun = True
                continue
            naming = state == "key" or (state == "first" and level and level.is_object)
            if naming and level:
                if token[2] is None:
                    raise NotJSONError(at)
                level.raw_name, state = bytes(json_view(token[2]).text), "colon"
                view = json_view(token[2])
                yield (
                    token.start(2),
                    view,
                    self.hider.text_edits(bytes(view.text)),
                    True,
                )
                continue
            if state not in ("value", "first"):
                raise NotJSONError(at)
            begun = True
            yield from self._value(token, level)
            state = "comma" if levels else "value" if self.many else "end"
        if levels or not (
            state == "end" or (state == "value" and (self.many or not begun))
        ):
            raise NotJSONError(at)

    def _mark(self, mark: bytes, levels: list[Level], state: str) -> str:
        level = levels[-1] if levels else None
        after = "comma" if len(levels) > 1 else "value" if self.many else "end"
        if mark in b"{[":
            if state != "value" and not (
                state == "first" and level and not level.is_object
            ):
                raise NotJSONError(mark)
            if len(levels) == DEPTH:
                raise RecursionError
            levels.append(Level(mark == b"{", self._context(level, len(levels))))
            return "first"
        if level is None:
            raise NotJSONError(mark)
        if mark in b"}]":
            if level.is_object != (mark == b"}") or state not in ("first", "comma"):
                raise NotJSONError(mark)
            levels.pop()
            return after
        if mark == b":" and state == "colon":
            return "value"
        if mark == b"," and state == "comma":
            level.index += 1
            return "key" if level.is_object else "value"
        raise NotJSONError(mark)

    # --- meaning ----------------------------------------------------------------

    def _context(self, level: Level | None, depth: int) -> Context:
        if level is None:
            return Context()
        over = level.context
        profile = self.hider.profile
        if not level.is_object:
            path: tuple[Step | int, ...] = (*over.path, None)
            made = replace(over, path=path, pair=over.pair)
            made.style = stricter(over.style, self._at_path(path))
            return made
        name = fold(level.raw_name)
        tag = level.raw_name if level.raw_name in TAGS else b""
        path = (*over.path, name)
        style = stricter(over.style, self._at_path(path), profile.names.get(name))
        untouched = over.untouched
        near = over.name if tag else name
        pair = over.pair if tag else b""
        if (
            not tag
            and self.service
            and name in UNTOUCHED_MEMBERS
            and depth <= self.modelled_levels
        ):
            untouched = True
        if name in PAIR_VALUES and level.pair is not None:
            style = stricter(style, profile.names.get(level.pair))
            pair = level.pair
        secret = profile.detectors.get(SECRET_VALUE)
        if self.service == "secretsmanager" and name in (
            b"secretstring",
            b"secretbinary",
        ):
            style = stricter(style, secret)
        if self.service == "ssm" and name == b"value" and not level.plain:
            style = stricter(style, secret)
        return Context(path, style, near, tag, untouched, pair)

    def _at_path(self, path: tuple[Step | int, ...]) -> Style | None:
        return self.hider.profile.paths.get(path)  # type: ignore[arg-type]

    def _value(
        self, token: re.Match[bytes], level: Level | None
    ) -> Iterator[tuple[int, View, list[Edit], bool]]:
        context = self._context(level, 0)
        if level is not None:
            depth = self._depth_of(context)
            context = self._context(level, depth)
        if token[2] is not None:
            yield from self._string(token, level, context)
        elif context.untouched:
            return
        elif token[3] is not None:
            view = text_view(token[3], escapes=False, entities=False)
            edits = self._number(bytes(view.text), context)
            yield token.start(3), view, edits, False
        elif (
            token[4] == b"true"
            and context.style
            and not (level and level.is_object and level.raw_name == b"NULL")
        ):
            view = text_view(token[4], escapes=False, entities=False)
            rank = self.hider.styles.index(self._named_style(context.style))
            # A list of edits that is painted knows whole words only as rank -1.
            edit = (
                Edit(0, 4, -1, b"null")
                if self.length_kept
                else Edit(0, 4, rank, b"false")
            )
            yield token.start(4), view, [edit], False

    @staticmethod
    def _depth_of(context: Context) -> int:
        return len(context.path)

    def _named_style(self, style: Style) -> tuple[str, Style]:
        """The field's or, for secret values, the detector's entry of a style."""
        if ("field", style) in self.hider.styles:
            return ("field", style)
        return (SECRET_VALUE, style)

    def _number(self, text: bytes, context: Context) -> list[Edit]:
        digits = whole_digits(text)
        if context.style:
            entry = self._named_style(context.style)
        elif digits and (keyed := self._keyed(context, digits, number=True)):
            entry = keyed
        elif "pan" in self.hider.profile.detectors and digits and is_pan(digits):
            entry = ("pan", self.hider.profile.detectors["pan"])
        else:
            return []
        if self.length_kept:
            return [self.hider.hide(0, len(text), *entry, text)]
        made = hide_number(entry[1], text, key=self.hider.key)
        return [Edit(0, len(text), self.hider.styles.index(entry), made)]

    def _keyed(
        self, context: Context, value: bytes, *, number: bool
    ) -> tuple[str, Style] | None:
        found = [
            one for one in (
                self.hider.keyed(name, value, number=number) for name in (context.name, context.pair)
            ) if one
        ]  # fmt: skip
        order = list(self.hider.detectors)
        return min(found, key=lambda one: order.index(one[0])) if found else None

    def _string(
        self, token: re.Match[bytes], level: Level | None, context: Context
    ) -> Iterator[tuple[int, View, list[Edit], bool]]:
        base, view = token.start(2), json_view(token[2])
        text = bytes(view.text)
        if level is not None and level.is_object:
            name = fold(level.raw_name)
            if name in PAIR_NAMES:
                level.pair = fold(text)
            if self.service == "ssm" and name == b"type":
                level.plain = text != b"SecureString"
        if context.untouched:
            return
        blob = (
            context.tag in (b"B", b"BS") and self.service.startswith("dynamodb")
        ) or (context.name in self.blobs)
        if context.tag in (b"N", b"NS") and re.fullmatch(
            rb"-?\d+(\.\d+)?([eE][-+]?\d+)?", text
        ):
            yield base, view, self._number(text, context), True
            return
        if blob and context.tag not in (b"N", b"NS"):
            made = self._blob(text, context)
            if made is not None:
                rank = (
                    self.hider.styles.index(self._named_style(context.style))
                    if context.style
                    else -1
                )
                hidden = context.style or made != text
                yield (
                    base,
                    view,
                    [Edit(0, len(text), rank, made)]
                    if hidden
                    else self.hider.text_edits(text),
                    True,
                )
                return
        if context.style:
            entry = self._named_style(context.style)
            yield (
                base,
                view,
                [
                    self.hider.hide(0, len(text), *entry, text),
                    *self.hider.text_edits(text),
                ],
                True,
            )
            return
        if (
            context.tag not in (b"N", b"NS")
            and not blob
            and nests(text)
            and self.nesting < NESTING
        ):
            try:
                inner = self._nested(text)
            except NotJSONError:
                pass
            else:
                yield base, view, inner, True
                return
        edits = self.hider.text_edits(text)
        if keyed := self._keyed(context, text, number=False):
            edits.append(self.hider.hide(0, len(text), *keyed, text))
        yield base, view, edits, True

    def _inner(self) -> JsonTwin:
        return JsonTwin(
            self.hider, nesting=self.nesting + 1, length_kept=self.length_kept
        )

    def _nested(self, text: bytes) -> list[Edit]:
        """The edits of a string that is a JSON text itself."""
        if not self.length_kept:
            return [Edit(*one[:2], -1, one[2]) for one in self._inner().edits(text)]
        masked = self._inner().mask(text)
        differs = "".join(
            "x" if a != b else "." for a, b in zip(text, masked, strict=True)
        )
        return [
            Edit(run.start(), run.end(), -1, masked[run.start() : run.end()])
            for run in re.finditer("x+", differs)
        ]

    def _blob(self, text: bytes, context: Context) -> bytes | None:
        """The base64 of the masked bytes; None when it is no base64."""
        try:
            value = binascii.a2b_base64(text, strict_mode=True)
        except binascii.Error:
            return None
        if context.style:
            entry = self._named_style(context.style)
            hidden = self.hider.hide(0, len(value), *entry, value)
            return base64.b64encode(hidden.made + value[hidden.end :])
        masked = None
        if nests(value):
            try:
                masked = self._inner().mask(value)
            except NotJSONError:
                masked = None
        if masked is None:
            masked = mask_text(
                value, self.hider, escapes=False, entities=False, length_kept=False
            )
        return base64.b64encode(masked) if masked != value else text


def stricter(*styles: Style | None) -> Style | None:
    some = [style for style in styles if style]
    return min(some, key=lambda style: style.rank) if some else None


def nests(text: bytes) -> bool:
    bare = text.strip(b" \t\r\n")
    blanks = len(text) - len(text.lstrip(b" \t\r\n"))
    return (
        blanks < 64
        and bare[:1] in (b"{", b"[")
        and bare[-1:] in (b"}", b"]")
        and len(bare) > 1
    )


def whole_digits(text: bytes) -> bytes:
    """The digits of a whole number, its exponent worked in; empty when it is none."""
    number = re.fullmatch(rb"-?(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?", text)
    assert number is not None
    fraction, exponent = (number[2] or b"").rstrip(b"0"), int(number[3] or 0)
    if (exponent < 0) or len(fraction) > exponent or len(number[1]) + exponent > 64:
        return b""
    return number[1] + fraction.ljust(exponent, b"0")


def escape(text: bytes) -> bytes:
    return re.sub(rb'["\\\x00-\x1f]', lambda m: b"\\u%04x" % m[0][0], text)
