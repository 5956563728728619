"""A sealed session opens to what was sealed, and nothing else opens at all."""

import base64
import os
import re

import pytest
import structlog.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeep.errors import AuthenticationError, LimitError
from gatekeep.identity import sessions
from gatekeep.identity.sessions import SessionKeyring
from gatekeep.limits import SESSION_TOKEN_BYTES_MAX
from gatekeep.principal import Principal
from tests.identity.issuer import NOW_S

ROLE = "arn:aws:iam::123456789012:role/agents/app"
KEYRING = SessionKeyring.generate()


def seal(keyring=KEYRING, **changes):
    facts = {
        "principal": Principal("https://issuer.example", "agent-7", ("analysts",)),
        "role_arn": ROLE,
        "name": "botocore-session-1",
        "duration_s": 3600,
        "now_s": NOW_S,
        **changes,
    }
    return keyring.seal(**facts)


def refused(keyring, token, access_key_id, now_s=NOW_S):
    with pytest.raises(AuthenticationError) as caught:
        keyring.open(token, access_key_id=access_key_id, now_s=now_s)
    assert caught.value.status == 403
    return caught.value.code, caught.value.aws_code


def invalid(token, access_key_id="GKSA", keyring=KEYRING):
    """Open a token that must be refused as unknown; gives the inner reason."""
    code, aws_code = refused(keyring, token, access_key_id)
    assert aws_code == "InvalidClientTokenId"
    return code


names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60)
facts = st.fixed_dictionaries(
    {
        "principal": st.builds(
            Principal, names, names, st.lists(names, max_size=12).map(tuple)
        ),
        "role_arn": names,
        "name": names,
        "duration_s": st.integers(60, 43_200),
        "now_s": st.floats(0, 4e9),
        "justification": names | st.just(""),
        "ticket": names | st.just(""),
        "grant": names | st.just(""),
    }
)


@given(facts)
def test_what_was_sealed_is_what_opens(given_facts):
    sealed = seal(**given_facts)
    token, now_s = sealed.session_token.encode(), given_facts["now_s"]
    elsewhere = SessionKeyring(KEYRING._keys)  # another node, the same keys
    for keyring in (KEYRING, elsewhere):
        opened = keyring.open(token, access_key_id=sealed.access_key_id, now_s=now_s)
        assert opened == sealed.session
        assert opened.secret_access_key == sealed.secret_access_key
    session = sealed.session
    assert session.principal == given_facts["principal"]
    assert session.expires_at_s == int(now_s) + given_facts["duration_s"]
    assert {name: getattr(session, name) for name in ("justification", "grant")} == {
        name: given_facts[name] for name in ("justification", "grant")
    }


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_changed_byte_of_a_session_token_is_refused(data):
    sealed = seal()
    token = bytearray(sealed.session_token.encode())
    place = data.draw(st.integers(0, len(token) - 1))
    token[place] = data.draw(st.integers(0, 255).filter(lambda b: b != token[place]))
    invalid(bytes(token), sealed.access_key_id)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_changed_byte_inside_the_box_is_refused(data):
    sealed = seal()
    token = sealed.session_token
    box = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    place = data.draw(st.integers(0, len(box) - 1))
    box[place] ^= data.draw(st.integers(1, 255))
    changed = base64.urlsafe_b64encode(box).rstrip(b"=")
    assert changed != token.encode()
    invalid(changed, sealed.access_key_id)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400) | st.binary(max_size=400).map(base64.urlsafe_b64encode))
def test_garbage_is_refused_as_an_unknown_token(garbage):
    invalid(garbage)


@given(st.integers(0, 300), st.binary(max_size=4))
def test_a_cut_or_lengthened_token_is_refused(cut, tail):
    sealed = seal()
    token = sealed.session_token.encode()
    invalid(token[: min(cut, len(token) - 1)], sealed.access_key_id)
    if tail:
        invalid(token + tail, sealed.access_key_id)


def test_an_oversized_token_is_refused_before_it_is_decoded():
    token = b"A" * (SESSION_TOKEN_BYTES_MAX + 1)
    assert invalid(token) == "identity.session_oversized"


def test_a_token_of_another_keyring_is_refused():
    sealed = seal(SessionKeyring.generate())
    token = sealed.session_token.encode()
    assert invalid(token, sealed.access_key_id) == "identity.session_key_unknown"


def test_a_token_under_a_key_id_that_was_taken_over_is_refused():
    mine, other = SessionKeyring.generate(), SessionKeyring.generate()
    forged_key = type(mine._keys[0])(mine._keys[0].id, other._keys[0].key)
    sealed = seal(SessionKeyring((forged_key,)))
    token = sealed.session_token.encode()
    assert invalid(token, sealed.access_key_id, mine) == "identity.session_tampered"


def test_a_token_with_another_sessions_access_key_is_refused():
    mine, other = seal(), seal()
    token = mine.session_token.encode()
    for _ in range(2):  # not remembered, then remembered
        code = invalid(token, other.access_key_id)
        assert code == "identity.access_key_mismatch"


def test_a_session_ends_on_the_second_even_when_it_is_remembered():
    sealed = seal(duration_s=60)
    token, key = sealed.session_token.encode(), sealed.access_key_id
    opened = KEYRING.open(token, access_key_id=key, now_s=NOW_S + 59.9)
    again = KEYRING.open(bytes(token), access_key_id=key, now_s=NOW_S + 59.9)
    assert again is opened
    assert refused(KEYRING, token, key, NOW_S + 60)[1] == "ExpiredToken"


