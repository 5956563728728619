"""Answers of every form: what is hidden in them, and that SDKs still take them."""

import base64
import gzip
import hashlib
import io
import itertools
import json
import zlib

import cbor2
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeep.aws.call import Protocol
from gatekeep.aws.eventstream import (
    EventStreamDecoder,
    Header,
    HeaderType,
    Message,
    encode_message,
)
from gatekeep.http.messages import ResponseHead
from gatekeep.masking.failure import MaskingError
from tests.masking.exchanges import answer, call, masking, plan, through

M = masking("salary", "secret")
CUTS = st.lists(st.integers(0, 600), max_size=10)
PARQUET = b"PAR1" + bytes(60)

# --- CBOR ---------------------------------------------------------------------------

CBOR_CALL = call("cloudwatch", "GetMetricData", Protocol.CBOR)


def cbor(value: object, cuts: list[int] | tuple[int, ...] = ()) -> object:
    body = answer(M, CBOR_CALL, cbor2.dumps(value), b"application/cbor", cuts)
    return cbor2.loads(body)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": "123-45-6789"}, {"a": "[ssn]"}),
        ({"a": 4111111111111111}, {"a": 0}),
        ({"salary": 1.5, "b": [True, None]}, {"salary": 0.0, "b": [True, None]}),
        ({"salary": [1, "x", True]}, {"salary": [0, "[masked]", False]}),
        ({"b": b"pan 4111-1111-1111-1111"}, {"b": b"pan [pan]"}),
        ({"secret": b"\x00\x01"}, {"secret": b"[masked]"}),
        ({"NextToken": "bob@example.com"}, {"NextToken": "bob@example.com"}),
        ({"j": '{"salary": 3}'}, {"j": '{"salary": 0}'}),
        ({"bob@example.com": 1}, {"[email]": 1}),
    ],
)
def test_cbor_values_are_masked_in_their_type(value, expected):
    assert cbor(value) == expected


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.text(),
                  st.binary(max_size=8), st.floats(allow_nan=False)),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    ),
    CUTS,
)  # fmt: skip
@settings(deadline=None)
def test_cbor_with_nothing_to_hide_stays_byte_for_byte(value, cuts):
    raw = cbor2.dumps(value)
    quiet = masking("no_such_field", detectors=())
    assert answer(quiet, CBOR_CALL, raw, b"application/cbor", cuts) == raw


def test_cbor_of_indefinite_length_is_read_whole():
    raw = b"\xbf\x61a\x7f\x67123-45-\x646789\xff\x61b\x9f\x01\xff\xff"
    masked = answer(M, CBOR_CALL, raw, b"application/cbor", range(40))
    assert cbor2.loads(masked) == {"a": "[ssn]", "b": [1]}
    assert masked.endswith(b"\x61b\x9f\x01\xff\xff")


@pytest.mark.parametrize(
    "raw",
    [
        b"\xa1",
        b"\x1c",
        b"\xff",
        b"\x61",
        b"\x00\x00",
        b"\x81" * 70 + b"\x00",
        b"\x62\xff\xff",
    ],
)
def test_what_is_not_cbor_is_refused(raw):
    with pytest.raises(MaskingError):
        answer(M, CBOR_CALL, raw, b"application/cbor")


# --- event streams ------------------------------------------------------------------


def event(kind: str, payload: bytes, media: str = "application/json") -> bytes:
    headers = (
        Header(":event-type", HeaderType.STRING, kind),
        Header(":content-type", HeaderType.STRING, media),
        Header(":message-type", HeaderType.STRING, "event"),
    )
    return encode_message(Message(headers, payload))


def events(raw: bytes) -> list[tuple[str, bytes]]:
    decoder = EventStreamDecoder()
    messages = decoder.feed(raw)
    decoder.finish()
    return [(str(m.header(":event-type")), m.payload) for m in messages]


EVENT_STREAM = b"application/vnd.amazon.eventstream"


def select(**output: object):
    return call(
        "s3", "SelectObjectContent", Protocol.REST_XML,
        OutputSerialization=output, Expression="SELECT s.id, s.ssn, s.salary FROM s3object s",
    )  # fmt: skip


