"""Options that several subcommands share, so that each reads the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        envvar="GATEKEEP_CONFIG",
        help="The settings file.",
        show_default=True,
    ),
]
"""``--config``, ``$GATEKEEP_CONFIG``: give it `CONFIG_DEFAULT` as its default."""

CONFIG_DEFAULT = Path("conf/gatekeep.toml")

TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        envvar="GATEKEEP_TOKEN_FILE",
        help="File with your own OIDC token: it proves who you are.",
        show_default=False,
    ),
]
"""``--token-file``, ``$GATEKEEP_TOKEN_FILE``: None when neither is given."""
