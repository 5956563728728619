"""From a request's bytes to the AWS call they are.

Two steps, because some bodies must be decided before they are read: `route` takes
the head and names the service and the operations it may be; `call` takes the body
and gives operation, parameters and the permissions needed. Signing name, Host, path
and target each select among what the catalogue has; none of them composes anything
(I7). What does not fit the models exactly is refused with `UnrecognisedError` (I3).
"""

from __future__ import annotations

from typing import NoReturn

from gatekeep.aws.actions import needs_of
from gatekeep.aws.ambiguities import settle
from gatekeep.aws.arns import Place
from gatekeep.aws.call import Call, Need, Route, UnrecognisedError
from gatekeep.aws.catalogue import Catalogue
from gatekeep.aws.groups import Group
from gatekeep.aws.hosts import Hostnames
from gatekeep.aws.readers import refuse
from gatekeep.aws.rest import RestDetail, rest_readings, rest_route
from gatekeep.aws.rpc import (
    RpcDetail,
    cbor_route,
    form_route,
    json_route,
    rpc_parameters,
)
from gatekeep.aws.statements import statements_of
from gatekeep.http.messages import RequestHead

_DECISIVE = frozenset((
    b"content-encoding", b"content-type", b"host", b"smithy-protocol",
))  # fmt: skip
"""Fields that select the call, with all ``x-amz-`` fields: sent twice, AWS might take
the other one."""


class Recogniser:
    """Names the call that a request makes.

    Args:
        catalogue: the services.
        hostnames: names by which agents reach the gateway, without ports.
    """

    def __init__(self, catalogue: Catalogue, *, hostnames: tuple[str, ...]) -> None:
        self._catalogue = catalogue
        self._hostnames = Hostnames(hostnames)
        self._groups: dict[str, Group] = {}
        self._places: dict[tuple[str, str], Place] = {}

    def untagged(self, head: RequestHead) -> tuple[RequestHead, str]:
        """The head without a path tag, and the service that the tag names.

        ``AWS_ENDPOINT_URL_DOCDB=https://gateway/~docdb`` makes an SDK put ``/~docdb``
        before every path: it says which of the services that share a signing name is
        meant. No bucket and no modelled path begins with ``~``; behind a bucket's own
        host name such a path is a key.

        Raises:
            UnrecognisedError: the Host header names none of our names.
        """
        if not head.target.startswith(b"/~"):
            return head, ""
        if self._hostnames.prefix(head.get(b"host")):
            return head, ""
        tag, slash, rest = head.target[2:].partition(b"/")
        if not slash:
            tag, mark, rest = tag.partition(b"?")
            rest = mark + rest
        if not tag:
            return head, ""
        service = tag.decode("latin-1")
        return RequestHead(head.method, b"/" + rest, head.fields, head.version), service

    def route(
        self, head: RequestHead, *, signing_name: str, region: str, service: str = ""
    ) -> Route:
        """The service, and the operations the head may mean.

        Args:
            head: as received, but for a path tag.
            signing_name: the service of the verified credential scope.
            region: the region of that scope; it must be one the service has.
            service: what the path tag named; it selects among the services of that
                signing name and can name no other.

        Raises:
            UnrecognisedError: no service, or no operation, fits the head.
        """
        group = self._groups.get(
            f"{service}/{signing_name}" if service else signing_name
        )
        if group is None:
            group = self._group(signing_name, service)
        if region not in group.any_region:
            _refuse_region(region)
        by_name = head.by_name
        if len(by_name) != len(head.fields):
            _refuse_repeated(head)
        prefix = self._hostnames.prefix(by_name.get(b"host", b""))
        target = by_name.get(b"x-amz-target")
        if target is not None:
            return json_route(head, group, target, region, prefix)
        if b"smithy-protocol" in by_name:
            return cbor_route(head, group, region, prefix)
        if group.takes_form(head.path):
            route = form_route(head, group, region, prefix)
            if route is not None:
                return route
        if not group.has_rest:
            raise UnrecognisedError(
                "aws.unknown_protocol",
                "the service does not speak the protocol of this request",
            )
        return rest_route(head, group, region, prefix)

    def _group(self, signing_name: str, service: str) -> Group:
        names = self._catalogue.signing_names().get(signing_name)
        if names is None:
            raise UnrecognisedError(
                "aws.unknown_service", f"no AWS service signs as {signing_name[:64]!r}"
            )
        key = signing_name
        if service:
            if service not in names:
                raise UnrecognisedError(
                    "aws.foreign_tag",
                    f"the path tag names {service[:64]!r}, which does not sign as"
                    f" {signing_name!r}",
                )
            key, names = f"{service}/{signing_name}", (service,)
        group = self._groups[key] = Group(self._catalogue, signing_name, names)
        return group

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
        place = self._place(route.region, account_id)
        detail = route.detail
        if type(detail) is RpcDetail:
            target, parameters = rpc_parameters(detail, head, body or b"")
            name, operation = target.service.name, target.operation.name
            if route.region not in detail.group.regions[name]:
                _refuse_region(route.region)
            return Call(
                name,
                operation,
                target.protocol,
                route.region,
                needs_of(self._catalogue, target.service, operation, parameters, place),
                parameters,
                statements_of(name, operation, parameters),
                (),
                detail.host_prefix,
            )
        if type(detail) is not RestDetail:
            raise TypeError("the route was not made by a recogniser")
        readings = settle(detail.group.signing_name, rest_readings(detail, head, body))
        if route.region not in detail.group.regions[readings[0][0].service]:
            _refuse_region(route.region)
        needs: dict[Need, None] = {}
        statements: list[str] = []
        for binding, parameters in readings:
            service = detail.group.services[binding.service]
            name, operation = binding.service, binding.operation
            needs |= dict.fromkeys(
                needs_of(self._catalogue, service, operation, parameters, place)
            )
            statements += statements_of(name, operation, parameters)
        binding, parameters = readings[0]
        return Call(
            binding.service,
            binding.operation,
            route.protocol,
            route.region,
            tuple(needs),
            parameters,
            tuple(statements),
            tuple(f"{b.service}:{b.operation}" for b, _ in readings)
            if len(readings) > 1
            else (),
            detail.host_prefix,
        )

    def _place(self, region: str, account_id: str) -> Place:
        place = self._places.get((region, account_id))
        if place is None:
            place = Place(self._catalogue.partition(region), region, account_id)
            if len(self._places) < _PLACES_KEPT:
                self._places[region, account_id] = place
        return place


_PLACES_KEPT = 1024
"""Pairs of region and account remembered."""


def _refuse_region(region: str) -> NoReturn:
    raise UnrecognisedError(
        "aws.unknown_region", f"the service is not in region {region[:64]!r}"
    )


def _refuse_repeated(head: RequestHead) -> None:
    """Raise when a field that selects the call stands twice."""
    seen = set()
    for name, _ in head.fields:
        if name in seen and (name in _DECISIVE or name.startswith(b"x-amz-")):
            refuse(f"the header {name.decode('latin-1')} stands twice")
        seen.add(name)
