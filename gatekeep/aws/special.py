"""Operations whose needs follow from the values of their parameters.

Sources: "Actions, resources, and condition keys" of the service and its API
reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gatekeep.aws.arns import UNKNOWN, Place, look_up
from gatekeep.aws.needs import Pairs, Parameters, Rule
from gatekeep.aws.needs_dynamodb import DYNAMODB_RULES
from gatekeep.aws.needs_s3 import S3_RULES


def _texts(parameters: Parameters, *path: str) -> list[str]:
    return look_up(parameters, list(path))


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


def _events_rule(action: str, parameter: str) -> Rule:
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


def _ssm_tags(action: str) -> Rule:
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


# --- Bedrock, SES, EC2 tags -------------------------------------------------------

_PROFILE = re.compile(r"(us|us-gov|eu|apac|au|ca|jp|global|sa|me|af)\.")
"""How the ids of cross-region inference profiles begin."""


def _bedrock_model(action: str) -> Rule:
    """A model by id or ARN; IAM lists every kind of thing a model may be."""

    def needs(parameters: Parameters, place: Place) -> Pairs:
        model = parameters.get("modelId")
        base = f"arn:{place.partition}:bedrock:{place.region}"
        if type(model) is not str:
            yield action, f"{base}::foundation-model/{UNKNOWN}"
        elif model.startswith("arn:"):
            yield action, model
        elif _PROFILE.match(model):
            yield action, f"{base}:{place.account_id}:inference-profile/{model}"
        else:
            yield action, f"{base}::foundation-model/{model}"

    return needs


_ADDRESS = re.compile(r"(?:.*<)?\s*([^<>@\s]+@([^<>@\s]+?))\s*>?\s*")


def _ses_send(action: str, sender: str, identity: str) -> Rule:
    """Mail from an address, which SES knows by address or by domain.

    It asks for the one it has verified; here both must be permitted.
    """

    def needs(parameters: Parameters, place: Place) -> Pairs:
        base = f"arn:{place.partition}:ses:{place.region}:{place.account_id}:identity"
        given = parameters.get(identity)
        match = _ADDRESS.fullmatch(str(parameters.get(sender, "")))
        if type(given) is str and given:
            yield action, given
        elif match is not None:
            yield action, f"{base}/{match[1].lower()}"
            yield action, f"{base}/{match[2].lower()}"
        else:
            yield action, f"{base}/{UNKNOWN}"

    return needs


_EC2_KINDS = {
    "acl": "network-acl", "ami": "image", "cgw": "customer-gateway",
    "dopt": "dhcp-options", "eipalloc": "elastic-ip", "eni": "network-interface",
    "fl": "vpc-flow-log", "i": "instance", "igw": "internet-gateway", "key": "key-pair",
    "lt": "launch-template", "nat": "natgateway", "pg": "placement-group",
    "pl": "prefix-list", "rtb": "route-table", "sg": "security-group",
    "sir": "spot-instances-request", "snap": "snapshot", "subnet": "subnet",
    "tgw": "transit-gateway", "vgw": "vpn-gateway", "vol": "volume", "vpc": "vpc",
    "vpce": "vpc-endpoint", "vpn": "vpn-connection",
}  # fmt: skip
"""What an EC2 id is, by what stands before its dash."""


def _ec2_tags(action: str) -> Rule:
    def needs(parameters: Parameters, place: Place) -> Pairs:
        for name in _texts(parameters, "Resources") or [UNKNOWN]:
            kind = _EC2_KINDS.get(name.partition("-")[0])
            yield action, _ec2_arn(kind, name, place) if kind else "*"

    return needs


def _ec2_arn(kind: str, name: str, place: Place) -> str:
    account = "" if kind in _WITHOUT_ACCOUNT else place.account_id
    return f"arn:{place.partition}:ec2:{place.region}:{account}:{kind}/{name}"


_WITHOUT_ACCOUNT = ("image", "snapshot", "fpga-image")
"""EC2's resources whose ARNs name no account."""

_INVOKE = _bedrock_model("bedrock:InvokeModel")
_INVOKE_STREAM = _bedrock_model("bedrock:InvokeModelWithResponseStream")

SPECIAL: dict[tuple[str, str], Rule] = {
    **{("dynamodb", name): rule for name, rule in DYNAMODB_RULES.items()},
    **{("s3", name): rule for name, rule in S3_RULES.items()},
    ("bedrock-runtime", "Converse"): _INVOKE,
    ("bedrock-runtime", "ConverseStream"): _INVOKE_STREAM,
    ("bedrock-runtime", "CountTokens"): _bedrock_model("bedrock:CountTokens"),
    ("bedrock-runtime", "InvokeModel"): _INVOKE,
    ("bedrock-runtime", "InvokeModelWithBidirectionalStream"): _INVOKE_STREAM,
    ("bedrock-runtime", "InvokeModelWithResponseStream"): _INVOKE_STREAM,
    ("bedrock-runtime", "StartAsyncInvoke"): _INVOKE,
    ("ec2", "CreateTags"): _ec2_tags("ec2:CreateTags"),
    ("ec2", "DeleteTags"): _ec2_tags("ec2:DeleteTags"),
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
    ("secretsmanager", "BatchGetSecretValue"): _secrets_batch,
    ("ses", "SendEmail"): _ses_send("ses:SendEmail", "Source", "SourceArn"),
    ("ses", "SendRawEmail"): _ses_send("ses:SendRawEmail", "Source", "SourceArn"),
    ("ses", "SendTemplatedEmail"): _ses_send(
        "ses:SendTemplatedEmail", "Source", "SourceArn"
    ),
    ("sesv2", "SendEmail"): _ses_send(
        "ses:SendEmail", "FromEmailAddress", "FromEmailAddressIdentityArn"
    ),
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


def _ec2_besides(parameters: Parameters, place: Place) -> Pairs:
    """Tags put on what is created, and the role inside an instance profile."""
    for key in ("TagSpecifications", "TagSpecification"):
        for kind in _texts(parameters, key, "*", "ResourceType"):
            yield "ec2:CreateTags", _ec2_arn(kind, UNKNOWN, place)
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


BESIDES: dict[str, Rule] = {
    "autoscaling": _profile_besides,
    "ec2": _ec2_besides,
}
"""By botocore's service name."""
