"""How an access request looks to the person who has to judge it in ten seconds.

Much of what is shown was written by the agent that asks. It is cleaned of everything
that could move a terminal's cursor, hide text or turn its direction, and it is never
read as markup.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gatekeep.access.request import AccessRequest, State

_LINES_IN_LIST_MAX = 12
"""Parameters of one request in a list; `gatekeep access show` shows all."""

_STYLES = {
    State.PENDING: "yellow",
    State.APPROVED: "green",
    State.USED: "green",
    State.DENIED: "red",
    State.EXPIRED: "dim",
    State.ABANDONED: "dim",
}


def request_card(
    request: AccessRequest, *, now_ns: int, whole: bool = False
) -> RenderableType:
    """One request as a card: who, why, what exactly, who is missing, and what then.

    Args:
        request: as it stands now.
        now_ns: the time to count from.
        whole: show every parameter, however many there are.
    """
    style = _STYLES[request.state]
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column(overflow="fold")
    rows.add_row("who", _who(request))
    rows.add_row("why", _why(request))
    rows.add_row("what", _what(request))
    rows.add_row("", _parameters(request, _LINES_IN_LIST_MAX if not whole else None))
    rows.add_row("rule", _clean(", ".join(request.reasons) or "(unnamed)"))
    rows.add_row("needs", _needs(request))
    for answer in _answers(request, now_ns):
        rows.add_row("", answer)
    rows.add_row("then", _then(request))
    return Panel(
        rows,
        title=Text(f"{request.id} · {_standing(request, now_ns)}", style=style),
        title_align="left",
        border_style=style,
    )


def request_cards(
    requests: tuple[AccessRequest, ...], *, now_ns: int
) -> RenderableType:
    """The requests one under the other, and how to decide them."""
    cards = [request_card(request, now_ns=now_ns) for request in requests]
    if not cards:
        return Text("Nobody waits for approval.")
    return Group(
        *cards,
        Text(
            "Decide with: gatekeep access approve|deny ID --comment TEXT", style="dim"
        ),
    )


def request_table(requests: tuple[AccessRequest, ...], *, now_ns: int) -> Table:
    """The requests, settled ones too, one a line."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("ID", "STATE", "OPENED", "WHO", "WHAT", "DECIDED BY"):
        table.add_column(heading, overflow="fold")
    for request in requests:
        people = [_subject(each.approver_id) for each in request.approvals]
        if request.denial is not None:
            people.append(_subject(request.denial.approver_id))
        opened = datetime.fromtimestamp(request.opened_at_ns // 10**9, UTC)
        table.add_row(
            Text(request.id),
            Text(request.state.value, style=_STYLES[request.state]),
            Text(f"{opened:%Y-%m-%d %H:%M:%SZ}"),
            _clean(_subject(request.principal_id)),
            _clean(f"{request.service} {request.operation}"),
            _clean(", ".join(people)),
        )
    return table


def _standing(request: AccessRequest, now_ns: int) -> str:
    since = _duration((now_ns - request.opened_at_ns) / 1e9)
    if request.state is State.PENDING:
        left = _duration(request.expires_at_s - now_ns / 1e9)
        return f"pending · waits since {since} · {left} left"
    return f"{request.state.value} · opened {since} ago"


def _who(request: AccessRequest) -> Text:
    issuer, _, subject = request.principal_id.partition("#")
    return Text.assemble(
        _clean(subject, "bold cyan"),
        _clean(f"  by {issuer}, session {request.session_name}", "dim"),
    )


def _why(request: AccessRequest) -> Text:
    if request.justification:
        why = _clean(f"“{request.justification}”")
    else:
        why = Text("no justification was given", "italic")
    return Text.assemble(
        why, _clean(f"  ticket {request.ticket}" if request.ticket else "")
    )


def _what(request: AccessRequest) -> Text:
    needs = [_clean(f"{action} on {resource}") for action, resource in request.needs]
    first = Text.assemble(
        _clean(f"{request.service} {request.operation}", "bold"),
        _clean(f" in {request.region}"),
        ("  changes data" if request.changes else "  only reads", "dim"),
    )
    return Text("\n").join([first, *needs])


def _parameters(request: AccessRequest, lines_max: int | None) -> RenderableType:
    leaves = list(_leaves(request.parameters))
    shown = leaves[:lines_max]
    sign, style = ("+", "green") if request.changes else ("?", "blue")
    table = Table.grid(padding=(0, 2))
    table.add_column(style=style, overflow="fold")
    table.add_column(overflow="fold")
    for path, value in shown:
        table.add_row(_clean(f"{sign} {path}"), _clean(value))
    if len(shown) == len(leaves):
        return table
    more = f"… {len(leaves) - len(shown)} more: gatekeep access show {request.id}"
    return Group(table, Text(more, style="bold"))


def _needs(request: AccessRequest) -> Text:
    missing = f"; still missing: {request.missing}" if request.missing.people else ""
    return Text.assemble(
        _clean(" and ".join(str(quorum) for quorum in request.quorums)),
        _clean(missing, "bold"),
    )


def _answers(request: AccessRequest, now_ns: int) -> Iterator[Text]:
    for approval in request.approvals:
        ago = _duration((now_ns - approval.at_ns) / 1e9)
        yield _clean(
            f"approved by {_subject(approval.approver_id)} {ago} ago"
            + (f": {approval.comment}" if approval.comment else ""),
            style="green",
        )
    if request.denial is not None:
        ago = _duration((now_ns - request.denial.at_ns) / 1e9)
        yield _clean(
            f"denied by {_subject(request.denial.approver_id)} {ago} ago"
            + (f": {request.denial.comment}" if request.denial.comment else ""),
            style="red",
        )


def _then(request: AccessRequest) -> Text:
    match request.state:
        case State.PENDING if request.missing.people > 1:
            return Text("your approval is one of those it needs; nothing runs yet")
        case State.PENDING:
            return Text(
                "your approval runs exactly this call, at once and once; a denial "
                "refuses it"
            )
        case State.APPROVED:
            return Text("it runs as soon as its client asks for it, once")
        case State.USED:
            return _clean(f"it ran as exchange {request.claimed_by}")
        case _:
            return Text("it did not run and never will")


def _leaves(tree: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every value of a tree with its path, ``Key.id`` or ``Items[0].name``."""
    if isinstance(tree, Mapping) and tree:
        for key, value in tree.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list | tuple) and tree:
        for index, value in enumerate(tree):
            yield from _leaves(value, f"{path}[{index}]")
    else:
        yield path or "(none)", tree if isinstance(tree, str) else json.dumps(tree)


def _subject(principal_id: str) -> str:
    return principal_id.partition("#")[2]


def _duration(seconds: float) -> str:
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _clean(text: str, style: str = "") -> Text:
    """Text that cannot play tricks on a terminal or on its reader."""
    return Text(
        "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text),
        style=style,
    )
