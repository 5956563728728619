"""Where requests go: keys and hosts arrive as they were sent, and nowhere else (I7)."""

from __future__ import annotations

import datetime
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.config
import pytest
from aws_side import take_apart, the_one
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_client import Session, ask, open_session, signed
from scripted_upstream import ScriptedUpstream, answer
from stand import Issuer, Stand

from tests.reference.sigv4 import Client, sha256_hex

PERMIT_ALL = '@id("all")\npermit (principal in Group::"agents", action, resource);\n'


@pytest.fixture(scope="module")
def for_s3() -> Iterator[ScriptedUpstream]:
    """Where S3 is, by the settings."""
    upstream = ScriptedUpstream()
    upstream.script = answer(b"", content_type="application/xml")
    yield upstream
    upstream.close()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[ScriptedUpstream]:
    """A server that no settings name, and that clients try to have reached."""
    upstream = ScriptedUpstream()
    yield upstream
    upstream.close()


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory,
    scripted: ScriptedUpstream,
    for_s3: ScriptedUpstream,
    issuer: Issuer,
) -> Iterator[Stand]:
    """A gateway with an upstream for S3 and one for everything else."""
    stand = Stand(
        tmp_path_factory.mktemp("gateway"),
        scripted.url,
        issuer,
        PERMIT_ALL,
        extra=f'[upstream.service_endpoints]\ns3 = "{for_s3.url}"\n',
        assume=False,
    )
    stand.write()
    stand.start()
    yield stand
    assert stand.stop() == 0, stand.log_path.read_text()
    assert "Traceback" not in stand.log_path.read_text()


@pytest.fixture(scope="module")
def session(gateway: Stand) -> Session:
    return open_session(gateway)


@pytest.fixture
def s3_upstream(
    for_s3: ScriptedUpstream, upstream: ScriptedUpstream
) -> ScriptedUpstream:
    for_s3.requests.clear()
    return for_s3


def request(
    session: Session,
    host: bytes,
    target: bytes,
    *,
    method: bytes = b"GET",
    service: str = "s3",
    region: str = "us-east-1",
    fields: tuple[tuple[bytes, bytes], ...] = (),
    body: bytes = b"",
    sent_target: bytes = b"",
) -> bytes:
    """A really signed request to any host, path, service and region."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    client = Client(session.access_key, session.secret_key, region, service, now)
    hashed = sha256_hex(body)
    headers = [
        (b"host", host),
        (b"x-amz-content-sha256", hashed.encode()),
        (b"x-amz-security-token", session.token.encode()),
        *fields,
    ]
    signed = client.sign(method, target, headers, hashed)
    lines = b"".join(b"%b: %b\r\n" % field for field in signed)
    line = b"%b %b HTTP/1.1\r\n" % (method, sent_target or target)
    return line + lines + b"content-length: %d\r\n\r\n" % len(body) + body


def s3_client(gateway: Stand, session: Session, **settings: Any) -> Any:
    return boto3.client(
        "s3", region_name="us-east-1", verify=str(gateway.directory / "ca.pem"),
        aws_access_key_id=session.access_key, aws_secret_access_key=session.secret_key,
        aws_session_token=session.token, **settings,
    )  # fmt: skip


# --- keys ---------------------------------------------------------------------------

TARGETS = [
    b"/bucket/a/../b",
    b"/bucket/../bucket/k",
    b"/bucket/a/./b",
    b"/bucket//a///b",
    b"/bucket/a%20b",
    b"/bucket/%2F",
    b"/bucket/a%2F..%2Fb",
    b"/bucket/%C3%BC/%E2%82%AC",
    b"/bucket/100%25",
    b"/bucket/a+b~c_d-e.f",
    b"/bucket/a:b@c!d$e&f'g(h)i*j,k;l=m",
    b"/bucket/k?versionId=a%2Fb&response-content-type=text%2Fplain",
    b"/bucket/dir/",
    b"/bucket/%3Fq%23f",
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.decode())
@pytest.mark.parametrize("style", ["path", "virtual"])
def test_a_key_arrives_byte_for_byte(
    gateway: Stand,
    session: Session,
    s3_upstream: ScriptedUpstream,
    style: str,
    target: bytes,
) -> None:
    host, path = f"127.0.0.1:{gateway.port}", target
    if style == "virtual":
        host, path = f"bucket.localhost:{gateway.port}", target.removeprefix(b"/bucket")
    escapes_slash = b"%2F" in target
    data = (
        signed(
            gateway, session, service="s3", target="", method="GET", path=path.decode(),
            body=b"", headers={"Host": host},
        )
        if escapes_slash
        else request(session, host.encode(), path)
    )  # fmt: skip
    status, said = ask(gateway, data)
    assert status == 200, said
    received = the_one(s3_upstream)
    assert received.target == target
    # SDKs sign an S3 path as they send it; the reference decodes and encodes it. The
    # two differ for an escaped slash, which SDKs do not make of a key.
    if not escapes_slash:
        received.verified()


@pytest.mark.parametrize("style", ["path", "virtual"])
def test_boto3s_odd_keys_arrive_however_the_bucket_is_named(
    gateway: Stand,
    session: Session,
    s3_upstream: ScriptedUpstream,
    monkeypatch: pytest.MonkeyPatch,
    style: str,
) -> None:
    """The endpoint from the environment, as agents have it."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: resolve(
            "127.0.0.1" if str(host).endswith("localhost") else host, *rest, **more
        ),
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"https://localhost:{gateway.port}")
    s3 = s3_client(
        gateway, session,
        config=botocore.config.Config(s3={"addressing_style": style}),
    )  # fmt: skip
    urls = []
    s3.meta.events.register(
        "before-send.s3", lambda request, **_: urls.append(request.url)
    )
    s3.get_object(Bucket="bucket", Key="a b/../ü+%//x")
    s3.close()
    parts = urlsplit(urls[0])
    path = parts.path if style == "path" else "/bucket" + parts.path
    assert (parts.hostname == "bucket.localhost") == (style == "virtual")
    assert the_one(s3_upstream).target == path.encode()


