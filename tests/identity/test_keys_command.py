"""``gatekeep keys``: what an operator sees, and what it leaves on disk."""

import stat

import pytest
from typer.testing import CliRunner

from gatekeep.cli.keys import app
from gatekeep.errors import AuthenticationError, OperatorError
from gatekeep.identity.sessions import SessionKeyring
from gatekeep.principal import Principal, Secret
from tests.identity.issuer import NOW_S

SETTINGS = """
[tls]
certificate = "tls.pem"
private_key = "tls.key"
[session]
keyring = "keys/sessions.keys"
[audit]
digest_key = "keys/digest.key"
[masking]
token_key = "keys/token.key"
[[issuer]]
issuer = "https://issuer.example"
audience = ["gatekeep"]
[[role]]
arn = "arn:aws:iam::123456789012:role/app"
"""


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "gatekeep.toml").write_text(SETTINGS)
    return tmp_path


@pytest.fixture
def keys(directory):
    """Run a subcommand; gives its output, or raises what it raised."""

    def run(*arguments):
        result = CliRunner().invoke(
            app, [*arguments, "--config", str(directory / "gatekeep.toml")]
        )
        if isinstance(result.exception, OperatorError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_new_makes_every_missing_file_and_touches_no_other(keys, directory):
    out = keys("new")
    files = sorted((directory / "keys").iterdir())
    assert [file.name for file in files] == ["digest.key", "sessions.keys", "token.key"]
    assert all(str(file) in out for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert Secret.read(files[0]) != Secret.read(files[2])
    before = [file.read_bytes() for file in files]
    assert keys("new") == ""
    files[2].unlink()
    assert keys("new") == f"made {files[2]}\n"
    assert [file.read_bytes() for file in files[:2]] == before[:2]


def test_rotate_keeps_sessions_of_the_kept_keys_only(keys, directory):
    keys("new")
    path = directory / "keys" / "sessions.keys"

    def sealed_now():
        return SessionKeyring.read(path).seal(
            principal=Principal("https://issuer.example", "agent-7"),
            role_arn="arn:aws:iam::123456789012:role/app",
            name="work",
            duration_s=3600,
            now_s=NOW_S,
        )

    def opens(sealed):
        token = sealed.session_token.encode()
        try:
            SessionKeyring.read(path).open(
                token, access_key_id=sealed.access_key_id, now_s=NOW_S
            )
        except AuthenticationError:
            return False
        return True

    first = sealed_now()
    keys("rotate", "--keep", "1")
    second = sealed_now()
    assert opens(first)
    out = keys("rotate", "--keep", "1")
    assert "still opens" in out
    assert "removed, its sessions end" in out
    assert not opens(first)
    assert opens(second)
    keys("rotate", "--keep", "0")
    assert not opens(second)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_list_shows_ids_and_never_a_key(keys, directory):
    keys("new")
    keys("rotate")
    out = keys("list")
    sealing, opening = SessionKeyring.read(directory / "keys/sessions.keys").key_ids
    assert f"{sealing} seals, {opening} opens" in out
    for file in (directory / "keys").iterdir():
        for line in file.read_text().splitlines():
            assert line.split()[-1] not in out


def test_list_names_everything_that_is_unsound(keys, directory):
    keys("new")
    (directory / "keys/digest.key").chmod(0o644)
    (directory / "keys/token.key").write_text("nonsense")
    (directory / "keys/sessions.keys").unlink()
    with pytest.raises(OperatorError) as caught:
        keys("list")
    for name in ("digest.key", "token.key", "sessions.keys"):
        assert name in caught.value.message
    assert "nonsense" not in caught.value.message


def test_rotate_of_a_keyring_open_to_others_is_refused(keys, directory):
    keys("new")
    path = directory / "keys/sessions.keys"
    path.chmod(0o644)
    before = path.read_bytes()
    with pytest.raises(OperatorError, match="expected 0600"):
        keys("rotate")
    assert path.read_bytes() == before
