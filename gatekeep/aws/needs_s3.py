"""What S3's object operations need: versions, copies, and what a write asks besides.

Sources: "Actions, resources, and condition keys for Amazon S3" and "Required
permissions for Amazon S3 API operations" in the user guide.
"""

from __future__ import annotations

from collections.abc import Mapping

from gatekeep.aws.arns import UNKNOWN, Place
from gatekeep.aws.documents import unquote_strict
from gatekeep.aws.needs import Pairs, Parameters, Rule
from gatekeep.aws.readers import refuse


def _bucket_arn(bucket: object, place: Place) -> str:
    name = bucket if type(bucket) is str else UNKNOWN
    return name if name.startswith("arn:") else f"arn:{place.partition}:s3:::{name}"


def _object_arn(parameters: Parameters, place: Place) -> str:
    key = parameters.get("Key", UNKNOWN)
    return f"{_bucket_arn(parameters.get('Bucket'), place)}/{key}"


def _versioned(plain: str, versioned: str, *extra: tuple[str, str]) -> Rule:
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
    coded, _, version = source.partition("?versionId=")
    action = "s3:GetObjectVersion" if version else "s3:GetObject"
    # SDKs code a plus; a bare one has been read as a space too, so both must do.
    spellings = {coded, coded.replace("+", "%20")}
    for spelling in sorted(spellings):
        path = unquote_strict(spelling.encode()).lstrip("/")
        if path.startswith("arn:"):
            # arn:aws:s3:…:accesspoint/name/object/key is IAM's own form.
            yield action, path
            continue
        bucket, slash, key = path.partition("/")
        if not (bucket and slash and key):
            refuse("the source of a copy is no bucket and key")
        yield action, f"{_bucket_arn(bucket, place)}/{key}"


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
    key = unquote_strict(source.encode()).lstrip("/")
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

S3_RULES: dict[str, Rule] = {
    "CopyObject": _s3_copy_object,
    "CreateBucket": _s3_create_bucket,
    "CreateMultipartUpload": _s3_put_object,
    "DeleteObject": _versioned("s3:DeleteObject", "s3:DeleteObjectVersion", _BYPASS),
    "DeleteObjectTagging": _versioned(
        "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"
    ),
    "DeleteObjects": _s3_delete_objects,
    "GetObject": _versioned("s3:GetObject", "s3:GetObjectVersion"),
    "GetObjectAcl": _versioned("s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
    "GetObjectAttributes": _versioned(
        "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"
    ),
    "GetObjectTagging": _versioned("s3:GetObjectTagging", "s3:GetObjectVersionTagging"),
    "HeadObject": _versioned("s3:GetObject", "s3:GetObjectVersion"),
    "PutObject": _s3_put_object,
    "PutObjectAcl": _versioned("s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
    "PutObjectRetention": _versioned(
        "s3:PutObjectRetention", "s3:PutObjectRetention", _BYPASS
    ),
    "PutObjectTagging": _versioned("s3:PutObjectTagging", "s3:PutObjectVersionTagging"),
    "RenameObject": _s3_rename_object,
    "UploadPartCopy": _s3_upload_part_copy,
}
"""By operation."""
