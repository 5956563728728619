"""What AWS says about the gateway's own signature stays between AWS and the operator."""

from __future__ import annotations

import re
import socket

import botocore.session
import pytest
from raw_client import Session, ask, signed
from scripted_upstream import Script, ScriptedUpstream, answer
from stand import Stand

from gatekeep.gateway.own_credentials import _ABOUT_A_PARAMETER, _CODES

ENVIRONMENT = {"AWS_SESSION_TOKEN": "own/session+token=canary" + "0" * 40}

PUT_ITEM = b'{"TableName":"t","Item":{"id":{"S":"c-1"}}}'


def quoting(
    body: str, *, status: int, chunked: bool = False, extra: str = ""
) -> Script:
    """An answer that quotes what the gateway signed with, as AWS's own do."""

    def script(connection: socket.socket, request: bytes) -> bool:
        head = request.partition(b"\r\n\r\n")[0].decode()
        own = {
            "key": re.search(r"Credential=(\w+)/", head)[1],  # type: ignore[index]
            "signature": re.search(r"Signature=(\w+)", head)[1],  # type: ignore[index]
            "token": re.search(r"x-amz-security-token: (\S+)", head)[1],  # type: ignore[index]
            "hex": head.encode().hex(" "),
            "head": head,
        }
        said = body
        fields = extra
        for name, value in own.items():
            said = said.replace("{" + name + "}", value)
            fields = fields.replace("{" + name + "}", value)
        data = said.encode()
        framing = (
            "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(data)}"
        )
        if chunked:
            data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
        connection.sendall(
            f"HTTP/1.1 {status} No\r\n{framing}\r\n{fields}\r\n".encode() + data
        )
        return True

    return script


S3_MISMATCH = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SignatureDoesNotMatch</Code>'
    "<Message>The request signature we calculated does not match.</Message>"
    "<AWSAccessKeyId>{key}</AWSAccessKeyId><StringToSign>AWS4-HMAC-SHA256</StringToSign>"
    "<SignatureProvided>{signature}</SignatureProvided>"
    "<StringToSignBytes>{hex}</StringToSignBytes><CanonicalRequest>{head}"
    "</CanonicalRequest></Error>"
)


@pytest.mark.parametrize(
    ("body", "status", "chunked", "extra"),
    [
        (S3_MISMATCH, 403, False, ""),
        (S3_MISMATCH, 403, True, ""),
        ("<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>{key}</AWSAccessKeyId></Error>",
         403, True, ""),
        ("<Error><Code>ExpiredToken</Code><Token-0>{token}</Token-0></Error>", 400, True, ""),
        ("<Error><Code>InvalidToken</Code><Token-0>{token}</Token-0></Error>", 400, False, ""),
        ('{"__type":"com.amazon.coral.service#InvalidSignatureException",'
         '"message":"The Canonical String should have been {head}"}', 400, False, ""),
        ('{"__type":"UnrecognizedClientException","message":"{token}"}', 400, False, ""),
        ('{"message":"no"}', 403, False,
         "x-amzn-ErrorType: InvalidSignatureException:http://internal/\r\n"),
        ("<Response><Errors><Error><Code>RequestExpired</Code></Error></Errors></Response>",
         400, False, ""),
        # A code that nobody has heard of, which quotes them all the same.
        ('{"__type":"Whatever","message":"not {key}"}', 400, False, ""),
        ('{"__type":"Whatever","message":"not {signature}"}', 500, True, ""),
        ("{}", 403, False, "X-Echo: {token}\r\n"),
    ],
)  # fmt: skip
def test_a_fault_about_the_gateways_own_signature_is_replaced(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
    body: str,
    status: int,
    chunked: bool,
    extra: str,
) -> None:
    upstream.script = quoting(body, status=status, chunked=chunked, extra=extra)
    # A change: a refused signature is the one answer that makes it certain that
    # nothing happened.
    data = signed(gateway, session, target="DynamoDB_20120810.PutItem", body=PUT_ITEM)
    with gateway.tls() as connection:
        connection.sendall(data)
        received = connection.recv(1 << 20)
    assert received.startswith(b"HTTP/1.1 502 ")
    assert b"upstream.credentials_refused" in received
    (sent,) = upstream.requests
    for secret in (
        b"AKIAGATEWAYOWNKEY000",
        ENVIRONMENT["AWS_SESSION_TOKEN"].encode(),
        re.search(rb"Signature=(\w+)", sent)[1],  # type: ignore[index]
    ):
        assert secret not in received
        assert secret.hex(" ").encode() not in received
    record = gateway.dump("--last", "1")[-1]
    assert (record["result"], record["error_code"]) == (
        "upstream_failed",
        "upstream.credentials_refused",
    )
    assert "AWS refuses the gateway's credentials" in gateway.log_path.read_text()
    assert ENVIRONMENT["AWS_SESSION_TOKEN"] not in gateway.log_path.read_text()


def test_fields_that_echo_a_signature_are_not_passed(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    upstream.script = quoting(
        "{}",
        status=200,
        extra="Authorization: {signature}\r\nX-Amz-Security-Token: {token}\r\nX-Kept: y\r\n",
    )
    with gateway.tls() as connection:
        connection.sendall(signed(gateway, session))
        received = connection.recv(1 << 20).lower()
    assert received.startswith(b"http/1.1 200 ")
    assert b"x-kept: y" in received
    assert b"authorization" not in received
    assert b"security-token" not in received


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (400, b'{"__type":"ValidationException","message":"\\"code\\":\\"InvalidToken\\""}'),
        (404, b"<Error><Code>NoSuchKey</Code><Key>SignatureDoesNotMatch</Key></Error>"),
        (400, b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>"),
        (403, b'{"__type":"AccessDeniedException","message":"no"}'),
        (400, b"x" * 700_000),
    ],
    ids=["in_a_message", "in_a_key", "another_region", "denied", "long"],
)  # fmt: skip
def test_every_other_fault_is_passed_on_as_it_is(
    gateway: Stand,
    session: Session,
    upstream: ScriptedUpstream,
    status: int,
    fault: bytes,
) -> None:
    upstream.script = answer(fault, status=status)
    assert ask(gateway, signed(gateway, session)) == (status, fault)


def test_a_task_token_that_does_not_hold_is_the_clients_business(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    fault = b'{"__type":"InvalidToken","message":"Invalid Token: no"}'
    upstream.script = answer(fault, status=400)
    data = signed(
        gateway,
        session,
        service="states",
        target="AWSStepFunctions.SendTaskSuccess",
        body=b'{"taskToken":"t","output":"{}"}',
    )
    assert ask(gateway, data) == (400, fault)


def test_codes_that_models_use_otherwise_are_known() -> None:
    """A new botocore may model one of the codes: somebody has to look what it means."""
    generic = {
        ("compute-optimizer", "MissingAuthenticationToken"),
        ("logs", "UnrecognizedClientException"),
        ("sns", "InvalidSecurity"),
        ("sqs", "InvalidSecurity"),
        ("sso-oidc", "ExpiredTokenException"),  # unsigned, so never sent up
        ("sts", "ExpiredTokenException"),
    }
    found = set()
    botocore_session = botocore.session.get_session()
    for name in botocore_session.get_available_services():
        for shape in botocore_session.get_service_model(name).error_shapes:
            if shape.error_code in _CODES:
                found.add((name, shape.error_code))
    assert found == generic | _ABOUT_A_PARAMETER