@given(st.lists(st.integers(0, 60), max_size=6), CUTS)
def test_records_of_s3_select_are_one_body_however_they_are_cut(borders, cuts):
    table = b"1,123456789,10\n2,x 123-45-6789,20\n3,987,30\n"
    edges = [0, *sorted(min(b, len(table)) for b in borders), len(table)]
    raw = b"".join(
        event("Records", table[a:b], "application/octet-stream")
        for a, b in itertools.pairwise(edges)
    )
    raw += event("Stats", b"<Stats><BytesScanned>9</BytesScanned></Stats>", "text/xml")
    raw += event("End", b"", "")
    masked = events(answer(M, select(CSV={}), raw, EVENT_STREAM, cuts))
    records = b"".join(payload for kind, payload in masked if kind == "Records")
    assert records == b"1,[ssn],[masked]\n2,x [ssn],[masked]\n3,987,[masked]\n"
    assert [kind for kind, _ in masked if kind != "Records"] == ["Stats", "End"]


def test_json_records_are_masked_by_name():
    raw = event("Records", b'{"ssn":"123456789"}\n{"sal', "application/octet-stream")
    raw += event("Records", b'ary":7}\n', "application/octet-stream") + event(
        "End", b"", ""
    )
    masked = events(answer(M, select(JSON={}), raw, EVENT_STREAM))
    assert b"".join(p for _, p in masked) == b'{"ssn":"[ssn]"}\n{"salary":0}\n'


def test_columns_that_the_query_does_not_name_are_refused():
    made = call(
        "s3", "SelectObjectContent", Protocol.REST_XML,
        OutputSerialization={"CSV": {}}, Expression="SELECT * FROM s3object",
    )  # fmt: skip
    with pytest.raises(MaskingError, match="columns"):
        answer(M, made, event("Records", b"1,2\n"), EVENT_STREAM)


CONVERSE = call("bedrock-runtime", "ConverseStream", Protocol.REST_JSON)


def deltas(text: str, cuts: list[int], block: int = 0) -> list[bytes]:
    edges = [0, *sorted(min(c, len(text)) for c in cuts), len(text)]
    return [
        event("contentBlockDelta", json.dumps(
            {"contentBlockIndex": block, "delta": {"text": text[a:b]}, "p": "ab"}).encode())
        for a, b in itertools.pairwise(edges)
    ]  # fmt: skip


@given(st.lists(st.integers(0, 90), max_size=9), CUTS)
@settings(deadline=None)
def test_a_models_words_are_one_text_over_its_messages(borders, cuts):
    text = "Her SSN is 123-45-6789, card 4111 1111 1111 1111 \U0001f600 ok?"
    raw = event("messageStart", b'{"role":"assistant"}')
    raw += b"".join(deltas(text, borders))
    raw += event("contentBlockStop", b'{"contentBlockIndex":0}')
    raw += event("messageStop", b'{"stopReason":"end_turn"}')
    masked = events(answer(M, CONVERSE, raw, EVENT_STREAM, cuts))
    words = "".join(
        json.loads(p)["delta"]["text"]
        for kind, p in masked
        if kind == "contentBlockDelta"
    )
    assert words == "Her SSN is [ssn], card [pan] \U0001f600 ok?"
    kinds = [kind for kind, _ in masked if kind != "contentBlockDelta"]
    assert kinds == ["messageStart", "contentBlockStop", "messageStop"]
    assert masked[-2][0] == "contentBlockStop"


def test_words_in_base64_chunks_are_one_text():
    made = call("bedrock-runtime", "InvokeModelWithResponseStream", Protocol.REST_JSON)

    def chunk(**document: object) -> bytes:
        inner = base64.b64encode(json.dumps(document).encode()).decode()
        return event("chunk", json.dumps({"bytes": inner, "p": "abc"}).encode())

    raw = chunk(
        type="content_block_delta",
        index=0,
        delta={"type": "text_delta", "text": "SSN 123-"},
    )
    raw += chunk(
        type="content_block_delta",
        index=0,
        delta={"type": "text_delta", "text": "45-6789."},
    )
    raw += chunk(type="content_block_stop", index=0)
    raw += chunk(type="message_stop", note="mail bob@example.com")
    masked = [json.loads(base64.b64decode(json.loads(p)["bytes"]))
              for _, p in events(answer(M, made, raw, EVENT_STREAM))]  # fmt: skip
    assert "".join(m["delta"]["text"] for m in masked if "delta" in m) == "SSN [ssn]."
    assert [m["type"] for m in masked][-2:] == ["content_block_stop", "message_stop"]
    assert masked[-1]["note"] == "mail [email]"


