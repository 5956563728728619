"""The compiled engine against its twin, on texts, however they are cut."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeep.masking.detectors import DETECTORS
from gatekeep.masking.engine import Engine
from gatekeep.masking.profiles import Profile
from gatekeep.masking.styles import TokenKey, parse_style
from tests.reference import masking_twin as twin

KEY = TokenKey(bytes(range(32)))
STYLES = [
    "fixed", "same-length", "keep-last-4", "keep-last-2", "token", "digits", "drop",
]  # fmt: skip


def profile(styles: list[str]) -> Profile:
    names = itertools.cycle(styles)
    return Profile(detectors={name: parse_style(next(names)) for name in DETECTORS})


PROFILES = [profile([style]) for style in STYLES] + [profile(STYLES)]
ENGINES = [Engine(one, DETECTORS, KEY, where="test") for one in PROFILES]

PIECES = [
    b"123-45-6789", b"123 45 6789", b"123.45-6789", b"4111111111111111",
    b"4111 1111 1111 1111", b"4111-1111-1111-1111 123", b"3782-822463-10005",
    b"30569309025904", b"6304 0000 0000 0000", b"2223003122003222", b"4.111111111111111e15",
    b"4.111111111111111E+15", b"bob@example.com", b"bob%40example.com", b"a.b+c@x.co.uk.",
    b"logo@2x.png", "jos\u00e9@ex\u00e4mple.org".encode(), b"AKIAIOSFODNN7EXAMPLE",
    b"A3TX1234567890ABCDEF", b"DE89370400440532013000", b"GB82 WEST 1234 5698 7654 32",
    b"DE89 3704 0044 0532 0130 00", b"12-3456789", b"900-70-1234", b"(212) 555-0123",
    b"+1 212-555-0123", b"1-212-555-0123", b"212.555.0123", b"+442071838750",
    b"+49 (30) 901820", b"+1 (212) 555 0123", b"dob: 1980-01-31", b"born on Jan 31, 1980",
    b"date of birth 31 Jan 1980", b"birthdate=\"01/31/80\"", b"routing number: 021000021",
    b"aba# 011401533", b"account no. 12345678", b"acct #: 1234-5678", b"ssn 123456789",
    b"social security number: 123456789", b"itin: 900701234", b"ein 123456789",
    b"driver's license: D1234567", b"driver license is A123-4567-8901", b"cvv: 123",
    b"security code 1234", b"phone: 2125550123", b"secret_access_key = " + b"a" * 40,
    b"session_token: " + b"Ab1+" * 30, b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_",
    b"eyJhbGciOiJSU0EifQ.b.c.d.e", b"%B4111111111111111^DOE/J^2512101?",
    b";4111111111111111=25121010000?", b"ghp_" + b"a1" * 18, b"xoxb-1234567890-abc",
    b"sk_live_" + b"x" * 24, b"AIza" + b"b" * 35,
    b"-----BEGIN RSA PRIVATE KEY-----\nMIIabc+/=\n-----END RSA PRIVATE KEY-----",
    b"-----BEGIN PRIVATE KEY-----\\nMII\\n-----END PRIVATE KEY-----", b"-----BEGIN EC PRIVATE KEY",
    "\uff14111111111111111".encode(), "4111\u200b1111\u00a01111-1111".encode(),
    "123\u201145\u20116789".encode(), rb"12\u0033-45-6789", rb"\n123-45-6789", b"&#49;23-45-6789",
    b"1700000000000", b"123456789012", b"arn:aws:iam::123456789012:role/x", b"{\"S\":\"", b"\\",
    b"&", b"\xc2", b"\xe2\x80", b"@", b"-", b".", b" ", b",", b"\n", b"1", b"A", b"_", b"+", b"=",
    b"\"", b"0000000000000000", b"550e8400-e29b-41d4-a716-446655440000",
]  # fmt: skip

TEXTS = st.lists(
    st.one_of(
        st.sampled_from(PIECES),
        st.binary(max_size=6),
        st.text("0123456789-. ", max_size=20).map(str.encode),
    ),
    max_size=14,
).map(b"".join)


def fed(scanner, raw: bytes, cuts: list[int]) -> bytes:
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    out = [scanner.feed(raw[a:b]) for a, b in itertools.pairwise(edges)]
    return b"".join(out) + scanner.finish()


@given(
    TEXTS, st.lists(st.integers(0, 300), max_size=12),
    st.integers(0, len(ENGINES) - 1), st.booleans(), st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
@settings(max_examples=500, deadline=None)
def test_any_cutting_gives_what_the_twin_gives(
    raw, cuts, which, escapes, entities, length_kept, digits_stay
):
    hider = twin.Hider(PROFILES[which], KEY, digits_stay=digits_stay and length_kept)
    expected = twin.mask_text(
        raw, hider, escapes=escapes, entities=entities, length_kept=length_kept
    )
    scanner = ENGINES[which].text(
        escapes=escapes,
        entities=entities,
        length_kept=length_kept,
        digits_stay=digits_stay and length_kept,
    )
    assert fed(scanner, raw, cuts) == expected
    if length_kept:
        assert len(expected) == len(raw)
