"""A reviewer sees who, why, what exactly, who is missing and what then."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from gatekeep.access.quorum import Quorum
from gatekeep.access.request import AccessRequest, Approval, Denial, State
from gatekeep.cli.access_view import request_card, request_cards, request_table

NOW_NS = 1_800_000_012 * 10**9
WAITING = AccessRequest(
    id="4t9kq2mz1a",
    state=State.PENDING,
    principal_id="https://issuer.example#agent-1",
    session_id="S" * 26,
    session_name="checkout-bot",
    role_arn="arn:aws:iam::123456789012:role/agent",
    justification="the customer asked for it",
    ticket="OPS-7",
    service="dynamodb",
    operation="UpdateItem",
    region="us-east-1",
    needs=(("dynamodb:UpdateItem", "arn:aws:dynamodb:::table/customers"),),
    changes=True,
    parameters={"Key": {"id": {"S": "c-1"}}, "Tags": ["a", 1, None, {}], "Dry": False},
    parameters_digest="d" * 64,
    reasons=("writes-need-a-dba",),
    quorums=(Quorum(2, "dba"),),
    opened_at_ns=1_800_000_000 * 10**9,
    expires_at_s=1_800_000_600.0,
)


def seen(renderable):
    """What a terminal 100 columns wide gets, bytes and all."""
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    console.print(renderable)
    return console.file.getvalue()


def text(renderable):
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(renderable)
    return console.file.getvalue()


@pytest.mark.parametrize(
    "fact",
    [
        "4t9kq2mz1a",
        "agent-1",
        "https://issuer.example",
        "checkout-bot",
        "“the customer asked for it”",
        "ticket OPS-7",
        "dynamodb UpdateItem in us-east-1  changes data",
        "dynamodb:UpdateItem on arn:aws:dynamodb:::table/customers",
        "writes-need-a-dba",
        "2 of dba; still missing: 2 more of dba",
        "waits since 12 s · 9 min 48 s left",
        "your approval is one of those it needs; nothing runs yet",
    ],
)
def test_a_waiting_request_tells(fact):
    assert fact in text(request_card(WAITING, now_ns=NOW_NS))


def test_every_parameter_is_a_line_of_its_own():
    lines = [
        " ".join(line.strip("│ \n").split())
        for line in text(request_card(WAITING, now_ns=NOW_NS)).splitlines()
        if "+ " in line
    ]
    assert lines == [
        "+ Key.id.S c-1",
        "+ Tags[0] a",
        "+ Tags[1] 1",
        "+ Tags[2] null",
        "+ Tags[3] {}",
        "+ Dry false",
    ]


def test_a_list_says_how_many_parameters_it_leaves_out():
    long = replace(WAITING, parameters={f"p{number}": number for number in range(40)})
    listed = text(request_cards((long,), now_ns=NOW_NS))
    assert "… 28 more: gatekeep access show 4t9kq2mz1a" in listed
    assert "p39" in text(request_card(long, now_ns=NOW_NS, whole=True))


def test_the_last_approval_runs_it():
    approval = Approval("https://issuer.example#dora", ("dba",), NOW_NS - 10**9, "fine")
    card = text(request_card(replace(WAITING, approvals=(approval,)), now_ns=NOW_NS))
    assert "approved by dora 1 s ago: fine" in card
    assert "still missing: 1 more of dba" in card
    assert "your approval runs exactly this call, at once and once" in card


def test_a_denied_request_tells_who_and_why():
    denial = Denial("https://issuer.example#dana", NOW_NS, "wrong account")
    denied = replace(WAITING, state=State.DENIED, denial=denial)
    card = text(request_card(denied, now_ns=NOW_NS))
    assert "denied by dana 0 s ago: wrong account" in card
    assert "it did not run and never will" in card
    assert "dana" in text(request_table((denied,), now_ns=NOW_NS))


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_card_and_a_line(state):
    request = replace(WAITING, state=state)
    assert state.value in text(request_card(request, now_ns=NOW_NS))
    assert state.value in text(request_table((request,), now_ns=NOW_NS))


def test_no_justification_is_said_plainly():
    card = text(request_card(replace(WAITING, justification=""), now_ns=NOW_NS))
    assert "no justification was given" in card


def test_nobody_waiting_is_said_plainly():
    assert "Nobody waits" in text(request_cards((), now_ns=NOW_NS))


TRICKS = {
    "a cursor that goes up": "fine\x1b[2A\x1b[2K",
    "a line that is overwritten": "drop\rread",
    "a row of its own": "ok\nneeds  nothing",
    "text that runs backwards": "\u202egnihton",
    "a terminal title": "\x1b]0;approved\x07",
    "eight-bit control": "\x9b2J",
    "a zero width space": "a\u200bb",
    "markup": "[red]x[/red] [link=https://evil.example]y[/link]",
    "a lone surrogate": "\ud800",
}


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
@pytest.mark.parametrize(
    "field",
    ["justification", "ticket", "session_name", "parameters", "keys", "principal_id"],
)
def test_what_an_agent_writes_cannot_play_tricks(field, trick):
    changes = {
        "parameters": {"parameters": {"p": trick}},
        "keys": {"parameters": {trick: 1}},
        "principal_id": {"principal_id": f"https://i#{trick}"},
    }.get(field, {field: trick})
    tricky = replace(WAITING, **changes)
    for view in (
        request_card(tricky, now_ns=NOW_NS),
        request_table((tricky,), now_ns=0),
    ):
        shown = text(view)
        assert "\x1b" not in shown
        assert all(each.isprintable() or each == "\n" for each in shown)
        shown.encode()
    if "[red]" in trick:
        assert "[red]" in text(request_card(tricky, now_ns=NOW_NS))
    assert "\x1b[2A" not in seen(request_card(tricky, now_ns=NOW_NS))
    plain = replace(WAITING, **{**changes, **_harmless(changes)})
    assert len(text(request_card(tricky, now_ns=NOW_NS)).splitlines()) == len(
        text(request_card(plain, now_ns=NOW_NS)).splitlines()
    )


def _harmless(changes):
    """The same shape with nothing in it that could add a line."""
    ((name, value),) = changes.items()
    if isinstance(value, dict):
        ((key, inner),) = value.items()
        return {name: {"k" if isinstance(inner, int) else key: "v"}}
    return {name: "https://i#s" if name == "principal_id" else "plain"}
