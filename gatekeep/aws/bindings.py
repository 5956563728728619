"""How one REST operation puts its parameters into path, query, headers and body.

A `Binding` is made once from the compiled model and then answers, for a request's
head, whether the head can be this operation, and with which parameters. Sources:
smithy.io "HTTP bindings"; botocore's `BaseRestSerializer`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gatekeep.aws.models import SCALARS
from gatekeep.aws.readers import FROM_TEXT, from_base64, refuse

Query = dict[str, list[str]]
"""A query string: values by key, both percent-decoded, in wire order."""

Headers = Mapping[bytes, bytes]
"""Raw header values by lower-case name."""


class Binding:
    """One REST operation's way onto the wire.

    Attributes:
        service: botocore's service name.
        operation: the operation's name.
        template: the path, labels in braces.
        labels: member names of the path's labels, in path order, with readers.
        static: query keys and values that are part of the route (``?acl``).
        needed_queries: query keys that must be there.
        needed_headers: lower-case header names that must be there.
        rank: more for what asks for more of the head; the highest that fits wins.
        host_prefix: the model's, labels in braces; empty when there is none.
        payload: name, shape and traits of the member that is the whole body.
        payload_is_blob: that member is bytes or text, not a structure.
        has_body: members without a place elsewhere make up the body.
        streams: the body is an opaque payload of any length.
    """

    __slots__ = (
        "_header_prefixes",
        "_headers",
        "_host_label",
        "_queries",
        "_query_map",
        "_query_map_of_lists",
        "_required",
        "has_body",
        "has_body",
        "host_prefix",
        "labels",
        "needed_headers",
        "needed_queries",
        "operation",
        "payload",
        "payload_is_blob",
        "rank",
        "service",
        "static",
        "streams",
        "template",
    )

    def __init__(
        self, service: str, operation: str, described: list[Any], shapes: Sequence[Any]
    ) -> None:
        _, uri, self.host_prefix, _, source, required = described
        self.service = service
        self.operation = operation
        path, _, query = uri.partition("?")
        self.template: str = path
        self.static: dict[str, str] = {}
        for pair in filter(None, query.split("&")):
            key, _, value = pair.partition("=")
            self.static[key] = value
        self._required = tuple(member for member, _, _ in required)
        self.needed_queries = tuple(
            name for _, where, name in required if where == "querystring"
        )
        self.needed_headers = tuple(
            name.lower().encode() for _, where, name in required if where == "header"
        )
        self._queries: dict[str, tuple[str, Callable[[list[str]], Any]]] = {}
        self._query_map = ""
        self._query_map_of_lists = False
        self._headers: dict[bytes, tuple[str, Callable[[str], Any]]] = {}
        self._header_prefixes: list[tuple[bytes, str]] = []
        self._host_label = ""
        self.payload: list[Any] | None = None
        self.payload_is_blob = False
        self.has_body = False
        self.streams = False
        labels: dict[str, tuple[str, Callable[[str], Any]]] = {}
        shape = shapes[source[0] - len(SCALARS)] if source else ["structure", [], None]
        for name, index, traits in shape[1]:
            wire = traits.get("name", name)
            where = traits.get("in")
            if traits.get("host"):
                self._host_label = name
            if where == "uri":
                labels[wire] = (name, FROM_TEXT[index])
            elif where == "querystring":
                self._bind_query(name, wire, index, shapes)
            elif where == "headers":
                self._header_prefixes.append((wire.lower().encode(), name))
            elif where == "header":
                self._headers[wire.lower().encode()] = (
                    name,
                    _header_reader(index, traits, shapes),
                )
            elif where is None:
                self.has_body = True
            if name == shape[2]:
                self.payload = [name, index, traits]
                self.payload_is_blob = index < len(SCALARS) and (
                    SCALARS[index] in ("blob", "string")
                )
                self.streams = bool(traits.get("streams"))
        self.rank = (
            len(self.static),
            len(self.needed_queries) + len(self.needed_headers),
        )
        self.labels = tuple(
            labels[part.strip("{+}")]
            for part in path.split("/")
            if part.startswith("{")
        )

    def _bind_query(
        self, name: str, wire: str, index: int, shapes: Sequence[Any]
    ) -> None:
        if index < len(SCALARS):
            self._queries[wire] = (name, _single(FROM_TEXT[index]))
            return
        shape = shapes[index - len(SCALARS)]
        if shape[0] == "map":
            self._query_map = name
            self._query_map_of_lists = shape[2][0] >= len(SCALARS)
        else:
            read = FROM_TEXT[shape[1][0]]
            self._queries[wire] = (name, lambda values: [read(v) for v in values])

    def fits(self, query: Query, headers: Headers, strict: Iterable[bytes]) -> bool:
        """Whether a head whose path fits can be this operation.

        Args:
            query: the query without what signing added.
            headers: raw values by lower-case name.
            strict: names of headers that the operation must have (S3, where such a
                header can turn one operation into another).
        """
        for key, value in self.static.items():
            values = query.get(key)
            if values is None or (value and values != [value]):
                return False
        for key in self.needed_queries:
            if key not in query:
                return False
        for name in self.needed_headers:
            if name not in headers:
                return False
        if not self._query_map:
            for key in query:
                if key not in self._queries and key not in self.static:
                    return False
        return all(
            name in self._headers
            or any(name.startswith(prefix) for prefix, _ in self._header_prefixes)
            for name in strict
        )

    def has_required(self, parameters: Mapping[str, Any]) -> bool:
        """Whether parameters hold every member that the model requires."""
        return all(name in parameters for name in self._required)

    def models_header(self, name: bytes) -> bool:
        """Whether a header is one of the operation's parameters."""
        return name in self._headers

    def parameters(
        self, labels: list[str], query: Query, headers: Headers
    ) -> dict[str, Any]:
        """The parameters that the head holds, by modelled name."""
        result: dict[str, Any] = {}
        for (name, read), text in zip(self.labels, labels, strict=True):
            result[name] = read(text)
        for key, values in query.items():
            bound = self._queries.get(key)
            if bound is not None:
                result[bound[0]] = bound[1](values)
            elif key not in self.static and self._query_map:
                loose = result.setdefault(self._query_map, {})
                many = self._query_map_of_lists or len(values) > 1
                loose[key] = values if many else values[0]
        for raw, value in headers.items():
            header = self._headers.get(raw)
            if header is not None:
                result[header[0]] = header[1](_header_text(value))
            elif self._header_prefixes:
                for prefix, name in self._header_prefixes:
                    if raw.startswith(prefix):
                        key = raw[len(prefix) :].decode("latin-1")
                        result.setdefault(name, {})[key] = _header_text(value)
        return result


