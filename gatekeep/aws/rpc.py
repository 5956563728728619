"""Calls that are all body: JSON, CBOR, query and ec2.

The operation is named by ``X-Amz-Target``, by the path, or inside a form. Each way
goes with one method, one path and one content type; any other mix is refused, since
a server that answers to several protocols might take it for another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gatekeep.aws.call import Protocol, Route, UnrecognisedError
from gatekeep.aws.documents import inflate, parse_cbor, parse_form, parse_json
from gatekeep.aws.former_query import name_queue
from gatekeep.aws.forms import grow_tree
from gatekeep.aws.groups import Group, Target
from gatekeep.aws.hosts import check_host
from gatekeep.aws.readers import refuse, refuse_member
from gatekeep.http.messages import RequestHead

FORM = b"application/x-www-form-urlencoded"
JSON_TYPES = frozenset((
    b"application/x-amz-json-1.0", b"application/x-amz-json-1.1", b"application/json",
))  # fmt: skip
_CBOR_TYPES = frozenset((b"application/cbor",))

SIGNING_QUERY = frozenset((
    "X-Amz-Algorithm", "X-Amz-Content-Sha256", "X-Amz-Credential", "X-Amz-Date",
    "X-Amz-Expires", "X-Amz-Region-Set", "X-Amz-Security-Token", "X-Amz-Signature",
    "X-Amz-SignedHeaders",
))  # fmt: skip
"""What a presigned URL adds; verified by `sigv4`, no part of the call."""

EMPTY_BODIES = (b"", b"{}", b"\xa0", b"\xbf\xff")
"""Bodies that SDKs send for an operation without input."""


@dataclass(slots=True)
class RpcDetail:
    """What an RPC head told; ``target`` is None while a form is still to tell."""

    group: Group
    target: Target | None
    host_prefix: str


def json_route(
    head: RequestHead, group: Group, name: bytes, region: str, prefix: str
) -> Route:
    """The route of a request with ``X-Amz-Target``."""
    target = group.json_target(name)
    if target is None:
        raise UnrecognisedError(
            "aws.unknown_operation",
            f"no operation {name[:128].decode('latin-1')!r} in the signed service",
        )
    if head.method != b"POST" or head.target != b"/":
        refuse("X-Amz-Target goes with POST / and nothing else")
    if b"smithy-protocol" in head.by_name:
        refuse("the request names two protocols", "aws.unknown_protocol")
    if head.by_name.get(b"content-type") not in JSON_TYPES:
        _require_type(head, JSON_TYPES)
    return _route(group, target, region, prefix)


def cbor_route(head: RequestHead, group: Group, region: str, prefix: str) -> Route:
    """The route of a request with ``smithy-protocol``."""
    if head.by_name[b"smithy-protocol"] != b"rpc-v2-cbor":
        refuse("the gateway speaks no such smithy-protocol", "aws.unknown_protocol")
    target = group.cbor_target(head.path)
    if target is None:
        raise UnrecognisedError(
            "aws.unknown_operation", "no operation of the signed service has this path"
        )
    if head.method != b"POST" or head.query:
        refuse("a CBOR call is a POST without a query")
    if b"content-type" in head.by_name:
        _require_type(head, _CBOR_TYPES)
    return _route(group, target, region, prefix)


def form_route(
    head: RequestHead, group: Group, region: str, prefix: str
) -> Route | None:
    """The route of a form, or None when the request is not one."""
    if not _is_in_query(head):
        if head.method != b"POST" or media_type(head) != FORM:
            return None
        if head.query:
            refuse("a form is in the body or in the query, not in both")
    service = group.form_service
    return Route(
        service.name,
        Protocol.EC2 if Protocol.EC2 in service.protocols else Protocol.QUERY,
        region,
        group.form_operations,
        False,
        RpcDetail(group, None, prefix),
    )


def _route(group: Group, target: Target, region: str, prefix: str) -> Route:
    check_host(target.operation.host_prefix, prefix, {})
    return Route(
        target.service.name,
        target.protocol,
        region,
        target.candidates,
        False,
        RpcDetail(group, target, prefix),
    )


def rpc_parameters(
    detail: RpcDetail, head: RequestHead, body: bytes
) -> tuple[Target, dict[str, Any]]:
    """The operation and its parameters."""
    encoding = head.by_name.get(b"content-encoding")
    if encoding is not None:
        body = decoded(encoding, body)
    target = detail.target
    if target is None:
        target, parameters = _form_parameters(detail.group, head, body)
    elif target.reader is None:
        if body not in EMPTY_BODIES:
            refuse("the call takes no parameters and has a body")
        parameters = {}
    elif not body:
        parameters = {}
    elif target.protocol is Protocol.JSON:
        parameters = target.reader.read(parse_json(body), 0)
    else:
        parameters = target.reader.read(parse_cbor(body), 0)
    if detail.host_prefix:
        check_host(target.operation.host_prefix, detail.host_prefix, parameters)
    return target, parameters


def _is_in_query(head: RequestHead) -> bool:
    """Whether the form is in the query, as in a presigned URL.

    SDKs presign the model's method, POST, unless told GET; the body is empty then.
    """
    return b"Action=" in head.query and (
        head.method == b"GET" or (head.method == b"POST" and media_type(head) != FORM)
    )


def _form_parameters(
    group: Group, head: RequestHead, body: bytes
) -> tuple[Target, dict[str, Any]]:
    if _is_in_query(head):
        if body:
            refuse("a form is in the body or in the query, not in both")
        form = parse_form(head.query)
        for name in SIGNING_QUERY & form.keys():
            del form[name]
    else:
        form = parse_form(body)
    action = form.pop("Action", "")
    version = form.pop("Version", "")
    targets = group.form_targets(version, action)
    if not targets:
        raise UnrecognisedError(
            "aws.unknown_operation",
            f"no operation {action[:64]!r} of version {version[:32]!r} "
            "in the signed service",
        )
    refusal: UnrecognisedError | None = None
    for target in targets:
        try:
            parameters = _read_form(target, form)
            if head.path != b"/":
                name_queue(head.path, target.operation.name, parameters)
            return target, parameters
        except UnrecognisedError as error:
            refusal = refusal or error
    assert refusal is not None
    raise refusal


def _read_form(target: Target, form: dict[str, str]) -> dict[str, Any]:
    if target.reader is None:
        for name in form:
            refuse_member(name)
        return {}
    parameters: dict[str, Any] = target.reader.read(grow_tree(form), 0)
    return parameters


def media_type(head: RequestHead) -> bytes:
    """The content type without its parameters, lower case."""
    return head.by_name.get(b"content-type", b"").partition(b";")[0].strip().lower()


def _require_type(head: RequestHead, allowed: frozenset[bytes]) -> None:
    kind = media_type(head)
    if kind == b"application/x-amz-cbor-1.1":
        refuse("AWS CBOR 1.1 is not spoken here: set AWS_CBOR_DISABLE=true for Java")
    if kind not in allowed:
        refuse("the content type is not the protocol's")


def decoded(encoding: bytes, body: bytes) -> bytes:
    """The body without its Content-Encoding; aws-chunked is undone before us."""
    codings = [part.strip().lower() for part in encoding.split(b",")]
    left = [part for part in codings if part not in (b"", b"identity", b"aws-chunked")]
    if not left:
        return body
    if left != [b"gzip"]:
        refuse("the body has a content encoding that the gateway cannot undo")
    return inflate(body)
