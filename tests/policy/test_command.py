"""``gatekeep policy`` as an operator calls it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gatekeep.cli import main as command_line

CONF = Path(__file__).parents[2] / "conf"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/customers"


@pytest.fixture(autouse=True)
def compiled_catalogue(monkeypatch, tmp_path):
    """The compiled catalogue, shared with other tests of this run."""
    shared = tmp_path.parent.parent / "catalogue"
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "gatekeep").symlink_to(shared)
    shared.mkdir(exist_ok=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run the command in this process: exit code, output, errors."""
    settings = (CONF / "gatekeep.toml").read_text()
    settings = settings.replace('"/var/lib/gatekeep"', f'"{tmp_path}"')
    settings = settings.replace('"policies"', f'"{CONF / "policies"}"')
    (tmp_path / "gatekeep.toml").write_text(settings)
    monkeypatch.setenv("GATEKEEP_CONFIG", str(tmp_path / "gatekeep.toml"))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["gatekeep", "policy", *arguments])
        with pytest.raises(SystemExit) as exit_:
            command_line.main()
        captured = capsys.readouterr()
        return exit_.value.code, captured.out, captured.err

    return run


def test_check_lists_the_policies_with_their_places(run):
    code, out, err = run("check")
    assert (code, err) == (0, "")
    assert "agents-write-regulated" in out
    assert '@mask("customer") @approve("1 of dba")' in out
    assert out.splitlines()[-1].startswith("7 policies, version ")


def test_no_state_directory_is_made(run, tmp_path):
    assert run("explain", "s3:GetObject", "*")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cache",
        "gatekeep.toml",
    ]


def test_check_as_json(run):
    code, out, _ = run("check", "--json")
    described = json.loads(out)
    assert code == 0
    assert described["valid"] is True
    assert described["policies"][0]["id"] == "agents-read-customers"
    assert described["policies"][0]["file"].endswith("policies/agents.cedar")
    assert described["policies"][0]["line"] > 1


def test_check_of_bad_policies_names_file_and_line_and_exits_with_2(run, tmp_path):
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "x.cedar").write_text("\npermit (principal, action, resource);")
    code, out, err = run("check", str(bad))
    assert (code, out) == (2, "")
    assert err == f'gatekeep: {bad}/x.cedar:2: expected an @id("…") before the policy\n'
    code, out, err = run("check", str(bad), "--json")
    assert (code, err) == (2, "")
    assert json.loads(out) == {
        "valid": False,
        "errors": [f'{bad}/x.cedar:2: expected an @id("…") before the policy'],
    }


def test_explain_says_decision_reason_obligations_and_message(run):
    code, out, _ = run("explain", "dynamodb:putitem", TABLE, "--group", "agents")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["decision", "hold"],
        ["reason", "agents-write-regulated"],
        ["obligation", '@mask("customer")'],
        ["obligation", '@approve("1'],
        ["message", "gatekeep:"],
        ["version", out.split()[-1]],
    ]


def test_explain_reads_statements_and_facts(run):
    code, out, _ = run(
        "explain",
        "athena:StartQueryExecution",
        "arn:aws:athena:eu-west-1:123456789012:workgroup/primary",
        "--group=agents",
        "--statement=DROP TABLE x",
        "--context=source_ip=10.0.0.1",
        "--context=operation=StartQueryExecution",
        "--json",
    )
    answer = json.loads(out)
    assert code == 0
    assert answer["decision"] == "deny"
    assert answer["reasons"][0]["id"] == "no-destructive-statements"
    assert ":" in answer["reasons"][0]["at"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["s3:GetObjcet", "*"], "there is no action `s3:GetObjcet`"),
        (["s3:GetObject", "*", "--context=zork=1"], "--context zork=1: expected"),
        (["s3:GetObject", "*", "--context=ticket"], "--context ticket: expected"),
    ],
)
def test_explain_refuses_what_it_cannot_ask(run, arguments, message):
    code, out, err = run("explain", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"gatekeep: {message}")


def test_the_installed_command_checks_a_directory_without_settings(tmp_path):
    (tmp_path / "x.cedar").write_text(
        '@id("a") @mask("any") permit (principal, action in Action::"Read", resource);'
    )
    command = Path(sys.executable).parent / "gatekeep"
    done = subprocess.run(
        [command, "policy", "check", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    assert done.stdout.startswith("permit  a  ")
