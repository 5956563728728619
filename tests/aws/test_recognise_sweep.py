"""Every operation of every service comes out of its own serialised request.

Each is serialised by botocore, in every protocol the service speaks, once with the
required parameters and once with all. It must come out as itself, with the parameters
that went in, or be one of the declared ambiguities.
"""

from __future__ import annotations

import collections
import datetime
from typing import Any

import pytest

from gatekeep.aws.ambiguities import BY_SIGNING_NAME, OLDER_NAMES, RULES
from gatekeep.aws.call import AccessLevel, Call, Protocol
from gatekeep.aws.catalogue import Catalogue
from gatekeep.aws.recognise import Recogniser
from tests.aws import wire

ACCOUNT = "111122223333"

_STATEMENT = 'SELECT * FROM "Music" WHERE Artist=?'

VALUES: dict[tuple[str, str], dict[str, Any]] = {
    ("dynamodb", "ExecuteStatement"): {"Statement": _STATEMENT},
    ("dynamodb", "BatchExecuteStatement"): {"Statements": [{"Statement": _STATEMENT}]},
    ("dynamodb", "ExecuteTransaction"): {
        "TransactStatements": [{"Statement": _STATEMENT}]
    },
    ("dynamodb", "TransactWriteItems"): {
        "TransactItems": [{"Put": {"TableName": "Music", "Item": {}}}]
    },
    ("s3", "CopyObject"): {"CopySource": "other/key"},
    ("s3", "UploadPartCopy"): {"CopySource": "other/key"},
    ("s3control", "CreateBucket"): {"OutpostId": "op-1"},
}
"""Parameters whose text must mean something, and the outpost that tells a bucket of
S3 Control from an object in a bucket called ``v20180820``."""

REST = (Protocol.REST_JSON, Protocol.REST_XML)

SAME_ELEMENT_TWICE = ("s3", "PutBucketNotification")
"""Its model writes two members as one XML element."""


def _parameters(
    service: str, operation: str, model: Any, whole: bool
) -> dict[str, Any]:
    shape = model.operation_model(operation).input_shape
    parameters = wire.parameters_of(shape, whole=whole)
    parameters.update(VALUES.get((service, operation), {}))
    if service == "s3" and "Bucket" in parameters:
        parameters["Bucket"] = "my-bucket"
    return parameters


def _alike(service: str, operation: str, call: Call) -> bool:
    """Whether a declared rule lets one operation come out as another."""
    if call.operation == operation:
        return any({service, call.service} <= set(rule.services) for rule in RULES)
    if call.service != service:
        return (operation, call.operation) == ("ListImports", "StartImport")
    return call.operation in (
        OLDER_NAMES.get((service, operation)),
        BY_SIGNING_NAME.get(("s3", operation)),
    )


def _payload(model: Any, operation: str) -> str:
    payload = model.operation_model(operation).input_shape.serialization["payload"]
    return str(payload)


def _same(sent: Any, got: Any) -> bool:
    """Whether parameters came through; a moment comes as the wire's text or number."""
    if isinstance(sent, datetime.datetime):
        return isinstance(got, int | float | str)
    if isinstance(sent, dict):
        # What is empty has no bytes in a form or a query.
        kept = {k: v for k, v in sent.items() if k in got or not _empty(v)}
        return (
            isinstance(got, dict)
            and kept.keys() == got.keys()
            and all(_same(value, got[key]) for key, value in kept.items())
        )
    if isinstance(sent, list):
        return isinstance(got, list) and (
            (len(sent) == len(got) and all(map(_same, sent, got)))
            or all(map(_empty, sent))
        )
    return bool(sent == got)


def _empty(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_empty, value.values()))
    return isinstance(value, list) and all(map(_empty, value))


def _regions(catalogue: Catalogue, service: str) -> str:
    return (
        "us-east-1"
        if "us-east-1" in catalogue.regions(service)
        else min(catalogue.regions(service))
    )


def _sweep(
    catalogue: Catalogue, recogniser: Recogniser, whole: bool
) -> tuple[collections.Counter[Protocol], list[str]]:
    seen: collections.Counter[Protocol] = collections.Counter()
    wrong: list[str] = []
    for service, model in wire.models().items():
        region = _regions(catalogue, service)
        for protocol in catalogue.service(service).protocols:
            if not (whole or protocol in REST):
                # The target or the form names the operation, whatever else is there.
                continue
            for operation in model.operation_names:
                parameters = _parameters(service, operation, model, whole)
                head, body = wire.serialise(
                    model, operation, parameters, protocol.value
                )
                route = recogniser.route(
                    head, signing_name=model.signing_name, region=region
                )
                call = recogniser.call(
                    route,
                    head,
                    None if route.streams else body,
                    account_id=ACCOUNT,
                )
                seen[call.protocol] += 1
                label = f"{service}:{operation} ({protocol.value})"
                if (call.service, call.operation) != (
                    service,
                    operation,
                ) and not _alike(service, operation, call):
                    wrong.append(f"{label} came out as {call.service}:{call.operation}")
                if call.ambiguous:
                    wrong.append(f"{label} stays ambiguous: {call.ambiguous}")
                if not call.needs:
                    wrong.append(f"{label} needs nothing")
                if (
                    whole
                    and (call.service, call.operation) == (service, operation)
                    and (service, operation) != SAME_ELEMENT_TWICE
                ):
                    sent = dict(parameters)
                    if route.streams:
                        sent.pop(_payload(model, operation), None)
                    if not _same(sent, call.parameters):
                        wrong.append(f"{label}: {sent} came out as {call.parameters}")
    return seen, wrong


@pytest.mark.timeout(600)
@pytest.mark.parametrize("whole", [False, True], ids=["required", "all"])
def test_every_operation_comes_out_of_its_own_request(
    catalogue: Catalogue, recogniser: Recogniser, whole: bool
) -> None:
    seen, wrong = _sweep(catalogue, recogniser, whole)
    assert wrong == []
    assert set(seen) == set(Protocol if whole else REST)
    assert seen.total() > (21_000 if whole else 10_000)


def test_every_action_a_plan_names_has_a_level(catalogue: Catalogue) -> None:
    for name in catalogue.services:
        service = catalogue.service(name)
        for operation in service.operations:
            plan = service.operation(operation).plan
            assert plan
            for action, level, _ in plan:
                assert catalogue.access_level(action) is level
                assert isinstance(level, AccessLevel)


def test_the_rules_name_services_that_exist(catalogue: Catalogue) -> None:
    for rule in RULES:
        assert set(rule.services) <= set(catalogue.services)
        assert {service for _, service in rule.by_arn} <= set(rule.services)