def test_the_sdk_is_told_twenty_minutes_at_least():
    short, long = seal(duration_s=300), seal(duration_s=7200)
    assert short.expires_at_s == NOW_S + 300
    assert short.advertised_expiration_s == NOW_S + 1200
    assert long.advertised_expiration_s == long.expires_at_s == NOW_S + 7200


def test_ids_and_secrets_have_the_form_that_sdks_expect():
    sealed = seal()
    assert re.fullmatch(r"[A-Z2-7]{26}", sealed.session_id)
    assert re.fullmatch(r"GKSA[A-Z2-7]{16}", sealed.access_key_id)
    assert re.fullmatch(rb"[A-Za-z0-9+/]{40}", sealed.secret_access_key.reveal())
    assert re.fullmatch(r"[A-Za-z0-9_-]{100,400}", sealed.session_token)


def test_two_sessions_of_one_principal_share_nothing():
    one, two = seal(), seal()
    for name in ("session_id", "access_key_id", "session_token"):
        assert getattr(one, name) != getattr(two, name)
    assert one.secret_access_key != two.secret_access_key


def test_neither_the_secret_nor_the_token_is_in_a_repr():
    sealed = seal()
    for value in (sealed, sealed.session, KEYRING._keys):
        text = repr(value)
        assert sealed.secret_access_key.reveal().decode() not in text
        assert sealed.session_token not in text
        assert repr(KEYRING._keys[0].key.reveal()) not in text


def test_more_groups_than_fit_are_refused_with_advice():
    principal = Principal("https://i", "s", tuple(f"group-{n:04}" for n in range(900)))
    with pytest.raises(LimitError, match="900 groups") as caught:
        seal(principal=principal)
    assert caught.value.aws_code == "PackedPolicyTooLarge"
    fits = Principal("https://i", "s", principal.groups[:400])
    assert len(seal(principal=fits).session_token) < SESSION_TOKEN_BYTES_MAX


def test_only_so_many_opened_sessions_are_remembered(monkeypatch):
    monkeypatch.setattr(sessions, "OPENED_SESSIONS_MAX", 3)
    keyring = SessionKeyring.generate()
    sealed = [seal(keyring) for _ in range(5)]

    def open_(number):
        return keyring.open(
            sealed[number].session_token.encode(),
            access_key_id=sealed[number].access_key_id,
            now_s=NOW_S,
        )

    first = [open_(number) for number in (0, 1, 2)]
    assert open_(0) is first[0]  # used last, so it stays
    open_(3)
    assert len(keyring._opened) == 3
    assert open_(0) is first[0]
    assert open_(1) == first[1]
    assert open_(1) is not first[1]


# --- the keyring's file ------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessions.keys"


def opens(keyring, sealed, now_s):
    token = sealed.session_token.encode()
    return keyring.open(token, access_key_id=sealed.access_key_id, now_s=now_s)


def test_rotation_needs_no_restart(path):
    SessionKeyring.generate().write(path)
    running = SessionKeyring.read(path)
    before = seal(running)
    running.rotated(keep=1).write(path, replace=True)
    # Sealing looks at the file at once, opening within a second.
    after = seal(running)
    assert running.key_ids[0] != SessionKeyring.read(path).key_ids[1]
    assert running.key_ids == SessionKeyring.read(path).key_ids
    for sealed in (before, after):
        assert opens(running, sealed, NOW_S) == sealed.session
    other_node = SessionKeyring.read(path)
    assert opens(other_node, after, NOW_S) == after.session


def test_a_key_that_is_new_this_second_is_known_to_every_worker(path):
    SessionKeyring.generate().write(path)
    one, two = SessionKeyring.read(path), SessionKeyring.read(path)
    assert opens(two, seal(one), NOW_S)
    one.rotated(keep=1).write(path, replace=True)
    fresh = seal(one)
    assert opens(two, fresh, NOW_S) == fresh.session


def test_sessions_of_a_removed_key_end_within_a_second(path):
    SessionKeyring.generate().write(path)
    running = SessionKeyring.read(path)
    sealed = seal(running)
    assert opens(running, sealed, NOW_S)
    running.rotated(keep=0).write(path, replace=True)
    assert opens(running, sealed, NOW_S + 0.5)
    token, key = sealed.session_token.encode(), sealed.access_key_id
    code = refused(running, token, key, NOW_S + 1.5)
    assert code == ("identity.session_key_unknown", "InvalidClientTokenId")


@pytest.mark.parametrize("harm", ["garbage", "exposed", "gone", "empty"])
def test_a_keyring_that_cannot_be_reread_leaves_the_last_good_one(path, harm):
    SessionKeyring.generate().write(path)
    running = SessionKeyring.read(path)
    sealed = seal(running)
    content = path.read_bytes()
    match harm:
        case "garbage":
            path.write_bytes(b"nonsense")
        case "exposed":
            path.chmod(0o644)
        case "gone":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
    with structlog.testing.capture_logs() as logs:
        assert opens(running, sealed, NOW_S + 5) == sealed.session
        assert opens(running, seal(running, now_s=NOW_S + 6), NOW_S + 7)
    assert any("not reloaded" in line["event"] for line in logs)
    path.write_bytes(content)
    path.chmod(0o600)
    os.utime(path, ns=(1, 1))
    assert opens(running, sealed, NOW_S + 9) == sealed.session


def test_a_host_clock_that_jumps_back_does_not_stop_rereading(path):
    SessionKeyring.generate().write(path)
    running = SessionKeyring.read(path)
    sealed = seal(running, now_s=NOW_S)
    running.rotated(keep=0).write(path, replace=True)
    token, key = sealed.session_token.encode(), sealed.access_key_id
    assert refused(running, token, key, NOW_S - 3600)[1] == "InvalidClientTokenId"