# --- hosts and regions --------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [b"evil.test", b"127.0.0.1.evil.test", b"evillocalhost", b"s3.amazonaws.com",
     b"127.0.0.1@evil.test", b"localhost.", b"[::1]", b"*.localhost",
     b"bucket/../localhost", b"169.254.169.254"],
)  # fmt: skip
def test_a_host_that_is_none_of_ours_is_refused(
    gateway: Stand, session: Session, s3_upstream: ScriptedUpstream, host: bytes
) -> None:
    status, said = ask(gateway, request(session, host, b"/bucket/k"))
    assert status in (400, 403)
    assert b"aws.bad_host" in said or b"wire." in said
    assert s3_upstream.requests == []


@pytest.mark.parametrize(
    ("service", "region", "target"),
    [
        ("dynamodb", "us-east-9", b"DynamoDB_20120810.ListTables"),
        ("apprunner", "sa-east-1", b"AppRunner.ListServices"),
        ("s3", "aws-global", b""),
        ("s3", "localhost", b""),
    ],
)
def test_a_region_that_the_service_lacks_is_refused(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
    s3_upstream: ScriptedUpstream,
    service: str,
    region: str,
    target: bytes,
) -> None:
    host = b"127.0.0.1:%d" % gateway.port
    data = (
        request(
            session, host, b"/", method=b"POST", service=service, region=region,
            body=b"{}",
            fields=((b"content-type", b"application/x-amz-json-1.0"),
                    (b"x-amz-target", target)),
        )
        if target
        else request(session, host, b"/bucket/k", region=region)
    )  # fmt: skip
    status, said = ask(gateway, data)
    assert status in (400, 403)
    assert b"region" in said
    assert upstream.requests == s3_upstream.requests == []


# --- whatever is asked, nowhere else ------------------------------------------------

