"""Header signatures: against botocore, against the documents, against mutation."""

from __future__ import annotations

import datetime
import hashlib
import re
from unittest.mock import patch
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import example, given
from hypothesis import strategies as st

from gatekeep.aws.authorization import PayloadMode, parse_authorization
from gatekeep.aws.canonical import canonical_component, canonical_path
from gatekeep.aws.credentials import UpstreamCredentials
from gatekeep.aws.signing_keys import signing_key
from gatekeep.aws.sigv4 import Signer, verify_head
from gatekeep.errors import AuthenticationError
from gatekeep.http.messages import Field, RequestHead
from gatekeep.limits import SIGNATURE_SKEW_S, SIGNING_KEYS_MAX, TARGET_BYTES_MAX
from gatekeep.principal import Secret
from tests.aws.signing import (
    AMZ_DATE,
    KEY_ID,
    NOW_S,
    SECRET,
    a_client,
    a_head,
    a_session,
    verify,
)
from tests.reference.sigv4 import Client

NOW = datetime.datetime.fromtimestamp(NOW_S, datetime.UTC)
BODY = b'{"TableName":"t","Key":{"id":{"S":"1"}}}'

# --- against botocore ----------------------------------------------------------------

segment = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6
).map(lambda text: quote(text, safe="~"))
paths = st.lists(
    st.one_of(segment, st.sampled_from(["", ".", "..", "a.b", "%2F"])),
    max_size=5,
).map(lambda parts: "/" + "/".join(parts))
component = st.text(st.characters(codec="utf-8"), max_size=6).map(
    lambda text: quote(text, safe="-_.~")
)
queries = st.lists(st.tuples(component, component), max_size=4).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
# With several spaces in a row, which the canonical form takes for one.
values = st.text('aZ0/+=; ,"~\t', min_size=1, max_size=12).map(str.strip)
headers = st.dictionaries(
    st.sampled_from(["Content-Type", "X-Amz-Target", "x-amz-meta-b", "X-Amz-Meta-A", "Accept", "Range"]),
    values,
    max_size=4,
)  # fmt: skip


def signed_by_botocore(
    service: str,
    method: str,
    url: str,
    fields: dict[str, str],
    body: bytes,
    token: str | None,
) -> RequestHead:
    """A request as botocore's signer leaves it, as it comes over the wire."""
    request = AWSRequest(method, url, headers=fields, data=body)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    with patch.object(botocore.auth, "get_current_datetime", lambda: NOW):
        signer(Credentials(KEY_ID, SECRET, token), service, "eu-west-1").add_auth(
            request
        )
    target = re.sub(r"^https?://[^/]*", "", url).encode()
    sent = [(name.encode(), value.encode()) for name, value in request.headers.items()]
    return a_head(method.encode(), target, [*sent, (b"Host", b"gw.test:8443")])


@given(
    service=st.sampled_from(["dynamodb", "s3", "execute-api"]),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"]),
    path=paths,
    query=queries,
    fields=headers,
    body=st.binary(max_size=40),
    token=st.one_of(st.none(), st.just("token+/=")),
)
@example("s3", "GET", "/b/a%20b/../%C3%BC%2B%25//x", "", {}, b"", None)
@example(
    "lambda", "GET", "/2015-03-31/functions/arn%3Aaws%3Alambda/x", "", {}, b"", None
)
def test_what_botocore_signs_is_verified(
    service, method, path, query, fields, body, token
):
    url = f"https://gw.test:8443{path}" + (f"?{query}" if query else "")
    head = signed_by_botocore(service, method, url, fields, body, token)
    verified = verify(head, body)
    assert verified.authorization.service == service
    assert verified.authorization.region == "eu-west-1"
    assert verified.authorization.session_token == (token or "").encode()


