"""The ways services let a caller write one resource, brought to one.

A queue goes by its URL, a function by name, part of an ARN or ARN, a database by a
name without case. Each function gives changed parameters from which needs are
worked out; the call's own parameters stay as they were sent. Without this, one
resource would have two spellings, and a rule against one would miss the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gatekeep.aws.arns import UNKNOWN, Place
from gatekeep.aws.special import kms_key_arn, secret_arns

Parameters = Mapping[str, Any]
Rewriter = Callable[[Parameters, Place], Parameters]


def _replace(parameters: Parameters, **changed: Any) -> Parameters:
    return {**parameters, **changed}


def _sqs(parameters: Parameters, place: Place) -> Parameters:
    url = parameters.get("QueueUrl")
    if type(url) is not str:
        return parameters
    return _replace(parameters, QueueUrl=queue_arn(url, place))


_QUEUE = re.compile(
    r"(?:https?://[^/?#]+)?(?:/[^?#]*)?/(?P<account>[0-9]{12})/(?P<name>[\w.-]+)/?",
    re.ASCII,
)


def queue_arn(url: str, place: Place) -> str:
    """The ARN of a queue URL: its last two path segments are account and name."""
    match = _QUEUE.fullmatch(url)
    account, name = match.group("account", "name") if match else (UNKNOWN, UNKNOWN)
    return f"arn:{place.partition}:sqs:{place.region}:{account}:{name}"


_FUNCTION = re.compile(
    r"(?:(?P<arn>arn:[^:]+:lambda:[^:]+):)?(?:(?P<account>[0-9]{12}):)?"
    r"(?:function:)?(?P<name>[A-Za-z0-9_-]+)(?::(?P<qualifier>[A-Za-z0-9$_-]+))?"
)


def _lambda(parameters: Parameters, place: Place) -> Parameters:
    name = parameters.get("FunctionName")
    if type(name) is not str:
        return parameters
    arns = function_arns(name, parameters.get("Qualifier"), place)
    return _replace(parameters, FunctionName=arns, Qualifier=None)


def function_arns(name: str, qualifier: object, place: Place) -> list[str]:
    """The ARNs of a Lambda function: the function, and its version or alias if named.

    Both must be permitted, so that a rule about the function holds for its versions.
    """
    match = _FUNCTION.fullmatch(name)
    base = f"arn:{place.partition}:lambda:{place.region}"
    if match is None:
        return [f"{base}:{place.account_id}:function:{UNKNOWN}"]
    account = match["account"] or place.account_id
    plain = f"{match['arn'] or base}:{account}:function:{match['name']}"
    version = match["qualifier"] or qualifier
    return [plain, f"{plain}:{version}"] if type(version) is str else [plain]


def _ssm(parameters: Parameters, _: Place) -> Parameters:
    changed: dict[str, Any] = {}
    for key in ("Name", "Path"):
        if type(parameters.get(key)) is str:
            changed[key] = _parameter_name(parameters[key])
    if type(parameters.get("Names")) is list:
        changed["Names"] = [
            _parameter_name(name) for name in parameters["Names"] if type(name) is str
        ]
    return _replace(parameters, **changed) if changed else parameters


def _parameter_name(name: str) -> str:
    """A parameter's name without the leading slash and the ``:version`` selector."""
    if name.startswith("arn:"):
        head, _, rest = name.partition(":parameter/")
        return f"{head}:parameter/{rest.partition(':')[0]}" if rest else name
    return name.partition(":")[0].strip("/") or UNKNOWN


def _secrets(parameters: Parameters, place: Place) -> Parameters:
    if "SecretId" not in parameters:
        return parameters
    return _replace(parameters, SecretId=secret_arns(parameters["SecretId"], place))


def _kms(parameters: Parameters, place: Place) -> Parameters:
    changed = {
        key: kms_key_arn(parameters[key], place)
        for key in ("KeyId", "TargetKeyId")
        if key in parameters
    }
    alias = parameters.get("AliasName")
    if type(alias) is str:
        changed["AliasName"] = alias.removeprefix("alias/")
    return _replace(parameters, **changed) if changed else parameters


def _lower_case(*keys: str) -> Rewriter:
    """Names that AWS keeps in lower case, however they are written."""

    def rewrite(parameters: Parameters, _: Place) -> Parameters:
        changed = {
            key: value.lower()
            for key in keys
            if type(value := parameters.get(key)) is str
            and not value.startswith("arn:")
        }
        return _replace(parameters, **changed) if changed else parameters

    return rewrite


