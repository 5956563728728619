"""What a token must be, and every known way to pass one off that is not.

The keys are real, the tokens are signed with `cryptography` alone, and each goes
through `Issuers` with a key set that a real issuer serves.
"""

import asyncio
import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeep.errors import AuthenticationError
from gatekeep.identity.issuers import Issuers
from gatekeep.limits import IDENTITY_TOKEN_BYTES_MAX
from gatekeep.principal import Principal
from tests.identity.issuer import (
    AUDIENCE,
    NOW_S,
    Issuer,
    StillClock,
    b64,
    claims,
    ec_key,
    ed_key,
    jwk,
    jws,
    rsa_key,
    token,
)

ALL = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
       "ES512", "EdDSA")  # fmt: skip


@pytest.fixture(scope="module")
def issuer():
    """One issuer for the module: nothing here changes what it says."""
    opened = Issuer()
    opened.publishes(
        jwk(rsa_key()),
        jwk(ec_key(), "p256", alg="ES256"),
        jwk(ec_key(ec.SECP384R1), "p384"),
        jwk(ec_key(ec.SECP521R1), "p521"),
        jwk(ed_key(), "ed"),
        jwk(rsa_key(1024), "short"),
        jwk(rsa_key(which="enc"), "enc", use="enc"),
        jwk(rsa_key(which="only512"), "only512", alg="RS512"),
        {**jwk(rsa_key(which="private"), "private"), "d": "AQAB"},
        {"kty": "oct", "kid": "oct", "k": b64(b"s" * 32).decode(), "use": "sig"},
        {"kty": "RSA", "kid": "nonsense", "n": 5, "e": None},
        "nonsense",
    )
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def verify(issuer):
    """Verify one token with settings that may differ; gives what it proves."""
    opened = {}
    with asyncio.Runner() as runner:

        def run(text, **changes):
            issuers = opened.get(repr(changes))
            if issuers is None:
                configured = issuer.settings(**{"algorithms": ALL, **changes})
                issuers = Issuers((configured,), clock=StillClock())
                opened[repr(changes)] = issuers
            return runner.run(issuers.verify_token(text))

        yield run
        for issuers in opened.values():
            runner.run(issuers.close())


@pytest.fixture(scope="module")
def refused(verify):
    """Verify one token that must be refused; gives the error's two codes."""

    def run(text, **changes):
        with pytest.raises(AuthenticationError) as caught:
            verify(text, **changes)
        assert caught.value.status == 400
        return caught.value.code, caught.value.aws_code

    return run


INVALID = "InvalidIdentityToken"


# --- good tokens -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "key", "kid"),
    [
        *((name, rsa_key, "k1") for name in ALL[:6]),
        ("ES256", ec_key, "p256"),
        ("ES384", lambda: ec_key(ec.SECP384R1), "p384"),
        ("ES512", lambda: ec_key(ec.SECP521R1), "p521"),
        ("EdDSA", ed_key, "ed"),
    ],
)
def test_every_algorithm_verifies(issuer, verify, algorithm, key, kid):
    text = token(issuer.url, algorithm=algorithm, key=key(), header={"kid": kid})
    proved = verify(text)
    assert proved.principal == Principal(issuer.url, "agent-7", ("analysts", "dba"))
    assert proved.audience == AUDIENCE
    assert proved.expires_at_s == NOW_S + 600


@pytest.mark.parametrize("around", [b"\n", b"\r\n", b" ", b"\t\n\n"])
def test_white_space_around_a_token_does_not_count(issuer, verify, around):
    assert verify(around + token(issuer.url) + around)


def test_a_token_without_kid_is_verified_when_one_key_fits(issuer, verify, refused):
    text = token(issuer.url, algorithm="EdDSA", key=ed_key(), header={"kid": None})
    assert verify(text)
    # Three RSA keys fit RS512: which one is meant would be a guess.
    text = token(issuer.url, algorithm="RS512", header={"kid": None})
    assert refused(text)[0] == "identity.key_unknown"


@pytest.mark.parametrize("kind", [None, "JWT", "jwt", "at+jwt", "application/at+jwt"])
def test_id_and_access_tokens_are_both_accepted(issuer, verify, kind):
    assert verify(token(issuer.url, header={"typ": kind}))


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (["b", "a", "b", "Domain Admins"], ("Domain Admins", "a", "b")),
        ("b a", ("a", "b")),
        ("b, a,c", ("a", "b", "c")),
        ("", ()),
        ([], ()),
        (None, ()),
    ],
)
def test_groups_come_as_a_list_or_in_a_string(issuer, verify, groups, expected):
    assert verify(token(issuer.url, groups=groups)).principal.groups == expected


