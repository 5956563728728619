"""The demo's parts: each does for real what the demo says it does."""

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import jwt
import pytest
from moto_server import Moto

from gatekeep.cli.demo import seed
from gatekeep.cli.demo.certificates import write_certificates
from gatekeep.cli.demo.interruption import Interruption
from gatekeep.cli.demo.issuer import AUDIENCE
from gatekeep.cli.demo.place import (
    AGENT,
    IDENTITIES,
    REVIEWER,
    lay_out,
    plain_environment,
)
from gatekeep.cli.demo.processes import Processes, free_port
from gatekeep.errors import UnavailableError
from gatekeep.identity.issuers import Issuers

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def processes(tmp_path):
    with Processes(tmp_path) as started:
        yield started


@pytest.fixture
def issuer(tmp_path, processes):
    """URL of an issuer in its own process that has written its tokens."""
    return processes.start_and_read_line(
        "issuer",
        [sys.executable, "-m", "gatekeep.cli.demo.issuer", str(tmp_path), *IDENTITIES],
        env=plain_environment(tmp_path),
    )


@pytest.mark.e2e
def test_the_issuer_issues_tokens_that_anybody_can_verify(tmp_path, issuer):
    with urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration") as answer:
        discovered = json.load(answer)
    assert discovered["issuer"] == issuer
    keys = jwt.PyJWKClient(discovered["jwks_uri"])
    for subject, groups in ((AGENT, ["agents"]), (REVIEWER, ["dba"])):
        path = tmp_path / f"{subject}.token"
        assert path.stat().st_mode & 0o777 == 0o600
        token = path.read_text().strip()
        claims = jwt.decode(
            token,
            keys.get_signing_key_from_jwt(token),
            algorithms=["ES256"],
            audience=AUDIENCE,
            issuer=issuer,
        )
        assert (claims["sub"], claims["groups"]) == (subject, groups)


@pytest.mark.e2e
def test_the_gateway_trusts_the_issuer_of_the_settings_it_is_given(tmp_path, issuer):
    place = lay_out(tmp_path, issuer=issuer, upstream="http://127.0.0.1:1", port=8443)

    async def verify():
        issuers = Issuers(place.settings.issuer)
        try:
            return await issuers.verify(place.token_file(AGENT).read_bytes().strip())
        finally:
            await issuers.close()

    principal = asyncio.run(verify())
    assert (principal.subject, principal.groups) == (AGENT, ("agents",))


