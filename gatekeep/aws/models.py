"""botocore's service models, cut down to what recognising a request needs.

Reads the JSON that botocore ships (no clients, no user's ``~/.aws/models``: what
the gateway understands must not depend on a home directory) and keeps, for each
service, its operations and the shapes that are reachable from their inputs, in
plain lists and dicts that msgpack can store.

A compiled *reference* to a shape is ``[index, traits]``; an index below
``len(SCALARS)`` is a scalar, others count into the service's ``shapes``. Traits
are the serialisation traits of the target with those of the reference laid over
them, as `botocore.model.ShapeResolver` merges them.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore
from botocore.loaders import ExtrasProcessor

from gatekeep.aws.former_query import add_query_names

DATA = Path(botocore.__file__).parent / "data"

SCALARS = ("string", "integer", "float", "boolean", "blob", "timestamp", "document")
_SCALAR_OF = {
    "string": 0,
    "character": 0,
    "integer": 1,
    "long": 1,
    "float": 2,
    "double": 2,
    "boolean": 3,
    "blob": 4,
    "timestamp": 5,
}
_DOCUMENT = 6

_TRAITS = {
    "locationName": "name",
    "queryName": "query",
    "flattened": "flat",
    "location": "in",
    "xmlAttribute": "attribute",
    "jsonvalue": "json",
    "hostLabel": "host",
    "streaming": "streams",
    "eventstream": "streams",
}
"""botocore's trait name → ours; the ones that decide where a value stands."""

UNSIGNED, UNSIGNED_PAYLOAD, READONLY = 1, 2, 4
"""Flags of an operation."""


def service_models() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each service of the installed botocore: name, data version, service-2 model.

    Only the newest API version of a service is given; it is the one that SDKs
    speak unless told otherwise, and the older ones are refused as unknown.
    """
    extras = ExtrasProcessor()
    for directory in sorted(DATA.iterdir()):
        versions = (
            sorted(v.name for v in directory.iterdir()) if directory.is_dir() else []
        )
        for version in reversed(versions):
            model = _read(directory / version / "service-2.json")
            if model is not None:
                extra = _read(directory / version / "service-2.sdk-extras.json")
                extras.process(model, [extra] if extra else [])
                if directory.name == "sqs":
                    add_query_names(model)
                yield directory.name, version, model
                break


def ruleset_signing_names(service: str, version: str) -> set[str]:
    """Signing names that a service's endpoint rules may set (S3 has three more)."""
    path = DATA / service / version / "endpoint-rule-set-1.json.gz"
    raw = gzip.decompress(path.read_bytes()) if path.exists() else b""
    names = set()
    for part in raw.split(b'"signingName"')[1:]:
        name = part.split(b'"', 2)[1].decode()
        if "{" not in name:
            names.add(name)
    return names


def _read(path: Path) -> dict[str, Any] | None:
    packed = path.with_name(path.name + ".gz")
    if packed.exists():
        raw = gzip.decompress(packed.read_bytes())
    elif path.exists():
        raw = path.read_bytes()
    else:
        return None
    model: dict[str, Any] = json.loads(raw)
    return model


def compile_service(name: str, version: str, model: dict[str, Any]) -> dict[str, Any]:
    """One service as plain data: what `catalogue.Service` is made from."""
    metadata = model["metadata"]
    shapes = _Shapes(model["shapes"])
    operations = {}
    for operation, described in model["operations"].items():
        flags = 0
        if described.get("authtype") == "none" or described.get("auth") == [
            "smithy.api#noAuth"
        ]:
            flags |= UNSIGNED
        if described.get("unsignedPayload"):
            flags |= UNSIGNED_PAYLOAD
        if described.get("readonly"):
            flags |= READONLY
        source = described.get("input")
        operations[operation] = [
            described["http"]["method"],
            described["http"]["requestUri"],
            described.get("endpoint", {}).get("hostPrefix", ""),
            flags,
            shapes.reference(source) if source else None,
            _required(model["shapes"], source["shape"]) if source else [],
        ]
    protocols = metadata.get("protocols") or [metadata["protocol"]]
    return {
        "name": name,
        "version": version,
        "api_version": metadata["apiVersion"],
        "signing_name": metadata.get("signingName", metadata["endpointPrefix"]),
        "endpoint_prefix": metadata["endpointPrefix"],
        "service_id": metadata["serviceId"],
        "protocols": protocols,
        "query_compatible": "awsQueryCompatible" in metadata,
        "target_prefix": metadata.get("targetPrefix", ""),
        "operations": operations,
        "shapes": shapes.compiled,
    }


def _required(shapes: dict[str, Any], name: str) -> list[list[str]]:
    """``[member, location, wire name]`` of an input's required members."""
    required = []
    for member in shapes[name].get("required", ()):
        source = shapes[name]["members"][member]
        location = source.get("location", "")
        required.append([member, location, source.get("locationName", member)])
    return required


class _Shapes:
    """Compiles shapes as they are reached, each once."""

    def __init__(self, described: dict[str, Any]) -> None:
        self._described = described
        self._index: dict[str, int] = {}
        self.compiled: list[Any] = []

    def reference(self, source: dict[str, Any]) -> list[Any]:
        """A compiled reference to the shape that ``source`` names."""
        target = self._described[source["shape"]]
        traits = {}
        for layer in (target, source):
            for theirs, ours in _TRAITS.items():
                if theirs in layer and layer[theirs] is not False:
                    traits[ours] = layer[theirs]
        return [self._place(source["shape"], target), traits]

    def _place(self, name: str, target: dict[str, Any]) -> int:
        kind = target["type"]
        if target.get("document"):
            return _DOCUMENT
        if kind in _SCALAR_OF:
            return _SCALAR_OF[kind]
        if name in self._index:
            return self._index[name]
        index = self._index[name] = len(SCALARS) + len(self.compiled)
        # Reserved before the members are compiled: shapes may hold themselves.
        self.compiled.append(None)
        compiled: list[Any]
        if kind == "structure":
            members = [
                [member, *self.reference(source)]
                for member, source in target.get("members", {}).items()
            ]
            compiled = ["structure", members, target.get("payload")]
        elif kind == "list":
            compiled = ["list", self.reference(target["member"])]
        elif kind == "map":
            compiled = [
                "map",
                self.reference(target["key"]),
                self.reference(target["value"]),
            ]
        else:
            raise ValueError(f"botocore's model has a shape of unknown type {kind!r}")
        self.compiled[index - len(SCALARS)] = compiled
        return index
