"""What a store of access requests promises: I6, one promise a test."""

from dataclasses import replace

import pytest

from gatekeep import limits
from gatekeep.access.quorum import Quorum
from gatekeep.access.request import TRANSITIONS, ClaimError, RefusedError, State
from gatekeep.access.requests import AccessRequests
from gatekeep.aws.call import AccessLevel, Need
from gatekeep.errors import LimitError, OperatorError, UnavailableError
from gatekeep.principal import Principal
from tests.access.people import (
    AGENT,
    BOTH,
    DANA,
    DORA,
    SAM,
    TABLE,
    Asking,
    person,
    session_of,
    update,
)


def refused(code, step, *arguments, **keywords):
    with pytest.raises((RefusedError, ClaimError)) as raised:
        step(*arguments, **keywords)
    assert raised.value.code == code
    return raised.value


# --- the way of a request -------------------------------------------------------


def test_a_request_is_pending_then_approved_then_used(requests, ask, clock):
    opened = ask("x-1")
    assert opened.state is State.PENDING
    assert requests.list(State.PENDING) == (opened,)
    clock.seconds += 5
    approved = requests.approve(opened.id, approver=DORA, comment="seen OPS-7")
    assert approved.state is State.APPROVED
    (approval,) = requests.claim(opened.id, exchange_id="x-1").approvals
    assert (approval.approver_id, approval.groups) == (DORA.id, ("dba",))
    assert (approval.comment, approval.at_ns) == ("seen OPS-7", clock.now_ns())
    used = requests.get(opened.id)
    assert (used.state, used.claimed_by) == (State.USED, "x-1")


def test_what_is_stored_reads_back_as_it_was(tmp_path, clock):
    with AccessRequests(tmp_path / "access", clock=clock) as requests:
        ask = Asking(requests, clock)
        opened = ask(parameters={"Key": {"a": [1, 2.5, None, True, "é\ud800"]}})
        approved = requests.approve(opened.id, approver=DORA, comment="ok")
        denied = requests.deny(ask(parameters_digest="e").id, approver=DORA)
    with AccessRequests(tmp_path / "access", clock=clock, readonly=True) as reader:
        assert reader.get(approved.id) == approved
        assert reader.get(denied.id) == denied
        with pytest.raises(UnavailableError):
            reader.deny(approved.id, approver=DORA)


def test_every_change_moves_the_transaction_number(requests, ask):
    before = requests.last_transaction_id()
    opened = ask()
    after_open = requests.last_transaction_id()
    requests.approve(opened.id, approver=DORA)
    assert before < after_open < requests.last_transaction_id()


def test_a_refused_step_changes_nothing(requests, ask):
    opened = ask()
    before = requests.last_transaction_id()
    refused("access.not_eligible", requests.approve, opened.id, approver=SAM)
    assert requests.last_transaction_id() == before
    assert requests.get(opened.id) == opened


@pytest.mark.parametrize("request_id", ["", "nothing", "x" * 600, "\udc80\n"])
def test_an_unknown_id_is_the_callers_mistake(requests, request_id):
    with pytest.raises(OperatorError) as raised:
        requests.get(request_id)
    assert raised.value.code == "access.unknown"
    assert "\n" not in raised.value.message


# --- who may decide -------------------------------------------------------------


def test_nobody_approves_their_own_request(requests, ask):
    """Hoop approves the requests of administrators by design."""
    administrator = person("root", "dba", "admin")
    opened = ask(session=session_of(administrator))
    refused("access.own_request", requests.approve, opened.id, approver=administrator)
    refused("access.own_request", requests.deny, opened.id, approver=administrator)


def test_new_groups_do_not_make_the_asker_another_person(requests, ask):
    opened = ask()
    promoted = replace(AGENT, groups=("dba",))
    refused("access.own_request", requests.approve, opened.id, approver=promoted)


def test_the_same_subject_of_another_issuer_is_another_person(requests, ask):
    opened = ask()
    namesake = Principal("https://people.example", AGENT.subject, ("dba",))
    approved = requests.approve(opened.id, approver=namesake)
    assert approved.state is State.APPROVED


