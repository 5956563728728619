"""Whatever an issuer publishes is usable keys or a declared error."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from gatekeep.errors import UnavailableError
from gatekeep.identity.keysets import KeySet, parse_key_set
from tests.identity.issuer import ec_key, ed_key, jwk, rsa_key

values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=12),
    st.sampled_from(["RSA", "EC", "OKP", "oct", "P-256", "Ed25519", "X25519", "sig"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)
GOOD = (jwk(rsa_key()), jwk(ec_key()), jwk(ec_key(ec.SECP521R1)), jwk(ed_key()))


def parse(keys):
    return parse_key_set(json.dumps({"keys": keys}).encode(), place="here")


@given(st.binary(max_size=300))
def test_garbage_is_no_key_set(content):
    with pytest.raises(UnavailableError, match="here"):
        parse_key_set(content, place="here")


@given(
    st.sampled_from(GOOD),
    st.dictionaries(
        st.sampled_from(["kty", "crv", "n", "e", "x", "y", "d", "kid", "use", "alg"]),
        values,
        min_size=1,
        max_size=4,
    ),
)
def test_a_changed_key_is_a_key_or_is_left_out(key, changes):
    sound = jwk(rsa_key(), "sound")
    keys = parse([{**key, **changes}, sound]).keys
    assert keys[-1].id == "sound"
    assert len(keys) in (1, 2)


def test_keys_of_every_type_are_kept_and_fit_their_algorithms_only():
    keys = parse(list(GOOD)).keys
    every = ("RS256", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "none", "")
    assert [[name for name in every if key.fits(name)] for key in keys] == [
        ["RS256", "PS512"],
        ["ES256"],
        ["ES512"],
        ["EdDSA"],
    ]
    assert isinstance(parse(list(GOOD)), KeySet)


@pytest.mark.parametrize(
    "key",
    [
        jwk(rsa_key(1024)),
        {**jwk(rsa_key()), "d": "AQAB"},
        {**jwk(rsa_key()), "use": "enc"},
        {**jwk(rsa_key()), "use": None},
        {"kty": "oct", "k": "AAAA", "kid": "k1"},
        {"kty": "OKP", "crv": "X25519", "x": jwk(ed_key())["x"]},
    ],
)
def test_a_key_of_no_use_is_left_out(key):
    with pytest.raises(UnavailableError, match="no usable public key"):
        parse([key])
