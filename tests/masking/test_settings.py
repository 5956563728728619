"""Settings of masking: what is wrong names its key; what is right does what it says."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeep.errors import OperatorError
from gatekeep.masking.detectors import DETECTORS
from gatekeep.masking.failure import MaskingError
from gatekeep.masking.masking import Masking
from gatekeep.masking.patterns import compile_patterns, pattern_width
from gatekeep.masking.profiles import parse_path
from gatekeep.masking.styles import (
    Kind,
    Style,
    TokenKey,
    hide,
    hide_number,
    parse_style,
)
from gatekeep.settings import (
    DetectorSettings,
    MaskingSettings,
    MaskSettings,
    ProfileSettings,
)
from tests.masking.exchanges import answer, call

KEY = TokenKey(bytes(32))


def settings(*masks: MaskSettings, **more) -> MaskingSettings:
    profile = ProfileSettings(name="p", mask=masks or (MaskSettings(detector="pan"),))
    return MaskingSettings(profile=(profile,), **more)


def own(pattern: str, *samples: str, refused: tuple[str, ...] = ()) -> DetectorSettings:
    return DetectorSettings(
        name="badge", pattern=pattern, samples=samples or ("x",), not_samples=refused
    )


# --- an operator's own patterns -----------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("a+", "masking.pattern_width"),
        ("(ab*){3}", "masking.pattern_width"),
        ("[0-9]{1,5000}", "masking.pattern_width"),
        ("^abc", "masking.pattern_anchor"),
        ("(abc|def$)", "masking.pattern_anchor"),
        ("x?", "masking.pattern_empty"),
        ("(", "masking.pattern"),
        ("(?=abc)x", "masking.pattern"),
        (r"(a)\1", "masking.pattern"),
        ("é", "masking.pattern"),
    ],
)
def test_a_pattern_that_cannot_be_bounded_is_an_error_that_names_it(pattern, code):
    with pytest.raises(OperatorError) as error:
        Masking(settings(detector=(own(pattern),)))
    assert error.value.code == code
    assert "masking.detector[0].pattern" in error.value.message


def test_samples_are_tried_at_load():
    Masking(
        settings(detector=(own(r"\bB-\d{4}\b", "see B-1234", refused=("B-12345",)),))
    )
    with pytest.raises(OperatorError, match=r"masking.detector\[0\].samples\[1\]"):
        Masking(settings(detector=(own(r"\bB-\d{4}\b", "B-1234", "C-1234"),)))
    with pytest.raises(OperatorError, match=r"masking.detector\[0\].not_samples\[0\]"):
        Masking(settings(detector=(own(r"B-\d{4}", "B-1234", refused=("B-12345",)),)))


def test_a_detectors_name_cannot_be_taken_twice():
    taken = DetectorSettings(name="pan", pattern="abc", samples=("abc",))
    with pytest.raises(OperatorError, match="taken"):
        Masking(settings(detector=(taken,)))


@pytest.mark.parametrize("cut", range(1, 30))
def test_an_own_pattern_hides_its_longest_match_however_it_is_cut(cut):
    m = Masking(
        settings(
            MaskSettings(detector="badge", style="same-length"),
            detector=(own(r"\bB-\d{2,6}\b|id[0-9]{3,5}", "B-12"),),
        )
    )
    body = b'{"a": "B-123456 B-1 B-1234567 id12345678", "n": 1}'
    expected = b'{"a": "******** B-1 B-1234567 *******678", "n": 1}'
    assert answer(m, call("sqs", "X"), body, cuts=range(0, 60, cut)) == expected


PIECES = st.sampled_from(
    ["a", "[0-9]", "b{2,4}", "(?:c|dd){1,3}", "e?", r"\b", ".", "(fg)", "x|yz"]
)


@given(
    st.lists(PIECES, min_size=1, max_size=6).map("".join),
    st.text("abcdefgxyz019.", max_size=60),
)
def test_no_match_is_wider_than_the_width_that_was_computed(pattern, text):
    try:
        width = pattern_width(pattern, where="test")
    except OperatorError:
        return
    for start in range(len(text)):
        found = re.compile(pattern).match(text, start)
        assert found is None or found.end() - start <= width


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_built_in_patterns_are_bounded_and_compile(name):
    patterns = DETECTORS[name].patterns
    for pattern in patterns:
        assert pattern_width(pattern.expression, where=name) <= 110
    assert (compile_patterns(patterns, where=name) is None) is (not patterns)


# --- profiles -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "key"),
    [
        (MaskSettings(detector="no-such"), r"mask\[0\]\.detector"),
        (MaskSettings(field="$.a[3]"), r"mask\[0\]\.field"),
        (MaskSettings(field="$"), r"mask\[0\]\.field"),
        (MaskSettings(field="/a//b"), r"mask\[0\]\.field"),
        (MaskSettings(field="x" * 65), r"mask\[0\]\.field"),
        (MaskSettings(field="_"), r"mask\[0\]\.field"),
        (MaskSettings(field="a", style="token"), r"mask\[0\]\.style"),
        (MaskSettings(detector="pan", style="digits"), r"mask\[0\]\.style"),
    ],
)
def test_a_mask_that_cannot_be_is_an_error_that_names_its_key(mask, key):
    with pytest.raises(OperatorError, match=r"masking\.profile\[0\]\." + key):
        Masking(settings(mask))


def test_a_profile_that_settings_lack_refuses_the_answer():
    with pytest.raises(MaskingError, match="`other`"):
        Masking(settings()).mask_value({}, ("other",))


def test_of_two_profiles_the_stricter_style_counts():
    profiles = tuple(
        ProfileSettings(name=name, mask=(MaskSettings(field="a", style=style),))
        for name, style in (("loose", "keep-last-4"), ("strict", "fixed"))
    )
    m = Masking(MaskingSettings(profile=profiles))
    for names in (("loose", "strict"), ("strict", "loose")):
        assert m.mask_value({"a": "12345678"}, names)[0] == {"a": "[masked]"}
    assert m.mask_value({"a": "12345678"}, ("loose",))[0] == {"a": "****5678"}


@pytest.mark.parametrize("content", [b"", b"abc", base64.b64encode(bytes(16)), b"\xff"])
def test_a_token_key_of_another_form_is_an_error(tmp_path, content):
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(OperatorError, match=r"masking\.token_key"):
        Masking(settings(token_key=path))
    with pytest.raises(OperatorError, match=r"masking\.token_key"):
        Masking(settings(token_key=tmp_path / "none"))


def test_paths_are_read_in_both_spellings():
    assert parse_path("$.Items[*].a_b") == (b"items", None, b"ab")
    assert parse_path("$['x y'][*]") == (b"xy", None)
    assert parse_path("/ListBucket/Contents/Key") == (
        b"listbucket",
        b"contents",
        b"key",
    )


# --- styles -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "value", "expected"),
    [
        ("fixed", b"123-45-6789", b"[ssn]"),
        ("drop", b"123-45-6789", b""),
        ("same-length", b"123-45-6789", b"***********"),
        ("keep-last-4", b"123-45-6789", b"***-**-6789"),
        ("keep-last-4", b"1234", b"**34"),
        ("keep-last-9", b"ab", b"*b"),
        ("keep-last-1", b"", b""),
    ],
)
def test_styles_hide_a_text(style, value, expected):
    size, made = hide(parse_style(style), value, label=b"ssn", key=KEY)
    assert made + value[size:] == expected


@pytest.mark.parametrize(
    ("style", "value", "expected"),
    [
        ("fixed", b"41.5", b"0"), ("drop", b"-1", b"0"), ("same-length", b"-12.5", b"999"),
        ("keep-last-4", b"4111111111110011", b"11"), ("keep-last-2", b"4.1e3", b"0"),
        ("keep-last-4", b"7", b"0"),
    ],
)  # fmt: skip
def test_styles_make_a_number_of_a_number(style, value, expected):
    assert hide_number(parse_style(style), value, key=KEY) == expected


@given(st.binary(min_size=1, max_size=40))
def test_tokens_are_one_for_one_value_whatever_its_spelling(value):
    style = Style(Kind.TOKEN)

    def token(text: bytes) -> bytes:
        return hide(style, text, label=b"x", key=KEY)[1]

    assert token(value) == token(value)
    assert (
        token(b"4111-1111-1111-1111") == token(b"4111 1111 1111 1111") != token(b"4111")
    )
    assert re.fullmatch(rb"tok_[a-z2-7]{26}", token(value))
    other = hide(style, value, label=b"x", key=TokenKey(bytes([1]) * 32))[1]
    assert token(value) != other


@given(st.text("0123456789-. abcXYZ", max_size=30))
def test_digits_keep_the_form_of_a_value(value):
    raw = value.encode()
    _, made = hide(Style(Kind.DIGITS), raw, label=b"x", key=KEY)
    classes = [(rb"[0-9]", b"0"), (rb"[a-z]", b"a"), (rb"[A-Z]", b"A")]
    for pattern, stand_in in classes:
        raw, made = re.sub(pattern, stand_in, raw), re.sub(pattern, stand_in, made)
    assert raw == made
