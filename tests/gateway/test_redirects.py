"""S3 says that a bucket is in another region: boto3 signs again, through the gateway."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator

import boto3
import pytest
from aws_side import take_apart
from raw_client import Session
from scripted_upstream import ScriptedUpstream
from stand import Stand

MOVED = (
    b"<Error><Code>PermanentRedirect</Code><Message>The bucket you are attempting to"
    b" access must be addressed using the specified endpoint.</Message>"
    b"<Endpoint>there.s3.eu-west-1.amazonaws.com</Endpoint><Bucket>there</Bucket></Error>"
)
WRONG_REGION = (
    b"<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header"
    b" is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'</Message>"
    b"<Region>eu-west-1</Region></Error>"
)


class TwoRegions:
    """A bucket that is in eu-west-1, whoever asks."""

    def __init__(self, status: int, body: bytes, *, says_region: bool) -> None:
        self.status = status
        self.body = body
        self.says_region = says_region

    def __call__(self, connection: socket.socket, request: bytes) -> bool:
        received = take_apart(request)
        own, _ = received.verified()
        if own.region == "eu-west-1":
            found = b"hello" if received.method == b"GET" else b""
            length = len(found)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (length, found)
            )
            return True
        region = b"x-amz-bucket-region: eu-west-1\r\n" if self.says_region else b""
        body = b"" if received.method == b"HEAD" else self.body
        connection.sendall(
            b"HTTP/1.1 %d No\r\nContent-Type: application/xml\r\n%b"
            b"Transfer-Encoding: chunked\r\n\r\n"
            % (self.status, region)
            + (b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"")
        )
        return True


@pytest.fixture
def s3(gateway: Stand, session: Session) -> Iterator[object]:
    client = boto3.client(
        "s3", endpoint_url=gateway.url, region_name="us-east-1",
        verify=str(gateway.directory / "ca.pem"),
        aws_access_key_id=session.access_key, aws_secret_access_key=session.secret_key,
        aws_session_token=session.token,
    )  # fmt: skip
    yield client
    client.close()


@pytest.mark.parametrize(
    "there",
    [
        TwoRegions(301, MOVED, says_region=True),
        TwoRegions(400, WRONG_REGION, says_region=False),
    ],
    ids=["301", "400"],
)
def test_boto3_asks_again_in_the_region_of_the_bucket(
    upstream: ScriptedUpstream, s3: object, there: TwoRegions
) -> None:
    upstream.script = there
    got = s3.get_object(Bucket="there", Key="k")  # type: ignore[attr-defined]
    assert got["Body"].read() == b"hello"
    regions = [take_apart(r).verified()[0].region for r in upstream.requests]
    assert (regions[0], regions[-1]) == ("us-east-1", "eu-west-1")


def test_an_upload_is_repeated_in_the_region_of_the_bucket(
    upstream: ScriptedUpstream, s3: object
) -> None:
    upstream.script = TwoRegions(301, MOVED, says_region=True)
    s3.put_object(Bucket="there", Key="k", Body=io.BytesIO(b"x" * 300_000))  # type: ignore[attr-defined]
    last = take_apart(upstream.requests[-1])
    own, _ = last.verified()
    assert (last.method, own.region) == (b"PUT", "eu-west-1")
    assert b"x" * 100_000 in last.body


def test_the_redirect_itself_is_passed_on_as_it_is(
    upstream: ScriptedUpstream, s3: object
) -> None:
    upstream.script = TwoRegions(301, MOVED, says_region=True)
    seen = []
    s3.meta.events.register(  # type: ignore[attr-defined]
        "before-parse.s3.GetObject",
        lambda response_dict, **_: seen.append(response_dict),
    )
    s3.get_object(Bucket="there", Key="k")["Body"].read()  # type: ignore[attr-defined]
    first = seen[0]
    assert first["status_code"] == 301
    assert first["headers"]["x-amz-bucket-region"] == "eu-west-1"
    assert first["body"] == MOVED
