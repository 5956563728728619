"""Requests that fit several operations, and the rule that settles each.

The head alone settles most (`bindings`): static and required query keys, required
headers, literal before label, the Host prefix. Of some 19,800 operations this leaves
the ones written out here. What no rule settles needs the permissions of all its
candidates. The sweep in ``tests/aws`` holds this list complete.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatekeep.aws.bindings import Binding

Reading = tuple[Binding, dict[str, Any]]
"""An operation that head and body fit, and its parameters."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Services with operations of one name on one route: which of them is meant."""

    services: tuple[str, ...]
    """The first that fits is taken, unless an ARN in the call says otherwise."""
    why: str
    """What the rule stands on."""
    by_arn: tuple[tuple[str, str], ...] = ()
    """Pattern of the part of an ARN after the account, and the service it means."""


RULES: tuple[Rule, ...] = (
    Rule(
        ("rds", "neptune", "docdb"),
        "one API on one endpoint under three names; the first whose model has every "
        "parameter that was sent",
    ),
    Rule(
        ("timestream-query", "timestream-write"),
        "four operations that both endpoints answer alike; same permissions",
    ),
    Rule(("qconnect", "wisdom"), "the service's new and old name, on one endpoint"),
    Rule(("sms-voice", "pinpoint-sms-voice"), "two names of one API on one endpoint"),
    Rule(
        ("chime-sdk-voice", "chime"),
        "telephony moved out of the old namespace; same permissions",
    ),
    Rule(
        (
            "chime-sdk-voice",
            "chime-sdk-identity",
            "chime-sdk-media-pipelines",
            "chime-sdk-meetings",
            "chime-sdk-messaging",
        ),
        "tag operations go to the service whose resource the ARN names",
        (
            (r"app-instance/[^/]+/channel", "chime-sdk-messaging"),
            (r"app-instance/", "chime-sdk-identity"),
            (r"media-", "chime-sdk-media-pipelines"),
            (r"meeting/", "chime-sdk-meetings"),
        ),
    ),
    Rule(
        ("greengrassv2", "greengrass"),
        "two versions of one API that share eight operations on one endpoint",
        ((r"/greengrass/", "greengrass"),),
    ),
    Rule(
        ("bedrock", "bedrock-data-automation"),
        "tag operations go to the service whose resource the ARN names",
        ((r"blueprint|data-automation-", "bedrock-data-automation"),),
    ),
    Rule(
        ("bedrock-agent", "bedrock-agent-runtime"),
        "tag operations go to the service whose resource the ARN names",
        ((r"session/", "bedrock-agent-runtime"),),
    ),
    Rule(
        ("ivs", "ivs-realtime"),
        "tag operations go to the service whose resource the ARN names",
        (
            (
                r"(composition|encoder-configuration|ingest-configuration|public-key"
                r"|stage|storage-configuration)/",
                "ivs-realtime",
            ),
        ),
    ),
    Rule(
        ("lambda", "lambda-microvms", "lambda-core"),
        "tag operations of one endpoint; same permissions",
        ((r"microvm", "lambda-microvms"), (r"network-connector:", "lambda-core")),
    ),
    Rule(
        ("lexv2-models", "lex-models"),
        "tag operations: version 1 writes bot:name, version 2 bot/id",
        ((r"(bot|bot-channel|intent|slottype):", "lex-models"),),
    ),
    Rule(
        ("signer-data", "signer"),
        "one operation under two names on one endpoint",
    ),
)
"""By services whose operations of one name have one route."""

OLDER_NAMES: dict[tuple[str, str], str] = {
    ("s3", "GetBucketLifecycle"): "GetBucketLifecycleConfiguration",
    ("s3", "GetBucketNotification"): "GetBucketNotificationConfiguration",
    ("s3", "PutBucketLifecycle"): "PutBucketLifecycleConfiguration",
    ("s3", "PutBucketNotification"): "PutBucketNotificationConfiguration",
}
"""S3's operations that were renamed: the new name is taken when the body fits it.
Both need the same permission."""

BY_SIGNING_NAME: dict[tuple[str, str], str] = {
    ("s3express", "ListBuckets"): "ListDirectoryBuckets",
    ("s3", "ListDirectoryBuckets"): "ListBuckets",
}
"""``GET /`` lists directory buckets when it is signed for s3express."""


def settle(signing_name: str, readings: list[Reading]) -> list[Reading]:
    """The readings that remain after the rules; the first one leads.

    Lex V1's StartImport and V2's ListImports share ``POST /imports/``: the body
    tells, by members that only one has and that one requires.
    """
    if len(readings) == 1:
        return readings
    whole = [reading for reading in readings if reading[0].has_required(reading[1])]
    readings = _newest(signing_name, whole or readings)
    services = {binding.service for binding, _ in readings}
    if len(services) == 1:
        return readings
    for rule in RULES:
        if services <= set(rule.services):
            return _of_service(rule, services, readings)
    return readings


def _newest(signing_name: str, readings: list[Reading]) -> list[Reading]:
    names = {binding.operation for binding, _ in readings}
    left = [
        reading
        for reading in readings
        if OLDER_NAMES.get((reading[0].service, reading[0].operation)) not in names
        and BY_SIGNING_NAME.get((signing_name, reading[0].operation)) not in names
    ]
    return left or readings


def _of_service(
    rule: Rule, services: set[str], readings: list[Reading]
) -> list[Reading]:
    meant = next(service for service in rule.services if service in services)
    resource = _named_resource(readings[0][1])
    for pattern, service in rule.by_arn:
        if service in services and re.match(pattern, resource):
            meant = service
            break
    return [reading for reading in readings if reading[0].service == meant]


def _named_resource(parameters: Mapping[str, Any]) -> str:
    """The part after the account of the ARN that the call names, or nothing."""
    for value in parameters.values():
        if type(value) is str and value.startswith("arn:"):
            return value.split(":", 5)[-1]
    return ""


def in_order(services: list[str]) -> list[str]:
    """Services that answer to one form, the one to try first in front."""
    for rule in RULES:
        if set(services) <= set(rule.services):
            return sorted(services, key=rule.services.index)
    return services