def test_records_in_kinesis_events_are_masked_inside_their_base64():
    made = call("kinesis", "SubscribeToShard")
    data = base64.b64encode(b'{"ssn": "123456789"}').decode()
    payload = {"Records": [{"Data": data, "SequenceNumber": "123-45-6789"}]}
    (masked,) = events(
        answer(
            M,
            made,
            event("SubscribeToShardEvent", json.dumps(payload).encode()),
            EVENT_STREAM,
        )
    )
    record = json.loads(masked[1])["Records"][0]
    assert base64.b64decode(record["Data"]) == b'{"ssn": "[ssn]"}'
    assert record["SequenceNumber"] == "123-45-6789"


def test_an_error_in_the_stream_is_masked():
    headers = (
        Header(":message-type", HeaderType.STRING, "error"),
        Header(":error-code", HeaderType.STRING, "X"),
        Header(":error-message", HeaderType.STRING, "no user bob@example.com"),
    )
    raw = answer(M, CONVERSE, encode_message(Message(headers, b"")), EVENT_STREAM)
    (message,) = EventStreamDecoder().feed(raw)
    assert message.header(":error-message") == "no user [email]"


# --- query results, queues, secrets -------------------------------------------------


def test_athena_cells_are_masked_by_their_columns_name():
    made = call("athena", "GetQueryResults")
    rows = [["id", "ssn", "salary"], ["1", "123456789", "10"], ["2", "x", "20"]]
    body = {
        "ResultSet": {
            "Rows": [
                {"Data": [{"VarCharValue": cell} for cell in row]} for row in rows
            ],
            "ResultSetMetadata": {"ColumnInfo": [{"Name": n} for n in rows[0]]},
        }
    }
    masked = json.loads(
        answer(M, made, json.dumps(body).encode(), b"application/x-amz-json-1.1")
    )
    cells = [
        [c["VarCharValue"] for c in row["Data"]] for row in masked["ResultSet"]["Rows"]
    ]
    assert cells == [rows[0], ["1", "[ssn]", "[masked]"], ["2", "x", "[masked]"]]


def test_rds_data_cells_are_masked_by_their_columns_name():
    made = call("rds-data", "ExecuteStatement", Protocol.REST_JSON)
    body = {
        "records": [[{"longValue": 123456789}, {"doubleValue": 9.5}, {"isNull": True}]],
        "columnMetadata": [{"name": "ssn"}, {"name": "salary"}, {"name": "z"}],
        "formattedRecords": '[{"ssn": 123456789, "salary": 9.5}]',
    }
    masked = json.loads(answer(M, made, json.dumps(body).encode(), b"application/json"))
    assert masked["records"] == [
        [{"longValue": 0}, {"doubleValue": 0}, {"isNull": True}]
    ]
    assert masked["formattedRecords"] == '[{"ssn": 0, "salary": 0}]'


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


ATTRIBUTES = {"mail": {"DataType": "String", "StringValue": "bob@example.com"}}
ATTRIBUTES_RAW = b"\0\0\0\4mail\0\0\0\6String\1\0\0\0\7[email]"


def test_sqs_digests_are_those_of_the_masked_message():
    body = 'id 1 "ssn" 123-45-6789'
    message = {"MD5OfBody": md5(body), "Body": body, "MessageId": "m", "ReceiptHandle": "r",
               "MessageAttributes": ATTRIBUTES, "MD5OfMessageAttributes": "0" * 32}  # fmt: skip
    clean = {"Body": "hello", "MD5OfBody": md5("hello")}
    raw = json.dumps({"Messages": [message, clean]}).encode()
    masked = answer(
        M, call("sqs", "ReceiveMessage"), raw, b"application/x-amz-json-1.0"
    )
    first, second = json.loads(masked)["Messages"]
    assert first["Body"] == 'id 1 "ssn" [ssn]'
    assert first["MD5OfBody"] == md5(first["Body"])
    assert first["MD5OfMessageAttributes"] == hashlib.md5(ATTRIBUTES_RAW).hexdigest()
    assert second == clean


