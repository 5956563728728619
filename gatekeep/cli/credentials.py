"""``gatekeep credentials``: a session for ``credential_process`` in AWS config files.

For SDKs and tools that do not speak web identity::

    [profile agent]
    credential_process = gatekeep credentials --endpoint https://gatekeep.corp:8443 …
    endpoint_url = https://gatekeep.corp:8443

Only the standard library is loaded: an SDK starts this for every process.
"""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlencode, urlsplit
from xml.etree import ElementTree

import typer

from gatekeep.clock import SYSTEM_CLOCK
from gatekeep.errors import OperatorError, PeerError, UnavailableError
from gatekeep.limits import (
    CREDENTIALS_ANSWER_BYTES_MAX,
    CREDENTIALS_COMMAND_TIMEOUT_S,
    IDENTITY_TOKEN_BYTES_MAX,
)

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_STS = "{https://sts.amazonaws.com/doc/2011-06-15/}"


def credentials(
    endpoint: Annotated[
        str,
        typer.Option(
            envvar=["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"],
            help="URL of the gateway.",
        ),
    ],
    role_arn: Annotated[
        str, typer.Option(envvar="AWS_ROLE_ARN", help="The role to ask for.")
    ],
    token_file: Annotated[
        Path,
        typer.Option(
            envvar="AWS_WEB_IDENTITY_TOKEN_FILE", help="File with the OIDC token."
        ),
    ],
    ca_bundle: Annotated[
        Path | None,
        typer.Option(
            envvar="AWS_CA_BUNDLE", help="PEM of the CAs that vouch for the gateway."
        ),
    ] = None,
    session_name: Annotated[
        str | None,
        typer.Option(envvar="AWS_ROLE_SESSION_NAME", help="Name of the session."),
    ] = None,
) -> None:
    """Print a gateway session as credential_process JSON."""
    form = urlencode(
        {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": role_arn,
            "RoleSessionName": session_name or f"gatekeep-{SYSTEM_CLOCK.now_s():.0f}",
            "WebIdentityToken": _read_token(token_file),
        }
    )
    status, body = _post(_gateway(endpoint), form.encode(), ca_bundle)
    print(json.dumps(_session(endpoint, status, body)))


def _read_token(path: Path) -> str:
    try:
        with path.open("rb") as file:
            token = file.read(IDENTITY_TOKEN_BYTES_MAX + 1)
        return token.strip().decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(
            "credentials.token_file", f"{path}: expected a file with an OIDC token"
        ) from error


def _gateway(endpoint: str) -> SplitResult:
    """The gateway's URL; the token must not travel in the clear."""
    try:
        url = urlsplit(endpoint)
        local = url.hostname in _LOOPBACK
        url.port  # noqa: B018  # raises for what is no port
    except ValueError:
        url, local = SplitResult("", "", "", "", ""), False
    if not url.hostname or not (
        url.scheme == "https" or (url.scheme == "http" and local)
    ):
        raise OperatorError(
            "credentials.endpoint",
            f"--endpoint `{endpoint}`: expected an https:// URL "
            "(http:// only for loopback)",
        )
    return url


def _post(url: SplitResult, form: bytes, ca_bundle: Path | None) -> tuple[int, bytes]:
    """The status and body of the gateway's answer."""
    host, timeout_s = url.hostname or "", CREDENTIALS_COMMAND_TIMEOUT_S
    connection: http.client.HTTPConnection
    try:
        if url.scheme == "https":
            try:
                tls = ssl.create_default_context(cafile=ca_bundle)
            except OSError as error:
                raise OperatorError(
                    "credentials.ca_bundle", f"{ca_bundle}: expected PEM certificates"
                ) from error
            connection = http.client.HTTPSConnection(
                host, url.port, timeout=timeout_s, context=tls
            )
        else:
            connection = http.client.HTTPConnection(host, url.port, timeout=timeout_s)
        try:
            connection.request(
                "POST",
                url.path or "/",
                body=form,
                headers={
                    "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
                    "User-Agent": "gatekeep-credentials",
                },
            )
            answer = connection.getresponse()
            return answer.status, answer.read(CREDENTIALS_ANSWER_BYTES_MAX)
        finally:
            connection.close()
    except ssl.SSLCertVerificationError as error:
        raise OperatorError(
            "credentials.untrusted",
            f"{url.geturl()}: {error.verify_message}: name its CA with --ca-bundle",
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(
            "credentials.gateway_down",
            f"{url.geturl()}: the gateway does not answer: {error}",
        ) from error


def _session(endpoint: str, status: int, body: bytes) -> dict[str, object]:
    """The credential_process document of an answer, or what the answer refuses."""
    try:
        # What comes over verified TLS from our own gateway, and 64 KiB at most.
        answer = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError:
        answer = ElementTree.Element("")
    text = {
        element.tag.removeprefix(_STS): element.text or "" for element in answer.iter()
    }
    if status == 200 and "SessionToken" in text:
        return {
            "Version": 1,
            "AccessKeyId": text["AccessKeyId"],
            "SecretAccessKey": text["SecretAccessKey"],
            "SessionToken": text["SessionToken"],
            "Expiration": text["Expiration"],
        }
    if 400 <= status < 500 and "Code" in text:
        raise PeerError(
            "credentials.refused",
            f"{text['Code']}: {text.get('Message', '')}",
            status=status,
            aws_code=text["Code"],
        )
    if status >= 500:
        raise UnavailableError(
            "credentials.gateway_down",
            f"{endpoint}: answered {status}: {text.get('Message', 'no reason given')}",
        )
    raise OperatorError(
        "credentials.endpoint",
        f"{endpoint}: answered {status}, and not as STS does: is it the gateway?",
    )