def test_claims_for_subject_and_groups_are_settings(issuer, verify):
    text = token(issuer.url, **{"email": "a@corp.example", "cognito:groups": ["x"]})
    principal = verify(
        text, subject_claim="email", groups_claim="cognito:groups"
    ).principal
    assert (principal.subject, principal.groups) == ("a@corp.example", ("x",))


def test_one_of_several_audiences_is_enough(issuer, verify):
    text = token(issuer.url, aud=["other", "second"])
    assert verify(text, audience=("first", "second")).audience == "second"


@pytest.mark.parametrize(
    ("claim", "wanted"),
    [("acme", "acme"), (True, "true"), (7, "7")],
)
def test_a_required_claim_that_is_equal_passes(issuer, verify, claim, wanted):
    assert verify(token(issuer.url, org=claim), required_claims={"org": wanted})


# --- attacks on the signature ----------------------------------------------------


@pytest.mark.parametrize("name", ["none", "None", "NONE", ""])
def test_an_unsigned_token_is_refused(issuer, refused, name):
    head = json.dumps({"alg": name, "kid": "k1"}).encode()
    payload = json.dumps(claims(issuer.url)).encode()
    with_empty_signature = jws(head, payload, "none", None)
    assert refused(with_empty_signature)[1] == INVALID
    with_some_signature = b64(head) + b"." + b64(payload) + b"." + b64(b"x")
    assert refused(with_some_signature)[0] == "identity.algorithm"


@pytest.mark.parametrize("form", ["pem", "der", "jwk", "n"])
def test_an_hmac_with_the_public_key_is_refused(issuer, refused, form):
    public = rsa_key().public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    secret = {
        "pem": public.public_bytes(serialization.Encoding.PEM, spki),
        "der": public.public_bytes(serialization.Encoding.DER, spki),
        "jwk": json.dumps(jwk(rsa_key())).encode(),
        "n": public.public_numbers().n.to_bytes(256),
    }[form]
    text = token(issuer.url, algorithm="HS256", key=secret)
    assert refused(text) == ("identity.algorithm", INVALID)


def test_a_symmetric_key_in_the_key_set_is_never_used(issuer, refused):
    text = token(issuer.url, algorithm="HS256", key=b"s" * 32, header={"kid": "oct"})
    assert refused(text)[0] == "identity.algorithm"


def test_a_header_that_names_another_algorithm_than_signed_is_refused(issuer, refused):
    text = jws(
        json.dumps({"alg": "RS256", "kid": "k1"}).encode(),
        json.dumps(claims(issuer.url)).encode(),
        "PS256",
        rsa_key(),
    )
    assert refused(text)[0] == "identity.signature"


def test_an_algorithm_outside_the_settings_is_refused(issuer, refused):
    text = token(issuer.url, algorithm="RS512")
    assert refused(text, algorithms=("RS256",))[0] == "identity.algorithm"


def test_a_key_is_used_only_with_its_own_algorithm(issuer, refused):
    text = token(issuer.url, key=rsa_key(which="only512"), header={"kid": "only512"})
    assert refused(text)[0] == "identity.key_unknown"


@pytest.mark.parametrize(
    ("algorithm", "kid"), [("RS256", "p256"), ("ES256", "k1"), ("ES256", "p384")]
)
def test_a_key_of_another_type_than_the_algorithm_is_refused(
    issuer, refused, algorithm, kid
):
    key = rsa_key() if algorithm == "RS256" else ec_key()
    text = token(issuer.url, algorithm=algorithm, key=key, header={"kid": kid})
    assert refused(text)[0] == "identity.key_unknown"


@pytest.mark.parametrize(
    ("kid", "key"),
    [
        ("short", lambda: rsa_key(1024)),
        ("enc", lambda: rsa_key(which="enc")),
        ("private", lambda: rsa_key(which="private")),
    ],
)
def test_a_weak_or_misplaced_key_of_the_key_set_is_not_used(issuer, refused, kid, key):
    text = token(issuer.url, key=key(), header={"kid": kid})
    assert refused(text)[0] == "identity.key_unknown"


@pytest.mark.parametrize("kid", ["../../etc/passwd", "' OR 1=1 --", "", "K1", "k1\0"])
def test_a_made_up_kid_finds_no_key(issuer, refused, kid):
    assert refused(token(issuer.url, header={"kid": kid}))[0] == "identity.key_unknown"


@pytest.mark.parametrize(
    "field",
    [
        {"jwk": jwk(rsa_key(which="mallory"))},
        {"jku": "https://mallory.example/keys"},
        {"x5u": "https://mallory.example/cert"},
        {"x5c": ["MIIB"]},
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
    ],
)
def test_a_token_that_brings_its_own_key_or_rules_is_refused(issuer, refused, field):
    text = token(issuer.url, key=rsa_key(which="mallory"), header=field)
    assert refused(text) == ("identity.header_refused", INVALID)
    # Whoever signs it: the issuer has no use for these either.
    assert refused(token(issuer.url, header=field))[0] == "identity.header_refused"


