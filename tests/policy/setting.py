"""Actions, settings, calls and engines for tests of policy."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from gatekeep.aws.call import AccessLevel, Call, Need, Protocol
from gatekeep.policy.engine import PolicyEngine
from gatekeep.principal import Principal
from gatekeep.settings import Settings, parse_settings

TABLE = "arn:aws:dynamodb:us-east-1:111122223333:table/customers"
OTHER_TABLE = "arn:aws:dynamodb:us-east-1:111122223333:table/orders"
AGENT = Principal("https://issuer.example", "agent-7", ("agents", "night"))
GIVEN = {
    "source_ip": "10.1.2.3",
    "justification": "",
    "ticket": "",
    "session_name": "job",
}


class SomeActions:
    """A catalogue of few actions; `test_real_catalogue` uses all of them."""

    LEVELS: ClassVar = {
        "athena:StartQueryExecution": AccessLevel.WRITE,
        "athena:GetQueryResults": AccessLevel.READ,
        "dynamodb:DeleteItem": AccessLevel.WRITE,
        "dynamodb:GetItem": AccessLevel.READ,
        "dynamodb:ListTables": AccessLevel.LIST,
        "dynamodb:PartiQLSelect": AccessLevel.READ,
        "dynamodb:PutItem": AccessLevel.WRITE,
        "dynamodb:TagResource": AccessLevel.TAGGING,
        "iam:AttachRolePolicy": AccessLevel.PERMISSIONS,
        "s3:GetObject": AccessLevel.READ,
        "s3:ListBucket": AccessLevel.LIST,
        "s3:PutObject": AccessLevel.WRITE,
    }

    def actions(self) -> Iterator[tuple[str, AccessLevel]]:
        return iter(self.LEVELS.items())

    def access_level(self, action: str) -> AccessLevel:
        return self.LEVELS[self.canonical_action(action)]

    def canonical_action(self, action: str) -> str:
        return {name.lower(): name for name in self.LEVELS}[action.lower()]


class StillClock:
    """A clock that the test moves. It starts on Thursday 1970-01-01 at 00:00."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def now_s(self) -> float:
        return self.at_s

    def now_ns(self) -> int:
        return int(self.at_s * 1e9)

    def monotonic_s(self) -> float:
        return self.at_s


def settings(directory: Path, extra: str = "") -> Settings:
    """Real settings whose policies are in ``directory / "policies"``."""
    return parse_settings(
        f"""
        [tls]
        certificate = "server.pem"
        private_key = "server.key"
        [session]
        keyring = "session.keys"
        [audit]
        digest_key = "digest.key"
        [[issuer]]
        issuer = "https://issuer.example"
        audience = ["gatekeep"]
        [[role]]
        arn = "arn:aws:iam::111122223333:role/agent"
        [[masking.profile]]
        name = "pii"
        mask = [{{ detector = "ssn" }}]
        [[masking.profile]]
        name = "pan"
        mask = [{{ detector = "pan" }}]
        [[resource]]
        arn = "arn:aws:dynamodb:*:*:table/customers*"
        labels = ["regulated", "pii"]
        [[resource]]
        arn = "arn:aws:dynamodb:us-east-1:111122223333:table/orders"
        labels = ["shared"]
        {extra}
        """,
        path=directory / "gatekeep.toml",
    )


def write_policies(directory: Path, **texts: str) -> None:
    """Write each text as ``policies/<name>.cedar``."""
    (directory / "policies").mkdir(exist_ok=True)
    for name, text in texts.items():
        (directory / "policies" / f"{name}.cedar").write_text(text)


def engine(directory: Path, text: str = "", **options: object) -> PolicyEngine:
    """An engine over one policy file, if a text is given, and what is there."""
    if text:
        write_policies(directory, test=text)
    extra = options.pop("settings", "")
    return PolicyEngine(
        settings(directory, str(extra)),
        cache_directory=directory / "decisions",
        **{"actions": SomeActions(), **options},  # type: ignore[arg-type]
    )


NO_CACHE = "[policy]\ncache_entries_max = 0"


def call(*actions: str, resource: str = TABLE, **fields: object) -> Call:
    """A call that needs these actions on one resource."""
    needs = tuple(
        Need(action, resource, SomeActions.LEVELS[action]) for action in actions
    )
    service, _, operation = actions[0].partition(":")
    return Call(
        **{  # type: ignore[arg-type]
            "service": service,
            "operation": operation,
            "protocol": Protocol.JSON,
            "region": "us-east-1",
            "needs": needs,
            "parameters": {},
        }
        | fields
    )
