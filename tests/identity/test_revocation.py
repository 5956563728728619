"""A revoked session or principal is refused, by every process, until it is not."""

import subprocess
import sys

import pytest

from gatekeep.errors import AuthenticationError, GatekeepError, OperatorError
from gatekeep.identity.revocation import Revocations
from gatekeep.identity.sessions import SessionKeyring
from gatekeep.principal import Principal
from tests.identity.issuer import NOW_S

ALICE = Principal("https://issuer.example", "alice")
BOB = Principal("https://issuer.example", "bob")
KEYRING = SessionKeyring.generate()


def session_of(principal):
    return KEYRING.seal(
        principal=principal,
        role_arn="arn:aws:iam::123456789012:role/app",
        name="work",
        duration_s=3600,
        now_s=NOW_S,
    ).session


@pytest.fixture
def revocations(tmp_path, clock):
    opened = Revocations(tmp_path / "revocations", clock=clock)
    yield opened
    opened.close()


def test_one_session_is_revoked_and_no_other(revocations):
    one, two = session_of(ALICE), session_of(ALICE)
    assert revocations.verify(one) is one
    revocations.revoke(one.id, until_s=one.expires_at_s, reason="lost laptop")
    with pytest.raises(AuthenticationError) as caught:
        revocations.verify(one)
    assert caught.value.aws_code == "InvalidClientTokenId"
    assert caught.value.code == "identity.session_revoked"
    assert revocations.verify(two) is two


def test_a_revoked_principal_loses_every_session_and_gets_no_new_one(revocations):
    old = session_of(ALICE)
    revocations.revoke(ALICE.id, until_s=NOW_S + 600)
    assert revocations.is_revoked(old)
    assert revocations.is_revoked(session_of(ALICE))
    assert not revocations.is_revoked(session_of(BOB))
    same_name = Principal("https://other.example", "alice")
    assert not revocations.is_revoked(session_of(same_name))


def test_a_revocation_ends_at_its_time(revocations, clock):
    session = session_of(ALICE)
    revocations.revoke(ALICE.id, until_s=NOW_S + 600)
    clock.s = NOW_S + 599
    assert revocations.is_revoked(session)
    clock.s = NOW_S + 600
    assert not revocations.is_revoked(session)


def test_another_process_is_seen_at_once(revocations, tmp_path):
    session = session_of(ALICE)
    assert not revocations.is_revoked(session)
    program = (
        "import sys; from pathlib import Path\n"
        "from gatekeep.identity.revocation import Revocations\n"
        "Revocations(Path(sys.argv[1])).revoke(sys.argv[2], until_s=9e9)"
    )
    subprocess.run(
        [sys.executable, "-c", program, tmp_path / "revocations", session.id],
        check=True,
    )
    assert revocations.is_revoked(session)


def test_a_revocation_survives_a_restart(tmp_path, clock):
    session = session_of(ALICE)
    first = Revocations(tmp_path / "r", clock=clock)
    first.revoke(session.id, until_s=session.expires_at_s, reason="why")
    first.close()
    second = Revocations(tmp_path / "r", clock=clock)
    assert second.is_revoked(session)
    assert [each.reason for each in second.list()] == ["why"]
    second.close()


def test_a_revocation_can_be_taken_back(revocations):
    session = session_of(ALICE)
    revocations.revoke(session.id, until_s=session.expires_at_s)
    assert revocations.is_revoked(session)
    assert revocations.restore(session.id)
    assert not revocations.is_revoked(session)
    assert not revocations.restore(session.id)


def test_ended_revocations_are_removed_by_the_next(revocations, clock):
    revocations.revoke(ALICE.id, until_s=NOW_S + 10)
    revocations.revoke(BOB.id, until_s=NOW_S + 100)
    clock.s = NOW_S + 50
    assert [each.holder for each in revocations.list()] == [BOB.id]
    revocations.revoke("https://issuer.example#carol", until_s=NOW_S + 100)
    with revocations._store.begin() as transaction:
        assert transaction.count("revocations") == 2


def test_a_principal_with_a_long_name_can_be_revoked(revocations):
    long = Principal("https://issuer.example", "ä" * 512)
    revocations.revoke(long.id, until_s=NOW_S + 10)
    assert revocations.is_revoked(session_of(long))


@pytest.mark.parametrize("holder", ["", "alice", "GKSAABCDEFGHIJKLMNOP", "a" * 26])
def test_what_is_no_session_or_principal_cannot_be_revoked(revocations, holder):
    with pytest.raises(OperatorError, match="expected a session's id"):
        revocations.revoke(holder, until_s=NOW_S + 10)


def test_a_set_that_cannot_be_opened_lets_nobody_through(tmp_path):
    (tmp_path / "r").write_text("in the way")
    with pytest.raises(GatekeepError):
        Revocations(tmp_path / "r")
