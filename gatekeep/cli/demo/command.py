"""``gatekeep demo``: set the stage, tell the story, and leave nothing behind."""

from __future__ import annotations

import importlib.util
import math
import shlex
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from gatekeep.cli.demo.interruption import Interruption
from gatekeep.cli.demo.place import (
    IDENTITIES,
    REVIEWER,
    Place,
    lay_out,
    plain_environment,
)
from gatekeep.cli.demo.processes import Processes, free_port
from gatekeep.errors import OperatorError

_NEEDED = ("boto3", "moto", "awscli")


def demo(
    *,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", help="Leave everything running until Ctrl-C, for your own agent."
        ),
    ] = False,
    fast: Annotated[
        bool, typer.Option("--fast", help="No pauses for reading.")
    ] = False,
) -> None:
    """See it work in a minute: real processes on this machine alone, no AWS account."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise OperatorError(
            "demo.missing",
            f"the demo needs {', '.join(missing)}: pip install 'gatekeep[demo]'",
        )
    # Not at the top: it needs what was just looked for.
    from gatekeep.cli.demo.story import Story  # noqa: PLC0415

    console = Console(highlight=False, soft_wrap=False)
    with (
        Interruption() as interruption,
        tempfile.TemporaryDirectory(prefix="gatekeep-demo-") as directory,
        Processes(Path(directory), interruption.check) as processes,
    ):
        began_s = time.monotonic()
        place = _set_stage(Path(directory), processes, console)
        pauses = console.is_terminal and not fast
        Story(place, processes, console, pauses=pauses).tell()
        took_s = time.monotonic() - began_s
        console.print(Text(f"\nThat was gatekeep, in {took_s:.0f} s.", "bold"))
        if keep:
            _tell_how_to_go_on(place, console)
            with suppress(SystemExit):
                processes.pause(math.inf)


def _set_stage(directory: Path, processes: Processes, console: Console) -> Place:
    """Start what stands for AWS and for the identity provider, then the gateway."""
    from gatekeep.cli.demo.seed import seed  # noqa: PLC0415  # as above

    environment = plain_environment(directory)
    python, moto_port, gateway_port = sys.executable, free_port(), free_port()
    console.print(
        "Starting a small OIDC issuer, the gateway, and moto in place of AWS."
    )
    issuer = processes.start_and_read_line(
        "issuer",
        [python, "-m", "gatekeep.cli.demo.issuer", str(directory), *IDENTITIES],
        env=environment,
    )
    upstream = f"http://127.0.0.1:{moto_port}"
    place = lay_out(directory, issuer=issuer, upstream=upstream, port=gateway_port)
    # First the gateway: it reads AWS's service models while moto starts.
    gateway = processes.start(
        "gateway",
        [python, "-m", "gatekeep.cli.main", "serve", "--config", str(place.config)],
        env=environment | _GATEWAY_CREDENTIALS,
    )
    moto = processes.start(
        "moto",
        [python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(moto_port)],
        env=environment,
    )
    processes.wait_until_serving("moto", moto, port=moto_port)
    seed(upstream)
    processes.wait_until_serving(
        "gateway", gateway, port=gateway_port, ca_file=directory / "ca.pem"
    )
    return place


_GATEWAY_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
"""The gateway's own, from its environment; only the gateway gets them."""


def _tell_how_to_go_on(place: Place, console: Console) -> None:
    """Print what an agent of the reader's own needs, and its reviewer."""
    agent = [
        "unset AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN",
        *_exports(place.agent_environment),
    ]
    installed = Path(sys.executable).with_name("gatekeep")
    words = (
        [str(installed)]
        if installed.exists()
        else [sys.executable, "-m", "gatekeep.cli.main"]
    )
    gatekeep = shlex.join(words)
    reviewer = [
        *_exports(
            {
                "GATEKEEP_CONFIG": str(place.config),
                "GATEKEEP_TOKEN_FILE": str(place.token_file(REVIEWER)),
            }
        ),
        f"{gatekeep} access list",
        f"{gatekeep} access approve ID",
    ]
    for title, lines in (
        ("Everything still runs. For an agent of your own, in its terminal:", agent),
        ("For its reviewer, in another:", reviewer),
    ):
        console.print(f"\n{title}\n")
        console.print(Text("\n".join(lines), "cyan"), soft_wrap=True)
    console.print("\nCtrl-C ends it and removes everything.")


def _exports(variables: dict[str, str]) -> list[str]:
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