@pytest.mark.parametrize("decide", ["approve", "deny"])
def test_only_the_groups_of_the_quorum_decide(requests, ask, decide):
    opened = ask()
    for outsider in (SAM, person("x"), person("y", "admin", "DBA", "dba ")):
        refused(
            "access.not_eligible",
            getattr(requests, decide),
            opened.id,
            approver=outsider,
        )


def test_two_of_a_group_are_two_people(requests, ask):
    opened = ask(quorums=(Quorum(2, "dba"),))
    assert requests.approve(opened.id, approver=DORA).state is State.PENDING
    refused("access.approved_already", requests.approve, opened.id, approver=DORA)
    refused("access.pending", requests.claim, opened.id, exchange_id="x-1")
    assert requests.approve(opened.id, approver=DANA).state is State.APPROVED


def test_one_person_in_two_groups_is_one_person(requests, ask):
    """Hoop counts groups: one reviewer in both satisfies min_approvals = 2."""
    opened = ask(quorums=(Quorum(1, "dba"), Quorum(1, "security")))
    assert requests.approve(opened.id, approver=BOTH).state is State.PENDING
    refused("access.approved_already", requests.approve, opened.id, approver=BOTH)
    assert requests.approve(opened.id, approver=DORA).state is State.APPROVED


def test_a_person_in_more_groups_than_needed_still_suffices(requests, ask):
    """Hoop compares the count with `==`, so such a request stays pending for ever."""
    approver = person("all", "dba", "security", "risk")
    opened = ask(quorums=(Quorum(1, "dba"),))
    assert requests.approve(opened.id, approver=approver).state is State.APPROVED


def test_an_approval_that_fills_no_seat_is_refused(requests, ask):
    opened = ask(quorums=(Quorum(1, "dba"), Quorum(1, "security")))
    requests.approve(opened.id, approver=DORA)
    error = refused("access.not_counted", requests.approve, opened.id, approver=DANA)
    assert "1 more of security" in error.message


def test_one_denial_by_an_eligible_person_suffices(requests, ask):
    opened = ask(quorums=(Quorum(2, "dba"),))
    requests.approve(opened.id, approver=DORA)
    denied = requests.deny(opened.id, approver=DANA, comment="wrong account")
    assert denied.state is State.DENIED
    assert denied.denial.approver_id == DANA.id
    error = refused("access.denied", requests.claim, opened.id, exchange_id="x-1")
    assert error.message.endswith("was denied: wrong account")


def test_an_approved_request_can_be_taken_back_until_it_is_used(requests, ask):
    opened = ask()
    requests.approve(opened.id, approver=DORA)
    requests.deny(opened.id, approver=DORA, comment="I misread it")
    refused("access.denied", requests.claim, opened.id, exchange_id="x-1")


@pytest.mark.parametrize("decide", ["approve", "deny"])
def test_a_decided_request_is_decided(requests, ask, decide):
    opened = ask()
    requests.deny(opened.id, approver=DORA)
    refused("access.not_pending", getattr(requests, decide), opened.id, approver=DANA)


def test_a_comment_has_a_bound(requests, ask):
    opened = ask(quorums=(Quorum(2, "dba"),))
    longest = "x" * limits.ACCESS_COMMENT_CHARACTERS_MAX
    step = requests.approve
    refused("access.comment", step, opened.id, approver=DORA, comment=longest + "x")
    step(opened.id, approver=DORA, comment=longest)


# --- what an approval is for ----------------------------------------------------

