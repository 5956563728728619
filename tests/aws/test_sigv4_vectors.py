"""AWS's published SigV4 test suite and the worked examples of the S3 documents.

The suite lies in ``tests/conformance/sigv4`` as AWS publishes it (Apache-2.0, with
its licence): ``.req`` is a request, ``.creq`` its canonical form, ``.sts`` the string
to sign, ``.authz`` the header, ``.sreq`` the request with it.
"""

from __future__ import annotations

import base64
import calendar
import hashlib
import re
import time
from pathlib import Path

import pytest

from gatekeep._fast.crc import crc32c
from gatekeep.aws.authorization import parse_authorization
from gatekeep.aws.canonical import canonical_fields, canonical_request
from gatekeep.aws.chunked import ChunkedDecoder
from gatekeep.aws.signing_keys import signature_of, signing_key
from gatekeep.aws.sigv4 import signed_body_sha256, verify_head
from gatekeep.errors import AuthenticationError
from gatekeep.http.messages import RequestHead
from tests.aws.signing import a_head, a_session
from tests.reference.sigv4 import canonical_uri

SUITE = Path(__file__).parent.parent / "conformance" / "sigv4"
CASES = sorted(path.with_suffix("") for path in SUITE.rglob("*.req"))
IDS = [case.name for case in CASES]
SESSION = a_session("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "AKIDEXAMPLE")
NOW_S = float(calendar.timegm((2015, 8, 30, 12, 36, 0)))
TOKEN_ADDED_LATER = "post-sts-header-after"
"""AWS shows it as what some services take: a token that the signature does not
cover. We do not: a session token that can be exchanged is none."""


def parse(raw: bytes) -> tuple[RequestHead, bytes]:
    """A request file: LF line ends, folded lines, anything in the request line."""
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, rest = first.partition(b" ")
    fields: list[tuple[bytes, bytes]] = []
    for line in lines:
        if line[:1] in b" \t" and line:
            name, value = fields.pop()
            fields.append((name, value + b" " + line.strip()))
        elif line:
            name, _, value = line.partition(b":")
            fields.append((name, value))
    return a_head(method, rest.rpartition(b" ")[0], fields), body


def verify(head: RequestHead, body: bytes) -> None:
    authorization = parse_authorization(head)
    verify_head(
        head,
        authorization,
        SESSION,
        now_s=NOW_S,
        body_sha256=signed_body_sha256(authorization, body),
    )


def read(case: Path, kind: str) -> bytes:
    return case.with_name(case.name + kind).read_bytes()


def signed_request(case: Path) -> bytes:
    """The signed request, its header taken from ``.authz``.

    One ``.sreq`` (get-vanilla-with-session-token) has that of another case in it.
    """
    authz = read(case, ".authz").strip()
    return re.sub(
        rb"(?m)^Authorization:.*$", b"Authorization: " + authz, read(case, ".sreq")
    )


def test_the_suite_is_there_whole():
    assert len(CASES) == 31 + 3


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_canonical_form_and_signature_are_those_that_aws_publishes(case):
    head, body = parse(signed_request(case))
    authorization = parse_authorization(head)
    canonical = canonical_request(
        method=head.method,
        path=head.path,
        query=head.query,
        service="service",
        fields=canonical_fields(authorization.signed, head.fields, head.by_name),
        listed=authorization.signed.listed,
        body_sha256=hashlib.sha256(body).hexdigest(),
    )
    assert canonical == read(case, ".creq").replace(b"\r\n", b"\n")
    key = signing_key(SESSION, "20150830", "us-east-1", "service")
    signature = signature_of(
        canonical, key=key, amz_date="20150830T123600Z", scope=authorization.scope
    )
    assert read(case, ".authz").strip().endswith(b"Signature=" + signature.encode())
    if case.name == TOKEN_ADDED_LATER:
        with pytest.raises(AuthenticationError, match="x-amz-security-token"):
            verify(head, body)
    else:
        verify(head, body)


def meaning(head: RequestHead, body: bytes) -> tuple[object, ...]:
    """What of a request may not change: all but what the canonical form levels out.

    That is: letter case of field names and of percent-coding in a query, the order of
    a query, how much white space stands between words; and as none of these vectors
    is for S3, dots and double slashes in a path.
    """
    fields = sorted((name, b" ".join(value.split())) for name, value in head.fields)
    query = re.sub(rb"%[0-9A-Fa-f]{2}", lambda m: m[0].upper(), head.query)
    pairs = sorted(pair.partition(b"=")[::2] for pair in query.split(b"&"))
    return head.method, canonical_uri(head.path, s3=False), pairs, fields, body


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name != TOKEN_ADDED_LATER],
    ids=[name for name in IDS if name != TOKEN_ADDED_LATER],
)  # fmt: skip
def test_no_change_of_one_byte_passes(case):
    raw = signed_request(case)
    head, body = parse(raw)
    same = meaning(head, body)
    refused = 0
    for place in range(len(raw)):
        for change in (0x01, 0x04, 0x20, 0x80):
            mutated = raw[:place] + bytes((raw[place] ^ change,)) + raw[place + 1 :]
            changed, rest = parse(mutated)
            if meaning(changed, rest) == same:
                continue
            with pytest.raises(AuthenticationError):
                verify(changed, rest)
            refused += 1
    assert refused > len(raw) * 3


