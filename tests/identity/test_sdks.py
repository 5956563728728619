"""Stock SDKs and CLIs get a session with environment variables alone.

Each runs in its own process against a real TLS server in front of the door.
"""

import configparser
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gatekeep.identity.issuers import Issuers
from gatekeep.identity.sessions import SessionKeyring
from gatekeep.identity.sts import Door
from gatekeep.settings import RoleSettings, SessionSettings
from tests.identity.door_server import DoorServer
from tests.identity.issuer import Issuer, server_tls, token

APP = "arn:aws:iam::123456789012:role/agents/app"
ADMIN = "arn:aws:iam::123456789012:role/admin"
ASSUMED = "arn:aws:sts::123456789012:assumed-role/app/"

CLI_V1 = Path(sys.executable).with_name("aws")
CLI_V2 = Path("/usr/bin/aws")

BOTO3 = """
import boto3, botocore.exceptions, json
try:
    sts = boto3.client("sts")
    answer = [sts.get_caller_identity()["Arn"] for _ in range(3)][0]
    print(json.dumps({"arn": answer}))
except botocore.exceptions.ClientError as error:
    print(json.dumps(error.response["Error"]))
"""

pytestmark = pytest.mark.e2e


def fresh_token(issuer, **changes):
    now_s = int(time.time())
    return token(issuer.url, iat=now_s - 5, exp=now_s + 600, **changes)


@pytest.fixture(scope="module")
def issuer():
    opened = Issuer()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def open_door(issuer, authority):
    """Two servers of one door: over TLS, and plain for container credentials."""
    roles = (
        RoleSettings(arn=APP, groups=("dba",)),
        RoleSettings(arn=ADMIN, groups=("admins",)),
    )
    issuers = Issuers((issuer.settings(),))
    keyring = SessionKeyring.generate()
    door = Door(issuers, keyring, roles, SessionSettings(keyring="unused"))
    tls = DoorServer(door, keyring, server_tls(*authority[1:]))
    plain = DoorServer(door, keyring)
    yield tls, plain
    tls.run(issuers.close())
    tls.close()
    plain.close()


@pytest.fixture
def servers(open_door):
    for server in open_door:
        server.asked.clear()
    return open_door


