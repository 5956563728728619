"""A whole gateway on loopback for tests: real processes, real TLS, real LMDB.

The issuer lives in the test process; upstream is whatever URL the test names.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import http.server
import ipaddress
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ACCOUNT = "123456789012"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/agent"
AUDIENCE = "gatekeep"
CATALOGUE = Path(__file__).parents[2] / "build" / "test-catalogue"
"""Compiled once for all gateways of the tests; keyed by versions and checked."""


class Issuer:
    """An OIDC issuer: discovery and keys over HTTP on loopback, tokens by call."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        numbers = self.key.public_key().public_numbers()
        jwk = {
            "kty": "EC", "crv": "P-256", "kid": "k1", "alg": "ES256", "use": "sig",
            "x": _b64(numbers.x.to_bytes(32, "big")),
            "y": _b64(numbers.y.to_bytes(32, "big")),
        }  # fmt: skip
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = (
                    {"keys": [jwk]}
                    if self.path == "/keys"
                    else {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
                )
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def token(self, subject: str, groups: Sequence[str], *, age_s: int = 0) -> str:
        now = int(time.time()) - age_s
        return jwt.encode(
            {"iss": self.url, "sub": subject, "aud": AUDIENCE, "iat": now,
             "exp": now + 3600, "groups": list(groups)},
            self.key, algorithm="ES256", headers={"kid": "k1"},
        )  # fmt: skip

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Stand:
    """One gateway process and what agents need to reach it."""

    directory: Path
    upstream: str
    issuer: Issuer
    policies: str
    extra: str = ""
    """More tables for the settings."""
    gateway: str = ""
    """More keys for ``[gateway]``."""
    workers: int = 1
    assume: bool = True
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    port: int = 0

    @property
    def url(self) -> str:
        """Where agents reach it."""
        return f"https://127.0.0.1:{self.port}"

    def write(self) -> None:
        """Lay out certificate, keys, policies and settings."""
        make_certificate(self.directory)
        (self.directory / "policies").mkdir()
        (self.directory / "policies" / "test.cedar").write_text(self.policies)
        self.port = free_port()
        (self.directory / "gatekeep.toml").write_text(f"""
[gateway]
listen = "127.0.0.1:{self.port}"
hostnames = ["localhost", "127.0.0.1"]
workers = {self.workers}
state_directory = "state"
catalogue_directory = "{CATALOGUE}"
{self.gateway}
[tls]
certificate = "server.pem"
private_key = "server.key"
[session]
keyring = "session.keys"
[[issuer]]
issuer = "{self.issuer.url}"
audience = ["{AUDIENCE}"]
[[role]]
arn = "{ROLE_ARN}"
groups = ["agents"]
assume = {str(self.assume).lower()}
[upstream]
endpoint = "{self.upstream}"
[policy]
directory = "policies"
[audit]
digest_key = "digest.key"
{self.extra}
""")
        run_gatekeep("keys", "new", "--config", str(self.directory / "gatekeep.toml"))

    def start(self) -> None:
        """Start the gateway; return once it says that it is ready."""
        env = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": "AKIAGATEWAYOWNKEY000",
            "AWS_SECRET_ACCESS_KEY": "gateway-own-secret-key-0000000000000000",
            **self.environment,
        }
        self.log_path = self.directory / "gateway.log"
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gatekeep.cli.main", "serve",
                 "--config", str(self.directory / "gatekeep.toml")],
                stdout=log, stderr=subprocess.STDOUT, env=env, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while '"ready"' not in self.log_path.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(self.log_path.read_text())
            time.sleep(0.02)

    def stop(self) -> int:
        """Stop it as systemd would; give its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(45)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End every process of it at once."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log_path.unlink(missing_ok=True)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ours to its end, whatever the end is."""
        return subprocess.run(
            [sys.executable, "-m", "gatekeep.cli.main", *arguments],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def token_file(self, subject: str, groups: Sequence[str]) -> Path:
        path = self.directory / f"{subject}.token"
        # With the newline that every shell leaves behind.
        path.write_text(self.issuer.token(subject, groups) + "\n")
        return path

    def agent(
        self, subject: str = "agent-7", groups: Sequence[str] = ("agents",)
    ) -> dict[str, str]:
        """The environment variables of an agent; everything else is stock."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ROLE_ARN": ROLE_ARN,
            "AWS_ROLE_SESSION_NAME": subject,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(self.token_file(subject, groups)),
            "AWS_CA_BUNDLE": str(self.directory / "ca.pem"),
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
        }

    def tls(self) -> ssl.SSLSocket:
        """A raw TLS connection to the gateway, for bytes no SDK would send."""
        context = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        return context.wrap_socket(raw, server_hostname="127.0.0.1")

    def dump(self, *arguments: str) -> list[dict[str, object]]:
        """What the log holds, as `gatekeep audit dump --json` says it."""
        out = run_gatekeep(
            "audit", "dump", "--json", "--config",
            str(self.directory / "gatekeep.toml"), *arguments,
        )  # fmt: skip
        return [json.loads(line) for line in out.splitlines()]


def run_gatekeep(
    *arguments: str, check: bool = True, env: dict[str, str] | None = None
) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "gatekeep.cli.main", *arguments],
        capture_output=True, text=True, check=False, env=env, timeout=60,
    )  # fmt: skip
    if check and done.returncode != 0:
        raise AssertionError(
            f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_certificate(directory: Path) -> None:
    """A CA and a leaf for 127.0.0.1, localhost and everything under it."""
    now = datetime.datetime.now(datetime.UTC)

    def build(name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, ca: bool):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(
                x509.BasicConstraints(ca=ca, path_length=None), critical=True
            )
        )
        return subject, builder

    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name, ca_builder = build("gatekeep test CA", None, ca_key, True)  # type: ignore[arg-type]
    ca_builder = ca_builder.add_extension(
        x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        ),
        critical=True,
    ).add_extension(
        x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False
    )
    ca = ca_builder.sign(ca_key, hashes.SHA256())
    key = ec.generate_private_key(ec.SECP256R1())
    _, builder = build("gatekeep", ca_name, key, False)
    leaf = (
        builder.add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                    x509.DNSName("localhost"),
                    x509.DNSName("*.localhost"),
                ]
            ),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (directory / "ca.pem").write_bytes(ca.public_bytes(pem))
    (directory / "server.pem").write_bytes(leaf.public_bytes(pem))
    (directory / "server.key").write_bytes(
        key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
