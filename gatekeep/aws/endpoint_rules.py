"""AWS's endpoint rules: host, signing name and signing region of a call.

Evaluates the rule sets that botocore ships, with botocore's own evaluator and the
parameters that an SDK would give, and checks each answer against the URLs that the
rule set has in it: a host that is not one of them, with each hole but region and
suffix filled by one DNS label, is never given out.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import BotoCoreError

from gatekeep.aws.catalogue import Service
from gatekeep.aws.models import DATA
from gatekeep.errors import UnsupportedError

_FIXED: Mapping[str, object] = {
    # Endpoints with the account in their name only spread load; without, the host
    # does not depend on what the client sends.
    "AccountIdEndpointMode": "disabled",
    "Accelerate": False,
    # MRAP needs SigV4A and spans regions.
    "DisableMultiRegionAccessPoints": True,
    # The session of S3 Express would be an AWS credential in the agent's hands (I4);
    # S3 takes plain SigV4 as well.
    "DisableS3ExpressSessionAuth": True,
    "ForcePathStyle": False,
    # An ARN of another region than the one the policy decided on is an error.
    "UseArnRegion": False,
    "UseDualStack": False,
    "UseFIPS": False,
    "UseGlobalEndpoint": False,
}
"""What SDK settings would say; one fixed choice for all agents."""

_GIVEN = frozenset({"Region", "Endpoint", *_FIXED})
_UNUSED = frozenset({"CopySource", "Key", "Prefix", "ResourceArnList"})
"""Parameters that the rules have and no rule that we can reach reads."""

_hole = re.compile(r"\{([^}]*)\}")


class Rule(NamedTuple):
    """What the rules say of a call."""

    host: str
    signing_name: str
    signing_region: str
    bucket_in_path: bool
    """Path style; false where no bucket is asked for."""


class EndpointRules:
    """The endpoint rules of one service."""

    def __init__(self, service: Service) -> None:
        directory = DATA / service.name / service.data_version
        rules = _read_gzip(directory / "endpoint-rule-set-1.json.gz")
        partitions = json.loads((DATA / "partitions.json").read_bytes())
        self._service = service
        self._provider = EndpointProvider(rules, partitions)
        self._parameters = frozenset(rules["parameters"])
        self._is_known_host = re.compile(
            "|".join(sorted(set(_host_patterns(rules, partitions))))
        ).fullmatch
        self.take_account = "RequiresAccountId" in rules["parameters"]
        """The rules put the account before the host; the models would do so again."""
        self._static: dict[str, dict[str, object]] = {}
        self._members: dict[str, tuple[tuple[str, str], ...]] = {}
        if self._parameters - _GIVEN:
            self._read_operations(_read_gzip(directory / "service-2.json.gz"))

    def members(self, operation: str) -> tuple[str, ...]:
        """Input members of an operation that its host can depend on."""
        return tuple(member for member, _ in self._members.get(operation, ()))

    def resolve(self, operation: str, region: str, given: Mapping[str, object]) -> Rule:
        """Return where an operation is served.

        Args:
            operation: of this service.
            region: one that the service has.
            given: the call's parameters by member name.

        Raises:
            UnsupportedError: the rules have no endpoint for it, or one that takes
                SigV4A only.
        """
        parameters = {
            name: value for name, value in _FIXED.items() if name in self._parameters
        }
        parameters |= {"Region": region, **self._static.get(operation, {})}
        for member, name in self._members.get(operation, ()):
            value = given.get(member)
            if isinstance(value, str):
                parameters[name] = value
        try:
            found = self._provider.resolve_endpoint(**parameters)
        except BotoCoreError as error:
            raise UnsupportedError(
                "endpoint.none",
                f"{self._service.name} has no endpoint for {operation} in {region}",
                detail=str(error),
            ) from error
        schemes = {
            scheme["name"]: scheme
            for scheme in found.properties.get("authSchemes", ({"name": "sigv4"},))
        }
        if "sigv4" not in schemes:
            raise UnsupportedError(
                "endpoint.sigv4a",
                f"the endpoint of {operation} spans regions and takes SigV4A only; use"
                " one of a single region",
            )
        url = urlsplit(found.url)
        if url.scheme != "https" or not self._is_known_host(url.netloc):
            raise UnsupportedError(
                "endpoint.host", f"the endpoint of {operation} would be outside AWS"
            )
        return Rule(
            url.netloc.lower(),
            schemes["sigv4"].get("signingName", self._service.signing_name),
            schemes["sigv4"].get("signingRegion", region),
            bool(url.path.strip("/")),
        )

    def _read_operations(self, model: dict[str, Any]) -> None:
        """Learn which operations give the rules more than a region."""
        shapes = model["shapes"]
        for name, operation in model["operations"].items():
            static = operation.get("staticContextParams", {})
            self._static[name] = {key: value["value"] for key, value in static.items()}
            shape = shapes[operation["input"]["shape"]] if "input" in operation else {}
            self._members[name] = tuple(
                (member, parameter)
                for member, described in shape.get("members", {}).items()
                if (parameter := described.get("contextParam", {}).get("name"))
                and self._reads(parameter)
            )

    def _reads(self, parameter: str) -> bool:
        """Whether a rule that we can reach reads a parameter."""
        if parameter in _UNUSED:
            return False
        # With the account's endpoints off, these rule sets do not look at ARNs.
        by_account = {"ResourceArn", "StreamArn", "ShardIterator", "EventBusArn"}
        return not (
            parameter in by_account and "AccountIdEndpointMode" in self._parameters
        )


def _host_patterns(rules: object, partitions: dict[str, Any]) -> Iterator[str]:
    """Patterns of the hosts of all URLs in a rule set."""
    suffixes = {
        re.escape(partition["outputs"][name])
        for partition in partitions["partitions"]
        for name in ("dnsSuffix", "dualStackDnsSuffix")
    }
    suffix = f"(?:{'|'.join(sorted(suffixes))})"
    for template in _urls(rules):
        host = template.removeprefix("https://").partition("/")[0]
        if template.startswith("https://") and "{url#" not in host:
            parts = _hole.split(host)
            for index in range(1, len(parts), 2):
                is_suffix = parts[index].endswith(("#dnsSuffix", "#dualStackDnsSuffix"))
                parts[index] = suffix if is_suffix else "[A-Za-z0-9-]{1,63}"
            for index in range(0, len(parts), 2):
                parts[index] = re.escape(parts[index])
            yield "".join(parts)


def _urls(rules: object) -> Iterator[str]:
    if isinstance(rules, dict):
        url = rules.get("url")
        if isinstance(url, str):
            yield url
        for value in rules.values():
            yield from _urls(value)
    elif isinstance(rules, list):
        for value in rules:
            yield from _urls(value)


def _read_gzip(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return loaded