SERVICES = st.sampled_from(
    ["s3", "dynamodb", "sqs", "ec2", "sts", "lambda", "execute-api", "s3express",
     "s3-object-lambda", "s3-outposts", "evil", "iam", "states", "127.0.0.1"]
)  # fmt: skip
REGIONS = st.sampled_from(
    ["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1", "aws-global", "localhost",
     "us-east-1-evil", "evil"]
)  # fmt: skip
PATHS = st.one_of(
    st.sampled_from(
        [b"/", b"/bucket", b"/bucket/k", b"//evil.test/k", b"/v20180820/jobs",
         b"/2015-03-31/functions/f/invocations", b"/{elsewhere}/k",
         b"/arn%3Aaws%3As3%3Aeu-west-1%3A1%3Aaccesspoint%2Fa/k", b"/../../k",
         b"/bucket.{elsewhere}/k", b"/%40{elsewhere}/", b"/?Action=ListUsers"]
    ),
    st.binary(max_size=20).map(
        lambda raw: b"/" + bytes(b if 0x21 <= b < 0x7F and b != 0x25 else 0x78 for b in raw)
    ),
)  # fmt: skip
HOSTS = st.sampled_from(
    [b"{own}", b"localhost:{port}", b"bucket.localhost:{port}", b"{elsewhere}",
     b"{elsewhere}.localhost", b"evil.test", b"123456789012.localhost:{port}",
     b"sync-localhost:{port}", b"s3.eu-west-1.amazonaws.com", b"a.b.c.localhost",
     b"{elsewhere}@localhost", b"data.localhost", b"evil.test:80.localhost"]
)  # fmt: skip
FIELDS = st.sampled_from(
    [(), ((b"x-forwarded-host", b"{elsewhere}"),), ((b"forwarded", b"host={elsewhere}"),),
     ((b"x-amz-target", b"DynamoDB_20120810.ListTables"),
      (b"content-type", b"application/x-amz-json-1.0")),
     ((b"x-amz-copy-source", b"http://{elsewhere}/k"),),
     ((b"x-amz-account-id", b"123456789012"),),
     ((b"content-type", b"application/x-www-form-urlencoded"),)]
)  # fmt: skip
BODIES = st.sampled_from(
    [b"", b"{}", b"Action=ListQueues&Version=2012-11-05",
     b"Action=SendMessage&QueueUrl=http%3A%2F%2F{elsewhere}%2Fq&MessageBody=m",
     b'{"QueueUrl":"http://{elsewhere}/1/q"}']
)  # fmt: skip


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    method=st.sampled_from([b"GET", b"PUT", b"POST", b"DELETE", b"HEAD"]),
    service=SERVICES,
    region=REGIONS,
    host=HOSTS,
    path=PATHS,
    fields=FIELDS,
    body=BODIES,
    absolute=st.booleans(),
)
def test_no_request_reaches_anything_but_the_table(
    gateway: Stand,
    session: Session,
    scripted: ScriptedUpstream,
    for_s3: ScriptedUpstream,
    elsewhere: ScriptedUpstream,
    method: bytes,
    service: str,
    region: str,
    host: bytes,
    path: bytes,
    fields: tuple[tuple[bytes, bytes], ...],
    body: bytes,
    absolute: bool,
) -> None:
    away = urlsplit(elsewhere.url).netloc.encode()

    def filled(text: bytes) -> bytes:
        own = b"127.0.0.1:%d" % gateway.port
        for name, value in (
            (b"{own}", own), (b"{port}", b"%d" % gateway.port), (b"{elsewhere}", away),
        ):  # fmt: skip
            text = text.replace(name, value)
        return text

    scripted.requests.clear()
    for_s3.requests.clear()
    target = filled(path)
    status, said = ask(
        gateway,
        request(
            session,
            filled(host),
            target,
            method=method,
            service=service,
            region=region,
            fields=tuple((name, filled(value)) for name, value in fields),
            body=filled(body),
            sent_target=b"http://" + away + target if absolute else b"",
        ),
    )
    assert elsewhere.accepted == 0
    arrived = scripted.requests + for_s3.requests
    assert len(arrived) == (1 if status == 200 and b"gatekeep" not in said else 0) or (
        status == 200 and b"GetCallerIdentity" in said
    )
    for upstream in (scripted, for_s3):
        netloc = urlsplit(upstream.url).netloc.encode()
        for came in upstream.requests:
            received = take_apart(came)
            assert received.field(b"host") == netloc
            received.verified()
    if not service.startswith("s3"):
        assert for_s3.requests == []
