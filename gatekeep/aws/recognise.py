"""From a request's bytes to the AWS call they are.

Two steps, because some bodies must be decided before they are read: `route` takes
the head and names the service and the operations it may be; `call` takes the body
and gives operation, parameters and the permissions needed. Signing name, Host, path
and target each select among what the catalogue has; none of them composes anything
(I7). What does not fit the models exactly is refused with `UnrecognisedError` (I3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatekeep.aws.actions import needs_of
from gatekeep.aws.ambiguities import settle
from gatekeep.aws.arns import Place
from gatekeep.aws.bindings import Binding, Query
from gatekeep.aws.call import Call, Need, Protocol, Route, UnrecognisedError
from gatekeep.aws.catalogue import Catalogue, Service
from gatekeep.aws.documents import (
    inflate,
    parse_cbor,
    parse_form,
    parse_json,
    text_of,
)
from gatekeep.aws.forms import grow_tree
from gatekeep.aws.groups import Group, Target, host_fits, host_pattern
from gatekeep.aws.models import SCALARS
from gatekeep.aws.readers import refuse, refuse_member
from gatekeep.aws.routes import parse_query
from gatekeep.aws.statements import statements_of
from gatekeep.aws.xmlbody import parse_xml
from gatekeep.http.messages import RequestHead

_SIGNING_QUERY = frozenset((
    "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires",
    "X-Amz-Region-Set", "X-Amz-Security-Token", "X-Amz-Signature",
    "X-Amz-SignedHeaders", "X-Amz-Content-Sha256",
))  # fmt: skip
"""What a presigned URL adds; verified by `sigv4`, no part of the call."""

_S3_GENERAL = frozenset((
    "x-amz-content-sha256", "x-amz-date", "x-amz-decoded-content-length",
    "x-amz-region-set", "x-amz-s3session-token", "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token", "x-amz-te", "x-amz-trailer", "x-amz-user-agent",
    "x-amz-expected-bucket-owner", "x-amz-request-payer", "x-amz-checksum-mode",
))  # fmt: skip
"""``x-amz-`` headers that never choose an operation. Anything else that begins so
must be one that the operation has: ``x-amz-copy-source`` turns a PUT into a copy."""

_S3_PREFIXES = ("s3.",)
_HOST_PREFIX = re.compile(r"[a-z0-9._-]*")
_EMPTY_BODIES = (b"", b"{}", b"\xa0", b"\xbf\xff")
_METHOD_OVERRIDES = (b"x-http-method-override", b"x-http-method", b"x-method-override")

_DECISIVE = frozenset((
    b"host", b"content-type", b"content-encoding", b"x-amz-target", b"smithy-protocol",
))  # fmt: skip
"""Fields that select the call. Sent twice, AWS might take the other one."""

_FORM = b"application/x-www-form-urlencoded"
_JSON_TYPES = frozenset((
    b"application/x-amz-json-1.0", b"application/x-amz-json-1.1", b"application/json",
))  # fmt: skip
_XML_TYPES = frozenset((b"application/xml", b"text/xml", b""))
_HOSTS_KEPT = 4096


@dataclass(slots=True)
class _Rest:
    """What a REST head told, kept for `Recogniser.call`."""

    group: Group
    candidates: list[tuple[Binding, list[str]]]
    query: Query
    headers: dict[str, str]
    host_prefix: str


@dataclass(slots=True)
class _Rpc:
    """What an RPC head told, kept for `Recogniser.call`."""

    group: Group
    target: Target | None
    host_prefix: str


class Recogniser:
    """Names the call that a request makes.

    Args:
        catalogue: the services.
        hostnames: names by which agents reach the gateway, without ports.
    """

    def __init__(self, catalogue: Catalogue, *, hostnames: tuple[str, ...]) -> None:
        self._catalogue = catalogue
        self._hostnames = sorted(
            {name.lower().strip("[]").encode() for name in hostnames},
            key=len,
            reverse=True,
        )
        self._hosts: dict[bytes, str] = {}
        self._groups: dict[str, Group] = {}

    # --- the head -----------------------------------------------------------------

    def route(self, head: RequestHead, *, signing_name: str, region: str) -> Route:
        """The service, and the operations the head may mean.

        Args:
            head: as received.
            signing_name: the service of the verified credential scope.
            region: the region of that scope; it must be one the service has.

        Raises:
            UnrecognisedError: no service, or no operation, fits the head.
        """
        group = self._groups.get(signing_name)
        if group is None:
            group = self._group(signing_name)
        if region not in group.regions:
            raise UnrecognisedError(
                "aws.unknown_region", f"the service is not in region {region[:64]!r}"
            )
        by_name = head.by_name
        if len(by_name) != len(head.fields):
            _refuse_repeated(head)
        host = by_name.get(b"host", b"")
        prefix = self._hosts.get(host)
        if prefix is None:
            prefix = self._host_prefix(host)
        target = by_name.get(b"x-amz-target")
        if target is not None:
            return _json_route(head, group, target, region, prefix)
        if b"smithy-protocol" in by_name:
            return _cbor_route(head, group, region, prefix)
        if group.has_forms and head.path == b"/":
            route = _form_route(head, group, region, prefix)
            if route is not None:
                return route
        return _rest_route(head, group, region, prefix)

    def _group(self, signing_name: str) -> Group:
        names = self._catalogue.signing_names().get(signing_name)
        if names is None:
            raise UnrecognisedError(
                "aws.unknown_service", f"no AWS service signs as {signing_name[:64]!r}"
            )
        group = self._groups[signing_name] = Group(self._catalogue, names)
        return group

    def _host_prefix(self, raw: bytes) -> str:
        """What stands before our own name in Host: ``bucket.``, ``sync-``, nothing."""
        host = raw.lower()
        name, colon, port = host.rpartition(b":")
        if colon and port.isdigit() and not name.endswith(b":"):
            host = name
        host = host.strip(b"[]")
        for name in self._hostnames:
            prefix = host[: len(host) - len(name)]
            if host.endswith(name) and (not prefix or prefix[-1:] in b".-"):
                break
        else:
            refuse("the Host header names none of the gateway's names", "aws.bad_host")
        text = prefix.decode("latin-1")
        if _HOST_PREFIX.fullmatch(text) is None:
            refuse("the Host header holds no host name", "aws.bad_host")
        if len(self._hosts) < _HOSTS_KEPT:
            self._hosts[raw] = text
        return text

    # --- the body -----------------------------------------------------------------

    def call(
        self, route: Route, head: RequestHead, body: bytes | None, *, account_id: str
    ) -> Call:
        """The call, with its parameters and the permissions it needs.

        Args:
            route: what `route` gave for this head.
            head: the same head.
            body: the whole body without transfer or aws-chunked framing; None when
                ``route.streams``.
            account_id: the account that the call acts in, for ARNs.

        Raises:
            UnrecognisedError: the body is not what the models say.
        """
        place = Place(self._catalogue.partition(route.region), route.region, account_id)
        detail = route.detail
        if type(detail) is _Rpc:
            target, parameters = _rpc_parameters(route, detail, head, body or b"")
            service = target.service
            return Call(
                service.name,
                target.operation.name,
                target.protocol,
                route.region,
                needs_of(
                    self._catalogue, service, target.operation.name, parameters, place
                ),
                parameters,
                statements_of(service.name, target.operation.name, parameters),
            )
        assert type(detail) is _Rest
        return self._rest_call(route, detail, head, body, place)

    def _rest_call(
        self,
        route: Route,
        detail: _Rest,
        head: RequestHead,
        body: bytes | None,
        place: Place,
    ) -> Call:
        plain = None if body is None else _plain_body(head, body, detail)
        readings: list[tuple[Binding, dict[str, Any]]] = []
        refusal: UnrecognisedError | None = None
        for binding, labels in detail.candidates:
            try:
                readings.append(
                    (binding, _rest_parameters(detail, binding, labels, plain))
                )
            except UnrecognisedError as error:
                refusal = error
        if not readings:
            assert refusal is not None
            raise refusal
        readings = settle(readings)
        needs: dict[Need, None] = {}
        statements: list[str] = []
        for binding, parameters in readings:
            service = detail.group.services[binding.service]
            for need in needs_of(
                self._catalogue, service, binding.operation, parameters, place
            ):
                needs[need] = None
            statements += statements_of(service.name, binding.operation, parameters)
        first, parameters = readings[0]
        several = len(readings) > 1
        return Call(
            first.service,
            first.operation,
            route.protocol,
            route.region,
            tuple(needs),
            parameters,
            tuple(statements),
            tuple(f"{b.service}:{b.operation}" for b, _ in readings) if several else (),
        )


def _refuse_repeated(head: RequestHead) -> None:
    """Raise when a field that selects the call stands twice."""
    seen = set()
    for name, _ in head.fields:
        if name in seen and (name in _DECISIVE or name.startswith(b"x-amz-")):
            refuse(f"the header {name.decode('latin-1')} stands twice")
        seen.add(name)


# --- RPC ------------------------------------------------------------------------


def _json_route(
    head: RequestHead, group: Group, name: bytes, region: str, prefix: str
) -> Route:
    target = group.json_target(name)
    if target is None:
        raise UnrecognisedError(
            "aws.unknown_operation",
            f"no operation {name[:128].decode('latin-1')!r} in the signed service",
        )
    if (
        head.method != b"POST"
        or head.target != b"/"
        or b"smithy-protocol" in head.by_name
    ):
        refuse("X-Amz-Target goes with POST / and nothing else")
    if head.by_name.get(b"content-type") not in _JSON_TYPES:
        _require_type(head, _JSON_TYPES)
    _check_host(target.host_prefix, prefix)
    return Route(
        target.service.name,
        Protocol.JSON,
        region,
        target.candidates,
        False,
        _Rpc(group, target, prefix),
    )


def _cbor_route(head: RequestHead, group: Group, region: str, prefix: str) -> Route:
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
        _require_type(head, frozenset((b"application/cbor",)))
    _check_host(target.host_prefix, prefix)
    return Route(
        target.service.name,
        Protocol.CBOR,
        region,
        target.candidates,
        False,
        _Rpc(group, target, prefix),
    )


def _form_route(
    head: RequestHead, group: Group, region: str, prefix: str
) -> Route | None:
    """The route of a form, or None when the request is not one."""
    if head.method == b"GET":
        if b"Action=" not in head.query:
            return None
    elif head.method != b"POST" or _media_type(head) != _FORM:
        return None
    elif head.query:
        refuse("a form is in the body or in the query, not in both")
    service = group.form_service
    return Route(
        service.name,
        Protocol.EC2 if Protocol.EC2 in service.protocols else Protocol.QUERY,
        region,
        group.form_operations,
        False,
        _Rpc(group, None, prefix),
    )


def _rpc_parameters(
    route: Route, detail: _Rpc, head: RequestHead, body: bytes
) -> tuple[Target, dict[str, Any]]:
    encoding = head.by_name.get(b"content-encoding")
    if encoding is not None:
        body = _decoded(encoding, body)
    target = detail.target
    if target is None:
        return _form_parameters(detail, head, body)
    reader = target.reader
    if reader is None:
        if body and body not in _EMPTY_BODIES:
            refuse("the call takes no parameters and has a body")
        return target, {}
    if not body:
        parameters: dict[str, Any] = {}
    elif target.protocol is Protocol.JSON:
        parameters = reader.read(parse_json(body), 0)
    else:
        parameters = reader.read(parse_cbor(body), 0)
    if detail.host_prefix:
        _check_host_labels(target.host_prefix, detail.host_prefix, parameters)
    return target, parameters


def _form_parameters(
    detail: _Rpc, head: RequestHead, body: bytes
) -> tuple[Target, dict[str, Any]]:
    if head.method == b"GET":
        if body:
            refuse("a form is in the body or in the query, not in both")
        form = parse_form(head.query)
        for name in _SIGNING_QUERY & form.keys():
            del form[name]
    else:
        form = parse_form(body)
    action = form.pop("Action", "")
    version = form.pop("Version", "")
    target = detail.group.form_target(version, action)
    if target is None:
        raise UnrecognisedError(
            "aws.unknown_operation",
            f"no operation {action[:64]!r} of version {version[:32]!r} "
            "in the signed service",
        )
    _check_host(target.host_prefix, detail.host_prefix)
    if target.reader is None:
        for name in form:
            refuse_member(name)
        return target, {}
    return target, target.reader.read(grow_tree(form), 0)


# --- REST -----------------------------------------------------------------------


def _rest_route(head: RequestHead, group: Group, region: str, prefix: str) -> Route:
    for name in _METHOD_OVERRIDES:
        if name in head.by_name:
            refuse("a header asks for another method than the request line's")
    headers = {
        name.decode("latin-1"): _header_text(value)
        for name, value in head.by_name.items()
    }
    query = parse_query(head.query)
    for key in _SIGNING_QUERY & query.keys():
        del query[key]
    # The JavaScript SDK names the operation once more.
    hint = query.pop("x-id", None)
    s3 = group.is_s3(head.path, headers)
    bucket = ""
    if s3:
        query, headers = _s3_view(query, headers)
        if prefix and prefix not in _S3_PREFIXES:
            if not prefix.endswith("."):
                refuse("the Host header names no bucket", "aws.bad_host")
            bucket = prefix[:-1]
    strict = "s3" in group.services
    matches = group.rest_matches(head.method, head.path, query, headers, bucket)
    view = (
        {k: v for k, v in headers.items() if k.startswith("x-amz-")} if strict else {}
    )
    view = {
        k: v
        for k, v in view.items()
        if k not in _S3_GENERAL and not k.startswith("x-amz-checksum-")
    }
    best: list[tuple[Binding, list[str]]] = []
    for bindings, labels in matches:
        best = [
            (binding, labels)
            for binding in bindings
            if binding.fits(query, headers, view)
            and (bucket or host_fits(binding.host_prefix, prefix))
            and (hint is None or hint == [binding.operation])
        ]
        if best:
            break
    if not best:
        raise UnrecognisedError(
            "aws.unknown_operation",
            f"no operation of the signed service is {head.method[:16].decode('latin-1')} "
            "on this path with this query",
        )
    rank = max(binding.rank for binding, _ in best)
    best = [entry for entry in best if entry[0].rank == rank]
    first = best[0][0]
    service = group.services[first.service]
    return Route(
        first.service,
        Protocol.REST_XML
        if Protocol.REST_XML in service.protocols
        else Protocol.REST_JSON,
        region,
        tuple(dict.fromkeys(binding.operation for binding, _ in best)),
        all(binding.streams for binding, _ in best),
        _Rest(group, best, query, headers, "" if bucket else prefix),
    )


def _s3_view(query: Query, headers: dict[str, str]) -> tuple[Query, dict[str, str]]:
    """Query and headers as S3 sees them: a presigned URL may carry the headers."""
    hoisted = [key for key in query if key.lower().startswith("x-amz-")]
    if hoisted:
        query = dict(query)
        headers = dict(headers)
        for key in hoisted:
            values = query.pop(key)
            name = key.lower()
            if len(values) != 1 or headers.get(name, values[0]) != values[0]:
                refuse("a header stands in the query twice or otherwise in the head")
            headers[name] = values[0]
    return query, headers


def _plain_body(head: RequestHead, body: bytes, detail: _Rest) -> bytes:
    encoding = head.by_name.get(b"content-encoding")
    if encoding is None or any(b.payload_is_blob for b, _ in detail.candidates):
        return body
    return _decoded(encoding, body)


def _rest_parameters(
    detail: _Rest, binding: Binding, labels: list[str], body: bytes | None
) -> dict[str, Any]:
    parameters = binding.parameters(labels, detail.query, detail.headers)
    service = detail.group.services[binding.service]
    if body is not None and not binding.streams:
        _add_body(parameters, binding, service, body, detail.headers)
    if detail.host_prefix:
        _check_host_labels(
            host_pattern(binding.host_prefix), detail.host_prefix, parameters
        )
    return parameters


def _add_body(
    parameters: dict[str, Any],
    binding: Binding,
    service: Service,
    body: bytes,
    headers: dict[str, str],
) -> None:
    """Read the body into the parameters, by the operation's model."""
    if binding.payload is not None and binding.payload_is_blob:
        name, index, _ = binding.payload
        if body:
            parameters[name] = body if SCALARS[index] == "blob" else text_of(body)
        return
    if not body:
        return
    reference = service.operation(binding.operation).reference
    if binding.payload is not None:
        reference = binding.payload[1:]
    if reference is None or not (binding.payload or binding.has_body):
        if body not in _EMPTY_BODIES:
            refuse("the call takes no body and has one")
        return
    media = headers.get("content-type", "").partition(";")[0].strip().lower().encode()
    if Protocol.REST_XML in service.protocols:
        if media == _FORM or media in _JSON_TYPES:
            refuse("the body's content type is not XML")
        root = parse_xml(body)
        expected = reference[1].get(
            "name", binding.payload[0] if binding.payload else None
        )
        if expected is not None and root.name != expected:
            refuse_member(root.name)
        value = service.xml_reader(reference).read(root, 0)
    else:
        if media and media not in _JSON_TYPES:
            refuse("the body's content type is not JSON")
        value = service.json_reader(reference).read(parse_json(body), 0)
    if binding.payload is not None:
        parameters[binding.payload[0]] = value
    else:
        parameters.update(value)