def test_sqs_digests_in_xml_are_those_of_the_masked_message():
    raw = (
        "<ReceiveMessageResponse><ReceiveMessageResult><Message><MessageId>m</MessageId>"
        f"<MD5OfBody>{md5('a <123-45-6789')}</MD5OfBody><Body>a &lt;123-45-6789</Body>"
        "</Message></ReceiveMessageResult></ReceiveMessageResponse>"
    ).encode()
    masked = answer(
        M, call("sqs", "ReceiveMessage", Protocol.QUERY), raw, b"text/xml"
    ).decode()
    assert "<Body>a &lt;[ssn&#93;</Body>" in masked
    assert f"<MD5OfBody>{md5('a <[ssn]')}</MD5OfBody>" in masked


SECRETS = masking(detectors=("secret-value",))


def test_secret_values_are_hidden_where_they_are_kept():
    raw = (
        b'{"Name":"n","SecretString":"{\\"password\\":\\"x\\"}","SecretBinary":"AAEC"}'
    )
    made = call("secretsmanager", "GetSecretValue")
    assert json.loads(answer(SECRETS, made, raw)) == {
        "Name": "n", "SecretString": "[secret-value]", "SecretBinary": base64.b64encode(b"[secret-value]").decode(),
    }  # fmt: skip
    parameters = [
        {"Name": "a", "Type": "SecureString", "Value": "x"},
        {"Name": "b", "Type": "String", "Value": "y"},
        {"Value": "told before its type", "Type": "String"},
    ]
    raw = json.dumps({"Parameters": parameters}).encode()
    masked = json.loads(answer(SECRETS, call("ssm", "GetParameters"), raw))[
        "Parameters"
    ]
    assert [one["Value"] for one in masked] == ["[secret-value]", "y", "[secret-value]"]


# --- objects ------------------------------------------------------------------------


def s3(key: str, **parameters: object):
    return call("s3", "GetObject", Protocol.REST_XML, Key=key, **parameters)


PLAIN = masking(detectors=("pan", "ssn", "email"), style="keep-last-4")


