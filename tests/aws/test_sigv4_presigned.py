"""Presigned URLs: those of botocore and boto3, those by the documents, and ours."""

from __future__ import annotations

import hashlib
import re
from unittest.mock import patch
from urllib.parse import urlsplit

import boto3
import botocore.auth
import pytest
from botocore.auth import S3SigV4QueryAuth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from gatekeep.aws.authorization import PayloadMode
from gatekeep.aws.credentials import UpstreamCredentials
from gatekeep.aws.sigv4 import Signer
from gatekeep.errors import AuthenticationError
from gatekeep.http.messages import RequestHead
from gatekeep.limits import SIGNATURE_SKEW_S
from gatekeep.principal import Secret
from tests.aws.signing import KEY_ID, NOW_S, SECRET, a_client, a_head, verify
from tests.aws.test_sigv4 import NOW, paths, queries

HOST = (b"host", b"gw.test:8443")
EMPTY = hashlib.sha256(b"").hexdigest()


def presigned_by_botocore(
    service: str, method: str, target: str, token: str | None, expires_s: int
) -> RequestHead:
    request = AWSRequest(method, f"https://gw.test:8443{target}")
    signer = S3SigV4QueryAuth if service == "s3" else SigV4QueryAuth
    with patch.object(botocore.auth, "get_current_datetime", lambda: NOW):
        signer(
            Credentials(KEY_ID, SECRET, token), service, "eu-west-1", expires=expires_s
        ).add_auth(request)
    url = urlsplit(request.url)
    return RequestHead(method.encode(), f"{url.path}?{url.query}".encode(), [HOST])


# A query that botocore presigns it first parses, so empty values do not survive.
kept_queries = queries.filter(
    lambda query: (
        all(all(pair.split("=")) for pair in query.split("&") if query)
        and len({pair.split("=")[0] for pair in query.split("&")})
        == len(query.split("&"))
    )
)


@given(
    service=st.sampled_from(["s3", "sts"]),
    method=st.sampled_from(["GET", "PUT", "HEAD", "DELETE"]),
    path=paths,
    query=kept_queries,
    token=st.one_of(st.none(), st.just("token+/=")),
    expires_s=st.integers(1, 604_800),
)
def test_what_botocore_presigns_is_verified(
    service, method, path, query, token, expires_s
):
    target = path + (f"?{query}" if query else "")
    head = presigned_by_botocore(service, method, target, token, expires_s)
    authorization = verify(head).authorization
    assert authorization.presigned
    assert authorization.expires_s == expires_s
    assert authorization.session_token == (token or "").encode()
    assert authorization.payload is (
        PayloadMode.UNSIGNED if service == "s3" else PayloadMode.ABSENT
    )


def presigned(expires_s: int = 900, service: str = "s3") -> bytes:
    body_hash = "UNSIGNED-PAYLOAD" if service == "s3" else EMPTY
    return a_client(service).presign(
        b"GET", b"/b/k?versionId=1", [HOST], body_hash, expires_s=expires_s, token="t/1"
    )


def triplets(target: bytes) -> bytes:
    """A target in which %2f is %2F: the one change that changes nothing."""
    return re.sub(rb"%[0-9A-Fa-f]{2}", lambda match: match[0].upper(), target)


def test_no_change_of_one_byte_passes():
    target = presigned()
    assert verify(RequestHead(b"GET", target, [HOST]))
    for place in range(len(target)):
        for change in (0x01, 0x02, 0x10, 0x20):
            byte = target[place] ^ change
            mutated = target[:place] + bytes((byte,)) + target[place + 1 :]
            if byte < 0x21 or byte > 0x7E or triplets(mutated) == triplets(target):
                continue
            with pytest.raises(AuthenticationError):
                verify(RequestHead(b"GET", mutated, [HOST]))


@pytest.mark.parametrize(
    ("age_s", "code"),
    [
        (0, None),
        (900, None),
        (901, "AccessDenied"),
        (-SIGNATURE_SKEW_S, None),
        (-SIGNATURE_SKEW_S - 1, "RequestTimeTooSkewed"),
    ],
)
def test_a_url_holds_from_its_date_for_as_long_as_it_says(age_s, code):
    head = RequestHead(b"GET", presigned(), [HOST])
    if code is None:
        assert verify(head, now_s=NOW_S + age_s)
        return
    with pytest.raises(AuthenticationError) as caught:
        verify(head, now_s=NOW_S + age_s)
    assert caught.value.aws_code == code


@pytest.mark.parametrize(
    ("change", "code", "hint"),
    [
        ((b"X-Amz-Expires=900", b"X-Amz-Expires=0"), "IncompleteSignature", "X-Amz-Expires"),
        ((b"X-Amz-Expires=900", b"X-Amz-Expires=604801"), "IncompleteSignature", "X-Amz-Expires"),
        ((b"X-Amz-Expires=900", b"X-Amz-Expires=-5"), "IncompleteSignature", "X-Amz-Expires"),
        ((b"X-Amz-Expires=900", b"X-Amz-Expires=%B2"), "IncompleteSignature", "X-Amz-Expires"),
        ((b"X-Amz-Expires=900", b"a=b"), "IncompleteSignature", "X-Amz-Expires"),
        ((b"X-Amz-Date=", b"X-Amz-Gone="), "IncompleteSignature", "X-Amz-Date"),
        ((b"X-Amz-Signature=", b"X-Amz-Signature=0"), "IncompleteSignature", "64 hex"),
        ((b"X-Amz-Credential=", b"X-Amz-Credential=%2F"), "IncompleteSignature", "X-Amz-Credential"),
        ((b"X-Amz-SignedHeaders=host", b"X-Amz-SignedHeaders=range"), "IncompleteSignature", "'host'"),
        ((b"versionId=1", b"X-Amz-Expires=1"), "InvalidRequest", "twice"),
        ((b"versionId=1", b"versionId=2"), "SignatureDoesNotMatch", "does not match"),
        ((b"AWS4-HMAC-SHA256", b"AWS4-ECDSA-P256-SHA256"), "InvalidRequest", "SigV4A"),
        ((b"AWS4-HMAC-SHA256", b"none"), "InvalidRequest", "AWS4-HMAC-SHA256"),
    ],
)  # fmt: skip
def test_a_url_that_is_not_signed_whole_is_refused(change, code, hint):
    target = presigned().replace(*change)
    with pytest.raises(AuthenticationError, match=hint) as caught:
        verify(RequestHead(b"GET", target, [HOST]))
    assert caught.value.aws_code == code