def test_a_signature_of_a_stranger_is_refused(issuer, refused):
    text = token(issuer.url, key=rsa_key(which="mallory"))
    assert refused(text)[0] == "identity.signature"


def test_a_signature_moved_to_other_claims_is_refused(issuer, refused):
    header, _, sealed = token(issuer.url).split(b".")
    other = b64(json.dumps(claims(issuer.url, sub="root")).encode())
    assert refused(b".".join((header, other, sealed)))[0] == "identity.signature"


def test_a_signature_of_zeros_is_refused(issuer, refused):
    """CVE-2022-21449: an ECDSA verifier that took r = s = 0 for anything."""
    text = token(issuer.url, algorithm="ES256", key=ec_key(), header={"kid": "p256"})
    message = text.rsplit(b".", 1)[0]
    for zeros in (bytes(64), bytes(63) + b"\1", b"", bytes(8)):
        assert refused(message + b"." + b64(zeros))[1] == INVALID


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_changed_byte_of_a_token_is_refused(issuer, refused, data):
    text = bytearray(token(issuer.url))
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] = data.draw(st.integers(0, 255).filter(lambda b: b != text[place]))
    if bytes(text).strip() != bytes(text):
        return  # white space at an end is a cut token: the next test's matter
    assert refused(bytes(text))[1] == INVALID


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 900))
def test_a_cut_token_is_refused(issuer, refused, cut):
    text = token(issuer.url)
    assert refused(text[: min(cut, len(text) - 1)])[1] == INVALID


def test_base64_that_only_decodes_the_same_is_refused(issuer, refused):
    text = token(issuer.url, algorithm="ES256", key=ec_key(), header={"kid": "p256"})
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # 64 bytes of signature leave four bits of the last character without meaning.
    twin = text[:-1] + alphabet[alphabet.index(text[-1:]) ^ 1 :][:1]
    pad = b"=" * (-len(text.rsplit(b".", 1)[1]) % 4)
    assert base64.urlsafe_b64decode(
        twin.rsplit(b".", 1)[1] + pad
    ) == base64.urlsafe_b64decode(text.rsplit(b".", 1)[1] + pad)
    assert refused(twin)[0] == "identity.token_malformed"
    assert refused(text + pad)[0] == "identity.token_malformed"


# --- attacks on the form ---------------------------------------------------------


def test_an_oversized_token_is_refused_before_it_is_read(issuer, refused):
    text = token(issuer.url, padding="x" * IDENTITY_TOKEN_BYTES_MAX)
    assert refused(text) == ("identity.token_oversized", INVALID)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b".",
        b"..",
        b"a.b",
        b"a.b.c.d.e",
        b"e30.e30.",
        b"e30.e30.AA",
        b64(b"[]") + b".e30.AA",
        b64(b'"x"') + b".e30.AA",
        b64(b"{") + b".e30.AA",
        b64(b"\xff\xfe{}") + b".e30.AA",
        b64('{"alg":"RS256"}'.encode("utf-16")) + b".e30.AA",
        b64(b'{"alg":"RS256"}') + b"." + b64(b"[" * 9000) + b".AA",
        b64(b'{"alg":"RS256"}') + b"." + b64(b'{"iss":' + b"9" * 5000 + b"}") + b".AA",
        b64(b'{"alg":["RS256"]}') + b".e30.AA",
        b64(b'{"alg":"RS256","kid":5}') + b"." + b64(b'{"iss":"x"}') + b".AA",
        "Füße".encode(),
        bytes(range(256)),
    ],
)
def test_a_malformed_token_is_refused(refused, text):
    assert refused(text) == ("identity.token_malformed", INVALID)


@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.binary(max_size=40).map(b64),
            st.recursive(
                st.none() | st.booleans() | st.floats() | st.text(max_size=5),
                lambda inner: st.dictionaries(
                    st.sampled_from(["alg", "kid", "typ", "iss", "exp", "aud"]), inner
                ),
                max_leaves=6,
            ).map(lambda value: b64(json.dumps(value).encode())),
        ),
        max_size=5,
    )
)
def test_garbage_is_refused_and_nothing_else_happens(refused, parts):
    assert refused(b".".join(parts))[1] == INVALID


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        (b'{"alg":"RS256","kid":"k1","alg":"none"}', None),
        (b'{"kid":"k1","alg":"none","alg":"RS256"}', None),
        (None, b'"sub":"root"'),
        (None, b'"extra":{"a":1,"a":2}'),
    ],
)
def test_a_name_given_twice_is_refused(issuer, refused, header, payload):
    head = header or b'{"alg":"RS256","kid":"k1"}'
    body = json.dumps(claims(issuer.url)).encode()
    if payload is not None:
        body = body[:-1] + b"," + payload + b"}"
    assert refused(jws(head, body, "RS256", rsa_key()))[0] == "identity.token_malformed"


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_numbers_that_json_does_not_have_are_refused(issuer, refused, constant):
    body = json.dumps(claims(issuer.url, exp=None)).encode()
    body = body[:-1] + b',"exp":' + constant + b"}"
    head = b'{"alg":"RS256","kid":"k1"}'
    assert refused(jws(head, body, "RS256", rsa_key()))[1] == INVALID


