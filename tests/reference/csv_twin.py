"""Tables of text, masked as plainly as it can be said; see `masking_twin`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gatekeep.masking.detectors import fold
from tests.reference.json_twin import JsonTwin, NotJSONError, nests
from tests.reference.masking_twin import (
    Edit,
    Hider,
    View,
    painted,
    replace,
    spliced,
    view_high,
)


def cells(raw: bytes, separator: bytes) -> Iterator[tuple[int, int, View]]:
    """Each text of a table: its column (-1: a row ends), where it begins, its view."""
    at, column, state, view, base = 0, 0, "begin", View(), 0
    while at < len(raw):
        c = raw[at : at + 1]
        ends = c in (separator, b"\n", b"\r")
        if state == "quoted":
            if c != b'"':
                if c >= b"\x80":
                    at = view_high(view, raw, at)
                    continue
                view.plain(c, at)
            elif raw[at + 1 : at + 2] == b'"':
                view.add(b'"', at, at + 2)
                at += 1
            else:
                yield column, base, view
                state = "quote"
        elif ends:
            if state == "unquoted":
                yield column, base, view
            state = "begin"
            column = column + 1 if c == separator else 0
            yield (-2 if c == separator else -1), at, View()
        elif state == "begin" and c == b'"':
            state, view, base = "quoted", View(), at + 1
        else:
            if state != "unquoted":
                state, view, base = "unquoted", View(), at
            if c >= b"\x80":
                at = view_high(view, raw, at)
                continue
            view.plain(c, at)
        at += 1
    if state in ("quoted", "unquoted"):
        yield column, base, view


@dataclass
class CsvTwin:
    hider: Hider
    separator: bytes = b","
    length_kept: bool = True

    def mask(self, raw: bytes) -> bytes:
        placed: list[tuple[int, int, bytes]] = []
        output = bytearray(raw)
        for view, edits in self._texts(raw):
            if self.length_kept:
                first, last = (view.starts[0], view.ends[-1]) if view.starts else (0, 0)
                moved = View(
                    view.text,
                    [place - first for place in view.starts],
                    [place - first for place in view.ends],
                )
                output[first:last] = painted(raw[first:last], moved, edits, self.hider)
            else:
                placed += [
                    (start, end, made.replace(b'"', b"*"))
                    for start, end, made in spliced(view, edits)
                ]
        return bytes(output) if self.length_kept else replace(raw, placed)

    def _texts(self, raw: bytes) -> Iterator[tuple[View, list[Edit]]]:
        header, filled = True, False
        names: dict[int, bytes] = {}
        for column, _, view in cells(raw, self.separator):
            if column < 0:
                filled = filled or column == -2
                header = header and not (column == -1 and filled)
                continue
            text = bytes(view.text)
            filled = filled or bool(text)
            if header:
                names[column] = fold(text)
                yield view, self.hider.text_edits(text)
            else:
                yield view, self._cell(text, names.get(column, b""))

    def _cell(self, text: bytes, name: bytes) -> list[Edit]:
        edits = self.hider.text_edits(text)
        if style := self.hider.profile.names.get(name):
            return [self.hider.hide(0, len(text), "field", style, text), *edits]
        if nests(text):
            try:
                return JsonTwin(self.hider, length_kept=self.length_kept)._nested(text)
            except NotJSONError:
                pass
        if keyed := self.hider.keyed(name, text, number=False):
            edits.append(self.hider.hide(0, len(text), *keyed, text))
        return edits
