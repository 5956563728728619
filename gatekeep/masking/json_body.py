"""JSON bodies, masked: tokens are found, and what is hidden is cut out of them.

Everything that is not hidden stays byte for byte: white space, escapes, the
order of members, the spelling of numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from gatekeep.limits import MASKED_DEPTH_MAX
from gatekeep.masking.detectors import DETECTORS, findings, fold
from gatekeep.masking.failure import MaskingError
from gatekeep.masking.profiles import Rules, Step
from gatekeep.masking.styles import Style, hide, hide_number
from gatekeep.masking.untouched import UNTOUCHED_MEMBERS

TOKEN = re.compile(
    rb"[ \t\r\n]*(?:([{}\[\],:])"
    rb'|"((?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*)"'
    rb"|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![-+.0-9A-Za-z])"
    rb"|(true|false|null)(?![0-9A-Za-z]))"
)
NUMBER = re.compile(rb"-?([0-9]+)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]{1,4}))?")
EXPONENT_MAX = 40
"""Larger exponents are no card number, and would make a long one of a short one."""
ESCAPES = {0x62: 8, 0x66: 12, 0x6E: 10, 0x72: 13, 0x74: 9}

Edit = tuple[int, int, bytes]
"""Bytes [start, end) of a text are replaced by these."""


@dataclass(slots=True)
class View:
    """A text as it is meant, and where each of its bytes stands on the wire."""

    text: bytes
    starts: list[int]
    ends: list[int]


@dataclass(slots=True)
class Level:
    """One open object or list."""

    is_object: bool
    path: tuple[Step, ...]
    hidden: Style | None
    """The style of the member that this is in, when that member is hidden."""
    state: str
    """What may come next: key, colon, value, comma; ``first`` allows the end."""
    key: bytes = b""


def decode(raw: bytes) -> View:
    """Undo JSON's escapes of a string's inside."""
    text, starts, ends = bytearray(), [], []
    at = 0
    while at < len(raw):
        end, piece = at + 1, raw[at : at + 1]
        if piece == b"\\":
            kind = raw[at + 1]
            if kind != 0x75:
                end, piece = at + 2, bytes([ESCAPES.get(kind, kind)])
            else:
                end, code = at + 6, int(raw[at + 2 : at + 6], 16)
                low = re.match(rb"\\u([dD][c-fC-F][0-9a-fA-F]{2})", raw[end : end + 6])
                if 0xD800 <= code < 0xDC00 and low:
                    code = 0x10000 + ((code & 0x3FF) << 10) + (int(low[1], 16) & 0x3FF)
                    end += 6
                piece = chr(code).encode("utf-8", "replace")
        text += piece
        starts += [at] * len(piece)
        ends += [end] * len(piece)
        at = end
    return View(bytes(text), starts, ends)


class JsonMask:
    """Masks one JSON text; made for one body, used once."""

    def __init__(
        self, rules: Rules, *, modelled_levels: int = MASKED_DEPTH_MAX
    ) -> None:
        """Make a mask.

        Args:
            rules: what to hide.
            modelled_levels: how deep AWS's models name the members; below, and
                with 0 everywhere, the names are the users' own.
        """
        self._rules = rules
        self._modelled_levels = modelled_levels
        self.counts: Counter[str] = Counter()

    def mask(self, body: bytes) -> bytes:
        """Return the masked text. Raises MaskingError when it is no JSON."""
        return apply(body, self._edits(body))

    def _edits(self, body: bytes) -> list[Edit]:
        edits: list[Edit] = []
        levels: list[Level] = []
        state = "value"
        at = 0
        while at < len(body):
            token = TOKEN.match(body, at)
            if token is None:
                if body[at:].strip(b" \t\r\n"):
                    raise malformed("a token that is not JSON's", at)
                break
            at = token.end()
            level = levels[-1] if levels else None
            if token[1]:
                state = self._punctuation(token[1], levels, state, at)
                continue
            if state == "key" or (state == "first" and level and level.is_object):
                if token[2] is None or level is None:
                    raise malformed("a member without a name", at)
                level.key, state = token[2], "colon"
                continue
            if state not in ("value", "first"):
                raise malformed("a value where none may stand", at)
            edits += self._value(token, level)
            state = "comma" if levels else "end"
        if levels or state != "end":
            raise malformed("the end is missing", at)
        return edits

    def _punctuation(
        self, mark: bytes, levels: list[Level], state: str, at: int
    ) -> str:
        level = levels[-1] if levels else None
        if mark in b"{[":
            if state not in ("value", "first") or (
                state == "first" and level and level.is_object
            ):
                raise malformed("a bracket where none may stand", at)
            if len(levels) >= MASKED_DEPTH_MAX:
                raise MaskingError(
                    "masking.depth",
                    f"the body is nested deeper than {MASKED_DEPTH_MAX}",
                )
            path = self._path(level)
            levels.append(Level(mark == b"{", path, self._style(level, path), "first"))
            return "first"
        if mark in b"}]":
            if (
                level is None
                or level.is_object != (mark == b"}")
                or state not in ("first", "comma")
            ):
                raise malformed("a closing bracket that closes nothing", at)
            levels.pop()
            return "comma" if levels else "end"
        if mark == b":" and state == "colon":
            return "value"
        if mark == b"," and state == "comma" and level:
            return "key" if level.is_object else "value"
        raise malformed("punctuation where none may stand", at)

    def _path(self, level: Level | None) -> tuple[Step, ...]:
        if level is None:
            return ()
        return (*level.path, fold(decode(level.key).text) if level.is_object else None)

    def _style(self, level: Level | None, path: tuple[Step, ...]) -> Style | None:
        """The style in which this value is hidden whole, if it is."""
        if level is None:
            return None
        style = level.hidden
        for other in (
            self._rules.names.get(path[-1]) if path and path[-1] else None,
            self._rules.paths.get(path),
        ):
            if other and (style is None or other.rank < style.rank):
                style = other
        return style

    def _value(self, token: re.Match[bytes], level: Level | None) -> list[Edit]:
        path = self._path(level)
        style = self._style(level, path)
        name = next((step for step in reversed(path) if step), b"")
        if name in TYPE_TAGS:
            name = next((s for s in reversed(path) if s and s not in TYPE_TAGS), b"")
        if any(step in UNTOUCHED_MEMBERS for step in path[: self._modelled_levels]):
            return []
        if token[2] is not None:
            numeric = path[-1:] == (b"n",) or path[-2:] == (b"ns", None)
            return self._string(token, name, style, numeric=numeric)
        if token[3] is not None:
            return self._number(token, name, style)
        if (
            style
            and token[4] == b"true"
            and name != b"null"
            and path[-1:] != (b"null",)
        ):
            self.counts["field"] += 1
            return [(token.start(4), token.end(4), b"false")]
        return []

    def _keyed(self, name: bytes, text: bytes) -> tuple[str, Style] | None:
        for detector, style in self._rules.detectors.items():
            one = DETECTORS[detector]
            if one.keyed and name in one.keys and one.keyed.fullmatch(text.strip()):
                return detector, style
        return None

    def _string(
        self, token: re.Match[bytes], name: bytes, style: Style | None, *, numeric: bool
    ) -> list[Edit]:
        start, end = token.span(2)
        view = decode(token[2])
        if numeric and NUMBER.fullmatch(view.text):
            whole = self._whole_number(view.text, name, style)
            return [(start, end, whole)] if whole is not None else []
        found: list[tuple[int, int, bytes, Style]] = []
        if style:
            found.append((0, len(view.text), b"masked", style))
            self.counts["field"] += 1
        elif keyed := self._keyed(name, view.text):
            found.append((0, len(view.text), keyed[0].encode(), keyed[1]))
            self.counts[keyed[0]] += 1
        for first, last, detector in findings(view.text, tuple(self._rules.detectors)):
            found.append(
                (first, last, detector.encode(), self._rules.detectors[detector])
            )
            self.counts[detector] += 1
        edits = []
        for first, last, label, how in found:
            hidden, text = hide(
                how, view.text[first:last], label=label, key=self._rules.key
            )
            if hidden:
                edits.append(
                    (
                        start + view.starts[first],
                        start + view.ends[first + hidden - 1],
                        escape(text),
                    )
                )
        return edits

    def _number(
        self, token: re.Match[bytes], name: bytes, style: Style | None
    ) -> list[Edit]:
        whole = self._whole_number(token[3], name, style)
        return [(*token.span(3), whole)] if whole is not None else []

    def _whole_number(
        self, text: bytes, name: bytes, style: Style | None
    ) -> bytes | None:
        """What takes the place of a number, or None when it stays."""
        digits = integer_digits(text)
        detector = "field"
        if style is None:
            keyed = self._keyed(name, digits)
            if keyed:
                detector, style = keyed
            else:
                for _, _, one in findings(digits, tuple(self._rules.detectors)):
                    detector, style = one, self._rules.detectors[one]
                    break
        if style is None:
            return None
        self.counts[detector] += 1
        return hide_number(style, digits, key=self._rules.key)


TYPE_TAGS = frozenset(
    {b"s", b"n", b"b", b"ss", b"ns", b"bs", b"m", b"l", b"bool", b"null"}
)
"""DynamoDB's type names: members between an attribute and its value."""


