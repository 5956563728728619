"""People are counted, not groups; the greatest of each group's quorums counts."""

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeep import limits
from gatekeep.access.quorum import Missing, Quorum, merge_quorums, missing_approvals
from gatekeep.errors import OperatorError

GROUPS = ("dba", "risk", "security")


def test_two_of_one_group_need_two_people():
    quorums = (Quorum(2, "dba"),)
    assert missing_approvals(quorums, []) == Missing(2, ("dba",))
    assert missing_approvals(quorums, [("dba",)]) == Missing(1, ("dba",))
    assert missing_approvals(quorums, [("dba",), ("dba",)]) == Missing(0, ())


def test_one_person_in_two_groups_counts_once():
    """Hoop counts groups: one reviewer in both meets a quorum of two."""
    quorums = (Quorum(1, "dba"), Quorum(1, "security"))
    both = ("dba", "security")
    assert missing_approvals(quorums, [both]).people == 1
    assert missing_approvals(quorums, [both, both]).people == 0


def test_a_person_in_two_groups_makes_room_for_one_who_is_in_one():
    quorums = (Quorum(1, "dba"), Quorum(1, "security"))
    assert missing_approvals(quorums, [("dba", "security"), ("dba",)]).people == 0
    assert missing_approvals(quorums, [("dba", "security"), ("security",)]).people == 0


def test_after_a_person_of_both_groups_either_group_can_follow():
    quorums = (Quorum(1, "dba"), Quorum(1, "security"))
    missing = missing_approvals(quorums, [("dba", "security")])
    assert missing == Missing(1, ("dba", "security"))
    assert str(missing) == "1 more of dba or security"


def test_a_group_whose_seats_are_taken_is_not_asked_for_again():
    quorums = (Quorum(1, "dba"), Quorum(1, "security"))
    assert missing_approvals(quorums, [("dba",)]) == Missing(1, ("security",))


def test_more_approvals_than_needed_are_enough():
    """Hoop compares with `==`: with needed=1 a count of 2 stays pending for ever."""
    assert missing_approvals((Quorum(1, "dba"),), [("dba",)] * 3).people == 0


def test_of_quorums_for_one_group_the_greatest_counts():
    merged = merge_quorums([Quorum(1, "dba"), Quorum(3, "dba"), Quorum(1, "risk")])
    assert merged == (Quorum(3, "dba"), Quorum(1, "risk"))


@pytest.mark.parametrize(
    "quorums",
    [
        [],
        [Quorum(0, "dba")],
        [Quorum(-1, "dba")],
        [Quorum(1, "")],
        [Quorum(limits.QUORUM_PEOPLE_MAX, "dba"), Quorum(1, "risk")],
    ],
    ids=["none", "nobody", "less than nobody", "no group", "too many"],
)
def test_a_quorum_that_means_nothing_is_refused(quorums):
    with pytest.raises(OperatorError) as raised:
        merge_quorums(quorums)
    assert raised.value.code == "access.quorum"


def test_as_many_people_as_the_bound_are_possible():
    merge_quorums([Quorum(limits.QUORUM_PEOPLE_MAX, "dba")])


def seats_filled(quorums, approvers):
    """The most seats any choice of people fills, by trying every one."""
    seats = [quorum.group for quorum in quorums for _ in range(quorum.count)]
    for size in range(min(len(seats), len(approvers)), 0, -1):
        for people in combinations(range(len(approvers)), size):
            for taken in product(range(len(seats)), repeat=size):
                if len(set(taken)) == size and all(
                    seats[seat] in approvers[person]
                    for person, seat in zip(people, taken, strict=True)
                ):
                    return size
    return 0


QUORUMS = st.dictionaries(
    st.sampled_from(GROUPS), st.integers(1, 2), min_size=1, max_size=2
).map(lambda counts: merge_quorums([Quorum(n, group) for group, n in counts.items()]))
APPROVERS = st.lists(st.frozensets(st.sampled_from(GROUPS)), max_size=3)


@given(QUORUMS, APPROVERS)
def test_what_is_missing_is_what_no_seating_of_people_fills(quorums, approvers):
    needed = sum(quorum.count for quorum in quorums)
    missing = missing_approvals(quorums, approvers)
    assert missing.people == needed - seats_filled(quorums, approvers)


@given(QUORUMS, APPROVERS)
def test_a_group_is_asked_for_exactly_when_one_of_its_people_helps(quorums, approvers):
    missing = missing_approvals(quorums, approvers)
    for quorum in quorums:
        after = missing_approvals(quorums, [*approvers, {quorum.group}])
        assert (quorum.group in missing.groups) == (after.people < missing.people)
