"""All AWS services as data: operations, shapes, signing names, regions, permissions.

Compiled from botocore's models and IAM's data (`models`, `plans`) in some seconds,
then kept on disk in one file that every process maps: a service is decoded when it
is first asked for, so a worker holds only what its agents use.

File: magic, SHA-256 of all that follows, length of the index, the index (msgpack:
name → offset and length), then the parts (zlib over msgpack).
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import struct
import tempfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import botocore
import msgpack

from gatekeep.aws import compiled
from gatekeep.aws.bindings import Binding
from gatekeep.aws.call import AccessLevel, Protocol
from gatekeep.aws.forms import FormReader, build_form_reader
from gatekeep.aws.models import READONLY, UNSIGNED, UNSIGNED_PAYLOAD
from gatekeep.aws.readers import (
    CBOR_SCALARS,
    JSON_SCALARS,
    Reader,
    build_reader,
)
from gatekeep.aws.xmlbody import XMLReader, build_xml_reader

_MAGIC = b"gatekeep catalogue\n"
_LENGTHS = struct.Struct(">Q")


class _Packed(Sequence[Any]):
    """A list whose elements are unpacked when they are asked for."""

    __slots__ = ("_items",)

    def __init__(self, items: list[bytes]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        return msgpack.unpackb(self._items[index])


class Operation:
    """One operation as the models describe it."""

    __slots__ = (
        "host_prefix",
        "method",
        "name",
        "plan",
        "readonly",
        "recipe",
        "reference",
        "unsigned",
        "unsigned_payload",
        "uri",
    )

    def __init__(self, name: str, described: list[Any]) -> None:
        self.name = name
        """For example ``GetItem``."""
        self.method: str = described[0]
        """HTTP method."""
        self.uri: str = described[1]
        """The path template with its static query."""
        self.host_prefix: str = described[2]
        """What botocore puts before the host: ``sync-``, ``{AccountId}.``, or empty."""
        flags = described[3]
        self.unsigned = bool(flags & UNSIGNED)
        """AWS takes this operation without a signature."""
        self.unsigned_payload = bool(flags & UNSIGNED_PAYLOAD)
        """The body is not signed over TLS."""
        self.readonly = bool(flags & READONLY)
        """The model says that it changes nothing."""
        self.reference: list[Any] | None = described[4]
        """Compiled reference to the input shape (`models`)."""
        self.plan: list[tuple[str, AccessLevel, list[Any]]] = [
            (action, AccessLevel(level), resources)
            for action, level, resources in described[6]
        ]
        """What it needs (`plans`)."""
        self.recipe: Any = None
        """What `actions` makes of the plan when it is first asked."""


class Service:
    """One service as the models describe it."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.name: str = data["name"]
        """botocore's name, for example ``dynamodb``."""
        self.data_version: str = data["version"]
        """The directory of the models under ``botocore/data/<name>``."""
        self.api_version: str = data["api_version"]
        """What query-protocol clients send as ``Version``."""
        self.signing_name: str = data["signing_name"]
        """The service in the credential scope."""
        self.endpoint_prefix: str = data["endpoint_prefix"]
        self.service_id: str = data["service_id"]
        self.protocols = tuple(Protocol(name) for name in data["protocols"])
        self.query_compatible: bool = data["query_compatible"]
        """Faults carry ``x-amzn-query-error`` beside the JSON."""
        self.target_prefix: str = data["target_prefix"]
        """What stands before the operation in ``X-Amz-Target``."""
        self._described: dict[str, bytes] = data["operations"]
        self._shapes = _Packed(data["shapes"])
        self._operations: dict[str, Operation] = {}
        self._json: dict[int, Reader] = {}
        self._cbor: dict[int, Reader] = {}
        self._xml: dict[int, XMLReader] = {}
        self._forms: dict[Any, FormReader] = {}

    @property
    def operations(self) -> Collection[str]:
        """The names of all operations."""
        return self._described.keys()

    def operation(self, name: str) -> Operation:
        """One operation; raises KeyError when there is none of that name."""
        operation = self._operations.get(name)
        if operation is None:
            operation = Operation(name, msgpack.unpackb(self._described[name]))
            self._operations[name] = operation
        return operation

    def json_reader(self, reference: list[Any]) -> Reader:
        """The reader of a shape in JSON."""
        return build_reader(reference, self._shapes, JSON_SCALARS, self._json)

    def cbor_reader(self, reference: list[Any]) -> Reader:
        """The reader of a shape in CBOR."""
        return build_reader(reference, self._shapes, CBOR_SCALARS, self._cbor)

    def form_reader(self, reference: list[Any]) -> FormReader:
        """The reader of a shape in a form."""
        ec2 = Protocol.EC2 in self.protocols
        return build_form_reader(reference, self._shapes, ec2, self._forms)

    def xml_reader(self, reference: list[Any]) -> XMLReader:
        """The reader of a shape in XML."""
        return build_xml_reader(reference, self._shapes, self._xml)

    def bindings(self) -> Iterator[tuple[str, Binding]]:
        """Method and binding of every operation (REST services)."""
        for name, packed in self._described.items():
            described = msgpack.unpackb(packed)
            yield described[0], Binding(self.name, name, described[:6], self._shapes)