def integer_digits(text: bytes) -> bytes:
    """The digits of a number, its exponent worked in: 4.1e3 gives 4100."""
    number = NUMBER.fullmatch(text)
    assert number is not None
    whole, fraction = number[1], (number[2] or b"").rstrip(b"0")
    shift = min(int(number[3] or 0), EXPONENT_MAX)
    if len(fraction) <= shift:
        return whole + fraction.ljust(shift, b"0")
    return whole + fraction


def apply(text: bytes, edits: list[Edit]) -> bytes:
    """Return the text with its edits made.

    Where edits overlap the first stands; what later ones hide beyond its end is
    covered, a star for each byte.
    """
    output, cursor = [], 0
    for start, end, replacement in sorted(edits, key=lambda e: (e[0], -e[1])):
        if start >= cursor:
            output += [text[cursor:start], replacement]
        else:
            output.append(b"*" * max(0, end - cursor))
        cursor = max(cursor, end)
    output.append(text[cursor:])
    return b"".join(output)


def escape(text: bytes) -> bytes:
    """Write what a style made as the inside of a JSON string."""
    return re.sub(rb'["\\\x00-\x1f]', lambda m: b"\\u%04x" % m[0][0], text)


def malformed(what: str, at: int) -> MaskingError:
    """The error for a text that is not JSON."""
    return MaskingError(
        "masking.json_malformed",
        "the answer cannot be masked: it is not JSON",
        detail=f"{what}, byte {at}",
    )
