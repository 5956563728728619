"""Where operation and IAM action differ: the overrides, as data."""

from __future__ import annotations

PREFIXES: dict[str, str] = {
    "account-access-runtime": "account-access",
    "apigatewaymanagementapi": "execute-api",
    "applicationcostprofiler": "application-cost-profiler",
    "cloudcontrol": "cloudformation",
    "cloudwatch": "cloudwatch",
    "iot-data": "iot",
    "iot-jobs-data": "iotjobsdata",
    "iotsecuretunneling": "iot",
    "keyspaces": "cassandra",
    "mturk": "mechanicalturk",
    "partnercentral-account": "partnercentral",
    "partnercentral-benefits": "partnercentral",
    "partnercentral-channel": "partnercentral",
    "partnercentral-selling": "partnercentral",
    "resourcegroupstaggingapi": "tag",
}
"""IAM prefixes that are neither the signing name nor botocore's name."""


def actions_of(service: str, operation: str, method: str) -> list[str] | None:
    """Actions of an operation, or None when it needs the one of its own name."""
    return None


def aliases(prefix: str, kind: str, variable: str) -> tuple[str, ...] | None:
    """Parameters that hold a variable of a resource type under another name."""
    return None
