"""Bytes on a TLS socket, really signed: for what no SDK would send or wait for."""

from __future__ import annotations

import ssl

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
from stand import ROLE_ARN, Stand

Session = botocore.credentials.ReadOnlyCredentials

GET_ITEM = b'{"TableName":"customers","Key":{"id":{"S":"c-1"}}}'


def open_session(stand: Stand, subject: str = "agent-7") -> Session:
    """The sealed session of an agent, from the STS door."""
    sts = boto3.client(
        "sts", endpoint_url=stand.url, region_name="us-east-1",
        verify=str(stand.directory / "ca.pem"),
        aws_access_key_id="unused", aws_secret_access_key="unused",
    )  # fmt: skip
    given = sts.assume_role_with_web_identity(
        RoleArn=ROLE_ARN,
        RoleSessionName=subject,
        WebIdentityToken=stand.issuer.token(subject, ["agents"]),
    )["Credentials"]
    sts.close()
    return Session(
        given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
    )


def signed(
    gateway: Stand,
    session: Session,
    *,
    target: str = "DynamoDB_20120810.GetItem",
    body: bytes = GET_ITEM,
    service: str = "dynamodb",
    region: str = "us-east-1",
    method: str = "POST",
    path: str = "/",
    headers: dict[str, str] | None = None,
) -> bytes:
    """The bytes of a really signed request."""
    request = botocore.awsrequest.AWSRequest(
        method,
        f"https://127.0.0.1:{gateway.port}{path}",
        headers={
            "Host": f"127.0.0.1:{gateway.port}",
            "Content-Type": "application/x-amz-json-1.0",
            **({"X-Amz-Target": target} if target else {}),
            **(headers or {}),
        },
        data=body,
    )
    signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    signer(session, service, region).add_auth(request)
    lines = [f"{method} {path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    if "Content-Length" not in request.headers:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def read_answer(connection: ssl.SSLSocket) -> tuple[int, bytes]:
    """The status and the body of one answer; the connection may stay open."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return 0, data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1])
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            break
        body += piece
    return status, body


def ask(gateway: Stand, data: bytes) -> tuple[int, bytes]:
    with gateway.tls() as connection:
        connection.sendall(data)
        return read_answer(connection)
