"""``gatekeep audit``: what people and programs are shown, and the exit codes."""

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatekeep.audit.client import LedgerClient
from gatekeep.audit.writer import DATABASES
from gatekeep.cli.main import main
from gatekeep.store import Environment
from tests.support import audit_log as make
from tests.support.ledger import LedgerProcess

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A state directory whose ledger runs, with a log of two exchanges and more."""
    directory = tmp_path_factory.mktemp("place")
    ledger = LedgerProcess(directory).start()
    body = b'{"Item": {"name": {"S": "Dana"}, "ssn": {"S": "***-**-1234"}}}'

    async def story():
        client = LedgerClient(ledger.socket_path)
        await client.connect()
        for record in [
            make.event(),
            make.session(),
            make.intent("read", obligations=("mask(pii)",)),
            make.outcome("read", captures=(make.captured(body),)),
            make.hold("write"),
            make.approval("write"),
            make.intent("write", operation="PutItem", user_agent="\x1b[2Jevil\r\n"),
            make.outcome("write", result="unknown", status=0, findings={}),
            make.refusal("no", message="line\n\x1b]0;title\x07 \u202e forged"),
            make.intent("binary"),
        ]:
            await client.append(record, captures=(body,) if record.captures else ())
        binary = b"\x00\xff" * 10
        record = make.outcome("binary", captures=(make.captured(binary),))
        await client.append(record, captures=(binary,))
        await client.close()

    asyncio.run(story())
    yield ledger
    ledger.close()


@dataclass
class Done:
    """What a command said, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


def gatekeep(place, *arguments):
    """Run the command line in this process: a start costs half a second."""
    argv = ["gatekeep", "audit", *map(str, arguments), "--config", str(place.config)]
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as ended:
            main()
    return Done(ended.value.code or 0, out.getvalue(), err.getvalue())


def run(command, place):
    """Run a Python command line in a shell that knows the settings' place."""
    return subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} {command}"],
        env=os.environ | {"GATEKEEP_CONFIG": str(place.config)},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def dumped(place, *arguments):
    done = gatekeep(place, "dump", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_block_tells_an_exchange_to_a_person(place):
    block = dumped(place, "--exchange", "write")
    lines = block.splitlines()
    assert lines[0] == (
        "2026-11-18T11:06:40.000000Z  https://issuer.example#agent-7"
        "  dynamodb:PutItem  allow  unknown in 5.0 ms"
    )
    for fact in [
        "needs       dynamodb:PutItem on arn:aws:dynamodb:us-east-1:1:table/t",
        "held        request request-1 for 1 of dba",
        "approved    by https://issuer.example#dana at 2026-11-18T11:06:40.000000Z “go on”",
        "exchange    write",
        "entries     4, 5, 6, 7",
    ]:
        assert f"    {fact}" in lines


def test_blocks_come_oldest_first_and_last_takes_the_newest(place):
    everything = dumped(place).split("\n\n")
    assert len(everything) == 6
    assert dumped(place, "--last", "2").split("\n\n") == everything[-2:]
    assert "session issued" in everything[1]
    assert everything[0].splitlines()[0].endswith("gateway  started")


def test_what_a_sender_wrote_cannot_act_on_the_terminal(place):
    text = dumped(place, "--bodies")
    assert all(each.isprintable() or each == "\n" for each in text)
    assert r"line\n\x1b]0;title\x07 \u202e forged" in text


def test_bodies_are_shown_when_asked_for(place):
    assert "Dana" not in dumped(place)
    text = dumped(place, "--bodies")
    assert (
        '      {"Item": {"name": {"S": "Dana"}, "ssn": {"S": "***-**-1234"}}}' in text
    )
    assert "(binary, SHA-256 " in text


def test_json_has_a_line_for_every_record(place):
    records = [
        json.loads(line) for line in dumped(place, "--json", "--bodies").splitlines()
    ]
    assert sorted(record["index"] for record in records) == list(range(11))
    by_index = {record["index"]: record for record in records}
    intent, outcome = by_index[2], by_index[3]
    assert intent["kind"] == "intent"
    assert intent["at"] == "2026-11-18T11:06:40.000000Z"
    assert intent["needs"] == [
        {
            "action": "dynamodb:GetItem",
            "resource": "arn:aws:dynamodb:us-east-1:1:table/t",
        }
    ]
    assert intent["parameters"] == {"Key": {"id": {"S": "42"}}, "TableName": "t"}
    assert outcome["findings"] == {"ssn": 2}
    assert "Dana" in outcome["captures"][0]["text"]
    assert by_index[10]["captures"][0]["base64"]
    assert by_index[6]["user_agent"] == "\x1b[2Jevil\r\n"


@pytest.mark.parametrize(
    ("filters", "exchanges"),
    [
        (["--principal", "agent-7", "--kind", "outcome"], {"read", "write", "binary"}),
        (["--principal", "*#dana"], {"write"}),
        (["--action", "dynamodb:put*"], {"write"}),
        (["--decision", "deny"], {"no"}),
        (["--since", "1h", "--action", "PutItem"], {"write"}),
        (["--since", "2100-01-01"], set()),
        (["--since", "0s"], set()),
        (["--until", "2100-01-01T00:00:00Z", "--decision", "approved"], {"write"}),
        (["--until", "1h"], set()),
    ],
    ids=str,
)
def test_filters_choose_exchanges(place, filters, exchanges):
    lines = dumped(place, "--json", *filters).splitlines()
    assert {json.loads(line)["exchange_id"] for line in lines} == exchanges


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--since", "yesterday"], "--since: `yesterday`: expected a time"),
        (["--kind", "thing"], "--kind: `thing`: expected one of intent, outcome"),
    ],
    ids=str,
)
def test_a_wrong_option_exits_with_2_and_says_what_was_expected(
    place, arguments, reason
):
    done = gatekeep(place, "dump", *arguments)
    assert done.returncode == 2
    assert reason in done.stderr


