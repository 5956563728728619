"""What agents send: requests that stock botocore made and signed, as raw bytes."""

from __future__ import annotations

import re
import ssl
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import botocore.config
import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from bench.peers import Gatekeep
from tests.support.stand import ROLE_ARN

Credentials = tuple[str, str, str]
"""Access key id, secret access key, session token."""

GROUPS = ("agents", "staff", "payments-team")


class Agent:
    """An agent, its requests caught before they leave.

    Args:
        port: on 127.0.0.1, of whom the requests are for.
        credentials: access key id, secret key, session token.
    """

    def __init__(self, port: int, credentials: Credentials) -> None:
        self._endpoint = f"https://127.0.0.1:{port}"
        self._session = botocore.session.Session()
        self._session.set_credentials(*credentials)

    def request(self, service: str, operation: str, **parameters: Any) -> bytes:
        """The bytes of a request: head and body, signed now."""
        return next(self.requests(service, operation, [parameters]))

    def requests(
        self, service: str, operation: str, parameters: list[dict[str, Any]]
    ) -> Iterator[bytes]:
        """The same for many sets of parameters."""
        client = self._session.create_client(
            service,
            "us-east-1",
            endpoint_url=self._endpoint,
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )
        caught: list[AWSPreparedRequest] = []

        def catch(request: AWSPreparedRequest, **_: object) -> AWSResponse:
            caught.append(request)
            return AWSResponse(request.url, 200, {}, _Nothing())

        client.meta.events.register("before-send", catch)
        for each in parameters:
            getattr(client, operation)(**each)
            yield _wire(caught.pop())


class _Nothing:
    """The empty body of an answer that never came."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield b""


def _wire(request: AWSPreparedRequest) -> bytes:
    """What urllib3 would send for it."""
    url = urllib.parse.urlsplit(request.url)
    target = url.path + (f"?{url.query}" if url.query else "")
    lines = [f"{request.method} {target or '/'} HTTP/1.1"]
    if "Host" not in request.headers:
        lines.append(f"Host: {url.netloc}")
    if "Accept-Encoding" not in request.headers:
        lines.append("Accept-Encoding: identity")
    for name, value in request.headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        lines.append(f"{name}: {text}")
    body = request.body or b""
    if isinstance(body, str):
        body = body.encode()
    if hasattr(body, "read"):
        body = b""  # its sender streams it
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def credentials_of(gateway: Gatekeep, subject: str = "agent-7") -> Credentials:
    """Credentials by AssumeRoleWithWebIdentity, as an SDK fetches them."""
    assert gateway.issuer is not None
    context = ssl.create_default_context(cafile=str(gateway.directory / "ca.pem"))
    question = urllib.parse.urlencode(
        {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": ROLE_ARN,
            "RoleSessionName": subject,
            "WebIdentityToken": gateway.issuer.token(subject, GROUPS),
        }
    )
    with urllib.request.urlopen(
        f"https://127.0.0.1:{gateway.port}/", question.encode(), context=context
    ) as answer:
        text = answer.read().decode()

    def element(name: str) -> str:
        found = re.search(f"<{name}>([^<]+)</{name}>", text)
        assert found, text
        return found[1]

    return element("AccessKeyId"), element("SecretAccessKey"), element("SessionToken")
