"""Where a call goes upstream: a closed table of hosts (I7).

The table is AWS's own: the endpoint rules that botocore ships (`endpoint_rules`). A
call picks a row by service, operation and region; nothing that a client sends
becomes part of a host but a bucket, an account id or the like where a rule has a
place for it, as one DNS label. Settings can name another endpoint instead, for
everything or by service.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from gatekeep.aws.call import Call
from gatekeep.aws.catalogue import Catalogue
from gatekeep.aws.endpoint_rules import EndpointRules, Rule
from gatekeep.errors import UnsupportedError
from gatekeep.http.messages import RequestHead
from gatekeep.limits import ENDPOINTS_MAX
from gatekeep.settings import UpstreamSettings

SIGNING_PARAMETERS = frozenset(
    {
        b"X-Amz-Algorithm",
        b"X-Amz-Content-Sha256",
        b"X-Amz-Credential",
        b"X-Amz-Date",
        b"X-Amz-Expires",
        b"X-Amz-Security-Token",
        b"X-Amz-Signature",
        b"X-Amz-SignedHeaders",
    }
)
"""What a presigned URL adds to a query."""


class Endpoint(NamedTuple):
    """Where one request goes, and what it asks there."""

    scheme: str
    """``https``, or ``http`` for an endpoint of the settings."""
    host: str
    port: int
    host_header: bytes
    """The host, with the port unless it is the scheme's own."""
    path_prefix: bytes
    """Path of an endpoint of the settings, without a slash at its end."""
    signing_region: str
    signing_name: str
    target: bytes
    """Path and query to send: the client's bytes, but for a bucket that moves
    between host and path and for the signature of a presigned URL."""


class _Place(NamedTuple):
    """An `Endpoint` without its target, and where it wants the bucket."""

    scheme: str
    host: str
    port: int
    host_header: bytes
    path_prefix: bytes
    signing_region: str
    signing_name: str
    bucket_in_path: bool


_host_label = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?").fullmatch
_label_hole = re.compile(r"\{(\w+)\}")


class Endpoints:
    """Says where each call goes.

    Args:
        upstream: endpoints of the settings, which win.
        catalogue: the services and their regions.
    """

    def __init__(self, upstream: UpstreamSettings, catalogue: Catalogue) -> None:
        self._upstream = upstream
        self._catalogue = catalogue
        self._rules: dict[str, EndpointRules] = {}
        self._members: dict[tuple[str, str], tuple[str, ...]] = {}
        self._places: dict[tuple[object, ...], _Place] = {}

    def resolve(self, call: Call, head: RequestHead) -> Endpoint:
        """Return where a call goes, and the target to ask for there.

        Args:
            call: recognised from the head.
            head: as received.

        Raises:
            UnsupportedError: the service is not in that region, or its endpoint is
                none that a gateway can stand before.
        """
        members = self._members.get((call.service, call.operation))
        if members is None:
            members = self._learn(call.service, call.operation)
        key: tuple[object, ...] = (call.service, call.operation, call.region)
        if members:
            key += tuple(map(call.parameters.get, members))
        place = self._places.get(key)
        if place is None:
            place = self._find(call)
            if len(self._places) >= ENDPOINTS_MAX:
                self._places.clear()
            self._places[key] = place
        target = head.target
        if b"X-Amz-" in head.query:
            target = _without_signature(head)
        if call.service == "s3" and bool(call.host_prefix) is place.bucket_in_path:
            target = _move_bucket(call, target)
        return Endpoint(*place[:7], place.path_prefix + target)

    def _learn(self, service: str, operation: str) -> tuple[str, ...]:
        """The input members that an operation's host depends on."""
        rules = self._rules.get(service)
        if rules is None:
            rules = EndpointRules(self._catalogue.service(service))
            self._rules[service] = rules
        prefix = self._catalogue.service(service).operation(operation).host_prefix
        names = rules.members(operation) + tuple(_label_hole.findall(prefix))
        members = tuple(dict.fromkeys(names))
        self._members[service, operation] = members
        return members

    def _find(self, call: Call) -> _Place:
        """The place of a call that was not seen yet."""
        service = self._catalogue.service(call.service)
        if call.region not in self._catalogue.regions(call.service):
            raise UnsupportedError(
                "endpoint.region",
                f"{call.service} has no endpoint in the region {call.region[:64]!r}",
            )
        rules = self._rules[call.service]
        rule = rules.resolve(call.operation, call.region, call.parameters)
        upstream = self._upstream
        named = upstream.service_endpoints.get(call.service, upstream.endpoint)
        if named is not None:
            return _named_place(named, rule)
        prefix = service.operation(call.operation).host_prefix
        if prefix and not rules.take_account:
            prefix = _label_hole.sub(lambda hole: _label(call, hole[1]), prefix)
        else:
            prefix = ""
        host = prefix + rule.host
        return _Place(
            "https",
            host,
            443,
            host.encode(),
            b"",
            rule.signing_region,
            rule.signing_name,
            rule.bucket_in_path,
        )


def _named_place(url: str, rule: Rule) -> _Place:
    """The place that a URL of the settings names: nothing stands before its host."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    default = 443 if parts.scheme == "https" else 80
    port = parts.port or default
    name = f"[{host}]" if ":" in host else host
    header = name if port == default else f"{name}:{port}"
    return _Place(
        parts.scheme,
        host,
        port,
        header.encode(),
        parts.path.rstrip("/").encode(),
        rule.signing_region,
        rule.signing_name,
        bucket_in_path=True,
    )


def _label(call: Call, member: str) -> str:
    """A parameter that stands before the host, if it is one DNS label."""
    value = call.parameters.get(member)
    if not isinstance(value, str) or not _host_label(value):
        raise UnsupportedError(
            "endpoint.label", f"{member} stands in the host and is no DNS label"
        )
    return value


def _without_signature(head: RequestHead) -> bytes:
    """The target of a presigned URL without what signs it."""
    kept = b"&".join(
        [
            pair
            for pair in head.query.split(b"&")
            if pair.partition(b"=")[0] not in SIGNING_PARAMETERS
        ]
    )
    return head.path + b"?" + kept if kept else head.path


def _move_bucket(call: Call, target: bytes) -> bytes:
    """The target with its bucket moved from host to path or from path to host.

    The rest, the key above all, stays as it is, byte for byte.
    """
    bucket = call.parameters.get("Bucket")
    if not isinstance(bucket, str):
        return target
    if call.host_prefix:
        return b"/" + quote(bucket, safe="").encode() + target
    path, mark, query = target.partition(b"?")
    key = path[1:].partition(b"/")[2]
    return b"/" + key + mark + query