# --- what the protocols share -----------------------------------------------------


def _media_type(head: RequestHead) -> bytes:
    return head.by_name.get(b"content-type", b"").partition(b";")[0].strip().lower()


def _require_type(head: RequestHead, allowed: frozenset[bytes]) -> None:
    if _media_type(head) not in allowed:
        refuse(
            "the content type is not the protocol's (older Java clients: set "
            "AWS_CBOR_DISABLE=true)"
        )


def _decoded(encoding: bytes, body: bytes) -> bytes:
    """The body without its Content-Encoding; aws-chunked is undone before us."""
    codings = [part.strip().lower() for part in encoding.split(b",")]
    codings = [
        part for part in codings if part not in (b"", b"identity", b"aws-chunked")
    ]
    if not codings:
        return body
    if codings != [b"gzip"]:
        refuse("the body has a content encoding that the gateway cannot undo")
    return inflate(body)


def _header_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _check_host(pattern: re.Pattern[str] | None, prefix: str) -> None:
    """Raise when Host puts something before our name that the model does not."""
    if prefix and (pattern is None or pattern.fullmatch(prefix) is None):
        refuse("the Host header puts a name before the gateway's", "aws.bad_host")


def _check_host_labels(
    pattern: re.Pattern[str] | None, prefix: str, parameters: Mapping[str, Any]
) -> None:
    """Raise when a label in Host is not the parameter of that name."""
    found = pattern.fullmatch(prefix) if pattern is not None else None
    if found is None:
        refuse("the Host header puts a name before the gateway's", "aws.bad_host")
    for name, label in found.groupdict().items():
        if str(parameters.get(name, label)).lower() != label:
            refuse("the Host header names another resource than the call")
