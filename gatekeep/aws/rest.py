"""Calls named by method, path and query: rest-json and rest-xml."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gatekeep.aws.bindings import Binding, Headers, Query
from gatekeep.aws.call import Protocol, Route, UnrecognisedError
from gatekeep.aws.catalogue import Service
from gatekeep.aws.documents import parse_json, text_of
from gatekeep.aws.groups import Group
from gatekeep.aws.hosts import check_host, host_fits
from gatekeep.aws.models import SCALARS
from gatekeep.aws.readers import refuse, refuse_member
from gatekeep.aws.routes import parse_query
from gatekeep.aws.rpc import (
    EMPTY_BODIES,
    FORM,
    JSON_TYPES,
    SIGNING_QUERY,
    decoded,
    media_type,
)
from gatekeep.aws.xmlbody import parse_xml
from gatekeep.http.messages import RequestHead

_S3_GENERAL = frozenset((
    b"x-amz-checksum-mode", b"x-amz-content-sha256", b"x-amz-date",
    b"x-amz-decoded-content-length", b"x-amz-expected-bucket-owner",
    b"x-amz-region-set", b"x-amz-request-payer", b"x-amz-s3session-token",
    b"x-amz-sdk-checksum-algorithm", b"x-amz-security-token", b"x-amz-te",
    b"x-amz-trailer", b"x-amz-user-agent",
))  # fmt: skip
"""``x-amz-`` headers that never choose an operation. Any other of that name must be
one the operation has: ``x-amz-copy-source`` turns a PUT into a copy."""

_NOT_BUCKETS = ("s3-object-lambda", "s3-outposts")
"""Signing names of S3 requests that are for no bucket."""

_METHOD_OVERRIDES = (b"x-http-method-override", b"x-http-method", b"x-method-override")


@dataclass(slots=True)
class RestDetail:
    """What a REST head told: the operations it may be, and its parts decoded."""

    group: Group
    candidates: list[tuple[Binding, list[str]]]
    query: Query
    headers: Headers
    host_prefix: str
    bucket: str = ""
    """What Host says instead of the path (S3's virtual-host style)."""
    query_in_body: bool = False
    """The body is the query of a GET (CloudSearch)."""


def rest_route(head: RequestHead, group: Group, region: str, prefix: str) -> Route:
    """The route of a request that no RPC protocol names."""
    for name in _METHOD_OVERRIDES:
        if name in head.by_name:
            refuse("a header asks for another method than the request line's")
    headers: Headers = head.by_name
    if (
        head.path == _SEARCH_PATH
        and head.method == b"POST"
        and media_type(head) == FORM
    ):
        return _search_route(group, headers, region, prefix)
    if b"aws-chunked" in headers.get(b"content-encoding", b""):
        headers = _without_framing(headers)
    query = parse_query(head.query)
    for key in SIGNING_QUERY & query.keys():
        del query[key]
    # The JavaScript SDK names the operation once more.
    hint = query.pop("x-id", None)
    bucket = ""
    if group.is_s3(head.path, headers):
        query, headers = _s3_view(query, headers)
        bucket = _bucket(prefix)
    strict = _strict_headers(headers) if "s3" in group.services else ()
    best: list[tuple[Binding, list[str]]] = []
    for bindings, labels in group.rest_matches(
        head.method, head.path, query, headers, bucket
    ):
        best = [
            (binding, labels)
            for binding in bindings
            if binding.fits(query, headers, strict)
            and (_in_bucket(binding, bucket) or host_fits(binding.host_prefix, prefix))
            and (hint is None or hint == [binding.operation])
        ]
        if best:
            break
    if not best:
        method = head.method[:16].decode("latin-1")
        raise UnrecognisedError(
            "aws.unknown_operation",
            f"no operation of the signed service is {method} on this path and query",
        )
    first = best[0][0]
    if first.service == "s3" and first.labels and group.signing_name in _NOT_BUCKETS:
        # Their hosts name an access point, which reads like a bucket.
        raise UnrecognisedError(
            "aws.access_point",
            "object lambda and outposts are reached by their access point's alias",
        )
    rank = max(binding.rank for binding, _ in best)
    best = [entry for entry in best if entry[0].rank == rank]
    first = best[0][0]
    xml = Protocol.REST_XML in group.services[first.service].protocols
    return Route(
        first.service,
        Protocol.REST_XML if xml else Protocol.REST_JSON,
        region,
        tuple(dict.fromkeys(binding.operation for binding, _ in best)),
        all(binding.streams for binding, _ in best),
        RestDetail(
            group, best, query, headers, prefix, "" if first.host_prefix else bucket
        ),
    )


_SEARCH_PATH = b"/2013-01-01/search"
_SEARCH_QUERY = {"format": ["sdk"], "pretty": ["true"]}


def _search_route(group: Group, headers: Headers, region: str, prefix: str) -> Route:
    """CloudSearch's search: SDKs send its query as a form, for its length."""
    matches = group.rest_matches(b"GET", _SEARCH_PATH, _SEARCH_QUERY, headers, "")
    if "cloudsearchdomain" not in group.services or not matches or prefix:
        refuse("a form goes to no operation of the signed service")
    bindings, labels = matches[0]
    return Route(
        bindings[0].service,
        Protocol.REST_JSON,
        region,
        (bindings[0].operation,),
        False,
        RestDetail(
            group, [(bindings[0], labels)], {}, headers, prefix, query_in_body=True
        ),
    )


def _without_framing(headers: Headers) -> Headers:
    """Leave the object's own coding: aws-chunked is framing, undone before us."""
    left = dict(headers)
    codings = [coding.strip() for coding in left.pop(b"content-encoding").split(b",")]
    own = b",".join(coding for coding in codings if coding not in (b"", b"aws-chunked"))
    return left | {b"content-encoding": own} if own else left


def _s3_view(query: Query, headers: Headers) -> tuple[Query, Headers]:
    """Query and headers as S3 sees them: a presigned URL may carry the headers."""
    hoisted = [key for key in query if key.lower().startswith("x-amz-")]
    if not hoisted:
        return query, headers
    query, seen = dict(query), dict(headers)
    for key in hoisted:
        values = query.pop(key)
        name, value = key.lower().encode(), values[0].encode()
        if len(values) != 1 or seen.get(name, value) != value:
            refuse("the query holds a header twice, or otherwise than the head")
        seen[name] = value
    return query, seen


def _bucket(prefix: str) -> str:
    if prefix and not prefix.endswith("."):
        refuse("the Host header names no bucket", "aws.bad_host")
    return prefix[:-1]


def _in_bucket(binding: Binding, bucket: str) -> bool:
    return bucket != "" and not binding.host_prefix


def _strict_headers(headers: Headers) -> list[bytes]:
    return [
        name
        for name in headers
        if name.startswith(b"x-amz-")
        and name not in _S3_GENERAL
        and not name.startswith(b"x-amz-checksum-")
    ]


def rest_readings(
    detail: RestDetail, head: RequestHead, body: bytes | None
) -> list[tuple[Binding, dict[str, Any]]]:
    """The operations that head and body fit, each with its parameters; at least one.

    Raises:
        UnrecognisedError: the body fits none of them.
    """
    encoding = head.by_name.get(b"content-encoding")
    if body and encoding is not None and not _is_opaque(detail):
        body = decoded(encoding, body)
    if detail.query_in_body:
        query = parse_query(body or b"")
        if not detail.candidates[0][0].fits(query, detail.headers, ()):
            refuse("the form is not the query of the operation")
        detail, body = replace(detail, query=query), b""
    readings = []
    refusal: UnrecognisedError | None = None
    for binding, labels in detail.candidates:
        try:
            readings.append((binding, _parameters(detail, binding, labels, body)))
        except UnrecognisedError as error:
            refusal = refusal or error
    if not readings and refusal is not None:
        raise refusal
    return readings


def _is_opaque(detail: RestDetail) -> bool:
    """Whether the body's coding is the payload's own business (S3, Lambda)."""
    return any(binding.payload_is_blob for binding, _ in detail.candidates)


def _parameters(
    detail: RestDetail, binding: Binding, labels: list[str], body: bytes | None
) -> dict[str, Any]:
    parameters = binding.parameters(labels, detail.query, detail.headers)
    if body is not None and not binding.streams:
        service = detail.group.services[binding.service]
        if binding.payload is not None and binding.payload_is_blob:
            name, index, _ = binding.payload
            if body:
                blob = SCALARS[index] == "blob"
                parameters[name] = body if blob else text_of(body)
        elif body:
            kind = b""
            if not binding.models_header(b"content-type"):
                kind = detail.headers.get(b"content-type", b"")
            _add_body(parameters, binding, service, body, kind)
    if detail.host_prefix and not detail.bucket:
        check_host(binding.host_prefix, detail.host_prefix, parameters)
    return parameters


def _add_body(
    parameters: dict[str, Any],
    binding: Binding,
    service: Service,
    body: bytes,
    content_type: bytes,
) -> None:
    """Read a body that holds parameters, by the operation's model."""
    reference = service.operation(binding.operation).reference
    if binding.payload is not None:
        reference = binding.payload[1:]
    if reference is None or not (binding.payload or binding.has_body):
        if body not in EMPTY_BODIES:
            refuse("the call takes no body and has one")
        return
    kind = content_type.partition(b";")[0].strip().lower()
    if Protocol.REST_XML in service.protocols:
        if kind == FORM or kind in JSON_TYPES:
            refuse("the body's content type is not XML")
        root = parse_xml(body)
        own = binding.payload[0] if binding.payload else root.name
        if root.name != reference[1].get("name", own):
            refuse_member(root.name)
        value = service.xml_reader(reference).read(root, 0)
    else:
        if kind and kind not in JSON_TYPES:
            refuse("the body's content type is not JSON")
        value = service.json_reader(reference).read(parse_json(body), 0)
    if binding.payload is not None:
        parameters[binding.payload[0]] = value
    else:
        parameters.update(value)
