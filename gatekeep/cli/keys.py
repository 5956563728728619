"""``gatekeep keys``: make, rotate and look at the key files that settings name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gatekeep.cli.options import CONFIG_DEFAULT, Config
from gatekeep.errors import OperatorError
from gatekeep.identity.keyfiles import encode_key, new_key, write_private
from gatekeep.identity.sessions import SessionKeyring
from gatekeep.limits import KEYRING_KEYS_MAX
from gatekeep.principal import Secret
from gatekeep.settings import Settings, read_settings

app = typer.Typer(help="Make, rotate and list key files.", no_args_is_help=True)


@app.command()
def new(config: Config = CONFIG_DEFAULT) -> None:
    """Make the key files that are missing. What is there stays as it is."""
    for path in make_missing_keys(read_settings(config)):
        print(f"made {path}")


@app.command()
def rotate(
    config: Config = CONFIG_DEFAULT,
    keep: Annotated[
        int,
        typer.Option(
            min=0,
            max=KEYRING_KEYS_MAX - 1,
            help="Old keys to keep: sessions that they sealed go on.",
        ),
    ] = 2,
) -> None:
    """Seal new sessions with a new key. Running gateways see it within a second.

    With `--keep 0` every session ends at once.
    """
    path = read_settings(config).session.keyring
    old = SessionKeyring.read(path)
    fresh = old.rotated(keep=keep)
    fresh.write(path, replace=True)
    print(f"{path}: {fresh.key_ids[0]} seals now")
    for key_id in old.key_ids:
        what = "still opens" if key_id in fresh.key_ids else "removed, its sessions end"
        print(f"{path}: {key_id} {what}")


@app.command("list")
def list_keys(config: Config = CONFIG_DEFAULT) -> None:
    """Show the key files and the ids in them, never a key; exit 2 if one is unsound."""
    settings = read_settings(config)
    problems = []
    for key, path in key_files(settings).items():
        try:
            if key == "session.keyring":
                seals, *opens = SessionKeyring.read(path).key_ids
                state = f"{seals} seals" + "".join(f", {id_} opens" for id_ in opens)
            else:
                Secret.read(path)
                state = "sound"
        except OperatorError as error:
            problems.append(error.message)
            state = "unsound"
        print(f"{key}  {path}  {state}")
    if problems:
        raise OperatorError("keys.unsound", "\n".join(problems))


def key_files(settings: Settings) -> dict[str, Path]:
    """The key files that settings name, by the name of their key in settings."""
    paths = {
        "session.keyring": settings.session.keyring,
        "audit.digest_key": settings.audit.digest_key,
        "masking.token_key": settings.masking.token_key,
    }
    return {key: path for key, path in paths.items() if path is not None}


def make_missing_keys(settings: Settings) -> list[Path]:
    """Make the key files that settings name and that are missing; give those made.

    Raises:
        OperatorError: one cannot be written.
    """
    made = []
    for key, path in key_files(settings).items():
        if path.exists():
            continue
        if key == "session.keyring":
            SessionKeyring.generate().write(path)
        else:
            write_private(path, encode_key(new_key()) + b"\n", replace=False)
        made.append(path)
    return made
