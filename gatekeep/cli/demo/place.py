"""Where the demo lives: one directory with everything a gateway needs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from gatekeep.cli.demo.certificates import write_certificates
from gatekeep.cli.demo.issuer import AUDIENCE
from gatekeep.cli.keys import make_missing_keys
from gatekeep.settings import Settings, read_settings

ACCOUNT = "123456789012"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/support-agent"
REGION = "us-east-1"
TABLE = "customers"
BUCKET = "demo-statements"
AGENT = "support-agent"
REVIEWER = "dora"
IDENTITIES = (f"{AGENT}:agents", f"{REVIEWER}:dba")
"""Who has a token: ``subject:groups``."""

_SETTINGS = """\
[gateway]
listen = "127.0.0.1:{port}"
hostnames = ["127.0.0.1", "localhost"]
state_directory = "state"
catalogue_directory = "{catalogue}"

[tls]
certificate = "server.pem"
private_key = "server.key"

[session]
keyring = "session.keys"

[[issuer]]
issuer = "{issuer}"
audience = ["{audience}"]
algorithms = ["ES256"]

[[role]]
arn = "{role}"
groups = ["agents"]

[upstream]
endpoint = "{upstream}"  # moto stands in for AWS

[policy]
directory = "policies"

[[resource]]
arn = "arn:aws:dynamodb:*:{account}:table/{table}"
labels = ["regulated"]

[masking]
record_profile = "regulated"

[[masking.profile]]
name = "regulated"
mask = [
    {{ detector = "ssn" }},
    {{ detector = "pan", style = "keep-last-4" }},
    {{ detector = "email" }},
]

[access]
hold_s_max = 600

[audit]
origin = "gatekeep.example/demo"
digest_key = "digest.key"
map_bytes = 268435456
"""


@dataclass(frozen=True, slots=True)
class Place:
    """The demo's directory and what is reached where."""

    directory: Path
    config: Path
    settings: Settings
    upstream: str
    """URL of moto, for the demo itself: agents never get it."""
    gateway_port: int

    @property
    def agent_environment(self) -> dict[str, str]:
        """All that an agent is given; nothing else of it changes."""
        return {
            "AWS_ENDPOINT_URL": f"https://127.0.0.1:{self.gateway_port}",
            "AWS_CA_BUNDLE": str(self.directory / "ca.pem"),
            "AWS_ROLE_ARN": ROLE_ARN,
            "AWS_ROLE_SESSION_NAME": "shift-7",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(self.token_file(AGENT)),
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
        }

    def token_file(self, subject: str) -> Path:
        """The file with the token of that person or agent."""
        return self.directory / f"{subject}.token"


def lay_out(directory: Path, *, issuer: str, upstream: str, port: int) -> Place:
    """Write settings, policies, certificates and keys; tokens are the issuer's.

    Args:
        directory: an empty one of the demo's own.
        issuer: URL of the issuer.
        upstream: URL of what stands in for AWS.
        port: the gateway's.
    """
    config = directory / "gatekeep.toml"
    config.write_text(
        _SETTINGS.format(
            port=port,
            issuer=issuer,
            audience=AUDIENCE,
            role=ROLE_ARN,
            upstream=upstream,
            account=ACCOUNT,
            table=TABLE,
            # Compiling it takes seconds, so it outlives the demo.
            catalogue=_cache_directory(),
        )
    )
    policies = directory / "policies"
    policies.mkdir()
    policy = resources.files("gatekeep.cli.demo").joinpath("demo.cedar")
    policies.joinpath("demo.cedar").write_text(policy.read_text())
    write_certificates(directory)
    settings = read_settings(config)
    make_missing_keys(settings)
    return Place(directory, config, settings, upstream, port)


def plain_environment(home: Path) -> dict[str, str]:
    """An environment in which nothing of the reader's own AWS set-up is seen."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
    }
    return kept | {
        "HOME": str(home),
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONUNBUFFERED": "1",
        # `python -m` would look in the reader's directory first, and a checkout of
        # gatekeep there has no compiled modules.
        "PYTHONSAFEPATH": "1",
    }


def _cache_directory() -> Path:
    """The user's directory for what can be made again (XDG Base Directory)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gatekeep"
