"""A small OIDC issuer in a process of its own: discovery, keys, tokens as files.

``python -m gatekeep.cli.demo.issuer DIRECTORY SUBJECT:GROUP,… …`` writes
``DIRECTORY/SUBJECT.token`` for each, prints its URL when it serves, and serves until it
is stopped. The signing key lives and dies with it.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

AUDIENCE = "gatekeep"
TOKEN_LIFETIME_S = 12 * 3600
_KEY_ID = "demo-1"


class Issuer:
    """Vouches for whomever it is asked to, by ES256 tokens (RFC 7518 section 3.4).

    Args:
        url: its own, the ``iss`` of its tokens.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._key = ec.generate_private_key(ec.SECP256R1())

    def token(self, subject: str, groups: tuple[str, ...]) -> str:
        """A signed token for a subject in these groups, good for 12 hours."""
        now_s = int(time.time())
        header = {"alg": "ES256", "typ": "JWT", "kid": _KEY_ID}
        claims = {
            "iss": self.url,
            "sub": subject,
            "aud": AUDIENCE,
            "iat": now_s,
            "nbf": now_s,
            "exp": now_s + TOKEN_LIFETIME_S,
            "groups": groups,
        }
        parts = [_base64url(json.dumps(part).encode()) for part in (header, claims)]
        signed = ".".join(parts)
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return f"{signed}.{_base64url(signature)}"

    def documents(self) -> dict[str, object]:
        """What it publishes, by path."""
        public = self._key.public_key().public_numbers()
        key = {
            "kty": "EC",
            "crv": "P-256",
            "use": "sig",
            "alg": "ES256",
            "kid": _KEY_ID,
            "x": _base64url(public.x.to_bytes(32, "big")),
            "y": _base64url(public.y.to_bytes(32, "big")),
        }
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                "id_token_signing_alg_values_supported": ["ES256"],
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
            },
            "/keys": {"keys": [key]},
        }


class _Handler(BaseHTTPRequestHandler):
    """Serves the issuer's documents and nothing else."""

    documents: dict[str, object]

    def do_GET(self) -> None:
        """Answer with the document of that path."""
        document = self.documents.get(self.path)
        body = json.dumps(document).encode()
        self.send_response(404 if document is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(directory: Path, identities: list[str]) -> None:
    """Write a token for each ``subject:group,group`` and serve for ever."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
    _Handler.documents = issuer.documents()
    for identity in identities:
        subject, _, groups = identity.partition(":")
        path = directory / f"{subject}.token"
        path.touch(mode=0o600)
        # With the newline that most tools leave behind: it has to be tolerated.
        path.write_text(f"{issuer.token(subject, tuple(groups.split(',')))}\n")
    print(issuer.url, flush=True)
    server.serve_forever()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
