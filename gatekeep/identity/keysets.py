"""An issuer's published keys: its JSON Web Key Set (RFC 7517), made safe to use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt import PyJWK, PyJWS
from jwt.exceptions import PyJWTError

from gatekeep.errors import UnavailableError
from gatekeep.identity.tokens import UnverifiedToken, refuse
from gatekeep.limits import JWKS_KEYS_MAX

PublicKey = (
    rsa.RSAPublicKey
    | ec.EllipticCurvePublicKey
    | ed25519.Ed25519PublicKey
    | ed448.Ed448PublicKey
)

_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}

_ALGORITHM_BY_TYPE = {"RSA": "RS256", "OKP": "EdDSA"}
"""Any algorithm of a key type: PyJWK wants one and only picks its parser by it."""

_VERIFIER = PyJWS(
    # No HMAC and no `none` among them, whatever a caller passes.
    algorithms=[
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
        "ES256", "ES384", "ES512", "EdDSA",
    ],
    options={"enforce_minimum_key_length": True},
)  # fmt: skip

_RSA_BITS_MIN = 2048
"""NIST SP 800-131A; PyJWT refuses to verify with less as well."""


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """One usable public key of an issuer."""

    id: str | None
    key: PublicKey
    algorithm: str | None
    """The one algorithm the issuer uses it with; None when it does not say."""

    def fits(self, algorithm: str) -> bool:
        """Whether the key's type and the issuer allow the algorithm."""
        if self.algorithm not in (None, algorithm):
            return False
        match self.key:
            case rsa.RSAPublicKey():
                return algorithm[:2] in ("RS", "PS")
            case ec.EllipticCurvePublicKey():
                return _CURVES.get(algorithm) == self.key.curve.name
            case _:
                return algorithm == "EdDSA"


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of one issuer."""

    keys: Sequence[PublishedKey]

    def find(self, token: UnverifiedToken) -> PublishedKey | None:
        """The key a token names and that fits its algorithm, or None.

        A token without ``kid`` is accepted when exactly one key fits.
        """
        fitting = [key for key in self.keys if key.fits(token.algorithm)]
        if token.key_id is not None:
            fitting = [key for key in fitting if key.id == token.key_id]
        elif len(fitting) > 1:
            return None
        return fitting[0] if fitting else None


def parse_key_set(content: bytes, *, place: str) -> KeySet:
    """Return the keys of a JWKS that signatures can be checked with.

    Keys that are of no use to us are left out: symmetric ones, those for encryption,
    RSA below 2,048 bits, private keys (published, so anybody's), unknown types.

    Raises:
        UnavailableError: no key set, or no usable key in it; ``place`` is named.
    """
    try:
        document = json.loads(content.decode())
        entries = document["keys"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise UnavailableError(
            "identity.key_set", f"{place}: expected a JSON Web Key Set"
        ) from error
    if not isinstance(entries, list) or len(entries) > JWKS_KEYS_MAX:
        raise UnavailableError(
            "identity.key_set", f"{place}: expected at most {JWKS_KEYS_MAX} keys"
        )
    keys = tuple(key for entry in entries if (key := _published(entry)) is not None)
    if not keys:
        raise UnavailableError(
            "identity.key_set", f"{place}: holds no usable public key"
        )
    return KeySet(keys)


def check_signature(token: UnverifiedToken, published: PublishedKey) -> None:
    """Verify a token's signature.

    Raises:
        AuthenticationError: ``InvalidIdentityToken``: it does not hold.
    """
    try:
        _VERIFIER.decode(token.text, published.key, algorithms=[token.algorithm])
    except (PyJWTError, ValueError, TypeError) as error:
        raise refuse(
            "identity.signature", "the token's signature does not hold"
        ) from error


def _published(entry: object) -> PublishedKey | None:
    """One entry of a key set, or None when it is of no use."""
    if not isinstance(entry, dict) or "d" in entry:
        return None
    key_id, use, algorithm = entry.get("kid"), entry.get("use", "sig"), entry.get("alg")
    if use != "sig" or not isinstance(key_id, str | None):
        return None
    if not isinstance(algorithm, str | None):
        return None
    key_type, curve = entry.get("kty"), entry.get("crv")
    parser = (
        {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}.get(str(curve))
        if key_type == "EC"
        else _ALGORITHM_BY_TYPE.get(str(key_type))
    )
    if parser is None:
        return None
    try:
        key = PyJWK(entry, algorithm=parser).key
    except Exception:
        # Whatever a foreign parser makes of a stranger's document: it is no key.
        return None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _RSA_BITS_MIN:
        return None
    return PublishedKey(key_id, key, algorithm)