class Catalogue:
    """Every service of the installed botocore.

    Made by `load_catalogue`; read-only and safe to share between threads.
    """

    def __init__(self, parts: Mapping[str, bytes | memoryview]) -> None:
        self._parts = parts
        head = self._part("head")
        self.version: str = head["version"]
        """Changes with botocore, the IAM data and the format: a cache key."""
        self.services: tuple[str, ...] = tuple(head["services"])
        """botocore's service names, sorted."""
        self._signing: dict[str, tuple[str, ...]] = {
            name: tuple(services) for name, services in head["signing"].items()
        }
        self._partitions: dict[str, str] = head["partitions"]
        self._regions: dict[str, frozenset[str]] = {
            name: frozenset(regions) for name, regions in head["regions"].items()
        }
        self._loaded: dict[str, Service] = {}
        self._prefixes: dict[str, str] = {
            prefix.lower(): prefix for prefix in head["actions"]
        }
        self._levels: dict[str, dict[str, tuple[str, AccessLevel]]] = {}

    def _part(self, name: str) -> Any:
        return msgpack.unpackb(zlib.decompress(self._parts[name]), strict_map_key=False)

    def service(self, name: str) -> Service:
        """One service; raises KeyError when botocore has none of that name."""
        service = self._loaded.get(name)
        if service is None:
            service = Service(self._part("service/" + name))
            self._loaded[name] = service
        return service

    def signing_names(self) -> Mapping[str, tuple[str, ...]]:
        """The services behind each name a credential scope may hold."""
        return self._signing

    def regions(self, service: str) -> frozenset[str]:
        """Where a service can be asked for.

        The regions of botocore's ``endpoints.json``; for a service that it does not
        list, or lists without regions (IAM), every region of the partitions.
        """
        return self._regions.get(service) or self._regions[""]

    def partition(self, region: str) -> str:
        """``aws``, ``aws-cn`` …; raises KeyError for a region of no partition."""
        return self._partitions[region]

    # --- permissions ------------------------------------------------------------

    def _of_prefix(self, prefix: str) -> dict[str, tuple[str, AccessLevel]]:
        """Canonical action and level by lower-case action; raises KeyError."""
        table = self._levels.get(prefix)
        if table is None:
            spelt = self._prefixes[prefix]
            table = self._levels[prefix] = {
                f"{prefix}:{name}".lower(): (f"{spelt}:{name}", AccessLevel(level))
                for name, level in self._part("actions/" + spelt)
            }
        return table

    def _action(self, action: str) -> tuple[str, AccessLevel]:
        lowered = action.lower()
        return self._of_prefix(lowered.partition(":")[0])[lowered]

    def actions(self) -> Iterator[tuple[str, AccessLevel]]:
        """Every action that a `Need` can name, sorted, with its access level."""
        entries = (
            (f"{prefix}:{name}", AccessLevel(level))
            for prefix in self._prefixes.values()
            for name, level in self._part("actions/" + prefix)
        )
        yield from sorted(entries, key=itemgetter(0))

    def access_level(self, action: str) -> AccessLevel:
        """The level of an action, case-blind; raises KeyError for an unknown one."""
        return self._action(action)[1]

    def canonical_action(self, action: str) -> str:
        """An action in IAM's own case; raises KeyError for an unknown one."""
        return self._action(action)[0]

    def action_prefixes(self) -> tuple[str, ...]:
        """The service prefixes of the actions, sorted."""
        return tuple(self._prefixes.values())

    def unmapped(self) -> Iterator[tuple[str, str, str]]:
        """Operations for which IAM names no action: service, operation, stand-in.

        Policy can match them by the stand-in, ``prefix:Operation``.
        """
        yield from map(tuple, self._part("unmapped"))


def load_catalogue(cache_directory: Path | None) -> Catalogue:
    """The catalogue of the installed botocore.

    Args:
        cache_directory: where the compiled file is kept; made if it is missing. A
            file that is damaged or of another version is made anew. None: compile
            in memory, which takes some seconds.
    """
    if cache_directory is None:
        return Catalogue(_compile())
    name = f"{botocore.__version__}-{compiled.version()}".replace("/", "_")
    path = cache_directory / f"{name}.catalogue"
    parts = _read(path)
    if parts is not None:
        return Catalogue(parts)
    fresh = _compile()
    _write(path, fresh)
    # Read back, so that the pages are the file's, shared between workers.
    return Catalogue(_read(path) or fresh)


def _compile() -> dict[str, bytes]:
    return {
        name: zlib.compress(msgpack.packb(part), 6)
        for name, part in compiled.compile_all()
    }


def _read(path: Path) -> dict[str, memoryview] | None:
    """The parts of a compiled file, or None when it is missing or damaged."""
    try:
        with path.open("rb") as file:
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):
        return None
    start = len(_MAGIC) + 32
    if bytes(view[: len(_MAGIC)]) != _MAGIC or len(view) < start + _LENGTHS.size:
        return None
    if hashlib.sha256(view[start:]).digest() != view[len(_MAGIC) : start]:
        return None
    (length,) = _LENGTHS.unpack(view[start : start + _LENGTHS.size])
    start += _LENGTHS.size
    index = msgpack.unpackb(view[start : start + length])
    start += length
    return {
        name: view[start + offset : start + offset + size]
        for name, (offset, size) in index.items()
    }


def _write(path: Path, parts: dict[str, bytes]) -> None:
    """Write the file whole or not at all; a directory we cannot write is no error."""
    index = {}
    offset = 0
    for name, part in parts.items():
        index[name] = (offset, len(part))
        offset += len(part)
    packed = msgpack.packb(index)
    content = _LENGTHS.pack(len(packed)) + packed + b"".join(parts.values())
    whole = _MAGIC + hashlib.sha256(content).digest() + content
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".new")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(whole)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
