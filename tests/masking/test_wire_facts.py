"""The tables of wire facts say what the installed botocore's models say."""

from functools import cache

import pytest
from botocore.loaders import Loader

from gatekeep.masking.detectors import fold
from gatekeep.masking.wire_facts import BLOBS, EVENT_STREAMS, PAYLOADS

LOADER = Loader()
TYPED = {"dynamodb", "dynamodbstreams"}  # their type names say it, not their members

SERVICES = sorted({
    *BLOBS, *PAYLOADS, *EVENT_STREAMS, *TYPED, "sns", "stepfunctions", "ssm", "events", "ec2",
    "rds", "cloudformation", "ecs", "sts",
})  # fmt: skip


@cache
def facts(service: str) -> tuple[set[bytes], set[str], set[str]]:
    """Blob members, payload operations and event-stream operations of a model."""
    model = LOADER.load_service_model(service, "service-2")
    shapes = model["shapes"]
    blobs: set[bytes] = set()
    payloads: set[str] = set()
    streams: set[str] = set()
    seen: set[str] = set()

    def walk(name: str, payload: str = "") -> None:
        if name in seen:
            return
        seen.add(name)
        shape = shapes[name]
        for key, member in shape.get("members", {}).items():
            if key == payload or member.get("location") or member.get("eventpayload"):
                continue
            target = shapes[member["shape"]]
            while target["type"] == "list":
                target = shapes[target["member"]["shape"]]
            if member.get("streaming") or target.get("streaming"):
                continue
            if target["type"] == "blob":
                blobs.add(fold(member.get("locationName", key).encode()))
            walk(member["shape"])
        for part in ("member", "value"):
            if part in shape:
                walk(shape[part]["shape"])

    for operation, described in model["operations"].items():
        output = described.get("output", {}).get("shape")
        if output:
            members = shapes[output].get("members", {})
            payload = shapes[output].get("payload", "")
            kinds = {key: shapes[member["shape"]] for key, member in members.items()}
            if any(kind.get("eventstream") for kind in kinds.values()):
                streams.add(operation)
                payload = ""
            elif payload and kinds[payload]["type"] in ("blob", "string"):
                payloads.add(operation)
            walk(output, payload)
        for error in described.get("errors", []):
            walk(error["shape"])
    return blobs, payloads, streams


@pytest.mark.parametrize("service", SERVICES)
def test_a_services_blobs_payloads_and_streams_are_those_of_its_model(service):
    blobs, payloads, streams = facts(service)
    assert BLOBS.get(service, frozenset()) == (
        frozenset() if service in TYPED else blobs
    )
    assert PAYLOADS.get(service, frozenset()) == payloads
    assert EVENT_STREAMS.get(service, frozenset()) == streams