_rds = _lower_case(
    "DBInstanceIdentifier", "DBClusterIdentifier", "DBSnapshotIdentifier",
    "DBClusterSnapshotIdentifier", "DBParameterGroupName", "DBSubnetGroupName",
    "DBClusterParameterGroupName", "OptionGroupName", "DBSecurityGroupName",
    "GlobalClusterIdentifier", "DBProxyName", "DBProxyEndpointName",
    "SubscriptionName", "DBClusterEndpointIdentifier",
)  # fmt: skip


def _with_default(key: str, value: str) -> Rewriter:
    """A parameter that AWS fills in itself."""

    def rewrite(parameters: Parameters, _: Place) -> Parameters:
        return (
            parameters if parameters.get(key) else _replace(parameters, **{key: value})
        )

    return rewrite


def _logs(parameters: Parameters, _: Place) -> Parameters:
    changed = {
        key: value.removesuffix(":*")
        for key, value in parameters.items()
        if type(value) is str and value.startswith("arn:") and value.endswith(":*")
    }
    return _replace(parameters, **changed) if changed else parameters


_STATE_MACHINE = re.compile(r"(arn:[^:]+:states:[^:]*:[^:]*:stateMachine:[^:]+):[^:]+")


def _states(parameters: Parameters, _: Place) -> Parameters:
    arn = parameters.get("stateMachineArn")
    match = _STATE_MACHINE.fullmatch(arn) if type(arn) is str else None
    if match is None:
        return parameters
    return _replace(parameters, stateMachineArn=[match[1], arn])


def _ecs(parameters: Parameters, place: Place) -> Parameters:
    changed: dict[str, Any] = {}
    if not parameters.get("cluster"):
        changed["cluster"] = "default"
    definition = parameters.get("taskDefinition")
    if type(definition) is str and not definition.startswith("arn:"):
        # Without a revision ECS takes the newest one, which only it knows.
        family, _, revision = definition.partition(":")
        changed["taskDefinition"] = (
            f"arn:{place.partition}:ecs:{place.region}:{place.account_id}"
            f":task-definition/{family}:{revision or UNKNOWN}"
        )
    return _replace(parameters, **changed) if changed else parameters


_ATHENA_IN_PRIMARY = frozenset((
    "StartQueryExecution", "CreateNamedQuery", "ListQueryExecutions",
    "ListNamedQueries",
))  # fmt: skip


_ACCOUNTS = {
    "codeartifact": "domainOwner",
    "ecr": "registryId",
    "glue": "CatalogId",
    "lakeformation": "CatalogId",
    "quicksight": "AwsAccountId",
    "s3control": "AccountId",
    "sqs": "QueueOwnerAWSAccountId",
}
"""Parameters that say whose account a named resource is in."""


def place_of(service: str, parameters: Parameters, place: Place) -> Place:
    """Where the named resources are: another account's, when the call says so.

    Without this, a permission for one's own repository would cover a call to the
    repository of that name in somebody else's registry.
    """
    key = _ACCOUNTS.get(service)
    owner = parameters.get(key) if key is not None else None
    if type(owner) is not str or owner == place.account_id:
        return place
    account = owner[:12] if _ACCOUNT.match(owner) else UNKNOWN
    return replace(place, account_id=account)


_ACCOUNT = re.compile(r"[0-9]{12}(?![0-9])")


def has_owner(service: str) -> bool:
    """Whether a service's calls may name whose account a resource is in."""
    return service in _ACCOUNTS


def rewriter_of(service: str, operation: str) -> Rewriter | None:
    """What writes each resource of an operation's parameters in one way."""
    if service == "athena" and operation in _ATHENA_IN_PRIMARY:
        return _with_default("WorkGroup", "primary")
    return _SERVICES.get(service)


_SERVICES: dict[str, Rewriter] = {
    "docdb": _rds,
    "ecs": _ecs,
    "elasticache": _lower_case(
        "CacheClusterId", "ReplicationGroupId", "SnapshotName", "CacheSubnetGroupName",
        "CacheParameterGroupName", "UserId", "UserGroupId", "ServerlessCacheName",
    ),
    "glue": _lower_case("DatabaseName", "TableName"),
    "kms": _kms,
    "lambda": _lambda,
    "logs": _logs,
    "neptune": _rds,
    "rds": _rds,
    "redshift": _lower_case(
        "ClusterIdentifier", "SnapshotIdentifier", "ClusterSubnetGroupName",
        "ParameterGroupName",
    ),
    "secretsmanager": _secrets,
    "sqs": _sqs,
    "ssm": _ssm,
    "stepfunctions": _states,
}  # fmt: skip
