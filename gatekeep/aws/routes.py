"""From method, path and query to the REST operations they may be.

One `RestRouter` serves the services that share a signing name. Paths are matched
segment by segment in a tree, a literal before a label; the trailing slash counts,
because two pairs of AWS operations differ by it alone (aws-wire section 2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gatekeep.aws.bindings import Binding, Query
from gatekeep.aws.documents import unquote_strict
from gatekeep.aws.readers import refuse

_NEEDLESS_ESCAPE = re.compile(
    rb"%(?:2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAeE])"
)
"""A percent-coded letter, digit, ``-``, ``.``, ``_`` or ``~``."""


class _Node:
    """One place in the tree of paths."""

    __slots__ = ("greedy", "label", "literals", "plain", "static")

    def __init__(self) -> None:
        self.literals: dict[bytes, _Node] = {}
        self.label: _Node | None = None
        self.greedy: list[tuple[tuple[bytes, ...], _Node]] = []
        self.plain: list[Binding] = []
        self.static: dict[str, list[Binding]] = {}

    def add(self, binding: Binding) -> None:
        """End a route here."""
        if binding.static:
            self.static.setdefault(next(iter(binding.static)), []).append(binding)
        else:
            self.plain.append(binding)

    def ends(self, query: Query) -> list[Binding]:
        """Routes that end here, those with a static query that is there first."""
        if not self.static:
            return self.plain
        found = [b for key in query if key in self.static for b in self.static[key]]
        return found + self.plain if found else self.plain


class RestRouter:
    """Matches requests of the services behind one signing name."""

    def __init__(self, bindings: Iterable[tuple[str, Binding]]) -> None:
        self._roots: dict[bytes, _Node] = {}
        for method, binding in bindings:
            root = self._roots.setdefault(method.encode(), _Node())
            _place(root, binding)

    def matches(
        self, method: bytes, path: bytes, query: Query
    ) -> list[tuple[list[Binding], list[str]]]:
        """Routes by falling precedence: bindings that end at one place, and labels.

        Raises `UnrecognisedError` for a path that AWS and the gate could read in two
        ways: dot segments, needlessly coded characters, bad UTF-8.
        """
        root = self._roots.get(method)
        if root is None:
            return []
        if _NEEDLESS_ESCAPE.search(path) is not None:
            refuse("the path codes characters that need no coding", "aws.bad_path")
        segments = path.split(b"/")[1:]
        if b"." in segments or b".." in segments:
            refuse("the path has dot segments", "aws.bad_path")
        found: list[tuple[list[Binding], list[bytes]]] = []
        _walk(root, segments, 0, [], query, found)
        return [
            (bindings, [unquote_strict(label) for label in labels])
            for bindings, labels in found
        ]


def _place(root: _Node, binding: Binding) -> None:
    node = root
    segments = binding.template.split("/")[1:]
    for position, segment in enumerate(segments):
        if segment.endswith("+}"):
            suffix = tuple(part.encode() for part in segments[position + 1 :])
            for known, end in node.greedy:
                if known == suffix:
                    end.add(binding)
                    return
            end = _Node()
            end.add(binding)
            # Longest suffix first: it is the more exact route.
            node.greedy.append((suffix, end))
            node.greedy.sort(key=lambda entry: -len(entry[0]))
            return
        if segment.startswith("{"):
            if node.label is None:
                node.label = _Node()
            node = node.label
        else:
            node = node.literals.setdefault(segment.encode(), _Node())
    node.add(binding)


def _walk(
    node: _Node,
    segments: list[bytes],
    position: int,
    labels: list[bytes],
    query: Query,
    found: list[tuple[list[Binding], list[bytes]]],
) -> None:
    if position == len(segments):
        ends = node.ends(query)
        if ends:
            found.append((ends, labels))
        return
    segment = segments[position]
    literal = node.literals.get(segment)
    if literal is not None:
        _walk(literal, segments, position + 1, labels, query, found)
    if node.label is not None and segment:
        _walk(node.label, segments, position + 1, [*labels, segment], query, found)
    for suffix, end in node.greedy:
        stop = len(segments) - len(suffix)
        if stop > position and tuple(segments[stop:]) == suffix:
            value = b"/".join(segments[position:stop])
            if value:
                ends = end.ends(query)
                if ends:
                    found.append((ends, [*labels, value]))


# --- S3: bucket and key are split by hand -----------------------------------------

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")


class S3Router:
    """Matches S3's requests: service, bucket or object level, then the query."""

    def __init__(self, bindings: Iterable[tuple[str, Binding]]) -> None:
        self._ends: dict[tuple[bytes, int], _Node] = {}
        self._fixed: dict[tuple[bytes, bytes], Binding] = {}
        for method, binding in bindings:
            level = len(binding.labels)
            if level == 0 and binding.template != "/":
                # WriteGetObjectResponse: a name in capitals, which no bucket has.
                self._fixed[method.encode(), binding.template.encode()] = binding
                continue
            self._ends.setdefault((method.encode(), level), _Node()).add(binding)

    def matches(
        self, method: bytes, path: bytes, query: Query, bucket: str
    ) -> list[tuple[list[Binding], list[str]]]:
        """As `RestRouter.matches`; ``bucket`` comes from the Host, or is empty."""
        fixed = self._fixed.get((method, path))
        if fixed is not None:
            return [([fixed], [])]
        labels = [bucket] if bucket else []
        rest = path[1:]
        if not bucket and rest:
            name, _, rest = rest.partition(b"/")
            labels = [name.decode("latin-1")]
        if labels and _BUCKET.fullmatch(labels[0]) is None:
            refuse("the bucket's name is none that S3 allows", "aws.bad_path")
        if rest:
            labels.append(unquote_strict(rest))
        node = self._ends.get((method, len(labels)))
        ends = node.ends(query) if node is not None else []
        return [(ends, labels)] if ends else []


def parse_query(raw: bytes) -> Query:
    """A query string, percent-decoded; raises `UnrecognisedError`."""
    query: Query = {}
    if not raw:
        return query
    for pair in raw.split(b"&"):
        if pair:
            key, _, value = pair.partition(b"=")
            # AWS takes + for a space, as SDKs code a space %20 and a plus %2B.
            query.setdefault(unquote_strict(key.replace(b"+", b" ")), []).append(
                unquote_strict(value.replace(b"+", b" "))
            )
    return query
