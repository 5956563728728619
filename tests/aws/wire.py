"""Raw requests of AWS calls, made by botocore's own serialisers.

What `tests/aws` feeds the recogniser: head and body exactly as boto3 would put them
on the wire, without a client, a signature or a socket.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.model
import botocore.serialize
from botocore.utils import percent_encode_sequence

from gatekeep.aws.models import service_models
from gatekeep.http.messages import RequestHead

HOST = b"gw.test"


@cache
def models() -> dict[str, botocore.model.ServiceModel]:
    """Every service of the installed botocore."""
    return {
        name: botocore.model.ServiceModel(model, name)
        for name, _, model in service_models()
    }


@cache
def serializer(protocol: str) -> Any:
    return botocore.serialize.create_serializer(protocol, include_validation=False)


def serialise(
    model: botocore.model.ServiceModel,
    operation: str,
    parameters: dict[str, Any],
    protocol: str | None = None,
    *,
    host: bytes = HOST,
) -> tuple[RequestHead, bytes]:
    """Head and body of one call, path style, with the model's host prefix."""
    protocol = protocol or model.resolved_protocol
    described = model.operation_model(operation)
    request = serializer(protocol).serialize_to_request(parameters, described)
    target: str = request["url_path"]
    body = request["body"]
    if request["query_string"]:
        query = percent_encode_sequence(request["query_string"])
        target += ("&" if "?" in target else "?") + query
    if isinstance(body, dict):
        body = percent_encode_sequence(body).encode()
    if isinstance(body, str):
        body = body.encode()
    prefix = request.get("host_prefix", "").encode()
    fields = [(b"host", prefix + host)]
    for name, value in request["headers"].items():
        fields.append((name.lower().encode(), str(value).encode()))
    method = request["method"].encode()
    return RequestHead(method, target.encode(), fields), bytes(body)


def parameters_of(shape: botocore.model.Shape | None, *, whole: bool) -> dict[str, Any]:
    """Parameters made from an input shape: all members, or the required ones."""
    if shape is None:
        return {}
    made: dict[str, Any] = _value(shape, frozenset(), whole)
    return made


_MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
_SCALARS: dict[str, Any] = {
    "integer": 3,
    "long": 3,
    "float": 1.5,
    "double": 1.5,
    "boolean": True,
    "blob": b"blob",
    "timestamp": _MOMENT,
}


def _value(shape: Any, seen: frozenset[str], whole: bool) -> Any:
    kind = shape.type_name
    if kind in _SCALARS:
        return _SCALARS[kind]
    if kind in ("string", "character"):
        if shape.enum:
            return shape.enum[0]
        return "abc" if shape.serialization.get("hostLabel") else "xabcd"
    if kind == "structure" and shape.is_document_type:
        return {"a": [1, None, {"b": "c"}]}
    if shape.name in seen:
        return [] if kind == "list" else {}
    seen |= {shape.name}
    if kind == "list":
        return [_value(shape.member, seen, whole)]
    if kind == "map":
        return {_value(shape.key, seen, whole): _value(shape.value, seen, whole)}
    return dict(_members(shape, seen, whole))


def _members(
    shape: Any, seen: frozenset[str], whole: bool
) -> Iterator[tuple[str, Any]]:
    for name, member in shape.members.items():
        if member.serialization.get("eventstream"):
            continue
        if whole or name in shape.required_members:
            yield name, _value(member, seen, whole)
            if shape.is_tagged_union:
                return
