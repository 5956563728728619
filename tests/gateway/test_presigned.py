"""Presigned URLs through the gateway with a client that knows nothing of AWS."""

from __future__ import annotations

import datetime
import http.client
import ssl
from urllib.parse import urlsplit

import boto3
import botocore.config
import pytest
from aws_side import the_one
from raw_client import Session
from scripted_upstream import ScriptedUpstream, answer
from stand import Stand

from tests.reference.sigv4 import Client

CLIENT_SECRETS = (b"X-Amz-Signature", b"X-Amz-Credential", b"X-Amz-Security-Token")


def presigned(
    gateway: Stand,
    session: Session,
    service: str,
    operation: str,
    *,
    version: str | None = "s3v4",
    method: str | None = None,
    **parameters: object,
) -> str:
    """A URL as boto3 makes it."""
    client = boto3.client(
        service, endpoint_url=gateway.url, region_name="us-east-1",
        aws_access_key_id=session.access_key, aws_secret_access_key=session.secret_key,
        aws_session_token=session.token,
        config=botocore.config.Config(signature_version=version),
    )  # fmt: skip
    url = client.generate_presigned_url(
        operation, parameters, ExpiresIn=60, HttpMethod=method
    )
    client.close()
    assert isinstance(url, str)
    return url


def by_hand(
    gateway: Stand,
    session: Session,
    target: bytes,
    *,
    age_s: int = 0,
    method: bytes = b"GET",
    headers: list[tuple[bytes, bytes]] | None = None,
) -> str:
    """A URL for S3 that was signed some time ago and held for a minute."""
    at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age_s)
    client = Client(
        session.access_key, session.secret_key, "us-east-1", "s3",
        at.strftime("%Y%m%dT%H%M%SZ"),
    )  # fmt: skip
    signed = client.presign(
        method,
        target,
        [(b"host", b"127.0.0.1:%d" % gateway.port), *(headers or [])],
        "UNSIGNED-PAYLOAD",
        expires_s=60,
        token=session.token,
    )
    return gateway.url + signed.decode()


