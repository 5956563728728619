"""``gatekeep policy``: check a policy set, and ask what it says about one request."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from gatekeep.aws.call import Call, Need, Protocol
from gatekeep.aws.catalogue import Catalogue, load_catalogue
from gatekeep.cli.options import CONFIG_DEFAULT, Config
from gatekeep.errors import OperatorError
from gatekeep.policy.decision import Decision, Obligations
from gatekeep.policy.engine import PolicyEngine
from gatekeep.policy.facts import GIVEN
from gatekeep.policy.labels import Labels
from gatekeep.policy.policies import PolicySet, compile_policies
from gatekeep.policy.source import read_files
from gatekeep.policy.vocabulary import Vocabulary
from gatekeep.principal import Principal
from gatekeep.settings import Settings, read_settings

app = typer.Typer(help="Check policies and try them out.", no_args_is_help=True)

JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def check(
    directory: Annotated[
        Path | None,
        typer.Argument(
            help="Check the *.cedar files in it, without settings: names of masking"
            " profiles are not checked.",
            show_default=False,
        ),
    ] = None,
    config: Config = CONFIG_DEFAULT,
    as_json: JSON = False,
) -> None:
    """Check every policy; exit 2 with file and line of each fault."""
    try:
        policies = _compile(directory, config)
    except OperatorError as error:
        if as_json:
            print(json.dumps({"valid": False, "errors": error.message.splitlines()}))
            raise typer.Exit(2) from error
        raise
    if as_json:
        print(json.dumps(_described(policies)))
        return
    for policy in policies.policies.values():
        kind = "permit" if policy.permits else "forbid"
        owed = " ".join(_obligations(policy.obligations))
        place = f"{policy.path}:{policy.line}"
        print(f"{kind}  {policy.id}  {place}  {owed}".rstrip())
    print(f"{len(policies.policies)} policies, version {policies.version}")


@app.command()
def explain(
    action: Annotated[str, typer.Argument(help="IAM action: dynamodb:GetItem")],
    resource: Annotated[str, typer.Argument(help="ARN, or *")],
    subject: Annotated[str, typer.Option(help="Who asks.")] = "somebody",
    group: Annotated[list[str] | None, typer.Option(help="Repeatable.")] = None,
    statement: Annotated[
        list[str] | None, typer.Option(help="SQL the call carries. Repeatable.")
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(
            help=f"name=value, repeatable: {', '.join(sorted(GIVEN))}, and the call's"
            " service, operation and region where they differ from the action's."
        ),
    ] = None,
    config: Config = CONFIG_DEFAULT,
    as_json: JSON = False,
) -> None:
    """Say what the policies decide about one request, and why."""
    settings = read_settings(config)
    catalogue = _catalogue(settings)
    given = dict(_pair(text) for text in context or ())
    call = _call(catalogue, action, resource, given, tuple(statement or ()))
    groups = tuple(sorted(set(group or ())))
    principal = Principal(settings.issuer[0].issuer, subject, groups)
    # Nothing is stored: a question is no request.
    policy = settings.policy.model_copy(update={"cache_entries_max": 0})
    engine = PolicyEngine(
        settings.model_copy(update={"policy": policy}),
        cache_directory=settings.state_path("decisions"),
        actions=catalogue,
    )
    decision = engine.decide(principal, call, given)
    places = {
        policy.id: f"{policy.path}:{policy.line}"
        for policy in engine.policies.policies.values()
    }
    if as_json:
        print(json.dumps(_answer(decision, places)))
        return
    print(f"decision     {decision.effect.value}")
    for reason in decision.reasons or ("no policy permits it",):
        print(f"reason       {reason}  {places.get(reason, '')}".rstrip())
    for owed in _obligations(decision.obligations):
        print(f"obligation   {owed}")
    if decision.message:
        print(f"message      {decision.message}")
    print(f"version      {decision.policy_version}")


def _compile(directory: Path | None, config: Path) -> PolicySet:
    settings = read_settings(config) if directory is None else None
    chosen = settings.policy.directory if settings else Path(directory or ".")
    return compile_policies(
        {chosen / name: text for name, text in read_files(chosen).items()},
        vocabulary=Vocabulary(_catalogue(settings)),
        labels=Labels(settings.resource if settings else ()),
        profiles=[p.name for p in settings.masking.profile] if settings else None,
    )


def _catalogue(settings: Settings | None) -> Catalogue:
    """The gateway's compiled catalogue, or one in the user's cache directory.

    The gateway's directory is not made here: it would belong to whoever runs this.
    """
    directory = settings.catalogue_path if settings else None
    if directory is None or not directory.is_dir():
        cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        directory = Path(cache).expanduser() / "gatekeep"
    return load_catalogue(directory)


def _call(
    catalogue: Catalogue,
    action: str,
    resource: str,
    given: dict[str, str],
    statements: tuple[str, ...],
) -> Call:
    """The call that the options describe; takes its own facts out of the context."""
    try:
        action = catalogue.canonical_action(action)
    except KeyError as error:
        raise OperatorError(
            "policy.action", f"there is no action `{action}`"
        ) from error
    service, _, operation = action.partition(":")
    region = resource.split(":")[3] if resource.count(":") >= 5 else ""
    return Call(
        service=given.pop("service", service),
        operation=given.pop("operation", operation),
        protocol=Protocol.JSON,
        region=given.pop("region", region),
        needs=(Need(action, resource, catalogue.access_level(action)),),
        parameters={},
        statements=statements,
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or name not in GIVEN | {"service", "operation", "region"}:
        raise OperatorError(
            "policy.context", f"--context {text}: expected name=value of a known fact"
        )
    return name, value


def _obligations(obligations: Obligations) -> list[str]:
    """Obligations as a policy writes them, those that are not the default."""
    texts = [
        f'@{name}("{", ".join(str(value) for value in values)}")'
        for name, values in (
            ("mask", obligations.mask),
            ("approve", obligations.approve),
            ("justify", obligations.justify),
            ("block_on", obligations.block_on),
        )
        if values
    ]
    if obligations.capture != Obligations().capture:
        texts.append(f'@capture("{obligations.capture}")')
    return texts


def _described(policies: PolicySet) -> dict[str, Any]:
    return {
        "valid": True,
        "version": policies.version,
        "policies": [
            {
                "id": policy.id,
                "effect": "permit" if policy.permits else "forbid",
                "file": str(policy.path),
                "line": policy.line,
                "obligations": _obligations(policy.obligations),
            }
            for policy in policies.policies.values()
        ],
    }


def _answer(decision: Decision, places: dict[str, str]) -> dict[str, Any]:
    return {
        "decision": decision.effect.value,
        "reasons": [
            {"id": reason, "at": places.get(reason, "")} for reason in decision.reasons
        ],
        "obligations": _obligations(decision.obligations),
        "message": decision.message,
        "version": decision.policy_version,
    }