def _header_text(value: bytes) -> str:
    # SDKs send ASCII; S3 takes user metadata in UTF-8, some clients send Latin-1.
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _single(read: Callable[[str], Any]) -> Callable[[list[str]], Any]:
    def read_single(values: list[str]) -> Any:
        if len(values) != 1:
            refuse("the query names a parameter twice", "aws.duplicate_key")
        return read(values[0])

    return read_single


def _header_reader(
    index: int, traits: dict[str, Any], shapes: Sequence[Any]
) -> Callable[[str], Any]:
    if traits.get("json"):
        return _json_value
    if index < len(SCALARS):
        return FROM_TEXT[index]
    item = FROM_TEXT[shapes[index - len(SCALARS)][1][0]]
    return lambda text: [item(part) for part in _split_list(text)]


def _json_value(text: str) -> Any:
    try:
        return json.loads(from_base64(text))
    except (ValueError, RecursionError):
        refuse("a header that should be JSON in base64 is not")


def _split_list(text: str) -> list[str]:
    """The elements of a header list; a quoted one may hold commas."""
    parts: list[str] = []
    rest = text
    while True:
        rest = rest.lstrip()
        if rest.startswith('"'):
            end = 1
            while end < len(rest) and rest[end] != '"':
                end += 2 if rest[end] == "\\" else 1
            parts.append(rest[1:end].replace('\\"', '"'))
            rest = rest[end + 1 :].lstrip()
            if rest and not rest.startswith(","):
                refuse("a list in a header is quoted wrongly")
            rest = rest[1:]
        else:
            part, _, rest = rest.partition(",")
            parts.append(part.strip())
        if not rest:
            return parts
