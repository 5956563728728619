"""The ``gatekeep`` command: one module a subcommand, loaded when it is called.

Loading only what is called keeps ``gatekeep credentials``, which every SDK process
starts, as quick as the little it does.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from typing import Annotated

import typer

from gatekeep.errors import (
    FatalError,
    GatekeepError,
    OperatorError,
    PeerError,
    UnavailableError,
    VerificationError,
)

EXIT_CODES: tuple[tuple[type[GatekeepError], int], ...] = (
    (VerificationError, 1),
    (OperatorError, 2),
    (FatalError, 70),
    (UnavailableError, 75),
    (PeerError, 77),
)
"""The exit code of each kind of error; 1 for what is not listed. 70, 75 and 77 are
``EX_SOFTWARE``, ``EX_TEMPFAIL`` and ``EX_NOPERM`` of sysexits.h, which systemd and
shells know."""

SUBCOMMANDS = {
    "serve": "gatekeep.cli.serve:serve",
    "demo": "gatekeep.cli.demo.command:demo",
    "access": "gatekeep.cli.access:app",
    "policy": "gatekeep.cli.policy:app",
    "audit": "gatekeep.cli.audit:app",
    "keys": "gatekeep.cli.keys:app",
    "credentials": "gatekeep.cli.credentials:credentials",
}
"""Where each subcommand is: ``module:name`` of a typer application or a function."""


def main() -> None:
    """Run the command line of this process and exit; no traceback for our errors."""
    try:
        _program(sys.argv[1:])(prog_name="gatekeep")
    except GatekeepError as error:
        detail = f" ({error.detail})" if error.detail else ""
        print(f"gatekeep: {error.message}{detail}", file=sys.stderr)
        sys.exit(
            next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)
        )
    except ImportError as error:
        # The one import that fails on a sound installation: see `gatekeep._fast`.
        if not (error.name or "").startswith("gatekeep._fast."):
            raise
        print(f"gatekeep: {error.msg}", file=sys.stderr)
        sys.exit(2)


def _program(arguments: list[str]) -> typer.Typer:
    """The command line with the subcommand that is called, or with all of them."""
    program = typer.Typer(
        help="A gateway between AI agents and AWS: verify, decide, hold, mask, record.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    program.callback()(_options)
    called = arguments[0] if arguments else "--help"
    if called in SUBCOMMANDS:
        names = [called]
    else:
        names = [] if called == "--version" else list(SUBCOMMANDS)
    for name in names:
        module, _, attribute = SUBCOMMANDS[name].partition(":")
        subcommand = getattr(importlib.import_module(module), attribute)
        if isinstance(subcommand, typer.Typer):
            program.add_typer(subcommand, name=name)
        else:
            program.command(name)(subcommand)
    return program


def _version(*, wanted: bool) -> None:
    if wanted:
        print(f"gatekeep {importlib.metadata.version('gatekeep')}")
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options of ``gatekeep`` itself."""


if __name__ == "__main__":
    main()