@pytest.fixture
def environment(servers, issuer, authority, tmp_path):
    """What an agent gets: nothing of AWS but these variables."""
    token_file = tmp_path / "token"
    token_file.write_bytes(fresh_token(issuer) + b"\n")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": servers[0].url,
        "AWS_ROLE_ARN": APP,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file),
        "AWS_CA_BUNDLE": str(authority[0]),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def run(command, environment):
    done = subprocess.run(
        [str(part) for part in command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def boto3(environment):
    status, out, err = run([sys.executable, "-c", BOTO3], environment)
    assert status == 0, err
    return json.loads(out)


def test_boto3_gets_a_session_by_web_identity_and_keeps_it(servers, environment):
    environment["AWS_ROLE_SESSION_NAME"] = "my-agent"
    assert boto3(environment) == {"arn": ASSUMED + "my-agent"}
    # Three calls, one session: its advertised end is far enough away.
    assert servers[0].asked == ["AssumeRoleWithWebIdentity"] + ["GetCallerIdentity"] * 3


@pytest.mark.parametrize("program", [CLI_V1, CLI_V2])
def test_the_aws_cli_gets_a_session_by_web_identity(environment, program):
    if not program.exists():
        pytest.skip(f"{program} is not installed")
    if program == CLI_V2:
        # 2.9 is from before AWS_ENDPOINT_URL (2.13), and asks STS by option only.
        version = run([program, "--version"], environment)[1]
        if tuple(map(int, version.split()[0].split("/")[1].split(".")[:2])) < (2, 13):
            pytest.skip(f"{version.split()[0]} does not know AWS_ENDPOINT_URL")
    command = [program, "sts", "get-caller-identity", "--output", "json"]
    status, out, err = run(command, environment)
    assert status == 0, err
    assert json.loads(out)["Arn"].startswith(ASSUMED + "botocore-session-")


@pytest.mark.parametrize("program", [CLI_V1, CLI_V2])
def test_the_aws_cli_parses_the_whole_answer(environment, servers, issuer, program):
    if not program.exists():
        pytest.skip(f"{program} is not installed")
    command = [
        program, "sts", "assume-role-with-web-identity", "--endpoint-url",
        servers[0].url, "--role-arn", APP, "--role-session-name", "by-cli",
        "--web-identity-token", fresh_token(issuer).decode(), "--output", "json",
    ]  # fmt: skip
    del environment["AWS_WEB_IDENTITY_TOKEN_FILE"]
    status, out, err = run(command, environment)
    assert status == 0, err
    answer = json.loads(out)
    assert answer["AssumedRoleUser"]["Arn"] == ASSUMED + "by-cli"
    assert answer["SubjectFromWebIdentityToken"] == "agent-7"
    assert answer["Provider"] == issuer.url
    assert set(answer["Credentials"]) == {
        "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code", "part"),
    [
        ({"exp": 1}, "ExpiredTokenException", "expired"),
        ({"aud": "other"}, "InvalidIdentityToken", "`gatekeep`"),
        ({"groups": []}, "AccessDenied", "ask the operator"),
    ],
)
def test_a_refusal_reaches_boto3_with_its_message_and_is_not_retried(
    servers, environment, issuer, change, code, part
):
    now_s = int(time.time())
    claims = {"iat": now_s, "exp": now_s + 600, **change}
    Path(environment["AWS_WEB_IDENTITY_TOKEN_FILE"]).write_bytes(
        token(issuer.url, **claims)
    )
    error = boto3(environment)
    assert error["Code"] == code
    assert part in error["Message"]
    assert servers[0].asked == ["AssumeRoleWithWebIdentity"]


@pytest.mark.parametrize("by_file", [False, True])
def test_boto3_gets_a_session_as_container_credentials(
    servers, environment, issuer, tmp_path, by_file
):
    for name in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        del environment[name]
    environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = servers[1].url + (
        "/credentials/app" if by_file else "/credentials"
    )
    bearer = "Bearer " + fresh_token(issuer).decode()
    if by_file:
        (tmp_path / "bearer").write_text(bearer)
        environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = str(tmp_path / "bearer")
    else:
        environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = bearer
    assert boto3(environment) == {"arn": ASSUMED + "agent-7"}
    assert len(servers[1].asked) == 1


@pytest.mark.parametrize("program", [CLI_V1, CLI_V2])
def test_the_aws_cli_gets_a_session_as_container_credentials(
    servers, environment, issuer, program
):
    """The way for CLIs from before AWS_ENDPOINT_URL: Debian 12 ships 2.9."""
    if not program.exists():
        pytest.skip(f"{program} is not installed")
    for name in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ENDPOINT_URL"):
        del environment[name]
    environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = servers[1].url + "/credentials"
    environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = fresh_token(issuer).decode()
    status, out, err = run(
        [program, "sts", "get-caller-identity", "--endpoint-url", servers[0].url,
         "--output", "json"],
        environment,
    )  # fmt: skip
    assert status == 0, err
    assert json.loads(out)["Arn"] == ASSUMED + "agent-7"


def test_a_javascript_agent_gets_a_session(environment, tmp_path):
    """Where Node and the JavaScript SDK are: ``GATEKEEP_JS_SDK=<node_modules>``."""
    modules = os.environ.get("GATEKEEP_JS_SDK")
    node = shutil.which("node")
    if not (modules and node):
        pytest.skip("needs node and GATEKEEP_JS_SDK=<node_modules with client-sts>")
    program = f"""
        const {{STSClient, GetCallerIdentityCommand}} =
            require({json.dumps(modules + "/@aws-sdk/client-sts")});
        new STSClient({{}}).send(new GetCallerIdentityCommand({{}}))
            .then(answer => console.log(answer.Arn));
    """
    environment["NODE_EXTRA_CA_CERTS"] = environment["AWS_CA_BUNDLE"]
    status, out, err = run([node, "-e", program], environment)
    assert status == 0, err
    assert out.startswith("arn:aws:sts::123456789012:assumed-role/app/")


# --- gatekeep credentials ------------------------------------------------------------


@pytest.fixture
def gatekeep(environment):
    def call(*arguments):
        command = [sys.executable, "-m", "gatekeep.cli.main", "credentials"]
        return run([*command, *arguments], environment)

    return call


def test_the_command_prints_what_credential_process_wants(gatekeep):
    status, out, err = gatekeep("--session-name", "by-command")
    assert (status, err) == (0, "")
    answer = json.loads(out)
    assert answer["Version"] == 1
    assert set(answer) == {
        "Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration",
    }  # fmt: skip


def test_boto3_gets_a_session_from_the_command(environment, tmp_path, servers):
    profile = {
        "credential_process": (
            f"{sys.executable} -m gatekeep.cli.main credentials "
            f"--endpoint {servers[0].url} --role-arn {APP} --token-file "
            f"{environment.pop('AWS_WEB_IDENTITY_TOKEN_FILE')} "
            "--session-name by-process"
        ),
        "endpoint_url": environment.pop("AWS_ENDPOINT_URL"),
    }
    del environment["AWS_ROLE_ARN"]
    parser = configparser.ConfigParser()
    parser["profile agent"] = profile
    with (tmp_path / "config").open("w") as file:
        parser.write(file)
    environment["AWS_CONFIG_FILE"] = str(tmp_path / "config")
    environment["AWS_PROFILE"] = "agent"
    assert boto3(environment) == {"arn": ASSUMED + "by-process"}


def test_the_command_says_what_is_wrong_in_one_line(
    gatekeep, environment, tmp_path, servers
):
    def fails(status, part):
        found, out, err = gatekeep()
        assert (found, out) == (status, "")
        assert part in err
        assert err.count("\n") == 1
        assert "Traceback" not in err

    good = dict(environment)
    environment["AWS_ROLE_ARN"] = ADMIN
    fails(77, "AccessDenied: Not authorized")
    environment.update(good, AWS_WEB_IDENTITY_TOKEN_FILE=str(tmp_path / "none"))
    fails(2, "expected a file with an OIDC token")
    environment.update(good, AWS_CA_BUNDLE=str(tmp_path / "token"))
    fails(2, "expected PEM certificates")
    environment.update(good)
    del environment["AWS_CA_BUNDLE"]
    fails(2, "--ca-bundle")
    environment.update(good, AWS_ENDPOINT_URL="http://gatekeep.corp.example")
    fails(2, "expected an https:// URL")
    environment.update(good, AWS_ENDPOINT_URL="https://127.0.0.1:1")
    fails(75, "does not answer")
