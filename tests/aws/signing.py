"""Sessions, heads and a client for the tests of signing."""

from __future__ import annotations

import calendar
import time

from gatekeep.aws.authorization import parse_authorization
from gatekeep.aws.sigv4 import Verified, signed_body_sha256, verify_head
from gatekeep.http.messages import Field, RequestHead
from gatekeep.principal import Principal, Secret, Session
from tests.reference.sigv4 import Client

AMZ_DATE = "20260214T101112Z"
NOW_S = float(calendar.timegm(time.strptime(AMZ_DATE, "%Y%m%dT%H%M%SZ")))
KEY_ID = "GKAEXAMPLE7"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def a_session(secret: str = SECRET, access_key_id: str = KEY_ID) -> Session:
    return Session(
        id="S" * 26,
        principal=Principal("https://issuer.test", "agent"),
        role_arn="arn:aws:iam::111122223333:role/agents",
        name="agent",
        access_key_id=access_key_id,
        secret_access_key=Secret(secret.encode()),
        issued_at_s=0,
        expires_at_s=1 << 40,
    )


def a_client(
    service: str = "dynamodb", region: str = "us-east-1", amz_date: str = AMZ_DATE
) -> Client:
    return Client(KEY_ID, SECRET, region, service, amz_date)


def verify(head: RequestHead, body: bytes = b"", *, now_s: float = NOW_S) -> Verified:
    """Parse and verify, as the gateway does."""
    authorization = parse_authorization(head)
    return verify_head(
        head,
        authorization,
        a_session(),
        now_s=now_s,
        body_sha256=signed_body_sha256(authorization, body),
    )


def a_head(method: bytes, target: bytes, fields: list[Field]) -> RequestHead:
    """A head with names in lower case and values trimmed, as the HTTP room gives."""
    return RequestHead(
        method, target, [(name.lower(), value.strip(b" \t")) for name, value in fields]
    )
