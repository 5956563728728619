"""``gatekeep serve``: run the gateway."""

from __future__ import annotations

import typer

from gatekeep.cli.options import CONFIG_DEFAULT, Config
from gatekeep.gateway import supervisor
from gatekeep.settings import read_settings


def serve(config: Config = CONFIG_DEFAULT) -> None:
    """Run the gateway until SIGTERM or Ctrl-C; SIGHUP reads the policies again."""
    raise typer.Exit(supervisor.serve(read_settings(config), config))
