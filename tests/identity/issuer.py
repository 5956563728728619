"""A small real OIDC issuer, keys that sign for it, and a clock that stands still."""

import base64
import functools
import hashlib
import hmac
import ipaddress
import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from gatekeep.settings import IssuerSettings

NOW_S = 1_795_000_000
AUDIENCE = "gatekeep"


class StillClock:
    """Wall and monotonic time that move only when told to."""

    def __init__(self, now_s=NOW_S):
        self.s = float(now_s)

    def now_s(self):
        return self.s

    def now_ns(self):
        return int(self.s * 1e9)

    def monotonic_s(self):
        return self.s


def b64(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _uint(number, length=None):
    return b64(number.to_bytes(length or (number.bit_length() + 7) // 8)).decode()


@functools.cache
def rsa_key(bits=2048, which=0):
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@functools.cache
def ec_key(curve=ec.SECP256R1, which=0):
    return ec.generate_private_key(curve())


@functools.cache
def ed_key():
    return ed25519.Ed25519PrivateKey.generate()


_CURVE_NAMES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def jwk(key, kid="k1", **more):
    """The public JWK of a private key."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        form = {"kty": "RSA", "n": _uint(numbers.n), "e": _uint(numbers.e)}
    elif isinstance(public, ec.EllipticCurvePublicKey):
        numbers, length = public.public_numbers(), (public.curve.key_size + 7) // 8
        form = {
            "kty": "EC",
            "crv": _CURVE_NAMES[public.curve.name],
            "x": _uint(numbers.x, length),
            "y": _uint(numbers.y, length),
        }
    else:
        raw = public.public_bytes_raw()
        form = {"kty": "OKP", "crv": "Ed25519", "x": b64(raw).decode()}
    return {**form, "kid": kid, "use": "sig", **more}


def signature(algorithm, key, message):
    """A JWS signature; ``key`` of an HMAC is bytes, of ``none`` nothing."""
    if algorithm == "none":
        return b""
    sha = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
    digest = hashes.SHA256() if algorithm == "EdDSA" else sha[algorithm[2:]]()
    match algorithm[:2]:
        case "HS":
            return hmac.digest(key, message, hashlib.new(digest.name).name)
        case "RS":
            return key.sign(message, padding.PKCS1v15(), digest)
        case "PS":
            mgf = padding.MGF1(digest)
            return key.sign(message, padding.PSS(mgf, digest.digest_size), digest)
        case "ES":
            r, s = decode_dss_signature(key.sign(message, ec.ECDSA(digest)))
            length = (key.curve.key_size + 7) // 8
            return r.to_bytes(length) + s.to_bytes(length)
    return key.sign(message)


def jws(header, payload, algorithm, key):
    """A compact JWS over raw header and payload bytes, however wrong they are."""
    message = b64(header) + b"." + b64(payload)
    return message + b"." + b64(signature(algorithm, key, message))


def claims(issuer, **changes):
    """Good claims at `NOW_S`; a change to None leaves a claim out."""
    every = {
        "iss": issuer,
        "sub": "agent-7",
        "aud": AUDIENCE,
        "iat": NOW_S - 10,
        "exp": NOW_S + 600,
        "groups": ["analysts", "dba"],
        **changes,
    }
    return {name: value for name, value in every.items() if value is not None}


def token(issuer, *, algorithm="RS256", key=None, header=None, **changes):
    """A token that is good unless it is told otherwise."""
    head = {"alg": algorithm, "kid": "k1", "typ": "JWT", **(header or {})}
    head = {name: value for name, value in head.items() if value is not None}
    return jws(
        json.dumps(head).encode(),
        json.dumps(claims(issuer, **changes)).encode(),
        algorithm,
        rsa_key() if key is None else key,
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that hangs up is what some tests are about."""


class Issuer:
    """A real HTTP(S) server of a discovery document and a key set.

    Attributes:
        answers: ``(status, fields, body)`` by path; change it at will.
        asked: paths in the order of the requests.
        down: requests get a closed connection instead of an answer.
        gate: cleared, requests wait until it is set.
    """

    def __init__(self, tls=None):
        self.asked = []
        self.changed = threading.Condition()
        self.down = False
        self.gate = threading.Event()
        self.gate.set()
        self.answers = {}
        self._server = _Server(("127.0.0.1", 0), self._handler())
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self.discovers()
        self.publishes(jwk(rsa_key()))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def discovers(self, **changes):
        document = {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **changes}
        self.says("/.well-known/openid-configuration", json.dumps(document).encode())

    def publishes(self, *keys):
        self.says("/keys", json.dumps({"keys": keys}).encode())

    def says(self, path, body, status=200, **fields):
        self.answers[path] = (status, fields, body)

    def settings(self, **changes):
        return IssuerSettings(
            **{"issuer": self.url, "audience": (AUDIENCE,), **changes}
        )

    def wait_until_asked(self, times, path="/keys", timeout_s=20):
        with self.changed:
            assert self.changed.wait_for(
                lambda: self.asked.count(path) >= times, timeout_s
            )

    def close(self):
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(issuer):  # noqa: N805  # `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                with issuer.changed:
                    issuer.asked.append(self.path)
                    issuer.changed.notify_all()
                issuer.gate.wait()
                if issuer.down:
                    self.close_connection = True
                    return
                status, fields, body = issuer.answers.get(self.path, (404, {}, b""))
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name.replace("_", "-"), value)
                if callable(body):
                    self.end_headers()
                    body(self.wfile)
                    return
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler


def certificate_authority(directory):
    """A CA and a server certificate for loopback; gives their files' paths."""
    now = datetime.now(UTC)

    def certificate(subject, key, issuer, signer, extensions):
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(signer, hashes.SHA256())

    ca_key, key = ec_key(which="ca"), ec_key(which="server")
    identifier = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = certificate(
        "Test CA", ca_key, "Test CA", ca_key,
        [(x509.BasicConstraints(ca=True, path_length=None), True), (identifier, False)],
    )  # fmt: skip
    names = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    server = certificate(
        "server", key, "Test CA", ca_key,
        [
            (x509.SubjectAlternativeName(names), False),
            (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False),
        ],
    )  # fmt: skip
    paths = [directory / name for name in ("ca.pem", "server.pem", "server.key")]
    pem = serialization.Encoding.PEM
    paths[0].write_bytes(ca.public_bytes(pem))
    paths[1].write_bytes(server.public_bytes(pem))
    paths[2].write_bytes(
        key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def server_tls(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
