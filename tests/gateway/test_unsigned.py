"""What SDKs send unsigned passes nobody by; signed, policy decides it."""

from __future__ import annotations

from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import pytest
from aws_side import the_one
from raw_client import Session, ask, signed
from scripted_upstream import ScriptedUpstream, answer
from stand import Stand

POLICIES = """
@id("cognito")
permit (principal in Group::"agents", action, resource)
when { context.operation == "InitiateAuth" };
"""


def cognito(gateway: Stand, session: Session) -> Any:
    return boto3.client(
        "cognito-idp", endpoint_url=gateway.url, region_name="us-east-1",
        verify=str(gateway.directory / "ca.pem"),
        aws_access_key_id=session.access_key, aws_secret_access_key=session.secret_key,
        aws_session_token=session.token,
    )  # fmt: skip


def sign_in(client: Any) -> object:
    return client.initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ada", "PASSWORD": "pw"},
        ClientId="client",
    )


def test_a_call_that_sdks_leave_unsigned_is_refused_with_the_way_to_sign_it(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    client = cognito(gateway, session)
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        sign_in(client)
    client.close()
    error = caught.value.response["Error"]
    assert error["Code"] == "MissingAuthenticationToken"
    assert "choose-signer" in error["Message"]
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    assert upstream.requests == []


def test_signed_as_the_refusal_says_it_is_policys_to_decide(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    upstream.script = answer(b'{"ChallengeName":"SMS_MFA"}')
    client = cognito(gateway, session)
    client.meta.events.register_first("choose-signer", lambda **_: "v4")
    assert sign_in(client)["ChallengeName"] == "SMS_MFA"  # type: ignore[index]
    the_one(upstream).verified()
    with pytest.raises(botocore.exceptions.ClientError, match=r"policy\.denied"):
        client.sign_up(ClientId="client", Username="ada", Password="password")
    client.close()
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "request_line_and_fields",
    [
        b"POST / HTTP/1.1\r\nX-Amz-Target: AWSCognitoIdentityService.GetId",
        b"GET /federation/credentials?role_name=r&account_id=1 HTTP/1.1",
        b"POST /token HTTP/1.1\r\nContent-Type: application/json",
        b"POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded",
        b"GET /bucket/key HTTP/1.1",
        b"GET /?Action=AssumeRoleWithWebIdentity HTTP/1.1",
    ],
    ids=["cognito_identity", "sso", "sso_oidc", "form", "s3", "sts_by_get"],
)
def test_nothing_else_passes_unsigned(
    gateway: Stand, upstream: ScriptedUpstream, request_line_and_fields: bytes
) -> None:
    body = b"Action=AssumeRoleWithSAML&Version=2011-06-15"
    status, said = ask(
        gateway,
        request_line_and_fields
        + b"\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(body)
        + body,
    )
    assert (status, b"signature.missing" in said) == (403, True)
    assert upstream.requests == []


def test_what_answers_with_credentials_is_refused_signed_too(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    data = signed(
        gateway,
        session,
        service="cognito-identity",
        target="AWSCognitoIdentityService.GetCredentialsForIdentity",
        body=b'{"IdentityId":"us-east-1:00000000-0000-0000-0000-000000000000"}',
    )
    assert b"gateway.hands_out_credentials" in ask(gateway, data)[1]
    assert upstream.requests == []
