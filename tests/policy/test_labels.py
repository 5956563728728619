"""Labels by IAM's globs."""

import functools
import time

from hypothesis import example, given
from hypothesis import strategies as st

from gatekeep.policy.labels import Labels
from gatekeep.settings import ResourceSettings


def labels(*pairs: tuple[str, str]) -> Labels:
    return Labels(
        ResourceSettings(arn=arn, labels=tuple(names.split())) for arn, names in pairs
    )


def matches_slowly(glob: str, text: str) -> bool:
    """IAM's globs by their definition."""

    @functools.cache
    def matches(g: int, t: int) -> bool:
        if g == len(glob):
            return t == len(text)
        if glob[g] == "*":
            return matches(g + 1, t) or (t < len(text) and matches(g, t + 1))
        return t < len(text) and glob[g] in ("?", text[t]) and matches(g + 1, t + 1)

    return matches(0, 0)


@given(st.text("ab*?[.", max_size=10), st.text("ab*[.\n", max_size=14))
@example("a**b", "aab")
@example("*a?b*", "ab\nb")
def test_globs_match_as_iam_defines_them(glob, text):
    known = labels((f"arn:{glob}x", "it"))
    expected = matches_slowly(f"arn:{glob}x", f"arn:{text}x")
    assert known.of(f"arn:{text}x") == (("it",) if expected else ())


def test_labels_of_all_matching_patterns_are_united_and_sorted():
    known = labels(
        ("arn:aws:s3:::b/*", "z shared"), ("arn:aws:s3:::b/x", "a shared"), ("*", "all")
    )
    assert known.of("arn:aws:s3:::b/x") == ("a", "all", "shared", "z")
    assert known.of("arn:aws:s3:::c") == ("all",)
    assert known.of("*") == ("all",)


def test_wildcards_in_a_resource_are_literal():
    known = labels(("arn:aws:s3:::b/?*", "it"), ("arn:aws:s3:::c/x", "c"))
    assert known.of("arn:aws:s3:::b/*") == ("it",)
    assert known.of("arn:aws:s3:::c/*") == ()


def test_a_hostile_name_takes_linear_time():
    known = labels(("arn:aws:s3:::*a*a*a*a*a*a*a*a*b", "it"))
    started = time.perf_counter()
    assert known.of("arn:aws:s3:::" + "a" * 2000) == ()
    # Backtracking would take 2000 ** 8 steps.
    assert time.perf_counter() - started < 1


def test_no_settings_no_labels():
    assert labels().of("arn:aws:s3:::b") == ()