@pytest.mark.parametrize("kind", ["logout+jwt", "secevent+jwt", "dpop+jwt", "JOSE", 5])
def test_a_token_of_another_kind_is_refused(issuer, refused, kind):
    text = token(issuer.url, header={"typ": kind})
    assert refused(text) == ("identity.token_type", INVALID)


# --- claims ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"aud": "other"}, "identity.audience"),
        ({"aud": None}, "identity.audience"),
        ({"aud": []}, "identity.audience"),
        ({"aud": [["gatekeep"]]}, "identity.audience"),
        ({"aud": {"gatekeep": 1}}, "identity.audience"),
        ({"aud": "gatekeep2"}, "identity.audience"),
        ({"exp": None}, "identity.claim_malformed"),
        ({"exp": "1795000600"}, "identity.claim_malformed"),
        ({"exp": True}, "identity.claim_malformed"),
        ({"exp": 10**300}, "identity.claim_malformed"),
        ({"exp": -1}, "identity.claim_malformed"),
        ({"iat": None}, "identity.claim_malformed"),
        ({"iat": [NOW_S]}, "identity.claim_malformed"),
        ({"iat": NOW_S + 61}, "identity.token_early"),
        ({"nbf": NOW_S + 61}, "identity.token_early"),
        ({"nbf": "soon"}, "identity.claim_malformed"),
        ({"sub": None}, "identity.claim_malformed"),
        ({"sub": ""}, "identity.claim_malformed"),
        ({"sub": 7}, "identity.claim_malformed"),
        ({"sub": "a\nb"}, "identity.claim_malformed"),
        ({"sub": "a\ud800"}, "identity.claim_malformed"),
        ({"sub": "a" * 513}, "identity.claim_malformed"),
        ({"groups": [1]}, "identity.claim_malformed"),
        ({"groups": {"a": 1}}, "identity.claim_malformed"),
        ({"groups": ["a\x00"]}, "identity.claim_malformed"),
        ({"groups": [""]}, "identity.claim_malformed"),
        ({"groups": True}, "identity.claim_malformed"),
        (
            {"groups": None, "_claim_names": {"groups": "src1"}},
            "identity.groups_left_out",
        ),
        ({"iss": "https://mallory.example"}, "identity.issuer_unknown"),
    ],
)
def test_a_claim_that_does_not_hold_is_refused(issuer, refused, change, code):
    assert refused(token(issuer.url, **change)) == (code, INVALID)


@pytest.mark.parametrize("change", ["/", "#", "?", "\n", "."])
def test_an_issuer_that_only_looks_the_same_is_refused(issuer, refused, change):
    text = token(issuer.url, iss=issuer.url + change)
    assert refused(text)[0] == "identity.issuer_unknown"


@pytest.mark.parametrize("claim", ["evil", None, ["acme"], {"acme": 1}])
def test_a_required_claim_that_differs_is_refused(issuer, refused, claim):
    text = token(issuer.url, org=claim)
    assert refused(text, required_claims={"org": "acme"})[0] == (
        "identity.claim_required"
    )


def test_an_expired_token_says_so(issuer, verify, refused):
    assert verify(token(issuer.url, exp=NOW_S - 59))
    late = token(issuer.url, exp=NOW_S - 60)
    assert refused(late) == ("identity.token_expired", "ExpiredTokenException")
    assert refused(token(issuer.url, exp=NOW_S), skew_s=0)[1] == "ExpiredTokenException"


def test_an_old_token_is_refused_even_before_its_end(issuer, verify, refused):
    assert verify(token(issuer.url, iat=NOW_S - 300), age_s_max=300, skew_s=0)
    old = token(issuer.url, iat=NOW_S - 301)
    assert refused(old, age_s_max=300, skew_s=0) == (
        "identity.token_expired",
        "ExpiredTokenException",
    )


def test_clock_skew_is_forgiven_up_to_its_bound(issuer, verify):
    assert verify(token(issuer.url, iat=NOW_S + 60, nbf=NOW_S + 60))
