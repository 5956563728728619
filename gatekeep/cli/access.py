"""``gatekeep access``: see, approve and deny the requests that wait for people.

Looking needs no more than the state directory. Deciding needs an OIDC token of the
reviewer's own, from one of the issuers in the settings, and a running ledger: the
decision is in the audit log before it takes effect, or it does not happen.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console

from gatekeep import limits
from gatekeep.access.request import AccessRequest, RefusedError, State
from gatekeep.access.requests import AccessRequests
from gatekeep.audit.client import LedgerClient
from gatekeep.audit.record import Approval
from gatekeep.cli.access_view import request_card, request_cards, request_table
from gatekeep.cli.options import CONFIG_DEFAULT, Config, TokenFile
from gatekeep.clock import SYSTEM_CLOCK
from gatekeep.errors import OperatorError
from gatekeep.identity.issuers import Issuers
from gatekeep.principal import Principal
from gatekeep.settings import Settings, read_settings

app = typer.Typer(
    help="See, approve and deny the requests that wait for people.",
    no_args_is_help=True,
)

RequestId = Annotated[str, typer.Argument(metavar="ID", show_default=False)]
Comment = Annotated[
    str,
    typer.Option("--comment", "-m", help="Why; it is recorded.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_WATCH_S = 0.5
"""How often ``watch`` looks; one read of a mapped page."""


@app.command("list")
def list_(
    config: Config = CONFIG_DEFAULT,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Settled requests too, one a line.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the requests that wait, oldest first."""
    with _look(read_settings(config)) as requests:
        found = requests.list(None if everything else State.PENDING)
    if as_json:
        print(json.dumps([_document(each) for each in found], indent=2))
        return
    show = request_table if everything else request_cards
    Console().print(show(found, now_ns=SYSTEM_CLOCK.now_ns()))


@app.command()
def show(
    request_id: RequestId, config: Config = CONFIG_DEFAULT, *, as_json: AsJson = False
) -> None:
    """Show one request with all its parameters."""
    with _look(read_settings(config)) as requests:
        request = requests.get(request_id)
    if as_json:
        print(json.dumps(_document(request), indent=2))
        return
    now_ns = SYSTEM_CLOCK.now_ns()
    Console().print(request_card(request, now_ns=now_ns, whole=True))


@app.command()
def watch(config: Config = CONFIG_DEFAULT) -> None:
    """Show each request as it comes to wait, until Ctrl-C."""
    console = Console()
    seen: set[str] = set()
    at = -1
    with _look(read_settings(config)) as requests:
        while True:
            if requests.last_transaction_id() != at:
                at = requests.last_transaction_id()
                now_ns = SYSTEM_CLOCK.now_ns()
                waiting = requests.list(State.PENDING)
                for request in waiting:
                    if request.id not in seen:
                        console.print(request_card(request, now_ns=now_ns))
                seen = {request.id for request in waiting}
            time.sleep(_WATCH_S)


@app.command()
def approve(
    request_id: RequestId,
    config: Config = CONFIG_DEFAULT,
    token_file: TokenFile = None,
    comment: Comment = "",
) -> None:
    """Approve one request; it takes somebody else than the one who asks."""
    request = asyncio.run(_decide("approved", request_id, config, token_file, comment))
    if request.state is State.PENDING:
        print(f"{request.id}: your approval counts; still missing: {request.missing}")
    else:
        print(f"{request.id}: approved; it runs once, now, if its client still waits")


@app.command()
def deny(
    request_id: RequestId,
    config: Config = CONFIG_DEFAULT,
    token_file: TokenFile = None,
    comment: Comment = "",
) -> None:
    """Deny one request for good."""
    request = asyncio.run(_decide("denied", request_id, config, token_file, comment))
    print(f"{request.id}: denied; it does not run")


async def _decide(
    decision: str, request_id: str, config: Path, token_file: Path | None, comment: str
) -> AccessRequest:
    """Check, record, then decide: in this order, or not at all."""
    settings = read_settings(config)
    approver = await _approver(settings, token_file)
    with _look(settings) as requests:
        request = requests.get(request_id)
    # Refuses by the same rules as the decision itself, before anything is recorded.
    check = request.approved_by if decision == "approved" else request.denied_by
    check(approver, comment=comment, now_ns=SYSTEM_CLOCK.now_ns())
    await _record(
        settings,
        Approval(
            exchange_id=request.exchange_ids[0] if request.exchange_ids else "",
            at_ns=SYSTEM_CLOCK.now_ns(),
            request_id=request.id,
            approver_id=approver.id,
            approver_groups=approver.groups,
            asker_id=request.principal_id,
            decision=decision,
            comment=comment,
            parameters_digest=request.parameters_digest,
        ),
    )
    with AccessRequests(settings.state_path("access")) as requests:
        decide = requests.approve if decision == "approved" else requests.deny
        try:
            return decide(request.id, approver=approver, comment=comment)
        except RefusedError as error:
            # Somebody else decided, or time ran out, while the record was written.
            raise RefusedError(
                error.code, f"recorded, but without effect: {error.message}"
            ) from error


def _look(settings: Settings) -> AccessRequests:
    return AccessRequests(settings.state_path("access"), readonly=True)


async def _approver(settings: Settings, token_file: Path | None) -> Principal:
    """Whom the token names, by the same rules as for an agent's."""
    if token_file is None:
        raise OperatorError(
            "access.no_token",
            "deciding needs a token of your own: give its file with --token-file or "
            "$GATEKEEP_TOKEN_FILE",
        )
    try:
        with token_file.open("rb") as file:
            token = file.read(limits.IDENTITY_TOKEN_BYTES_MAX + 1).strip()
    except OSError as error:
        raise OperatorError(
            "access.token_file", f"{token_file}: {error.strerror}"
        ) from error
    # What goes wrong is told by the error; a log line would only repeat it.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    issuers = Issuers(settings.issuer)
    try:
        return await issuers.verify(token)
    finally:
        await issuers.close()


async def _record(settings: Settings, record: Approval) -> None:
    """Return when the record is durable; raises `UnavailableError` otherwise."""
    ledger = LedgerClient(settings.state_path("ledger.sock"))
    await ledger.connect()
    try:
        await ledger.append(record)
    finally:
        await ledger.close()


def _document(request: AccessRequest) -> dict[str, object]:
    """The request as JSON says it: every field, and what is missing."""
    return asdict(request) | {
        "state": request.state.value,
        "missing": asdict(request.missing),
    }