# --- the worked examples of the S3 documents ------------------------------------------

S3_SESSION = a_session(
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AKIAIOSFODNN7EXAMPLE"
)
S3_NOW_S = float(calendar.timegm(time.strptime("20130524", "%Y%m%d")))
S3_HOST = (b"host", b"examplebucket.s3.amazonaws.com")
S3_DATE = (b"x-amz-date", b"20130524T000000Z")
EMPTY = hashlib.sha256(b"").hexdigest().encode()


def s3_head(
    method: bytes,
    target: bytes,
    fields: list[tuple[bytes, bytes]],
    signature: str,
) -> RequestHead:
    listed = ";".join(sorted(name.decode() for name, _ in fields))
    value = (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
        f"aws4_request,SignedHeaders={listed},Signature={signature}"
    )
    return RequestHead(method, target, [*fields, (b"authorization", value.encode())])


def verify_s3(head: RequestHead, body: bytes = b""):
    authorization = parse_authorization(head)
    return verify_head(
        head,
        authorization,
        S3_SESSION,
        now_s=S3_NOW_S,
        body_sha256=signed_body_sha256(authorization, body),
    )


PUT_BODY = b"Welcome to Amazon S3."
EXAMPLES = {
    "get object": s3_head(
        b"GET", b"/test.txt",
        [S3_HOST, (b"range", b"bytes=0-9"), (b"x-amz-content-sha256", EMPTY), S3_DATE],
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    "put object": s3_head(
        b"PUT", b"/test$file.text",
        [(b"date", b"Fri, 24 May 2013 00:00:00 GMT"), S3_HOST,
         (b"x-amz-content-sha256", hashlib.sha256(PUT_BODY).hexdigest().encode()), S3_DATE,
         (b"x-amz-storage-class", b"REDUCED_REDUNDANCY")],
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    "get bucket lifecycle": s3_head(
        b"GET", b"/?lifecycle", [S3_HOST, (b"x-amz-content-sha256", EMPTY), S3_DATE],
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    "list objects": s3_head(
        b"GET", b"/?max-keys=2&prefix=J", [S3_HOST, (b"x-amz-content-sha256", EMPTY), S3_DATE],
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
    "presigned get": RequestHead(
        b"GET",
        b"/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        b"&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        b"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        b"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        [S3_HOST],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_the_s3_documents_is_verified(name):
    assert verify_s3(EXAMPLES[name], PUT_BODY if name == "put object" else b"")


CHUNKS = [b"a" * 65_536, b"a" * 1024]


def test_the_chunked_upload_of_the_s3_documents_is_verified():
    head = s3_head(
        b"PUT", b"/examplebucket/chunkObject.txt",
        [(b"content-encoding", b"aws-chunked"), (b"content-length", b"66824"),
         (b"host", b"s3.amazonaws.com"),
         (b"x-amz-content-sha256", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), S3_DATE,
         (b"x-amz-decoded-content-length", b"66560"),
         (b"x-amz-storage-class", b"REDUCED_REDUNDANCY")],
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    )  # fmt: skip
    body = (
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
        + CHUNKS[0]
        + b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
        + CHUNKS[1]
        + b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
    )
    assert len(body) == 66_824
    decoder = ChunkedDecoder(head, verify_s3(head))
    assert [piece.data for piece in decoder.feed(body)] == CHUNKS
    decoder.finish()


def test_the_upload_with_a_trailer_of_the_s3_documents_is_verified():
    head = s3_head(
        b"PUT", b"/examplebucket/chunkObject.txt",
        [(b"content-encoding", b"aws-chunked"), (b"host", b"s3.amazonaws.com"),
         (b"x-amz-content-sha256", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"), S3_DATE,
         (b"x-amz-decoded-content-length", b"66560"),
         (b"x-amz-storage-class", b"REDUCED_REDUNDANCY"),
         (b"x-amz-trailer", b"x-amz-checksum-crc32c")],
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    )  # fmt: skip
    checksum = base64.b64encode(crc32c(b"".join(CHUNKS)).to_bytes(4, "big"))
    assert checksum == b"sOO8/Q=="
    body = (
        b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n"
        + CHUNKS[0]
        + b"\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n"
        + CHUNKS[1]
        + b"\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
        + b"x-amz-checksum-crc32c:" + checksum + b"\r\n"
        + b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    )  # fmt: skip
    decoder = ChunkedDecoder(head, verify_s3(head))
    assert [piece.data for piece in decoder.feed(body)] == CHUNKS
    decoder.finish()
