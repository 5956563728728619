"""`gatekeep access`, with a real ledger and a real issuer."""

import base64
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from stand import AUDIENCE, Issuer, run_gatekeep

from gatekeep.access.quorum import Quorum
from gatekeep.access.request import State
from gatekeep.access.requests import AccessRequests
from gatekeep.audit.log import LogReader
from gatekeep.audit.record import Approval
from gatekeep.aws.call import AccessLevel, Call, Need, Protocol
from gatekeep.cli import main as command_line
from gatekeep.principal import Principal, Secret, Session
from gatekeep.settings import read_settings

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/customers"
LEDGER = """
import sys
from pathlib import Path
from gatekeep.audit.ledger import run_ledger
from gatekeep.settings import read_settings
run_ledger(read_settings(Path(sys.argv[1])), ready_fd=int(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def issuer():
    issuer = Issuer()
    yield issuer
    issuer.close()


@pytest.fixture
def place(tmp_path, issuer, monkeypatch):
    """A directory with settings, no ledger, and tokens on demand."""
    (tmp_path / "digest.key").write_bytes(base64.b64encode(bytes(32)))
    (tmp_path / "gatekeep.toml").write_text(f"""
[gateway]
state_directory = "state"
[tls]
certificate = "none.pem"
private_key = "none.key"
[session]
keyring = "none.keys"
[[issuer]]
issuer = "{issuer.url}"
audience = ["{AUDIENCE}"]
[[role]]
arn = "arn:aws:iam::123456789012:role/agent"
[audit]
digest_key = "digest.key"
map_bytes = {1 << 24}
""")
    monkeypatch.setenv("GATEKEEP_CONFIG", str(tmp_path / "gatekeep.toml"))
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


@pytest.fixture
def ledger(place):
    """A running ledger of that directory."""
    read_fd, write_fd = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", LEDGER, str(place / "gatekeep.toml"), str(write_fd)],
        pass_fds=[write_fd],
    )
    os.close(write_fd)
    assert os.read(read_fd, 1) == b"\n"
    os.close(read_fd)
    yield process
    process.terminate()
    assert process.wait(10) == 0


@pytest.fixture
def token(place, issuer):
    def write(subject, *groups, **keywords):
        path = place / f"{subject}.token"
        path.write_text(issuer.token(subject, groups, **keywords) + "\n")
        return str(path)

    return write


@pytest.fixture
def gatekeep(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["gatekeep", "access", *arguments])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        written = capsys.readouterr()
        return ended.value.code or 0, written.out, written.err

    return run


@pytest.fixture
def held(place, issuer):
    """Holds requests of agent-1; gives their ids."""

    def hold(*quorums, digest="d"):
        agent = Principal(issuer.url, "agent-1", ("agents", "dba"))
        with AccessRequests(place / "state" / "access") as requests:
            return requests.open(
                session=Session(
                    id="S" * 26,
                    principal=agent,
                    role_arn="arn:aws:iam::123456789012:role/agent",
                    name="agent-1",
                    access_key_id="ASIA",
                    secret_access_key=Secret(b"s"),
                    issued_at_s=0,
                    expires_at_s=1 << 40,
                ),
                call=Call(
                    service="dynamodb",
                    operation="DeleteItem",
                    protocol=Protocol.JSON,
                    region="us-east-1",
                    needs=(Need("dynamodb:DeleteItem", TABLE, AccessLevel.WRITE),),
                    parameters={},
                ),
                parameters_digest=digest,
                parameters={"Key": {"id": {"S": "c-1"}}},
                quorums=quorums or (Quorum(1, "dba"),),
                reasons=("deletes-need-a-dba",),
                expires_at_s=time.time() + 600,
                exchange_id="exchange-1",
            ).id

    return hold


def look(place, request_id):
    with AccessRequests(place / "state" / "access", readonly=True) as requests:
        return requests.get(request_id)


def recorded(place):
    settings = read_settings(place / "gatekeep.toml")
    with LogReader(
        settings.state_path("audit"), map_bytes=settings.audit.map_bytes
    ) as log:
        return [
            each.record for each in log.records() if isinstance(each.record, Approval)
        ]


def test_a_waiting_request_is_listed_and_shown(place, held, gatekeep):
    request_id = held()
    for command in (("list",), ("show", request_id)):
        code, out, err = gatekeep(*command)
        assert (code, err) == (0, "")
        for fact in (request_id, "agent-1", "DeleteItem", TABLE, "+ Key.id.S", "c-1"):
            assert fact in out


def test_json_has_every_field_and_what_is_missing(held, gatekeep):
    request_id = held()
    code, out, _ = gatekeep("list", "--json")
    (document,) = json.loads(out)
    assert code == 0
    assert (document["id"], document["state"]) == (request_id, "pending")
    assert document["missing"] == {"people": 1, "groups": ["dba"]}
    assert document["parameters"] == {"Key": {"id": {"S": "c-1"}}}
    assert json.loads(gatekeep("show", request_id, "--json")[1]) == document


def test_an_approval_is_recorded_and_takes_effect(
    place, ledger, issuer, held, token, gatekeep
):
    request_id = held()
    code, out, err = gatekeep(
        "approve", request_id, "--token-file", token("dora", "dba"), "--comment", "ok"
    )
    assert (code, err) == (0, "")
    assert (
        out == f"{request_id}: approved; it runs once, now, if its client still waits\n"
    )
    request = look(place, request_id)
    assert request.state is State.APPROVED
    assert request.approvals[0].comment == "ok"
    (record,) = recorded(place)
    assert record.decision == "approved"
    assert record.approver_id == f"{issuer.url}#dora"
    assert record.asker_id == f"{issuer.url}#agent-1"
    assert (record.request_id, record.exchange_id) == (request_id, "exchange-1")
    assert (record.comment, record.parameters_digest) == ("ok", "d")


def test_the_token_file_can_be_named_by_the_environment(
    place, ledger, held, token, gatekeep, monkeypatch
):
    monkeypatch.setenv("GATEKEEP_TOKEN_FILE", token("dora", "dba"))
    request_id = held(Quorum(2, "dba"))
    code, out, _ = gatekeep("approve", request_id)
    assert code == 0
    assert "still missing: 1 more of dba" in out


def test_a_denial_is_recorded_and_takes_effect(place, ledger, held, token, gatekeep):
    request_id = held()
    code, out, _ = gatekeep("deny", request_id, "--token-file", token("dora", "dba"))
    assert (code, out) == (0, f"{request_id}: denied; it does not run\n")
    assert look(place, request_id).state is State.DENIED
    assert [record.decision for record in recorded(place)] == ["denied"]
    assert "denied" in gatekeep("list", "--all")[1]


def test_nobody_approves_their_own_request_and_nothing_is_recorded(
    place, ledger, held, token, gatekeep
):
    """Hoop records none of it and lets administrators approve themselves."""
    request_id = held()
    code, _, err = gatekeep(
        "approve", request_id, "--token-file", token("agent-1", "dba")
    )
    assert code == 77
    assert "is your own: somebody else has to decide it" in err
    assert look(place, request_id).state is State.PENDING
    assert recorded(place) == []


def test_a_person_in_no_group_of_the_quorum_is_refused(
    place, ledger, held, token, gatekeep
):
    request_id = held()
    code, _, err = gatekeep(
        "approve", request_id, "--token-file", token("sam", "security")
    )
    assert code == 77
    assert "decided by dba, and you (sam) are in none of them" in err
    assert recorded(place) == []


def test_what_the_ledger_does_not_record_does_not_happen(place, held, token, gatekeep):
    request_id = held()
    code, _, err = gatekeep("approve", request_id, "--token-file", token("dora", "dba"))
    assert code == 75
    assert "no ledger is there" in err
    assert look(place, request_id).state is State.PENDING


def test_a_decision_that_came_too_late_says_so(
    place, ledger, held, token, gatekeep, monkeypatch
):
    request_id = held()
    from gatekeep.cli import access

    record = access._record

    async def denied_meanwhile(settings, approval):
        await record(settings, approval)
        dana = Principal("https://other", "dana", ("dba",))
        with AccessRequests(place / "state" / "access") as requests:
            requests.deny(request_id, approver=dana)

    monkeypatch.setattr(access, "_record", denied_meanwhile)
    code, _, err = gatekeep("approve", request_id, "--token-file", token("dora", "dba"))
    assert code == 77
    assert "recorded, but without effect" in err
    assert look(place, request_id).state is State.DENIED


@pytest.mark.parametrize(
    ("text", "code"),
    [(b"", 77), (b"not a token", 77), (b"\xff\xfe", 77), (b"a.b.c", 77)],
    ids=["empty", "words", "bytes", "almost"],
)
def test_what_is_no_token_proves_nothing(place, ledger, held, gatekeep, text, code):
    request_id = held()
    path = place / "bad.token"
    path.write_bytes(text)
    ended, out, err = gatekeep("approve", request_id, "--token-file", str(path))
    assert (ended, out) == (code, "")
    assert err.startswith("gatekeep: ")
    assert err.count("\n") == 1


def test_an_expired_token_proves_nothing(ledger, held, token, gatekeep):
    request_id = held()
    path = token("dora", "dba", age_s=7200)
    assert gatekeep("approve", request_id, "--token-file", path)[0] == 77


def test_no_token_is_the_users_mistake(held, gatekeep, monkeypatch):
    monkeypatch.delenv("GATEKEEP_TOKEN_FILE", raising=False)
    code, _, err = gatekeep("approve", held())
    assert code == 2
    assert "--token-file" in err
    code, _, err = gatekeep("approve", held(), "--token-file", "/nowhere")
    assert (code, err) == (2, "gatekeep: /nowhere: No such file or directory\n")


def test_an_unknown_request_is_the_users_mistake(ledger, held, token, gatekeep):
    held()
    for command in (("show", "nothing"), ("deny", "nothing")):
        arguments = [*command]
        if command[0] == "deny":
            arguments += ["--token-file", token("dora", "dba")]
        code, _, err = gatekeep(*arguments)
        assert (code, err) == (2, "gatekeep: there is no access request 'nothing'\n")


def test_a_gateway_that_never_ran_has_no_requests_to_look_at(place, gatekeep):
    code, _, err = gatekeep("list")
    assert code == 75
    assert not (place / "state").exists(), "looking made something"
    assert "no store is there" in err


@pytest.mark.e2e
def test_watching_shows_each_request_once_as_it_comes(held):
    first = held()
    watching = subprocess.Popen(
        [sys.executable, "-u", "-m", "gatekeep.cli.main", "access", "watch"],
        stdout=subprocess.PIPE,
        text=True,
    )
    told = ""
    for wanted in (first, held(digest="e"), held(digest="f")):
        while wanted not in told:
            told += watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    told += watching.communicate()[0]
    assert watching.returncode == 130
    assert told.count(f"─ {first} ·") == 1


@pytest.mark.e2e
def test_the_command_itself_lists(place, held):
    """Through a process of its own, as a reviewer runs it."""
    assert held() in run_gatekeep("access", "list")
