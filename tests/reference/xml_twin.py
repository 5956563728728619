"""XML bodies, masked as plainly as it can be said; see `masking_twin`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gatekeep.masking.detectors import fold
from gatekeep.masking.naming import PAIR_NAMES, PAIR_VALUES
from gatekeep.masking.styles import Style
from gatekeep.masking.untouched import UNTOUCHED_MEMBERS
from tests.reference.json_twin import (
    Context,
    JsonTwin,
    NotJSONError,
    nests,
    stricter,
)
from tests.reference.masking_twin import (
    Edit,
    Hider,
    View,
    entity_code,
    painted,
    replace,
    spliced,
    text_view,
    view_high,
)

NAME = rb"[0-9:A-Za-z_.\x80-\xff-]+"
BLANK = rb"[ \t\r\n]"
MARKUP = re.compile(
    rb"<!--(?P<comment>.*?)-->|<!\[CDATA\[(?P<section>.*?)\]\]>|<\?(?P<pi>.*?)\?>"
    rb"|</(?P<end>" + NAME + rb")" + BLANK + rb"*>"
    rb"|<(?P<start>" + NAME + rb")(?P<attributes>(?:" + BLANK + rb"+" + NAME
    + rb"=(?:\"[^\"]*\"|'[^']*'))*)" + BLANK + rb"*(?P<closed>/?)>",
    re.DOTALL,
)  # fmt: skip
ATTRIBUTE = re.compile(rb"(" + NAME + rb")=(?:\"([^\"]*)\"|'([^']*)')", re.DOTALL)
DEPTH = 64


class NotXMLError(ValueError):
    pass


@dataclass
class Level:
    tag: bytes
    name: bytes
    path: tuple[bytes, ...]
    style: Style | None = None
    untouched: bool = False
    named_by: bytes = b""
    """What a "Key" beside this "Value" named."""
    pair: bytes | None = None


def local(tag: bytes) -> bytes:
    return fold(tag.rpartition(b":")[2])


def entity_view(raw: bytes) -> View:
    view, at = View(), 0
    while at < len(raw):
        if raw[at] >= 0x80:
            at = view_high(view, raw, at)
        elif raw[at] != 0x26:
            view.plain(raw[at : at + 1], at)
            at += 1
        else:
            entity = re.compile(rb"&([^;]{0,11});", re.DOTALL).match(raw, at)
            code = entity_code(entity[1]) if entity else None
            if entity is None or code is None:
                raise NotXMLError(at)
            view.character(code, at, entity.end(), spelled=None)
            at = entity.end()
    return view


def escape(text: bytes) -> bytes:
    names = {0x26: b"&amp;", 0x3C: b"&lt;", 0x3E: b"&gt;"}
    return re.sub(
        rb"[&<>\"'\]]", lambda m: names.get(m[0][0], b"&#%d;" % m[0][0]), text
    )


@dataclass
class XmlTwin:
    hider: Hider
    service: str = ""
    modelled_levels: int = 0
    length_kept: bool = False
    blobs: frozenset[bytes] = frozenset()

    def mask(self, raw: bytes) -> bytes:
        """The masked body. Raises NotXMLError."""
        if self.length_kept:
            output = bytearray(raw)
            for base, view, edits in self._texts(raw):
                size = view.ends[-1] if view.ends else 0
                output[base : base + size] = painted(
                    raw[base : base + size], view, edits, self.hider
                )
            return bytes(output)
        return replace(raw, [
            (base + start, base + end, escape(made))
            for base, view, edits in self._texts(raw)
            for start, end, made in spliced(view, edits)
        ])  # fmt: skip

    def _texts(self, raw: bytes) -> Iterator[tuple[int, View, list[Edit]]]:
        levels = [Level(b"", b"", ())]
        at, rooted = (3 if raw.startswith(b"\xef\xbb\xbf") else 0), False
        while at < len(raw):
            level = levels[-1]
            if raw[at] != 0x3C:
                end = raw.find(b"<", at)
                end = len(raw) if end < 0 else end
                text = raw[at:end]
                if len(levels) == 1:
                    if text.strip(b" \t\r\n"):
                        raise NotXMLError(at)
                else:
                    yield at, *self._text(entity_view(text), levels)
                at = end
                continue
            mark = MARKUP.match(raw, at)
            if mark is None:
                raise NotXMLError(at)
            at = mark.end()
            if mark["comment"] is not None:
                view = text_view(mark["comment"], escapes=False, entities=False)
                yield (
                    mark.start("comment"),
                    view,
                    self.hider.text_edits(bytes(view.text)),
                )
            elif mark["section"] is not None:
                if len(levels) == 1:
                    raise NotXMLError(at)
                view = text_view(mark["section"], escapes=False, entities=False)
                if mark["section"]:
                    yield mark.start("section"), *self._text(view, levels)
            elif mark["pi"] is not None:
                declared = re.match(rb"xml.*?encoding=", mark["pi"], re.DOTALL)
                rest = mark["pi"][declared.end() :] if declared else b'"us'
                if not re.match(rb"(?is).(utf-?8|us)", rest):
                    raise NotXMLError(at)
            elif mark["end"] is not None:
                if len(levels) == 1 or level.tag != mark["end"]:
                    raise NotXMLError(at)
                levels.pop()
            elif mark["start"] is not None:
                if len(levels) == 1 and rooted:
                    raise NotXMLError(at)
                if len(levels) > DEPTH:
                    raise RecursionError
                rooted = True
                levels.append(self._open(mark["start"], level, len(levels)))
                yield from self._attributes(mark, levels[-1])
                if mark["closed"]:
                    levels.pop()
        if raw and (len(levels) > 1 or not rooted):
            raise NotXMLError(at)

    def _open(self, tag: bytes, over: Level, depth: int) -> Level:
        name = local(tag)
        profile = self.hider.profile
        path = (*over.path, name)
        level = Level(tag, name, path)
        level.style = stricter(
            over.style, profile.paths.get(path), profile.names.get(name)
        )
        level.untouched = over.untouched or bool(
            self.service and name in UNTOUCHED_MEMBERS and depth <= self.modelled_levels
        )
        if name in PAIR_VALUES and over.pair is not None:
            level.named_by = over.pair
            level.style = stricter(level.style, profile.names.get(over.pair))
        return level

    def _attributes(
        self, mark: re.Match[bytes], level: Level
    ) -> Iterator[tuple[int, View, list[Edit]]]:
        for one in ATTRIBUTE.finditer(mark["attributes"]):
            group = 2 if one[2] is not None else 3
            base = mark.start("attributes") + one.start(group)
            view = entity_view(one[group])
            if level.untouched or one[1].startswith(b"xmlns"):
                continue
            name = local(one[1])
            style = stricter(level.style, self.hider.profile.names.get(name))
            yield base, view, self._edits(bytes(view.text), style, (name,))

    def _edits(
        self, text: bytes, style: Style | None, names: tuple[bytes, ...]
    ) -> list[Edit]:
        edits = self.hider.text_edits(text)
        if style:
            return [self.hider.hide(0, len(text), "field", style, text), *edits]
        found = [
            one for name in names if (one := self.hider.keyed(name, text, number=False))
        ]
        order = list(self.hider.detectors)
        if found:
            keyed = min(found, key=lambda one: order.index(one[0]))
            edits.append(self.hider.hide(0, len(text), *keyed, text))
        return edits

    def _text(self, view: View, levels: list[Level]) -> tuple[View, list[Edit]]:
        level, text = levels[-1], bytes(view.text)
        if level.name in PAIR_NAMES:
            levels[-2].pair = fold(text)
        if level.untouched:
            return view, []
        inner = JsonTwin(self.hider, length_kept=self.length_kept)
        if level.name in self.blobs:
            made = inner._blob(text, Context(style=level.style))
            if made is not None and (level.style or made != text):
                rank = (
                    self.hider.styles.index(("field", level.style))
                    if level.style
                    else -1
                )
                return view, [Edit(0, len(text), rank, made)]
            if made is not None:
                return view, self.hider.text_edits(text)
        if not level.style and level.name not in self.blobs and nests(text):
            try:
                return view, inner._nested(text)
            except NotJSONError:
                pass
        return view, self._edits(text, level.style, (level.name, level.named_by))
