"""Each detector over made-up values and look-alikes, from a seed."""

import pytest

from bench import corpora
from gatekeep.masking.detectors import DETECTORS
from gatekeep.masking.engine import Engine
from gatekeep.masking.profiles import Profile
from gatekeep.masking.styles import Kind, Style

COUNT = 500
FIXED = Style(Kind.FIXED)


def masked(engine: Engine, form: str, body: bytes) -> bytes:
    scanner = engine.json("") if form == "json" else engine.text(escapes=True)
    return scanner.feed(body) + scanner.finish()


def test_every_detector_that_looks_at_values_has_a_corpus():
    assert (
        set(corpora.POSITIVES)
        == set(corpora.NEGATIVES)
        == {*DETECTORS} - {"secret-value"}
    )


@pytest.mark.parametrize("name", sorted(corpora.POSITIVES))
def test_values_are_hidden_and_look_alikes_stay(name):
    engine = Engine(Profile(detectors={name: FIXED}), DETECTORS, None, where="test")
    positives, negatives = corpora.corpus(name, COUNT)
    assert [
        body for form, body, value in positives if value in masked(engine, form, body)
    ] == []
    # A random number is now and then a valid one: that is no error of the detector's.
    wrong = [body for form, body in negatives if masked(engine, form, body) != body]
    assert len(wrong) <= COUNT // 250, wrong


def test_clean_traffic_stays_as_it_is():
    profile = Profile(detectors=dict.fromkeys(DETECTORS, FIXED))
    engine = Engine(profile, DETECTORS, None, where="test")
    for page in corpora.clean_traffic(1_000_000):
        scanner = engine.json("dynamodb")
        assert scanner.feed(page) + scanner.finish() == page
