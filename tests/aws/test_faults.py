"""Refusals as SDKs see them: botocore's parsers, then boto3 against a real socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import botocore.parsers
import pytest
from botocore.awsrequest import HeadersDict
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from gatekeep.aws.call import Protocol
from gatekeep.aws.faults import UNKNOWN_OUTCOME_STATUS, fault_of, render_fault
from gatekeep.errors import (
    AuthenticationError,
    FatalError,
    UnavailableError,
    UnknownOutcomeError,
)

EXCHANGE = "01JEXCHANGE"
DENIED = "policy `customers` forbids it: <ask> the \"dba\" & 'ops' groups — naïve\n2nd"
SERVICES = [
    # service, protocol, a call, query-compatible, the code that its SDK shows
    ("dynamodb", Protocol.JSON, "list_tables", {}, False, "AccessDeniedException"),
    ("sqs", Protocol.JSON, "list_queues", {}, True, "AccessDenied"),
    ("lambda", Protocol.REST_JSON, "list_functions", {}, False, "AccessDeniedException"),
    ("sts", Protocol.QUERY, "get_caller_identity", {}, False, "AccessDenied"),
    ("iam", Protocol.QUERY, "list_users", {}, False, "AccessDenied"),
    ("ec2", Protocol.EC2, "describe_vpcs", {}, False, "UnauthorizedOperation"),
    ("s3", Protocol.REST_XML, "list_buckets", {}, False, "AccessDenied"),
    ("s3", Protocol.REST_XML, "get_object", {"Bucket": "b", "Key": "k"}, False, "AccessDenied"),
    ("s3", Protocol.REST_XML, "put_object", {"Bucket": "b", "Key": "k", "Body": b"x"}, False, "AccessDenied"),
    ("route53", Protocol.REST_XML, "list_hosted_zones", {}, False, "AccessDenied"),
    ("eventbridgev2", Protocol.CBOR, "", {}, False, "AccessDeniedException"),
]  # fmt: skip


def fault(
    protocol: Protocol, service: str, **changes: object
) -> tuple[int, list, bytes]:
    arguments: dict = {
        "aws_code": "AccessDenied",
        "message": DENIED,
        "status": 403,
        "exchange_id": EXCHANGE,
    }
    return render_fault(protocol=protocol, service=service, **arguments | changes)


@pytest.mark.parametrize(
    ("service", "protocol", "call", "parameters", "query_compatible", "code"), SERVICES
)
def test_botocore_reads_code_message_and_exchange_from_every_shape(
    service, protocol, call, parameters, query_compatible, code
):
    status, fields, body = fault(protocol, service, query_compatible=query_compatible)
    parser = botocore.parsers.create_parser(protocol.value)
    headers = HeadersDict((name.decode(), value.decode()) for name, value in fields)
    parsed = parser.parse(
        {"headers": headers, "body": body, "status_code": status}, shape=None
    )
    assert parsed["Error"]["Code"] == code
    assert parsed["Error"]["Message"] == DENIED
    assert parsed["ResponseMetadata"]["RequestId"] == EXCHANGE
    assert dict(fields)[b"content-length"] == str(len(body)).encode()


@pytest.mark.parametrize("protocol", list(Protocol))
@given(message=st.text())
def test_any_message_makes_an_answer_that_parses(protocol, message):
    status, fields, body = fault(protocol, "", message=message)
    headers = HeadersDict((name.decode(), value.decode()) for name, value in fields)
    parsed = botocore.parsers.create_parser(protocol.value).parse(
        {"headers": headers, "body": body, "status_code": status}, shape=None
    )
    assert parsed["Error"]["Code"]


@contextmanager
def answering(
    status: int, fields: list, body: bytes
) -> Iterator[tuple[str, list[str]]]:
    """A server that gives one answer to everything; its URL and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            asked.append(self.command)
            if self.headers.get("Transfer-Encoding"):
                self.close_connection = True
            else:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response_only(status)
            for name, value in fields:
                self.send_header(name.decode(), value.decode())
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = answer  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def call_boto3(
    url: str, service: str, call: str, parameters: dict, retries: dict | None = None
) -> ClientError:
    client = boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="x",
        config=Config(retries=retries),
    )
    with pytest.raises(ClientError) as caught:
        getattr(client, call)(**parameters)
    client.close()
    return caught.value


@pytest.mark.parametrize(
    ("service", "protocol", "call", "parameters", "query_compatible", "code"),
    [row for row in SERVICES if row[2]],
)
def test_boto3_shows_a_denial_after_exactly_one_request(
    service, protocol, call, parameters, query_compatible, code
):
    answer = fault(protocol, service, query_compatible=query_compatible)
    with answering(*answer) as (url, asked):
        error = call_boto3(url, service, call, parameters)
    assert len(asked) == 1
    assert error.response["Error"]["Code"] == code
    assert error.response["Error"]["Message"] == DENIED
    assert error.response["ResponseMetadata"]["RequestId"] == EXCHANGE


@pytest.mark.parametrize("mode", ["standard", "legacy", "adaptive"])
@pytest.mark.parametrize(
    ("service", "protocol", "call", "parameters", "query_compatible", "code"),
    [row for row in SERVICES if row[2]],
)
def test_an_unknown_outcome_is_never_sent_again(
    service, protocol, call, parameters, query_compatible, code, mode
):
    aws_code, status = fault_of(UnknownOutcomeError("upstream.unknown", "no answer"))
    answer = fault(protocol, service, aws_code=aws_code, status=status)
    with answering(*answer) as (url, asked):
        error = call_boto3(url, service, call, parameters, {"mode": mode})
    assert len(asked) == 1
    assert error.response["Error"]["Code"] == "UnknownOutcome"


@pytest.mark.parametrize(
    ("service", "protocol", "call", "code"),
    [
        ("s3", Protocol.REST_XML, "list_buckets", "SlowDown"),
        ("dynamodb", Protocol.JSON, "list_tables", "ServiceUnavailable"),
        ("lambda", Protocol.REST_JSON, "list_functions", "ServiceUnavailable"),
        ("sts", Protocol.QUERY, "get_caller_identity", "ServiceUnavailable"),
        ("ec2", Protocol.EC2, "describe_vpcs", "ServiceUnavailable"),
    ],
)
def test_what_may_go_away_is_sent_again_by_boto3(service, protocol, call, code):
    aws_code, status = fault_of(UnavailableError("audit.full", "the log is full"))
    answer = fault(protocol, service, aws_code=aws_code, status=status)
    with answering(*answer) as (url, asked):
        error = call_boto3(
            url, service, call, {}, {"mode": "standard", "total_max_attempts": 2}
        )
    assert len(asked) == 2
    assert error.response["Error"]["Code"] == code


def test_a_refused_head_has_no_body_and_gives_its_status():
    answer = fault(Protocol.REST_XML, "s3", head_only=True)
    assert answer[2] == b""
    with answering(*answer) as (url, asked):
        error = call_boto3(url, "s3", "head_object", {"Bucket": "b", "Key": "k"})
    assert asked == ["HEAD"]
    assert error.response["Error"] == {"Code": "403", "Message": "Forbidden"}


def test_every_error_has_a_code_and_a_status():
    refused = AuthenticationError("a.b", "no", aws_code="ExpiredToken")
    assert fault_of(refused) == ("ExpiredToken", 403)
    assert fault_of(UnavailableError("a.b", "no")) == ("ServiceUnavailable", 503)
    assert fault_of(UnknownOutcomeError("a.b", "?"))[1] == UNKNOWN_OUTCOME_STATUS
    assert fault_of(FatalError("a.b", "no")) == ("InternalFailure", 500)
