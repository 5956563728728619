"""Operations whose needs follow from the values of their parameters.

Each function gives pairs of IAM action and resource ARN. Sources: "Actions,
resources, and condition keys" of the service and its API reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from gatekeep.aws.arns import UNKNOWN, Place, look_up
from gatekeep.aws.partiql import statement_target
from gatekeep.aws.readers import refuse

Pairs = Iterator[tuple[str, str]]
"""IAM action and resource ARN."""

Parameters = Mapping[str, Any]


def _texts(parameters: Parameters, *path: str) -> list[str]:
    return look_up(parameters, list(path))


# --- S3 -------------------------------------------------------------------------


def _bucket_arn(bucket: object, place: Place) -> str:
    name = bucket if type(bucket) is str else UNKNOWN
    return name if name.startswith("arn:") else f"arn:{place.partition}:s3:::{name}"


def _object_arn(parameters: Parameters, place: Place) -> str:
    key = parameters.get("Key", UNKNOWN)
    return f"{_bucket_arn(parameters.get('Bucket'), place)}/{key}"


def _versioned(
    plain: str, versioned: str, *extra: tuple[str, str]
) -> Callable[[Parameters, Place], Pairs]:
    """An object operation that needs another action when it names a version.

    ``extra`` are actions needed besides, each when the parameter it is with is set.
    """

    def needs(parameters: Parameters, place: Place) -> Pairs:
        arn = _object_arn(parameters, place)
        yield (versioned if parameters.get("VersionId") else plain), arn
        for parameter, action in extra:
            if parameters.get(parameter):
                yield action, arn

    return needs


_PUT_EXTRAS = (
    ("ACL", "s3:PutObjectAcl"),
    ("GrantFullControl", "s3:PutObjectAcl"),
    ("GrantRead", "s3:PutObjectAcl"),
    ("GrantReadACP", "s3:PutObjectAcl"),
    ("GrantWriteACP", "s3:PutObjectAcl"),
    ("Tagging", "s3:PutObjectTagging"),
    ("ObjectLockMode", "s3:PutObjectRetention"),
    ("ObjectLockRetainUntilDate", "s3:PutObjectRetention"),
    ("ObjectLockLegalHoldStatus", "s3:PutObjectLegalHold"),
)
"""What a write of an object needs besides, by the parameter that asks for it."""


def _s3_put_object(parameters: Parameters, place: Place) -> Pairs:
    arn = _object_arn(parameters, place)
    yield "s3:PutObject", arn
    for parameter, action in _PUT_EXTRAS:
        if parameters.get(parameter):
            yield action, arn


def _copy_source(parameters: Parameters, place: Place) -> Pairs:
    """What reading ``x-amz-copy-source`` needs: ``bucket/key?versionId=…`` or an ARN."""
    source = parameters.get("CopySource")
    if type(source) is not str:
        refuse("a copy names no source")
    path, _, version = source.partition("?versionId=")
    path = unquote(path, errors="strict").lstrip("/")
    if path.startswith("arn:"):
        # arn:aws:s3:…:accesspoint/name/object/key is IAM's own form.
        arn = path
    else:
        bucket, slash, key = path.partition("/")
        if not (bucket and slash and key):
            refuse("the source of a copy is no bucket and key")
        arn = f"{_bucket_arn(bucket, place)}/{key}"
    yield ("s3:GetObjectVersion" if version else "s3:GetObject"), arn


def _s3_copy_object(parameters: Parameters, place: Place) -> Pairs:
    yield from _copy_source(parameters, place)
    yield from _s3_put_object(parameters, place)


def _s3_upload_part_copy(parameters: Parameters, place: Place) -> Pairs:
    yield from _copy_source(parameters, place)
    yield "s3:PutObject", _object_arn(parameters, place)


def _s3_delete_objects(parameters: Parameters, place: Place) -> Pairs:
    bucket = _bucket_arn(parameters.get("Bucket"), place)
    deletion = parameters.get("Delete")
    objects = deletion.get("Objects", []) if isinstance(deletion, Mapping) else []
    if not objects:
        refuse("DeleteObjects names no object")
    for entry in objects:
        arn = f"{bucket}/{entry.get('Key', UNKNOWN)}"
        version = entry.get("VersionId")
        yield ("s3:DeleteObjectVersion" if version else "s3:DeleteObject"), arn
        if parameters.get("BypassGovernanceRetention"):
            yield "s3:BypassGovernanceRetention", arn


def _s3_rename_object(parameters: Parameters, place: Place) -> Pairs:
    source = parameters.get("RenameSource")
    if type(source) is not str:
        refuse("RenameObject names no source")
    bucket = _bucket_arn(parameters.get("Bucket"), place)
    key = unquote(source, errors="strict").lstrip("/")
    name = f"{parameters.get('Bucket')}/"
    arn = f"{bucket}/{key.removeprefix(name)}"
    yield "s3:GetObject", arn
    yield "s3:DeleteObject", arn
    yield "s3:PutObject", _object_arn(parameters, place)


def _s3_create_bucket(parameters: Parameters, place: Place) -> Pairs:
    arn = _bucket_arn(parameters.get("Bucket"), place)
    yield "s3:CreateBucket", arn
    grants = ("ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite",
              "GrantWriteACP")  # fmt: skip
    if any(parameters.get(name) for name in grants):
        yield "s3:PutBucketAcl", arn
    if parameters.get("ObjectLockEnabledForBucket"):
        yield "s3:PutBucketObjectLockConfiguration", arn
        yield "s3:PutBucketVersioning", arn
    if parameters.get("ObjectOwnership"):
        yield "s3:PutBucketOwnershipControls", arn


_BYPASS = ("BypassGovernanceRetention", "s3:BypassGovernanceRetention")

# --- DynamoDB -------------------------------------------------------------------


def _table_arn(name: object, place: Place) -> str:
    if type(name) is not str or not name:
        return f"arn:{place.partition}:dynamodb:{place.region}:{place.account_id}:table/{UNKNOWN}"
    if name.startswith("arn:"):
        return name
    return (
        f"arn:{place.partition}:dynamodb:{place.region}:{place.account_id}:table/{name}"
    )


def _dynamodb_batch(action: str) -> Callable[[Parameters, Place], Pairs]:
    def needs(parameters: Parameters, place: Place) -> Pairs:
        tables = parameters.get("RequestItems")
        if not tables:
            refuse("the batch names no table")
        for table in tables:
            yield action, _table_arn(table, place)

    return needs


_TRANSACTION = {
    "Get": "dynamodb:GetItem",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}


def _dynamodb_transaction(parameters: Parameters, place: Place) -> Pairs:
    items = parameters.get("TransactItems")
    if not items:
        refuse("the transaction holds no item")
    for item in items:
        if not item:
            refuse("an item of the transaction is empty")
        for kind, inner in item.items():
            yield _TRANSACTION[kind], _table_arn(inner.get("TableName"), place)


def _partiql(*path: str) -> Callable[[Parameters, Place], Pairs]:
    def needs(parameters: Parameters, place: Place) -> Pairs:
        statements = _texts(parameters, *path)
        if not statements:
            refuse("the call holds no PartiQL statement")
        for statement in statements:
            action, table, index = statement_target(statement)
            arn = _table_arn(table, place)
            yield action, arn
            if index:
                yield action, f"{arn}/index/{index}"

    return needs


# --- others ---------------------------------------------------------------------


def _kms_reencrypt(parameters: Parameters, place: Place) -> Pairs:
    for action, name in (
        ("kms:ReEncryptFrom", "SourceKeyId"),
        ("kms:ReEncryptTo", "DestinationKeyId"),
    ):
        yield action, kms_key_arn(parameters.get(name), place)


def kms_key_arn(key: object, place: Place) -> str:
    """The ARN of a key id, key ARN, alias name or alias ARN; ``key/${}`` for none."""
    base = f"arn:{place.partition}:kms:{place.region}:{place.account_id}"
    if type(key) is not str or not key:
        return f"{base}:key/{UNKNOWN}"
    if key.startswith("arn:"):
        return key
    return f"{base}:{key}" if key.startswith("alias/") else f"{base}:key/{key}"


def _sns_publish(parameters: Parameters, place: Place) -> Pairs:
    # A text message to a phone has no resource: IAM asks for "*".
    target = parameters.get("TopicArn") or parameters.get("TargetArn") or "*"
    yield "sns:Publish", str(target)


_SECRET_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")


def secret_arns(secret: object, place: Place) -> list[str]:
    """The ARNs a ``SecretId`` may stand for.

    A secret's ARN ends in six random characters that its name does not tell; policy
    is written on the name. A name gives the ARN without them. An ARN gives itself
    and itself without what may be those characters, and both must be permitted: which
    it is cannot be known, since a name may end like that too.
    """
    base = f"arn:{place.partition}:secretsmanager:{place.region}:{place.account_id}:secret:"
    if type(secret) is not str or not secret:
        return [base + UNKNOWN]
    if not secret.startswith("arn:"):
        return [base + secret]
    shorter = _SECRET_SUFFIX.sub("", secret)
    return [secret] if shorter == secret else [secret, shorter]


def _secrets_batch(parameters: Parameters, place: Place) -> Pairs:
    yield "secretsmanager:BatchGetSecretValue", "*"
    for secret in _texts(parameters, "SecretIdList") or [""]:
        for arn in secret_arns(secret, place):
            yield "secretsmanager:GetSecretValue", arn


def _timestream_query(_: Parameters, place: Place) -> Pairs:
    # The tables stand in the SQL, which policy sees as the call's statements.
    yield (
        "timestream:Select",
        f"arn:{place.partition}:timestream:{place.region}:{place.account_id}"
        f":database/{UNKNOWN}/table/{UNKNOWN}",
    )


def _events_put(parameters: Parameters, place: Place) -> Pairs:
    entries: list[Mapping[str, Any]] = parameters.get("Entries") or [{}]
    for entry in entries:
        yield "events:PutEvents", _bus_arn(entry.get("EventBusName"), place)


def _bus_arn(bus: object, place: Place) -> str:
    if type(bus) is str and bus.startswith("arn:"):
        return bus
    name = bus if type(bus) is str and bus else "default"
    return (
        f"arn:{place.partition}:events:{place.region}:{place.account_id}"
        f":event-bus/{name}"
    )


def _events_rule(action: str, parameter: str) -> Callable[[Parameters, Place], Pairs]:
    """A rule by its name and the name or ARN of its bus; none is the default bus."""

    def needs(parameters: Parameters, place: Place) -> Pairs:
        bus = _bus_arn(parameters.get("EventBusName"), place)
        head, _, name = bus.partition(":event-bus/")
        path = "" if name == "default" else f"{name}/"
        rule = parameters.get(parameter, UNKNOWN)
        yield action, f"{head}:rule/{path}{rule}"
        for path_to_role in (("RoleArn",), ("Targets", "*", "RoleArn")):
            for role in _texts(parameters, *path_to_role):
                yield "iam:PassRole", role

    return needs


def _ssm_send_command(parameters: Parameters, place: Place) -> Pairs:
    yield "ssm:SendCommand", _document_arn(parameters.get("DocumentName"), place)
    instances = _texts(parameters, "InstanceIds")
    # Targets name instances by tag: which ones they are, only SSM knows.
    for instance in instances or [UNKNOWN]:
        yield "ssm:SendCommand", managed_arn(instance, place)
    for role in _texts(parameters, "ServiceRoleArn"):
        yield "iam:PassRole", role


def _ssm_start_session(parameters: Parameters, place: Place) -> Pairs:
    document = parameters.get("DocumentName") or "SSM-SessionManagerRunShell"
    yield "ssm:StartSession", managed_arn(parameters.get("Target"), place)
    yield "ssm:StartSession", _document_arn(document, place)


def _document_arn(name: object, place: Place) -> str:
    if type(name) is str and name.startswith("arn:"):
        return name
    # Amazon's own documents have no account in their ARN.
    own = type(name) is str and name.startswith(("AWS-", "AmazonCloudWatch-"))
    account = "" if own else place.account_id
    return (
        f"arn:{place.partition}:ssm:{place.region}:{account}"
        f":document/{name if type(name) is str else UNKNOWN}"
    )


def managed_arn(instance: object, place: Place) -> str:
    """The ARN of an instance that SSM manages: EC2's, or one registered with it."""
    name = instance if type(instance) is str and instance else UNKNOWN
    service, kind = "ec2", "instance"
    if name.startswith("mi-"):
        service, kind = "ssm", "managed-instance"
    return (
        f"arn:{place.partition}:{service}:{place.region}:{place.account_id}"
        f":{kind}/{name}"
    )