@given(
    service=st.sampled_from(["dynamodb", "s3"]),
    method=st.sampled_from(["GET", "POST", "PUT"]),
    path=paths,
    query=queries,
    fields=headers.map(
        lambda fields: {n: v for n, v in fields.items() if n not in ("Accept", "Range")}
    ),
    body=st.binary(max_size=40),
    token=st.one_of(st.none(), st.just("token+/=")),
)
def test_we_sign_as_botocore_does(service, method, path, query, fields, body, token):
    body_sha256 = hashlib.sha256(body).hexdigest()
    target = path + (f"?{query}" if query else "")
    theirs = signed_by_botocore(
        service,
        method,
        f"https://gw.test:8443{target}",
        fields | {"X-Amz-Content-SHA256": body_sha256},
        body,
        token,
    )
    ours = Signer().sign(
        method=method.encode(),
        path=path.encode(),
        query=query.encode(),
        fields=[
            (b"host", b"gw.test:8443"),
            *(
                (name.lower().encode(), value.encode())
                for name, value in fields.items()
            ),
            # What the client authenticated with does not go up.
            (b"authorization", b"AWS4-HMAC-SHA256 the client's"),
            (b"date", b"yesterday"),
            (b"x-amz-date", b"yesterday"),
            (b"x-amz-security-token", b"the client's"),
            (b"x-amz-content-sha256", b"the client's"),
        ],
        body_sha256=body_sha256,
        service=service,
        region="eu-west-1",
        credentials=UpstreamCredentials(KEY_ID, Secret(SECRET.encode()), token),
        now_s=NOW_S + 0.9,
    )
    assert dict(ours)[b"authorization"] == theirs.get(b"authorization")
    assert dict(ours) == theirs.by_name | {
        name.lower().encode(): value.encode() for name, value in fields.items()
    }
    assert len(dict(ours)) == len(ours)


# --- against the documents -----------------------------------------------------------

raw_paths = st.text("ab/.%~+:@(=é", max_size=10).map(lambda t: b"/" + t.encode())
raw_queries = st.lists(
    st.tuples(*[st.sampled_from([b"", b"a", b"B", b"a%20b", b"%2f", b"a+b", b"%7e", b"(", b"%41"])] * 2),
    max_size=4,
).map(lambda pairs: b"&".join(name + b"=" + value for name, value in pairs))  # fmt: skip


def is_percent_coded(path: bytes) -> bool:
    return re.fullmatch(rb"([^%]|%[0-9A-Fa-f]{2})*", path) is not None