def test_a_sound_log_verifies_while_the_gateway_runs(place):
    done = run("-m gatekeep.cli.main audit verify", place)
    assert done.returncode == 0
    assert (
        "holds: 11 records, 3 exchanges (0 without an outcome), 2 bodies" in done.stdout
    )


def test_an_export_is_verified_by_the_one_file(place, tmp_path):
    target = tmp_path / "export"
    done = gatekeep(place, "export", target)
    assert done.returncode == 0
    assert "11 records" in done.stdout
    checked = run(f"-m gatekeep.verify {target}", place)
    assert checked.returncode == 0
    tail = gatekeep(place, "verify").stdout.split("tail ")[1]
    assert checked.stdout.split("tail ")[1] == tail
    again = gatekeep(place, "export", target)
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_no_log_exits_with_2(tmp_path):
    ledger = LedgerProcess(tmp_path)
    for command in (["dump"], ["verify"], ["export", tmp_path / "x"]):
        done = gatekeep(ledger, *command)
        assert done.returncode == 2
        assert "no log is there" in done.stderr
    assert not (tmp_path / "state").exists()


def test_a_changed_log_exits_with_1_and_names_the_entry(tmp_path):
    ledger = LedgerProcess(tmp_path)
    make.write_log(ledger.log_path, make.exchanges(3))
    with Environment(
        ledger.log_path, map_bytes=make.MAP_BYTES, databases=DATABASES
    ) as store:
        key = (3).to_bytes(8, "big")
        changed = store.get("entries", key).replace(b"completed", b"completad")
        store.commit_batch([("entries", key, changed)])
    done = gatekeep(ledger, "verify")
    assert done.returncode == 1
    assert "entry 3: does not have the hash that is kept beside it" in done.stderr


def test_a_reader_that_stops_early_is_no_error(place):
    """As in ``gatekeep audit dump | head -1``."""
    command = f"{sys.executable} -m gatekeep.cli.main audit dump --json | head -1"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=os.environ | {"GATEKEEP_CONFIG": str(place.config)},
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert json.loads(done.stdout)["index"] == 0
    assert "Traceback" not in done.stderr