_SSM_TAGGED = {
    "Association": "association",
    "Automation": "automation-execution",
    "Document": "document",
    "MaintenanceWindow": "maintenancewindow",
    "ManagedInstance": "managed-instance",
    "OpsItem": "opsitem",
    "OpsMetadata": "opsmetadata",
    "Parameter": "parameter",
    "PatchBaseline": "patchbaseline",
}


def _ssm_tags(action: str) -> Callable[[Parameters, Place], Pairs]:
    def needs(parameters: Parameters, place: Place) -> Pairs:
        kind = _SSM_TAGGED.get(str(parameters.get("ResourceType")))
        name = str(parameters.get("ResourceId", UNKNOWN))
        if kind is None:
            yield action, "*"
        elif name.startswith("arn:"):
            yield action, name
        else:
            yield (
                action,
                f"arn:{place.partition}:ssm:{place.region}:{place.account_id}"
                f":{kind}/{name.strip('/')}",
            )

    return needs


SPECIAL: dict[tuple[str, str], Callable[[Parameters, Place], Pairs]] = {
    ("dynamodb", "BatchExecuteStatement"): _partiql("Statements", "*", "Statement"),
    ("dynamodb", "BatchGetItem"): _dynamodb_batch("dynamodb:BatchGetItem"),
    ("dynamodb", "BatchWriteItem"): _dynamodb_batch("dynamodb:BatchWriteItem"),
    ("dynamodb", "ExecuteStatement"): _partiql("Statement"),
    ("dynamodb", "ExecuteTransaction"): _partiql(
        "TransactStatements", "*", "Statement"
    ),
    ("dynamodb", "TransactGetItems"): _dynamodb_transaction,
    ("dynamodb", "TransactWriteItems"): _dynamodb_transaction,
    ("events", "DeleteRule"): _events_rule("events:DeleteRule", "Name"),
    ("events", "DescribeRule"): _events_rule("events:DescribeRule", "Name"),
    ("events", "DisableRule"): _events_rule("events:DisableRule", "Name"),
    ("events", "EnableRule"): _events_rule("events:EnableRule", "Name"),
    ("events", "ListTargetsByRule"): _events_rule("events:ListTargetsByRule", "Rule"),
    ("events", "PutEvents"): _events_put,
    ("events", "PutRule"): _events_rule("events:PutRule", "Name"),
    ("events", "PutTargets"): _events_rule("events:PutTargets", "Rule"),
    ("events", "RemoveTargets"): _events_rule("events:RemoveTargets", "Rule"),
    ("kms", "ReEncrypt"): _kms_reencrypt,
    ("s3", "CopyObject"): _s3_copy_object,
    ("s3", "CreateBucket"): _s3_create_bucket,
    ("s3", "CreateMultipartUpload"): _s3_put_object,
    ("s3", "DeleteObject"): _versioned(
        "s3:DeleteObject", "s3:DeleteObjectVersion", _BYPASS
    ),
    ("s3", "DeleteObjectTagging"): _versioned(
        "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"
    ),
    ("s3", "DeleteObjects"): _s3_delete_objects,
    ("s3", "GetObject"): _versioned("s3:GetObject", "s3:GetObjectVersion"),
    ("s3", "GetObjectAcl"): _versioned("s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
    ("s3", "GetObjectAttributes"): _versioned(
        "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"
    ),
    ("s3", "GetObjectTagging"): _versioned(
        "s3:GetObjectTagging", "s3:GetObjectVersionTagging"
    ),
    ("s3", "HeadObject"): _versioned("s3:GetObject", "s3:GetObjectVersion"),
    ("s3", "PutObject"): _s3_put_object,
    ("s3", "PutObjectAcl"): _versioned("s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
    ("s3", "PutObjectRetention"): _versioned(
        "s3:PutObjectRetention", "s3:PutObjectRetention", _BYPASS
    ),
    ("s3", "PutObjectTagging"): _versioned(
        "s3:PutObjectTagging", "s3:PutObjectVersionTagging"
    ),
    ("s3", "RenameObject"): _s3_rename_object,
    ("s3", "UploadPartCopy"): _s3_upload_part_copy,
    ("secretsmanager", "BatchGetSecretValue"): _secrets_batch,
    ("sns", "Publish"): _sns_publish,
    ("ssm", "AddTagsToResource"): _ssm_tags("ssm:AddTagsToResource"),
    ("ssm", "ListTagsForResource"): _ssm_tags("ssm:ListTagsForResource"),
    ("ssm", "RemoveTagsFromResource"): _ssm_tags("ssm:RemoveTagsFromResource"),
    ("ssm", "SendCommand"): _ssm_send_command,
    ("ssm", "StartSession"): _ssm_start_session,
    ("timestream-query", "Query"): _timestream_query,
}
"""By botocore's service name and operation."""


# --- what a call needs besides its own action -------------------------------------

_WITHOUT_ACCOUNT = ("image", "snapshot", "fpga-image")


def _ec2_besides(parameters: Parameters, place: Place) -> Pairs:
    """Tags put on what is created, and the role inside an instance profile."""
    for key in ("TagSpecifications", "TagSpecification"):
        for kind in _texts(parameters, key, "*", "ResourceType"):
            account = "" if kind in _WITHOUT_ACCOUNT else place.account_id
            yield (
                "ec2:CreateTags",
                f"arn:{place.partition}:ec2:{place.region}:{account}:{kind}/{UNKNOWN}",
            )
    if _passes_profile(parameters):
        yield "iam:PassRole", _some_role(place)


def _profile_besides(parameters: Parameters, place: Place) -> Pairs:
    if _passes_profile(parameters):
        yield "iam:PassRole", _some_role(place)


def _passes_profile(parameters: Parameters) -> bool:
    if parameters.get("IamInstanceProfile"):
        return True
    for key in ("LaunchSpecification", "LaunchTemplateData"):
        inner = parameters.get(key)
        if isinstance(inner, Mapping) and inner.get("IamInstanceProfile"):
            return True
    return any(_profiles_in(parameters.get("SpotFleetRequestConfig")))


def _profiles_in(config: object) -> Iterator[bool]:
    if isinstance(config, Mapping):
        for specification in config.get("LaunchSpecifications") or ():
            if isinstance(specification, Mapping):
                yield bool(specification.get("IamInstanceProfile"))


def _some_role(place: Place) -> str:
    # An instance profile names the role it holds only to IAM.
    return f"arn:{place.partition}:iam::{place.account_id}:role/{UNKNOWN}"


BESIDES: dict[str, Callable[[Parameters, Place], Pairs]] = {
    "autoscaling": _profile_besides,
    "ec2": _ec2_besides,
}
"""By botocore's service name."""
