"""Two processes at the same moment: exactly one comes first."""

import multiprocessing

import pytest

from gatekeep.access.quorum import Quorum
from gatekeep.access.request import ClaimError, RefusedError, State
from gatekeep.access.requests import AccessRequests
from tests.access.people import DORA, Asking, StillClock, person

PROCESSES = 3


def claim(path, request_id, exchange_id):
    with AccessRequests(path, clock=StillClock()) as requests:
        MEET.wait()
        try:
            requests.claim(request_id, exchange_id=exchange_id)
        except ClaimError as error:
            return error.code
        return "claimed"


def approve(path, request_id, approver):
    with AccessRequests(path, clock=StillClock()) as requests:
        MEET.wait()
        try:
            return requests.approve(request_id, approver=approver).state.value
        except RefusedError as error:
            return error.code


def _initialise(barrier):
    global MEET
    MEET = barrier


def at_once(function, arguments):
    """Run a function in as many processes, all meeting just before the step."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(arguments))
    with context.Pool(len(arguments), _initialise, (barrier,)) as pool:
        # One task a process: a process that waits at the barrier takes no second.
        return pool.starmap(function, arguments, chunksize=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "access"


@pytest.mark.slow
def test_of_claims_at_the_same_moment_one_succeeds(path):
    with AccessRequests(path, clock=StillClock()) as requests:
        ask = Asking(requests, StillClock())
        exchanges = [f"x-{number}" for number in range(PROCESSES)]
        ids = {ask(exchange).id for exchange in exchanges}
        (request_id,) = ids
        requests.approve(request_id, approver=DORA)
    results = at_once(claim, [(path, request_id, each) for each in exchanges])
    assert sorted(results) == ["access.used"] * (PROCESSES - 1) + ["claimed"]


@pytest.mark.slow
def test_of_approvals_at_the_same_moment_none_is_lost_and_none_counts_twice(path):
    """Hoop reads, changes and writes a review without a lock."""
    with AccessRequests(path, clock=StillClock()) as requests:
        ask = Asking(requests, StillClock())
        opened = ask(quorums=(Quorum(PROCESSES, "dba"),))
    people = [person(f"dba-{number}", "dba") for number in range(PROCESSES - 1)]
    people.append(people[0])
    results = at_once(approve, [(path, opened.id, each) for each in people])
    assert sorted(results) == ["access.approved_already"] + ["pending"] * (
        PROCESSES - 1
    )
    with AccessRequests(path, clock=StillClock(), readonly=True) as requests:
        request = requests.get(opened.id)
    assert request.state is State.PENDING
    assert len(request.approvals) == PROCESSES - 1