OTHER_TABLE = Need("dynamodb:UpdateItem", f"{TABLE}2", AccessLevel.WRITE)


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters_digest": "e" * 64},
        {"session": session_of(person("agent-2", "agents"))},
        {"session": session_of(AGENT, role_arn="arn:aws:iam::123456789012:role/b")},
        {"session": session_of(AGENT, justification="because")},
        {"session": session_of(AGENT, ticket="OPS-8")},
        {"call": update(operation="DeleteItem")},
        {"call": update(service="dynamodbstreams")},
        {"call": update(region="eu-central-1")},
        {"call": update(needs=(OTHER_TABLE,))},
        {"call": update(needs=(*update().needs, OTHER_TABLE))},
        {"quorums": (Quorum(2, "dba"),)},
        {"quorums": (Quorum(1, "security"),)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_approval_is_for_nothing_else(requests, ask, changes):
    """hoop: approve A, run B; or approve for connection X and open connection Y."""
    opened = ask("x-1")
    requests.approve(opened.id, approver=DORA)
    other = ask("x-2", **changes)
    assert other.id != opened.id
    assert other.state is State.PENDING
    refused("access.not_waiting", requests.claim, opened.id, exchange_id="x-2")


def test_an_approval_is_for_one_run(requests, ask):
    """Hoop accepts one in PROCESSING again."""
    opened = ask("x-1")
    requests.approve(opened.id, approver=DORA)
    requests.claim(opened.id, exchange_id="x-1")
    refused("access.used", requests.claim, opened.id, exchange_id="x-1")
    again = ask("x-2")
    assert again.id != opened.id
    assert again.state is State.PENDING


def test_of_two_identical_exchanges_one_claims_and_the_other_asks_anew(requests, ask):
    opened = ask("x-1")
    assert ask("x-2").id == opened.id
    requests.approve(opened.id, approver=DORA)
    requests.claim(opened.id, exchange_id="x-2")
    error = refused("access.used", requests.claim, opened.id, exchange_id="x-1")
    assert error.state is State.USED
    assert ask("x-1").state is State.PENDING


def test_the_order_in_which_a_call_names_what_it_needs_does_not_matter(requests, ask):
    needs = (*update().needs, OTHER_TABLE)
    opened = ask("x-1", call=update(needs=needs))
    assert ask("x-2", call=update(needs=needs[::-1])).id == opened.id


# --- clients that go and come back ----------------------------------------------


def test_a_retry_finds_the_approvals_of_the_first_try(requests, ask, clock):
    opened = ask("x-1", quorums=(Quorum(2, "dba"),))
    requests.approve(opened.id, approver=DORA)
    assert requests.abandon(opened.id, "x-1").state is State.ABANDONED
    clock.seconds += limits.ACCESS_REATTACH_S - 1
    again = ask("x-2", quorums=(Quorum(2, "dba"),))
    assert (again.id, again.state) == (opened.id, State.PENDING)
    requests.approve(opened.id, approver=DANA)
    assert len(requests.claim(opened.id, exchange_id="x-2").approvals) == 2


def test_nothing_runs_for_a_client_that_has_gone(requests, ask):
    opened = ask("x-1")
    requests.approve(opened.id, approver=DORA)
    requests.abandon(opened.id, "x-1")
    refused("access.abandoned", requests.claim, opened.id, exchange_id="x-1")
    assert ask("x-2").state is State.APPROVED
    refused("access.not_waiting", requests.claim, opened.id, exchange_id="x-1")
    requests.claim(opened.id, exchange_id="x-2")


@pytest.mark.parametrize("decide", ["approve", "deny"])
def test_nobody_decides_for_a_client_that_has_gone(requests, ask, decide):
    opened = ask("x-1")
    requests.abandon(opened.id, "x-1")
    refused("access.not_pending", getattr(requests, decide), opened.id, approver=DORA)


def test_one_of_two_clients_going_leaves_the_other(requests, ask):
    opened = ask("x-1")
    ask("x-2")
    assert requests.abandon(opened.id, "x-1").state is State.PENDING
    requests.approve(opened.id, approver=DORA)
    refused("access.not_waiting", requests.claim, opened.id, exchange_id="x-1")
    requests.claim(opened.id, exchange_id="x-2")


def test_a_client_that_comes_back_too_late_asks_anew(requests, ask, clock):
    opened = ask("x-1")
    requests.approve(opened.id, approver=DORA)
    requests.abandon(opened.id, "x-1")
    clock.seconds += limits.ACCESS_REATTACH_S
    again = ask("x-2")
    assert again.id != opened.id
    assert again.state is State.PENDING
    assert requests.get(opened.id).state is State.ABANDONED


def test_going_twice_or_never_having_come_changes_nothing(requests, ask):
    opened = ask("x-1")
    requests.abandon(opened.id, "x-9")
    assert requests.get(opened.id).state is State.PENDING
    requests.abandon(opened.id, "x-1")
    before = requests.get(opened.id)
    assert requests.abandon(opened.id, "x-1") == before


def test_the_oldest_of_too_many_waiting_exchanges_has_to_ask_anew(requests, ask):
    opened = ask("x-0")
    for number in range(1, limits.ACCESS_EXCHANGES_MAX + 1):
        ask(f"x-{number}")
    requests.approve(opened.id, approver=DORA)
    refused("access.not_waiting", requests.claim, opened.id, exchange_id="x-0")
    requests.claim(opened.id, exchange_id="x-1")


# --- time -----------------------------------------------------------------------


def test_undecided_at_its_time_a_request_has_expired(requests, ask, clock):
    """Never recorded as a person's denial."""
    opened = ask("x-1")
    clock.seconds = opened.expires_at_s
    expired = requests.get(opened.id)
    assert (expired.state, expired.denial) == (State.EXPIRED, None)
    refused("access.not_pending", requests.approve, opened.id, approver=DORA)
    refused("access.expired", requests.claim, opened.id, exchange_id="x-1")
    assert requests.list(State.PENDING) == ()
    assert ask("x-2", expires_at_s=clock.seconds + 1).id != opened.id


def test_an_approval_does_not_outlive_its_time(requests, ask, clock):
    """Hoop starts the full time again when the approval is used."""
    opened = ask("x-1")
    clock.seconds = opened.expires_at_s - 1
    requests.approve(opened.id, approver=DORA)
    ask("x-2")
    clock.seconds += 1
    refused("access.expired", requests.claim, opened.id, exchange_id="x-1")
    refused("access.expired", requests.claim, opened.id, exchange_id="x-2")


def test_a_request_whose_client_went_did_not_expire(requests, ask, clock):
    opened = ask("x-1")
    requests.abandon(opened.id, "x-1")
    clock.seconds += 10_000
    assert requests.get(opened.id).state is State.ABANDONED


# --- bounds ---------------------------------------------------------------------


def test_parameters_that_cannot_be_shown_whole_cannot_be_approved(ask):
    room = limits.ACCESS_PARAMETERS_BYTES_MAX - 2
    ask(parameters="x" * room)
    with pytest.raises(LimitError) as raised:
        ask(parameters="x" * (room + 1))
    assert raised.value.code == "access.too_long"


def test_an_agent_cannot_flood_reviewers(monkeypatch, requests, ask, clock):
    monkeypatch.setattr(limits, "ACCESS_OPEN_PER_PRINCIPAL_MAX", 3)
    for number in range(3):
        ask(parameters_digest=str(number))
    with pytest.raises(LimitError) as raised:
        ask(parameters_digest="3")
    assert raised.value.code == "access.too_many_open"
    assert ask(parameters_digest="1").state is State.PENDING
    ask(session=session_of(person("agent-2")), parameters_digest="3")
    clock.seconds += 600
    ask(parameters_digest="3")


def test_what_is_over_makes_room_for_what_is_not(monkeypatch, requests, ask, clock):
    monkeypatch.setattr(limits, "ACCESS_OPEN_MAX", 3)
    agents = [session_of(person(f"agent-{number}")) for number in range(5)]
    first, *_ = [ask(f"x-{agent.name}", session=agent) for agent in agents[:3]]
    with pytest.raises(UnavailableError) as raised:
        ask(session=agents[3])
    assert raised.value.code == "access.too_many_held"
    requests.deny(first.id, approver=DORA)
    ask(session=agents[3])
    clock.seconds += 600
    ask(session=agents[4])
    assert len(requests.list(State.PENDING)) == 1
    assert len(requests.list()) == 5


def test_of_settled_requests_the_oldest_are_forgotten(
    monkeypatch, requests, ask, clock
):
    monkeypatch.setattr(limits, "ACCESS_SETTLED_MAX", 2)
    opened = []
    for number in range(4):
        clock.seconds += 1
        opened.append(ask(parameters_digest=str(number)).id)
        requests.deny(opened[-1], approver=DORA)
    assert [request.id for request in requests.list()] == opened[2:]


def test_final_states_have_no_way_out():
    assert {state for state, ways in TRANSITIONS.items() if not ways} == {
        State.USED,
        State.DENIED,
        State.EXPIRED,
    }