@given(
    service=st.sampled_from(["dynamodb", "s3"]),
    path=raw_paths.filter(is_percent_coded),
    query=raw_queries,
)
def test_a_client_by_the_documents_is_verified(service, path, query):
    # A slash that is percent-coded in a key is a case of its own, tested below.
    path = path.replace(b"%2F", b"").replace(b"%2f", b"")
    target = path + (b"?" + query if query else b"")
    fields = [
        (b"host", b"gw.test"),
        (b"x-amz-meta-a", b" two  values\t"),
        (b"x-amz-meta-a", b"of one name"),
        (b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD"),
    ]
    client = a_client(service)
    head = a_head(
        b"GET", target, client.sign(b"GET", target, fields, "UNSIGNED-PAYLOAD")
    )
    assert verify(head).authorization.payload is PayloadMode.UNSIGNED


def test_a_coded_slash_in_a_key_stays_coded_in_what_is_signed():
    head = signed_by_botocore(
        "s3", "GET", "https://gw.test:8443/b/a%2Fb", {}, b"", None
    )
    assert verify(head)
    head.path = b"/b/a/b"
    with pytest.raises(AuthenticationError):
        verify(head)


@pytest.mark.parametrize(
    ("component", "canonical"),
    [
        (b"a-b_c.d~e", b"a-b_c.d~e"),
        (b"a b", b"a%20b"),
        (b"a+b", b"a%20b"),
        (b"%2b", b"%2B"),
        (b"%41%7e", b"A~"),
        (b"/:@", b"%2F%3A%40"),
        (b"%", b"%25"),
        (b"%zz", b"%25zz"),
        (b"\xc3\xbc", b"%C3%BC"),
    ],
)
def test_a_query_component_has_one_canonical_spelling(component, canonical):
    assert canonical_component(component) == canonical
    assert canonical_component(canonical) == canonical


@pytest.mark.parametrize(
    "byte", [b"a", b"%", b"/", b".", b"=", b"%2", b"%2F", b" ", b"/.."]
)
@pytest.mark.parametrize("service", ["s3", "dynamodb"])
def test_canonical_forms_take_time_in_proportion(service, byte):
    # A pattern that backtracks would not come back from this.
    long = byte * (TARGET_BYTES_MAX // len(byte)) + b"="
    assert canonical_component(long)
    assert canonical_path(b"/" + long, service=service)


# --- against mutation ----------------------------------------------------------------


def a_request(service: str = "dynamodb") -> RequestHead:
    target = b"/a%20b/c?list=1&b=%2Fx"
    fields = [
        (b"host", b"gw.test:8443"),
        (b"content-type", b"application/x-amz-json-1.0"),
        (b"x-amz-target", b"DynamoDB_20120810.GetItem"),
        (b"x-amz-security-token", b"sealed/token+1="),
        (b"x-amz-meta-a", b"one two"),
        (b"x-amz-content-sha256", hashlib.sha256(BODY).hexdigest().encode()),
    ]
    client = a_client(service)
    body_hash = hashlib.sha256(BODY).hexdigest()
    return a_head(b"POST", target, client.sign(b"POST", target, fields, body_hash))


def mutations(head: RequestHead) -> list[RequestHead]:
    """The head with every single byte changed in several ways."""
    wire = [head.method, head.target]
    wire += [part for pair in head.fields for part in pair]
    found = []
    for index, part in enumerate(wire):
        for place in range(len(part)):
            for change in (0x01, 0x02, 0x10, 0x20, 0x40):
                byte = part[place] ^ change
                if byte in b"\r\n\x00\x7f" or byte < 0x20 or byte > 0x7E:
                    continue
                parts = list(wire)
                parts[index] = part[:place] + bytes((byte,)) + part[place + 1 :]
                fields = zip(parts[2::2], parts[3::2], strict=True)
                if (
                    index > 1
                    and index % 2 == 0
                    and chr(byte).lower().encode() == part[place : place + 1]
                ):
                    continue  # a field's name in another letter case is the same name
                found.append(a_head(parts[0], parts[1], list(fields)))
    return found


@pytest.mark.parametrize("service", ["dynamodb", "s3"])
def test_no_change_of_one_byte_passes(service):
    head = a_request(service)
    assert verify(head, BODY)
    refused = passed = 0
    for mutated in mutations(head):
        try:
            verify(mutated, BODY)
        except AuthenticationError:
            refused += 1
            continue
        # One spelling passes, because it is the same request: %2f for %2F.
        passed += 1
        assert mutated.target == head.target.replace(b"%2F", b"%2f")
        assert list(mutated.fields) == list(head.fields)
    assert refused > 1500
    assert passed == 1


def test_no_change_of_the_body_passes():
    head = signed_by_botocore(
        "dynamodb", "POST", "https://gw.test:8443/", {}, BODY, "t"
    )
    assert verify(head, BODY)
    for place in range(len(BODY)):
        mutated = bytearray(BODY)
        mutated[place] ^= 1
        with pytest.raises(AuthenticationError):
            verify(head, bytes(mutated))


@given(
    method=st.binary(max_size=5),
    target=st.binary(max_size=60),
    fields=st.lists(
        st.tuples(
            st.sampled_from([b"authorization", b"x-amz-date", b"date", b"host", b"x-amz-content-sha256", b"x-amz-meta-a"]),
            st.binary(max_size=60),
        ),
        max_size=6,
    ),
)  # fmt: skip
def test_garbage_is_refused_with_the_declared_error(method, target, fields):
    with pytest.raises(AuthenticationError):
        verify(RequestHead(method, target, fields))


@given(data=st.data())
def test_a_broken_authorization_is_refused_with_the_declared_error(data):
    head = a_request()
    value = bytearray(head.get(b"authorization"))
    for _ in range(data.draw(st.integers(min_value=1, max_value=4))):
        place = data.draw(st.integers(min_value=0, max_value=len(value)))
        value[place : place + data.draw(st.integers(0, 9))] = data.draw(
            st.binary(max_size=3)
        )
    if bytes(value) == head.get(b"authorization"):
        return
    with pytest.raises(AuthenticationError):
        verify(with_field(head, b"authorization", bytes(value)), BODY)


def with_field(head: RequestHead, name: bytes, value: bytes | None) -> RequestHead:
    """The head with one field changed, or taken out."""
    fields: list[Field] = [
        (key, value if key == name and value is not None else old)
        for key, old in head.fields
        if key != name or value is not None
    ]
    return RequestHead(head.method, head.target, fields)


# --- refusals ------------------------------------------------------------------------


def authorization(**changes: str) -> bytes:
    parts = {
        "Credential": f"{KEY_ID}/20260214/us-east-1/dynamodb/aws4_request",
        "SignedHeaders": "host;x-amz-date",
        "Signature": "0" * 64,
    } | changes
    joined = ", ".join(f"{name}={value}" for name, value in parts.items() if value)
    return b"AWS4-HMAC-SHA256 " + joined.encode()


@pytest.mark.parametrize(
    ("value", "code", "hint"),
    [
        (None, "MissingAuthenticationToken", "not signed"),
        (authorization(Credential=""), "IncompleteSignature", "Credential"),
        (authorization(SignedHeaders=""), "IncompleteSignature", "SignedHeaders"),
        (authorization(Signature=""), "IncompleteSignature", "Signature"),
        (authorization(Signature="0" * 63), "IncompleteSignature", "malformed"),
        (authorization(Signature="A" * 64), "IncompleteSignature", "malformed"),
        (authorization(Credential=f"{KEY_ID}/20260214/us-east-1/aws4_request"), "IncompleteSignature", "malformed"),
        (authorization(SignedHeaders="x-amz-date"), "IncompleteSignature", "'host'"),
        (authorization(SignedHeaders="Host;x-amz-date"), "IncompleteSignature", "lower case"),
        (authorization(SignedHeaders="host;host"), "IncompleteSignature", "once"),
        (authorization(SignedHeaders="host;;x"), "IncompleteSignature", "names"),
        (authorization(SignedHeaders="host;x-amz-date;x-amz-gone"), "SignatureDoesNotMatch", "x-amz-gone"),
        (authorization(), "SignatureDoesNotMatch", "does not match"),
        (authorization(SignedHeaders="host"), "AccessDenied", "x-amz-date is not signed"),
        (b"AWS AKID:c2ln", "InvalidRequest", 'signature_version="s3v4"'),
        (b"AWS4-ECDSA-P256-SHA256 Credential=a/b", "InvalidRequest", "AWS_AUTH_SCHEME_PREFERENCE"),
        (b"Bearer abc", "InvalidRequest", "AWS_BEARER_TOKEN"),
        (b"Basic abc", "InvalidRequest", "AWS4-HMAC-SHA256"),
        (b"", "InvalidRequest", "AWS4-HMAC-SHA256"),
    ],
)  # fmt: skip
def test_what_is_no_whole_signature_is_refused_with_awss_code(value, code, hint):
    fields = [(b"host", b"gw.test"), (b"x-amz-date", AMZ_DATE.encode())]
    if value is not None:
        fields.append((b"authorization", value))
    with pytest.raises(AuthenticationError) as caught:
        verify(RequestHead(b"POST", b"/", fields))
    assert caught.value.aws_code == code
    assert hint in caught.value.message


@pytest.mark.parametrize(
    ("age_s", "code"),
    [
        (0, None),
        (SIGNATURE_SKEW_S, None),
        (-SIGNATURE_SKEW_S, None),
        (SIGNATURE_SKEW_S + 1, "RequestTimeTooSkewed"),
        (-SIGNATURE_SKEW_S - 1, "RequestTimeTooSkewed"),
        (86_400 * 365, "RequestTimeTooSkewed"),
    ],
)
def test_a_signature_holds_for_five_minutes_either_way(age_s, code):
    if code is None:
        assert verify(a_request(), BODY, now_s=NOW_S + age_s)
        return
    with pytest.raises(AuthenticationError) as caught:
        verify(a_request(), BODY, now_s=NOW_S + age_s)
    assert caught.value.aws_code == code


def test_the_scope_is_of_the_day_of_the_request():
    client = a_client(amz_date="20260213T235959Z")
    fields = client.sign(
        b"GET", b"/", [(b"host", b"gw.test")], hashlib.sha256(b"").hexdigest()
    )
    moved = [
        (name, AMZ_DATE.encode() if name == b"x-amz-date" else value)
        for name, value in fields
    ]
    with pytest.raises(AuthenticationError, match="credential scope"):
        verify(RequestHead(b"GET", b"/", moved))


@pytest.mark.parametrize(
    "date", [b"20260214T101112Z", b"Sat, 14 Feb 2026 10:11:12 GMT"]
)
def test_a_date_field_stands_in_for_x_amz_date(date):
    empty = hashlib.sha256(b"").hexdigest()
    client = a_client()
    fields = [(b"date", date), (b"host", b"gw.test")]
    signature = client.signature(b"GET", b"/", fields, ["date", "host"], empty)
    value = (
        f"AWS4-HMAC-SHA256 Credential={KEY_ID}/{client.scope},"
        f"SignedHeaders=date;host,Signature={signature}"
    )
    head = RequestHead(b"GET", b"/", [*fields, (b"authorization", value.encode())])
    assert verify(head).authorization.amz_date == AMZ_DATE


@pytest.mark.parametrize(
    "date", [b"", b"now", b"20260214T101112", b"20261314T101112Z", b"2026021\xb2T101112Z", b"\xff", b"99999999T999999Z"]
)  # fmt: skip
def test_a_date_that_is_none_is_refused(date):
    with pytest.raises(AuthenticationError) as caught:
        verify(with_field(a_request(), b"x-amz-date", date))
    assert caught.value.aws_code == "IncompleteSignature"


def test_another_sessions_key_is_refused():
    head = a_request()
    parsed = parse_authorization(head)
    with pytest.raises(AuthenticationError) as caught:
        verify_head(
            head, parsed, a_session(access_key_id="GKAOTHER"), now_s=NOW_S,
            body_sha256=parsed.content_sha256,
        )  # fmt: skip
    assert caught.value.aws_code == "InvalidClientTokenId"
    with pytest.raises(AuthenticationError) as caught:
        verify_head(
            head, parsed, a_session(secret="other"), now_s=NOW_S,
            body_sha256=parsed.content_sha256,
        )  # fmt: skip
    assert caught.value.aws_code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "name", [b"x-amz-security-token", b"x-amz-target", b"x-amz-meta-b"]
)
def test_every_x_amz_header_must_be_signed(name):
    head = a_request()
    listed = parse_authorization(head).signed_headers
    if name in listed:
        client = a_client()
        fields = [
            f
            for f in head.fields
            if f[0] not in (b"authorization", b"x-amz-date", name)
        ]
        hashed = hashlib.sha256(BODY).hexdigest()
        fields = client.sign(b"POST", head.target, fields, hashed)
        head = a_head(b"POST", head.target, [*fields, (name, head.get(name))])
    else:
        head = a_head(b"POST", head.target, [*head.fields, (name, b"x")])
    with pytest.raises(AuthenticationError, match=name.decode()) as caught:
        verify(head, BODY)
    assert caught.value.aws_code == "AccessDenied"


@pytest.mark.parametrize(
    "name", [b"authorization", b"host", b"x-amz-date", b"x-amz-security-token", b"x-amz-content-sha256"]
)  # fmt: skip
def test_what_must_be_said_once_is_refused_when_said_twice(name):
    head = a_request()
    doubled = RequestHead(b"POST", head.target, [*head.fields, (name, head.get(name))])
    with pytest.raises(AuthenticationError, match="twice"):
        verify(doubled, BODY)


# --- the body ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "mode"),
    [
        (b"UNSIGNED-PAYLOAD", PayloadMode.UNSIGNED),
        (b"STREAMING-UNSIGNED-PAYLOAD-TRAILER", PayloadMode.STREAMING_UNSIGNED_TRAILER),
        (b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", PayloadMode.STREAMING_SIGNED),
        (b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", PayloadMode.STREAMING_SIGNED_TRAILER),
        (b"STREAMING-AWS4-HMAC-SHA256-EVENTS", PayloadMode.EVENTS),
        (b"0" * 64, PayloadMode.SIGNED),
    ],
)  # fmt: skip
def test_the_head_says_how_the_body_is_signed(value, mode):
    client = a_client("s3")
    fields = [(b"host", b"gw.test"), (b"x-amz-content-sha256", value)]
    head = a_head(b"PUT", b"/b/k", client.sign(b"PUT", b"/b/k", fields, value.decode()))
    parsed = parse_authorization(head)
    assert parsed.payload is mode
    assert verify_head(
        head, parsed, a_session(), now_s=NOW_S, body_sha256=parsed.content_sha256
    )


@pytest.mark.parametrize(
    "value", [b"SHA-256", b"x", b"0" * 63, b"A" * 64, b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", b"\xff"]
)  # fmt: skip
def test_another_way_to_sign_a_body_is_refused(value):
    fields = [
        (b"host", b"gw.test"),
        (b"x-amz-date", AMZ_DATE.encode()),
        (b"x-amz-content-sha256", value),
        (b"authorization", authorization()),
    ]
    with pytest.raises(AuthenticationError) as caught:
        parse_authorization(RequestHead(b"PUT", b"/", fields))
    assert caught.value.aws_code == "InvalidRequest"


def test_s3_asks_for_the_hash_field():
    client = a_client("s3")
    fields = client.sign(
        b"GET", b"/", [(b"host", b"gw.test")], hashlib.sha256(b"").hexdigest()
    )
    with pytest.raises(AuthenticationError, match="x-amz-content-sha256"):
        verify(RequestHead(b"GET", b"/", fields))


def test_a_body_that_is_not_the_hashed_one_is_refused():
    with pytest.raises(AuthenticationError) as caught:
        verify(a_request(), BODY + b" ")
    assert caught.value.aws_code == "XAmzContentSHA256Mismatch"


# --- what is kept --------------------------------------------------------------------


def test_no_secret_is_in_what_is_printed():
    head = a_request()
    verified = verify(head, BODY)
    credentials = UpstreamCredentials("ASIA1", Secret(b"hidden"), "hidden token")
    printed = (
        f"{verified!r} {verified.authorization!r} {credentials!r} {verified.chain()!r}"
    )
    for secret in (SECRET, "sealed/token", "hidden"):
        assert secret not in printed


def test_derived_keys_are_kept_within_bounds():
    session = a_session()
    for number in range(SIGNING_KEYS_MAX * 3):
        key = signing_key(session, "20260214", "us-east-1", f"s{number}")
        client = Client(KEY_ID, SECRET, "us-east-1", f"s{number}", AMZ_DATE)
        assert key.sign(b"text") == client.hmac("text")
        assert signing_key(session, "20260214", "us-east-1", f"s{number}") is key
        assert len(session.signing_keys) <= SIGNING_KEYS_MAX
