"""Obligations add up, decisions merge, annotations have one grammar."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeep.policy.decision import (
    CAPTURES,
    JUSTIFICATIONS,
    NO_OBLIGATIONS,
    Decision,
    Effect,
    Obligations,
    Quorum,
    merge_decisions,
    merge_obligations,
    obligations_of,
)

names = st.lists(st.sampled_from(["a", "b", "c"]), unique=True).map(sorted).map(tuple)
quorums = st.dictionaries(st.sampled_from(["dba", "risk"]), st.integers(1, 4)).map(
    lambda counts: tuple(Quorum(counts[g], g) for g in sorted(counts))
)
obligations = st.builds(
    Obligations,
    mask=names,
    approve=quorums,
    justify=st.lists(st.sampled_from(JUSTIFICATIONS), unique=True)
    .map(sorted)
    .map(tuple),
    capture=st.sampled_from(CAPTURES),
    block_on=names,
)


def covers(strict: Obligations, loose: Obligations) -> bool:
    """Whether meeting the one meets the other."""
    counts = {quorum.group: quorum.count for quorum in strict.approve}
    return (
        set(strict.mask) >= set(loose.mask)
        and set(strict.justify) >= set(loose.justify)
        and set(strict.block_on) >= set(loose.block_on)
        and all(counts.get(q.group, 0) >= q.count for q in loose.approve)
        and CAPTURES.index(strict.capture) >= CAPTURES.index(loose.capture)
    )


@given(st.lists(obligations, min_size=1))
def test_merged_obligations_cover_each_one_and_nothing_more(each):
    merged = merge_obligations(each)
    assert all(covers(merged, one) for one in each)
    assert set(merged.mask) == {name for one in each for name in one.mask}
    assert {quorum.group for quorum in merged.approve} == {
        quorum.group for one in each for quorum in one.approve
    }
    assert merged.capture in {one.capture for one in each}


@given(st.lists(obligations), st.randoms())
def test_the_order_and_the_grouping_of_obligations_do_not_matter(each, random):
    shuffled = random.sample(each, len(each))
    assert merge_obligations(each) == merge_obligations(shuffled)
    if len(each) > 1:
        inner = merge_obligations(each[1:])
        assert merge_obligations([each[0], inner]) == merge_obligations(each)


@given(obligations)
def test_one_set_of_obligations_merges_to_itself(one):
    assert merge_obligations([one]) == one


def decision(effect: Effect, *reasons: str, owed: Obligations = NO_OBLIGATIONS):
    return Decision(effect, reasons, owed, "version", effect.value)


def test_one_denied_need_denies_the_call_and_only_its_reasons_count():
    merged = merge_decisions(
        [
            decision(Effect.ALLOW, "read", owed=Obligations(mask=("pii",))),
            decision(Effect.DENY, "never"),
            decision(Effect.HOLD, "ask", owed=Obligations(approve=(Quorum(1, "dba"),))),
        ]
    )
    assert merged == decision(Effect.DENY, "never")


def test_one_held_need_holds_the_call_with_the_obligations_of_all():
    merged = merge_decisions(
        [
            decision(Effect.ALLOW, "read", owed=Obligations(mask=("pii",))),
            decision(Effect.HOLD, "ask", owed=Obligations(approve=(Quorum(1, "dba"),))),
        ]
    )
    assert merged == decision(
        Effect.HOLD,
        "ask",
        "read",
        owed=Obligations(mask=("pii",), approve=(Quorum(1, "dba"),)),
    )


def test_a_call_without_needs_is_no_call():
    with pytest.raises(ValueError, match="at least one need"):
        merge_decisions([])


def test_annotations_name_obligations():
    assert obligations_of(
        {
            "id": "x",
            "mask": "pii, pan,pii",
            "approve": "2 of dba, 1 of risk officers,1 of dba",
            "justify": "ticket",
            "capture": "full",
            "block_on": "pan",
        }
    ) == Obligations(
        mask=("pan", "pii"),
        approve=(Quorum(2, "dba"), Quorum(1, "risk officers")),
        justify=("ticket",),
        capture="full",
        block_on=("pan",),
    )


def test_a_permit_without_annotations_owes_masked_capture_only():
    assert obligations_of({}) == Obligations(capture="masked")


def test_capture_is_none_only_when_every_permit_says_so():
    silent = obligations_of({"capture": "none"})
    assert merge_obligations([silent, silent]).capture == "none"
    assert merge_obligations([silent, obligations_of({})]).capture == "masked"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("approve", "dba"),
        ("approve", "two of dba"),
        ("approve", "0 of dba"),
        ("approve", "17 of dba"),
        ("approve", "-1 of dba"),
        ("approve", "1 of "),
        ("approve", "1 of dba,"),
        ("approve", "1  of dba"),
        ("approve", "99999999999999999999 of dba"),
        ("approve", "٣ of dba"),
        ("approve", ""),
        ("mask", ""),
        ("mask", "pii,,pan"),
        ("justify", "because"),
        ("capture", "everything"),
        ("capture", ""),
        ("block_on", " "),
    ],
)
def test_a_malformed_annotation_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^@{name}: expected "):
        obligations_of({name: value})


@given(st.dictionaries(st.sampled_from(["mask", "approve", "justify"]), st.text()))
def test_any_annotation_text_is_read_or_refused(annotations):
    with contextlib.suppress(ValueError):
        assert isinstance(obligations_of(annotations), Obligations)