def test_boto3s_default_s3_url_is_refused_with_the_way_to_get_sigv4():
    client = boto3.client(
        "s3", "us-east-1", aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET,
        endpoint_url="https://gw.test:8443",
    )  # fmt: skip
    url = urlsplit(
        client.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"})
    )
    assert "AWSAccessKeyId" in url.query
    with pytest.raises(AuthenticationError) as caught:
        verify(RequestHead(b"GET", f"{url.path}?{url.query}".encode(), [HOST]))
    assert caught.value.aws_code == "InvalidRequest"
    assert 'Config(signature_version="s3v4")' in caught.value.message


@pytest.mark.parametrize("service", ["s3", "sts"])
def test_boto3s_sigv4_url_is_verified(service):
    client = boto3.client(
        service, "us-east-1", aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET,
        aws_session_token="t/1", endpoint_url="https://gw.test:8443",
        config=Config(signature_version="s3v4" if service == "s3" else "v4"),
    )  # fmt: skip
    call, parameters = {
        "s3": ("put_object", {"Bucket": "b", "Key": "a b/../ü+%//x"}),
        "sts": ("get_caller_identity", {}),
    }[service]
    with patch.object(botocore.auth, "get_current_datetime", lambda: NOW):
        url = urlsplit(client.generate_presigned_url(call, parameters))
    method = b"PUT" if service == "s3" else b"POST"
    head = RequestHead(method, f"{url.path}?{url.query}".encode(), [HOST])
    assert verify(head).authorization.session_token == b"t/1"


def test_a_signature_in_header_and_query_is_refused():
    client = a_client("s3")
    target = presigned()
    fields = [HOST, (b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD")]
    fields = client.sign(b"GET", target, fields, "UNSIGNED-PAYLOAD")
    with pytest.raises(AuthenticationError, match="send one"):
        verify(a_head(b"GET", target, fields))


def test_an_x_amz_header_beside_a_url_must_be_signed():
    head = RequestHead(b"PUT", presigned(), [HOST, (b"x-amz-acl", b"public-read")])
    with pytest.raises(AuthenticationError, match="x-amz-acl is not signed"):
        verify(head)


def test_a_query_that_merely_speaks_of_signatures_is_unsigned():
    for query in (b"Signature=1", b"AWSAccessKeyId=1", b"TheSignature=x&y"):
        with pytest.raises(AuthenticationError) as caught:
            verify(RequestHead(b"GET", b"/?" + query, [HOST]))
        assert caught.value.aws_code == "MissingAuthenticationToken"


@given(query=st.binary(max_size=80))
def test_garbage_is_refused_with_the_declared_error(query):
    for start in (b"", b"X-Amz-Signature=1&", b"X-Amz-Algorithm=AWS4-HMAC-SHA256&"):
        with pytest.raises(AuthenticationError):
            verify(RequestHead(b"GET", b"/?" + start + query, [HOST]))


# --- ours ----------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "t+/="])
@pytest.mark.parametrize("query", [b"", b"x-amz-acl=private&a=b%20c"])
def test_what_we_presign_is_what_botocore_presigns(query, token):
    target = "/b/k" + (f"?{query.decode()}" if query else "")
    theirs = presigned_by_botocore("s3", "PUT", target, token, 300)
    ours, fields = Signer().presign(
        300,
        method=b"PUT",
        path=b"/b/k",
        query=query,
        fields=[HOST, (b"authorization", b"x"), (b"x-amz-security-token", b"client's")],
        body_sha256="UNSIGNED-PAYLOAD",
        service="s3",
        region="eu-west-1",
        credentials=UpstreamCredentials(KEY_ID, Secret(SECRET.encode()), token),
        now_s=NOW_S,
    )
    assert fields == [HOST]
    assert sorted(ours.split(b"&")) == sorted(theirs.query.split(b"&"))
    assert verify(RequestHead(b"PUT", b"/b/k?" + ours, fields))


def test_a_url_whose_body_is_hashed_says_so_for_s3():
    hashed = hashlib.sha256(b"x").hexdigest()
    query, fields = Signer().presign(
        300,
        method=b"PUT",
        path=b"/b/k",
        query=b"",
        fields=[HOST],
        body_sha256=hashed,
        service="s3",
        region="eu-west-1",
        credentials=UpstreamCredentials(KEY_ID, Secret(SECRET.encode())),
        now_s=NOW_S,
    )
    head = RequestHead(b"PUT", b"/b/k?" + query, fields)
    assert verify(head, b"x").authorization.content_sha256 == hashed
    with pytest.raises(AuthenticationError):
        verify(head, b"y")