def deflated(form: str, raw: bytes) -> bytes:
    if form == "gz":
        return gzip.compress(raw[: len(raw) // 2]) + gzip.compress(raw[len(raw) // 2 :])
    return zstandard.compress(raw)


def inflated(form: str, raw: bytes) -> bytes:
    if form == "gz":
        return gzip.decompress(raw)
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(raw)).read()


@pytest.mark.parametrize("form", ["gz", "zst"])
@given(CUTS)
@settings(max_examples=20)
def test_compressed_objects_are_masked_inside(form, cuts):
    text = b"x" * 300 + b"\n1,123-45-6789\n2,4111111111111111\n" * 20
    raw = answer(PLAIN, s3(f"a/b.log.{form}"), deflated(form, text), b"", cuts)
    assert inflated(form, raw) == text.replace(b"123-45-", b"***-**-").replace(
        b"4111111111111111", b"************1111"
    )


@pytest.mark.parametrize("form", ["gz", "zst"])
def test_a_body_that_inflates_beyond_measure_is_refused(form):
    bomb = deflated(form, bytes(64 << 20))
    with pytest.raises(MaskingError, match="inflates"):
        answer(PLAIN, s3(f"a.log.{form}"), bomb)


@pytest.mark.parametrize("form", ["gz", "zst"])
def test_a_body_that_is_not_compressed_as_it_says_is_refused(form):
    whole = deflated(form, b"hello" * 100)
    for broken in (whole[:-4], b"\x1f\x8b" + bytes(40), b"hello, this is no archive"):
        with pytest.raises(MaskingError):
            answer(PLAIN, s3(f"a.log.{form}"), broken)


@pytest.mark.parametrize(
    ("key", "media", "encoding"),
    [("a.parquet", b"", b""), ("a", b"application/octet-stream", b""), ("a.csv", b"text/csv", b""),
     ("a.txt", b"", b"br"), ("a.png", b"image/png", b"")],
)  # fmt: skip
def test_what_cannot_be_inspected_follows_the_profile(key, media, encoding):
    fields = {"content_encoding": encoding} if encoding else {}
    with pytest.raises(MaskingError, match="inspected"):
        answer(PLAIN, s3(key), PARQUET, media, **fields)
    passing = masking(uninspectable="pass")
    mask = plan(passing, s3(key)).response(
        ResponseHead(200, [(b"content-type", media), (b"content-encoding", encoding)])
    )
    assert through(mask, PARQUET) == PARQUET
    assert mask.findings == {"uninspectable": 1}


@pytest.mark.parametrize(
    ("key", "raw", "expected"),
    [
        ("a.json", b'{"n": 4111111111111111, "s": "12\\u0033-45-6789"}',
         b'{"n": 9999999999991111, "s": "************6789"}'),
        ("a.jsonl", b'{"a":"123-45-6789"}\n{"a":1}\n', b'{"a":"***-**-6789"}\n{"a":1}\n'),
        ("a.xml", b"<a>&#49;23-45-6789</a>", b"<a>***********6789</a>"),
        ("a.csv", b"ssn,n\n123456789,x\n", b"ssn,n\n*****6789,x\n"),
        ("a.txt", b"ssn: 123456789", b"ssn: *****6789"),
        ("noname", b"mail bob@example.com!", b"mail ***@******e.com!"),
    ],
)  # fmt: skip
def test_objects_keep_their_length(key, raw, expected):
    assert answer(PLAIN, s3(key), raw) == expected
    assert len(raw) == len(expected)


def test_fields_of_objects_are_masked_by_structure():
    fields = masking("salary", detectors=(), style="same-length")
    raw = b'{"salary": 12.5, "x": "{\\"salary\\": \\"a\\"}"}\n{"salary":"abc"}'
    expected = b'{"salary": 9999, "x": "{\\"salary\\": \\"*\\"}"}\n{"salary":"***"}'
    assert answer(fields, s3("a.json"), raw) == expected
    assert answer(fields, s3("a.csv"), b"id,Salary\n1,20\n") == b"id,Salary\n1,**\n"
    assert (
        answer(fields, s3("a.xml"), b"<r><salary>20</salary></r>")
        == b"<r><salary>**</salary></r>"
    )


def test_metadata_fields_are_masked_and_checksums_dropped():
    mask = plan(PLAIN, s3("a.txt")).response(ResponseHead(200, []))
    sent = [
        (b"x-amz-meta-owner", b"bob@example.com"), (b"x-amz-meta-ssn", b"123456789"),
        (b"x-amz-meta-plain", b"hello"), (b"etag", b'"123-45-6789"'), (b"content-length", b"7"),
        (b"x-amz-checksum-crc32", b"AAAA"), (b"content-md5", b"x"), (b"x-amz-request-id", b"r"),
    ]  # fmt: skip
    assert mask.fields(sent, body=None) == [
        (b"x-amz-meta-owner", b"***@******e.com"), (b"x-amz-meta-ssn", b"*****6789"),
        (b"x-amz-meta-plain", b"hello"), (b"etag", b'"123-45-6789"'), (b"content-length", b"7"),
        (b"x-amz-request-id", b"r"),
    ]  # fmt: skip


def test_a_functions_log_tail_is_masked_inside_its_base64():
    made = call("lambda", "Invoke", Protocol.REST_JSON)
    mask = plan(M, made).response(
        ResponseHead(200, [(b"content-type", b"application/json")])
    )
    log = base64.b64encode(b"START\nssn 123-45-6789\n")
    ((_, masked),) = mask.fields([(b"x-amz-log-result", log)], body=b"")
    assert base64.b64decode(masked) == b"START\nssn [ssn]\n"
    assert (
        through(mask, b'{"salary": 3, "t": "bob@example.com"}')
        == b'{"salary": 0, "t": "[email]"}'
    )


def test_an_error_answer_is_masked_too():
    raw = b"<Error><Code>NoSuchKey</Code><Key>bob@example.com.txt</Key></Error>"
    masked = answer(M, s3("a.parquet"), raw, b"application/xml", status=404)
    assert b"bob@" not in masked
    assert b"<Code>NoSuchKey</Code>" in masked


def test_crc32_is_that_of_the_collected_masked_body():
    mask = plan(M, call("dynamodb", "GetItem")).response(ResponseHead(200, []))
    body = through(mask, b'{"a":"123-45-6789"}')
    assert mask.fields([(b"x-amz-crc32", b"1")], body=body) == [
        (b"x-amz-crc32", b"%d" % zlib.crc32(body))
    ]
