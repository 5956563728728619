"""The services behind one signing name, indexed by how a request names them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from gatekeep.aws.ambiguities import in_order
from gatekeep.aws.bindings import Binding, Headers, Query
from gatekeep.aws.call import Protocol
from gatekeep.aws.catalogue import Catalogue, Operation, Service
from gatekeep.aws.former_query import is_queue_path
from gatekeep.aws.routes import RestRouter, S3Router

_REST = (Protocol.REST_JSON, Protocol.REST_XML)
_FORMS = (Protocol.QUERY, Protocol.EC2)

_S3_CONTROL_PATH = b"/v20180820/"
"""Where every path of S3 Control begins. A bucket may have this name too; what
tells them apart is the account or outpost id header that S3 Control's clients sign."""

_S3_OUTPOSTS_PATH = b"/S3Outposts/"
"""Where every path of S3 on Outposts begins; no bucket has capitals."""


class Target:
    """One operation of an RPC protocol, with the reader of its body.

    Attributes:
        service: the service that has it.
        operation: as modelled.
        protocol: that names it.
        reader: of its input; None when it takes nothing.
        candidates: its name, as `Route.candidates` wants it.
    """

    __slots__ = (
        "candidates",
        "operation",
        "protocol",
        "reader",
        "service",
    )

    def __init__(
        self, service: Service, operation: Operation, protocol: Protocol
    ) -> None:
        self.service = service
        self.operation = operation
        self.protocol = protocol
        self.candidates = (operation.name,)
        reference = operation.reference
        self.reader: Any = None
        if reference is None:
            return
        if protocol is Protocol.JSON:
            self.reader = service.json_reader(reference)
        elif protocol is Protocol.CBOR:
            self.reader = service.cbor_reader(reference)
        else:
            self.reader = service.form_reader(reference)


class Group:
    """Services that share a signing name; indexes are built when first needed."""

    def __init__(
        self, catalogue: Catalogue, signing_name: str, names: tuple[str, ...]
    ) -> None:
        self.signing_name = signing_name
        self.services = {name: catalogue.service(name) for name in names}
        self.regions = {name: catalogue.regions(name) for name in names}
        """By service."""
        self.any_region = frozenset[str]().union(*self.regions.values())
        """Where at least one of them is."""
        self.has_forms = any(self._speaking(_FORMS))
        self.has_rest = any(self._speaking(_REST))
        self._targets: dict[tuple[Protocol, bytes], Target] = {}
        self._forms: dict[str, list[Target]] = {}

    def _speaking(self, protocols: tuple[Protocol, ...]) -> Iterator[Service]:
        for service in self.services.values():
            if any(_speaks(service, protocol) for protocol in protocols):
                yield service

    def takes_form(self, path: bytes) -> bool:
        """Whether a form may be sent to this path."""
        return self.has_forms and (
            path == b"/" or ("sqs" in self.services and is_queue_path(path))
        )

    # --- RPC ----------------------------------------------------------------------

    def json_target(self, header: bytes) -> Target | None:
        """The operation of an ``X-Amz-Target``."""
        return self._target(Protocol.JSON, header, b".")

    def cbor_target(self, path: bytes) -> Target | None:
        """The operation of a path ``/service/<prefix>/operation/<name>``."""
        parts = path.split(b"/")
        if len(parts) != 5 or parts[1] != b"service" or parts[3] != b"operation":
            return None
        return self._target(Protocol.CBOR, parts[2] + b"/" + parts[4], b"/")

    def _target(self, protocol: Protocol, key: bytes, dot: bytes) -> Target | None:
        target = self._targets.get((protocol, key))
        if target is None:
            prefix, _, raw = key.rpartition(dot)
            name = raw.decode("latin-1")
            names = [
                service.name
                for service in self._speaking((protocol,))
                if service.target_prefix.encode() == prefix
                and name in service.operations
            ]
            if names:
                service = self.services[in_order(names)[0]]
                target = Target(service, service.operation(name), protocol)
                self._targets[protocol, key] = target
        return target

    @cached_property
    def form_operations(self) -> tuple[str, ...]:
        """Every operation a form may name."""
        names = {n for s in self._speaking(_FORMS) for n in s.operations}
        return tuple(sorted(names))

    @cached_property
    def form_service(self) -> Service:
        """The service a form is for until its ``Version`` and ``Action`` say."""
        return next(self._speaking(_FORMS))

    def form_targets(self, version: str, action: str) -> list[Target]:
        """The operations of a form's ``Version`` and ``Action``, likeliest first."""
        key = f"{version} {action}"
        targets = self._forms.get(key)
        if targets is None:
            names = [
                service.name
                for service in self._speaking(_FORMS)
                if service.api_version == version and action in service.operations
            ]
            targets = []
            for name in in_order(names):
                service = self.services[name]
                protocol = next(p for p in _FORMS if _speaks(service, p))
                targets.append(Target(service, service.operation(action), protocol))
            if targets:
                self._forms[key] = targets
        return targets

    # --- REST ---------------------------------------------------------------------

    @cached_property
    def _rest(self) -> RestRouter:
        return RestRouter(
            bound
            for service in self._speaking(_REST)
            if service.name != "s3"
            for bound in service.bindings()
        )

    @cached_property
    def _s3(self) -> S3Router:
        return S3Router(self.services["s3"].bindings())

    def rest_matches(
        self, method: bytes, path: bytes, query: Query, headers: Headers,
        bucket: str,
    ) -> list[tuple[list[Binding], list[str]]]:  # fmt: skip
        """REST routes by falling precedence (`RestRouter.matches`)."""
        if self.is_s3(path, headers):
            return self._s3.matches(method, path, query, bucket)
        return self._rest.matches(method, path, query)

    def is_s3(self, path: bytes, headers: Headers) -> bool:
        """Whether a REST request is S3's own, by bucket and key."""
        if "s3" not in self.services:
            return False
        if path.startswith(_S3_CONTROL_PATH):
            return not (
                b"x-amz-account-id" in headers or b"x-amz-outpost-id" in headers
            )
        return not (
            "s3outposts" in self.services and path.startswith(_S3_OUTPOSTS_PATH)
        )


def _speaks(service: Service, protocol: Protocol) -> bool:
    """Whether a service answers to a protocol: a query-compatible one, to query too."""
    return protocol in service.protocols or (
        protocol is Protocol.QUERY and service.query_compatible
    )
