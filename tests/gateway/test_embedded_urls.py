"""Copies between regions: the URL that boto3 presigns with the agent's key is made anew."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import botocore.exceptions
import botocore.session
import pytest
from aws_side import Received, the_one
from raw_client import Session
from scripted_upstream import ScriptedUpstream, answer
from stand import Stand

from gatekeep.aws.embedded import URL_MEMBERS

ENVIRONMENT = {"AWS_SESSION_TOKEN": "own/token+of=the gateway".replace(" ", "_")}

COPIED = (
    b'<CopySnapshotResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
    b"<requestId>r</requestId><snapshotId>snap-2</snapshotId></CopySnapshotResponse>"
)
SNAPSHOT = "arn:aws:rds:eu-west-1:123456789012:snapshot:one"


def client(gateway: Stand, session: Session, service: str) -> Any:
    return boto3.client(
        service, endpoint_url=gateway.url, region_name="us-east-1",
        verify=str(gateway.directory / "ca.pem"),
        aws_access_key_id=session.access_key, aws_secret_access_key=session.secret_key,
        aws_session_token=session.token,
    )  # fmt: skip


def embedded(received: Received, member: str) -> tuple[dict[str, str], dict[str, str]]:
    """The form that came, and the parameters of the URL in it, whose signature holds."""
    received.verified()
    form = dict(parse_qsl(received.body.decode(), strict_parsing=True))
    parts = urlsplit(form[member])
    host = received.field(b"host")
    assert parts.netloc.encode() == host
    target = f"{parts.path}?{parts.query}".encode()
    return form, Received(b"GET", target, [(b"host", host)], b"").verified_query()


def test_copy_snapshot_carries_a_url_of_the_gateways(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    upstream.script = answer(COPIED, content_type="text/xml")
    ec2 = client(gateway, session, "ec2")
    got = ec2.copy_snapshot(
        SourceRegion="eu-west-1", SourceSnapshotId="snap-1", Description="a & b = ü"
    )
    ec2.close()
    assert got["SnapshotId"] == "snap-2"
    received = the_one(upstream)
    form, url = embedded(received, "PresignedUrl")
    assert url["X-Amz-Credential"].split("/")[2:4] == ["eu-west-1", "ec2"]
    assert url["DestinationRegion"] == form["DestinationRegion"] == "us-east-1"
    for name in (
        "Action",
        "Version",
        "SourceRegion",
        "SourceSnapshotId",
        "Description",
    ):
        assert url[name] == form[name]
    assert session.token not in received.body.decode()
    record = gateway.dump("--last", "2")[-2]
    assert (
        record["parameters"]["PresignedUrl"] == "presigned by the gateway for eu-west-1"
    )  # type: ignore[index]


def test_an_rds_copy_carries_a_url_of_the_gateways(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    upstream.script = answer(
        b"<CopyDBSnapshotResponse><CopyDBSnapshotResult/></CopyDBSnapshotResponse>",
        content_type="text/xml",
    )
    rds = client(gateway, session, "rds")
    rds.copy_db_snapshot(
        SourceDBSnapshotIdentifier=SNAPSHOT,
        TargetDBSnapshotIdentifier="two",
        SourceRegion="eu-west-1",
    )
    rds.close()
    form, url = embedded(the_one(upstream), "PreSignedUrl")
    assert url["X-Amz-Credential"].split("/")[2:4] == ["eu-west-1", "rds"]
    assert url["SourceDBSnapshotIdentifier"] == form["SourceDBSnapshotIdentifier"]
    assert url["SourceDBSnapshotIdentifier"] == SNAPSHOT
    assert (url["Action"], url["DestinationRegion"]) == ("CopyDBSnapshot", "us-east-1")


def test_a_copy_within_a_region_carries_none(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    upstream.script = answer(
        b"<CopyDBSnapshotResponse><CopyDBSnapshotResult/></CopyDBSnapshotResponse>",
        content_type="text/xml",
    )
    rds = client(gateway, session, "rds")
    rds.copy_db_snapshot(
        SourceDBSnapshotIdentifier="one", TargetDBSnapshotIdentifier="two"
    )
    rds.close()
    assert b"PreSignedUrl" not in the_one(upstream).body


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://rds.eu-west-1.amazonaws.com/?AWSAccessKeyId=A&Signature=b", "embedded.url"),
        ("http://evil.test/", "embedded.url"),
        ("https://x/?X-Amz-Credential=A/20260101/mars-1/rds/aws4_request", "region"),
    ],
    ids=["sigv2", "unsigned", "unknown_region"],
)  # fmt: skip
def test_a_url_that_cannot_be_made_anew_is_refused(
    gateway: Stand, session: Session, upstream: ScriptedUpstream, url: str, code: str
) -> None:
    rds = client(gateway, session, "rds")
    with pytest.raises(botocore.exceptions.ClientError, match=code):
        rds.copy_db_snapshot(
            SourceDBSnapshotIdentifier=SNAPSHOT,
            TargetDBSnapshotIdentifier="two",
            PreSignedUrl=url,
        )
    rds.close()
    assert upstream.requests == []


def test_every_url_among_the_models_parameters_is_known() -> None:
    found = {}
    botocore_session = botocore.session.get_session()
    for service in botocore_session.get_available_services():
        model = botocore_session.get_service_model(service)
        for name in model.operation_names:
            shape = model.operation_model(name).input_shape
            for member, inner in (shape.members if shape else {}).items():
                if member.lower() == "presignedurl" and inner.type_name == "string":
                    found[service, name] = member
    assert found == URL_MEMBERS