def test_what_is_laid_out_is_private_and_whole(tmp_path):
    place = lay_out(tmp_path, issuer="http://127.0.0.1:9", upstream="http://x", port=1)
    for name in ("server.key", "session.keys", "digest.key"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    (policy,) = place.settings.policy.directory.iterdir()
    assert '@id("no-destructive-sql")' in policy.read_text()
    environment = place.agent_environment
    assert all(name.startswith("AWS_") for name in environment)
    assert "AWS_ACCESS_KEY_ID" not in environment


def test_the_readers_own_aws_set_up_is_not_seen(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    environment = plain_environment(tmp_path)
    assert "production" not in environment.values()
    assert "mine" not in environment.values()
    assert environment["HOME"] == str(tmp_path)


@pytest.mark.e2e
def test_modules_in_the_readers_directory_are_not_run(tmp_path, processes, monkeypatch):
    # A checkout of gatekeep, say, or somebody's own `json.py`.
    readers = tmp_path / "readers"
    readers.mkdir()
    (readers / "json.py").write_text("print('not an issuer')")
    monkeypatch.chdir(readers)
    issuer = processes.start_and_read_line(
        "issuer",
        [sys.executable, "-m", "gatekeep.cli.demo.issuer", str(tmp_path), *IDENTITIES],
        env=plain_environment(tmp_path),
    )
    assert issuer.startswith("http://127.0.0.1:")


def test_the_certificate_is_good_for_loopback_and_nothing_else(tmp_path):
    write_certificates(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    client = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    for name in ("127.0.0.1", "localhost"):
        assert handshake(server, client, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client, "example.com")


def handshake(server, client, name):
    """Shake hands in memory; the client's subject alternative names."""
    ways = [ssl.MemoryBIO() for _ in range(2)]
    ends = [
        client.wrap_bio(ways[0], ways[1], server_hostname=name),
        server.wrap_bio(ways[1], ways[0], server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return ends[0].getpeercert()["subjectAltName"]


@pytest.fixture(scope="module")
def moto():
    server = Moto()
    yield server
    server.close()


@pytest.mark.e2e
def test_seeding_fills_a_table_and_a_bucket(moto):
    seed.seed(moto.url)
    for customer in seed.CUSTOMERS:
        assert seed.raw_customer(moto.url, customer["id"]) == customer
    body = seed.direct("s3", moto.url).get_object(
        Bucket="demo-statements", Key=seed.STATEMENT
    )["Body"]
    assert json.load(body)["paid_with"] == seed.CUSTOMERS[0]["card"]


def test_the_seeded_values_are_what_detectors_find():
    from gatekeep.masking.masking import Masking
    from gatekeep.settings import MaskingSettings

    masked, found = Masking(MaskingSettings()).mask_value(list(seed.PROTECTED), ())
    assert found == {"ssn": 3, "pan": 3, "email": 3}
    assert not set(masked) & set(seed.PROTECTED)


def test_leaving_ends_processes_and_what_they_started(tmp_path):
    script = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen({SLEEP!r})\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with Processes(tmp_path) as processes:
        grandchild = int(
            processes.start_and_read_line(
                "parent", [sys.executable, "-c", script], env=dict(os.environ)
            )
        )
        assert is_alive(grandchild)
    assert ends(grandchild)


def test_a_process_that_ignores_sigterm_ends_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("gatekeep.cli.demo.processes._STOP_TIMEOUT_S", 0.1)
    script = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(600)\n"
    )
    with Processes(tmp_path) as processes:
        pid = int(
            processes.start_and_read_line(
                "stubborn", [sys.executable, "-c", script], env=dict(os.environ)
            )
        )
    assert ends(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does it on Linux")
def test_processes_end_even_when_the_demo_is_killed(tmp_path):
    script = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from gatekeep.cli.demo.processes import Processes\n"
        f"child = Processes(Path({str(tmp_path)!r})).begin({SLEEP!r}, env=os.environ)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    demo = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    )
    child = int(demo.stdout.readline())
    assert is_alive(child)
    demo.send_signal(signal.SIGKILL)
    demo.wait()
    demo.stdout.close()
    assert ends(child)


def test_a_server_that_does_not_come_up_tells_why(processes):
    broken = processes.start(
        "broken",
        [sys.executable, "-c", "import sys; sys.exit('no such port')"],
        env=dict(os.environ),
    )
    with pytest.raises(UnavailableError) as raised:
        processes.wait_until_serving("broken", broken, port=free_port())
    assert raised.value.message == "broken did not come up: no such port"


def test_waiting_can_be_given_up(tmp_path):
    def give_up():
        raise SystemExit(130)

    with Processes(tmp_path, give_up) as processes:
        process = processes.begin(SLEEP, env=dict(os.environ))
        for wait in (
            lambda: processes.finish(process),
            lambda: processes.pause(600),
            lambda: processes.wait_until_serving("x", process, port=free_port()),
        ):
            with pytest.raises(SystemExit):
                wait()
    assert ends(process.pid)


def test_a_signal_is_acted_on_only_where_it_is_checked():
    before = signal.getsignal(signal.SIGTERM)
    with Interruption() as interruption:
        interruption.check()
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(SystemExit) as raised:
            interruption.check()
    assert raised.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    signal.signal(signal.SIGTERM, before)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_a_command_that_hangs_is_given_up(processes):
    with pytest.raises(UnavailableError) as raised:
        processes.finish(processes.begin(SLEEP, env=dict(os.environ)), timeout_s=0.05)
    assert raised.value.code == "demo.hangs"


def test_a_free_port_can_be_bound():
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port()))


def is_alive(pid):
    """Whether a process runs: one that nobody has waited for yet does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def ends(pid):
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_alive(pid)
