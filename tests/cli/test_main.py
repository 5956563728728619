"""The frame of the command line: exit codes, one line for an error, what is loaded."""

import subprocess
import sys
import types

import pytest

from gatekeep import errors
from gatekeep.cli import main as command_line
from gatekeep.cli.main import SUBCOMMANDS


def run_failing(monkeypatch, capsys, fail):
    """Run a subcommand that does nothing but fail."""
    module = types.ModuleType("failing")
    module.fail = fail
    monkeypatch.setitem(sys.modules, "failing", module)
    monkeypatch.setitem(SUBCOMMANDS, "fail", "failing:fail")
    return run(monkeypatch, capsys, "fail")


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["gatekeep", *arguments])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    written = capsys.readouterr()
    return ended.value.code or 0, written.out, written.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.VerificationError("a.b", "the chain is broken"), 1),
        (errors.OperatorError("a.b", "conf.toml: port: expected a number"), 2),
        (errors.FatalError("a.b", "a commit failed"), 70),
        (errors.UnavailableError("a.b", "no ledger is there"), 75),
        (errors.PeerError("a.b", "not you"), 77),
        (errors.AuthenticationError("a.b", "no", aws_code="InvalidIdentityToken"), 77),
        (errors.UnknownOutcomeError("a.b", "who knows"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_one_line_and_an_exit_code(monkeypatch, capsys, error, code):
    def fail():
        raise error

    ended, out, err = run_failing(monkeypatch, capsys, fail)
    assert (ended, out, err) == (code, "", f"gatekeep: {error.message}\n")


def test_the_detail_of_an_error_is_on_the_same_line(monkeypatch, capsys):
    def fail():
        raise errors.UnavailableError("a.b", "keys not fetched", detail="timed out")

    _, _, err = run_failing(monkeypatch, capsys, fail)
    assert err == "gatekeep: keys not fetched (timed out)\n"


def test_the_version_is_printed(monkeypatch, capsys):
    ended, out, _ = run(monkeypatch, capsys, "--version")
    assert ended == 0
    assert out.startswith("gatekeep 0.")


def test_help_names_every_subcommand(monkeypatch, capsys):
    ended, out, _ = run(monkeypatch, capsys, "--help")
    assert ended == 0
    for name in SUBCOMMANDS:
        assert f" {name} " in out


def test_an_unknown_subcommand_is_the_users_mistake(monkeypatch, capsys):
    ended, _, err = run(monkeypatch, capsys, "nonsense")
    assert ended == 2
    assert "nonsense" in err


@pytest.mark.parametrize("subcommand", ["serve", "access list"])
def test_a_missing_settings_file_is_named(monkeypatch, capsys, tmp_path, subcommand):
    path = tmp_path / "nothing.toml"
    ended, _, err = run(monkeypatch, capsys, *subcommand.split(), "--config", str(path))
    assert ended == 2
    assert err == f"gatekeep: {path}: No such file or directory\n"


def test_the_settings_file_can_be_named_by_the_environment(
    monkeypatch, capsys, tmp_path
):
    path = tmp_path / "named.toml"
    monkeypatch.setenv("GATEKEEP_CONFIG", str(path))
    _, _, err = run(monkeypatch, capsys, "access", "list")
    assert str(path) in err


def test_a_missing_kernel_says_how_to_build_it(monkeypatch, capsys):
    def fail():
        import gatekeep._fast.nothing  # noqa: F401

    ended, _, err = run_failing(monkeypatch, capsys, fail)
    assert ended == 2
    assert "gatekeep._fast.nothing is missing" in err
    assert "`pip install .`" in err
    assert err.count("\n") == 1


def test_any_other_import_error_stays_one(monkeypatch, capsys):
    def fail():
        import gatekeep.nothing  # noqa: F401

    with pytest.raises(ModuleNotFoundError):
        run_failing(monkeypatch, capsys, fail)


def test_credentials_loads_nothing_that_is_slow():
    """An SDK starts it for every process."""
    code = (
        "import sys; sys.argv = ['gatekeep', 'credentials', '--help']\n"
        "from gatekeep.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "slow = {'botocore', 'asyncio', 'cedarpy', 'lmdb', 'sqlglot', 'hyperscan'}\n"
        "sys.exit(str(slow & set(sys.modules)) if slow & set(sys.modules) else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