def fetch(
    gateway: Stand,
    url: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    """Ask for a URL as it stands."""
    context = ssl.create_default_context(cafile=str(gateway.directory / "ca.pem"))
    connection = http.client.HTTPSConnection("127.0.0.1", gateway.port, context=context)
    try:
        connection.request(
            method,
            url.removeprefix(f"https://{urlsplit(url).netloc}"),
            body,
            headers or {},
        )
        given = connection.getresponse()
        return given.status, given.read()
    finally:
        connection.close()


def test_a_presigned_download_goes_up_presigned_by_the_gateway(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    upstream.script = answer(b"content", content_type="text/plain")
    key = "a b/../ü%2F//x"
    url = presigned(
        gateway, session, "s3", "get_object", Bucket="bucket", Key=key,
        ResponseContentType="text/x-was asked/for",
    )  # fmt: skip
    assert fetch(gateway, url) == (200, b"content")
    received = the_one(upstream)
    given = received.verified_query()
    assert received.target.partition(b"?")[0] == urlsplit(url).path.encode()
    assert given["response-content-type"] == "text/x-was asked/for"
    assert session.access_key.encode() not in received.target
    assert session.token.encode() not in b"".join(upstream.requests)
    assert received.field(b"authorization") == b""


def test_a_presigned_upload_arrives_with_its_body(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    url = presigned(
        gateway, session, "s3", "put_object", Bucket="bucket", Key="k",
        ContentType="text/x-mine",
    )  # fmt: skip
    status, _ = fetch(
        gateway, url, method="PUT", body=b"x" * 200_000,
        headers={"Content-Type": "text/x-mine"},
    )  # fmt: skip
    assert status == 200
    received = the_one(upstream)
    received.verified_query()
    assert (received.method, received.body) == (b"PUT", b"x" * 200_000)
    assert received.field(b"content-type") == b"text/x-mine"


def test_headers_that_were_moved_into_the_query_stay_there(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    """As the JavaScript SDK presigns."""
    target = b"/bucket/k?x-amz-acl=private&x-amz-meta-note=a%20b&x-id=PutObject"
    url = by_hand(gateway, session, target, method=b"PUT")
    assert fetch(gateway, url, method="PUT", body=b"abc")[0] == 200
    given = the_one(upstream).verified_query()
    assert (given["x-amz-acl"], given["x-amz-meta-note"]) == ("private", "a b")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_sts_presigned_says_who_the_agent_is(
    gateway: Stand, session: Session, upstream: ScriptedUpstream, method: str
) -> None:
    """SDKs presign the model's method, POST, unless they are told GET."""
    url = presigned(
        gateway, session, "sts", "get_caller_identity", version=None, method=method
    )
    status, said = fetch(gateway, url, method=method)
    assert (status, b"agent-7" in said) == (200, True), said
    assert upstream.requests == []


def test_a_presigned_url_that_has_expired_is_refused(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    status, said = fetch(gateway, by_hand(gateway, session, b"/bucket/k", age_s=61))
    assert (status, b"Request has expired" in said) == (403, True)
    assert b"<Code>AccessDenied</Code>" in said
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("/bucket/k?", "/bucket/other?"),
        ("X-Amz-Expires=60", "X-Amz-Expires=600"),
        ("versionId=1", "versionId=2"),
        ("/us-east-1/", "/eu-west-1/"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host&acl"),
    ],
)
def test_a_presigned_url_that_was_changed_is_refused(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
    was: str,
    becomes: str,
) -> None:
    url = by_hand(gateway, session, b"/bucket/k?versionId=1")
    changed = url.replace(was.replace("/us", "%2Fus").replace("1/", "1%2F"), becomes)
    if changed == url:
        changed = url.replace(was, becomes)
    assert changed != url
    status, said = fetch(gateway, changed)
    assert (status, b"<Code>SignatureDoesNotMatch</Code>" in said) == (403, True), said
    assert upstream.requests == []


def test_a_presigned_download_does_not_serve_as_an_upload(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    url = by_hand(gateway, session, b"/bucket/k")
    status, said = fetch(gateway, url, method="PUT", body=b"abc")
    assert (status, b"SignatureDoesNotMatch" in said) == (403, True)
    assert upstream.requests == []


def test_a_header_that_the_url_does_not_cover_is_refused(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    url = by_hand(gateway, session, b"/bucket/k", method=b"PUT")
    status, said = fetch(
        gateway, url, method="PUT", body=b"abc", headers={"x-amz-acl": "public-read"}
    )
    assert (status, b"x-amz-acl is not signed" in said) == (403, True)
    assert upstream.requests == []


def test_sigv2_is_refused_with_the_way_to_sigv4(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    """What boto3 makes of S3 unless told otherwise."""
    url = presigned(
        gateway, session, "s3", "get_object", version=None, Bucket="bucket", Key="k"
    )
    assert "AWSAccessKeyId=" in url
    status, said = fetch(gateway, url)
    assert status == 400
    assert (
        b"signature_version=&quot;s3v4&quot;" in said
        or b'signature_version="s3v4"' in said
    )
    assert upstream.requests == []


@pytest.mark.parametrize("place", ["query", "header"])
def test_sigv4a_is_refused_with_the_way_to_sigv4(
    gateway: Stand, session: Session, upstream: ScriptedUpstream, place: str
) -> None:
    algorithm = "AWS4-ECDSA-P256-SHA256"
    scope = f"{session.access_key}/20261123/s3/aws4_request"
    if place == "query":
        query = (
            f"X-Amz-Algorithm={algorithm}&X-Amz-Credential={scope}&X-Amz-Region-Set=*"
            "&X-Amz-SignedHeaders=host&X-Amz-Signature=3045&X-Amz-Expires=60"
            "&X-Amz-Date=20261123T000000Z"
        )
        status, said = fetch(gateway, f"{gateway.url}/bucket/k?{query}")
    else:
        status, said = fetch(
            gateway,
            f"{gateway.url}/bucket/k",
            headers={
                "Authorization": f"{algorithm} Credential={scope},"
                " SignedHeaders=host;x-amz-region-set, Signature=3045",
                "X-Amz-Region-Set": "*",
                "X-Amz-Security-Token": session.token,
            },
        )
    assert (status, b"AWS_AUTH_SCHEME_PREFERENCE=sigv4" in said) == (400, True)
    assert upstream.requests == []
