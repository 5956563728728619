"""What the STS door answers and refuses, word by word."""

import asyncio
import json
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeep.errors import AuthenticationError, OperatorError, PeerError
from gatekeep.identity.issuers import Issuers
from gatekeep.identity.sessions import SessionKeyring
from gatekeep.identity.sts import Door, assumed_role_arn, container_fault
from gatekeep.settings import RoleSettings, SessionSettings
from tests.identity.issuer import AUDIENCE, NOW_S, Issuer, StillClock, token

APP = "arn:aws:iam::123456789012:role/agents/app"
ADMIN = "arn:aws:iam::123456789012:role/admin"
BY_SUBJECT = "arn:aws:iam::210987654321:role/by-subject"
BY_PRINCIPAL = "arn:aws-us-gov:iam::210987654321:role/by-principal"
STS = "{https://sts.amazonaws.com/doc/2011-06-15/}"


@pytest.fixture(scope="module")
def issuer():
    opened = Issuer()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def knock(issuer):
    """Run one of the door's coroutines; gives its result."""
    roles = (
        RoleSettings(arn=APP, groups=("dba", "operators")),
        RoleSettings(arn=ADMIN, groups=("admins",)),
        RoleSettings(arn=BY_SUBJECT, subjects=("agent-8", "agent-9")),
        RoleSettings(arn=BY_PRINCIPAL, subjects=(f"{issuer.url}#agent-9",)),
    )
    with asyncio.Runner() as runner:
        issuers = Issuers((issuer.settings(),), clock=StillClock())
        keyring = SessionKeyring.generate()
        settings = SessionSettings(keyring="unused", duration_s=3600)
        door = Door(issuers, keyring, roles, settings, StillClock())

        def run(call):
            return runner.run(call(door))

        yield run
        runner.run(issuers.close())


@pytest.fixture
def assume(knock, issuer):
    """Call AssumeRoleWithWebIdentity with changes to a good request."""

    def run(*, exchange_id="", claims=None, **changes):
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": APP,
            "RoleSessionName": "botocore-session-1795",
            "WebIdentityToken": token(issuer.url, **(claims or {})).decode(),
            **changes,
        }
        form = {name: value for name, value in form.items() if value is not None}
        return knock(
            lambda door: door.assume_role_with_web_identity(
                form, exchange_id=exchange_id
            )
        )

    return run


@pytest.fixture
def refused(assume):
    def run(**changes):
        with pytest.raises(PeerError) as caught:
            assume(**changes)
        return caught.value

    return run


def texts(answer):
    return {
        element.tag.removeprefix(STS): element.text
        for element in ElementTree.fromstring(answer).iter()
    }


def test_the_answer_has_every_member_of_the_model(assume, issuer):
    answer, session = assume(exchange_id="e-1")
    assert texts(answer) == {
        "AssumeRoleWithWebIdentityResponse": None,
        "AssumeRoleWithWebIdentityResult": None,
        "SubjectFromWebIdentityToken": "agent-7",
        "Audience": AUDIENCE,
        "AssumedRoleUser": None,
        "Arn": "arn:aws:sts::123456789012:assumed-role/app/botocore-session-1795",
        "AssumedRoleId": texts(answer)["AssumedRoleId"],
        "Credentials": None,
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key.reveal().decode(),
        "SessionToken": texts(answer)["SessionToken"],
        "Expiration": "2026-11-18T12:06:40Z",
        "Provider": issuer.url,
        "ResponseMetadata": None,
        "RequestId": "e-1",
    }
    assert session.expires_at_s == NOW_S + 3600
    assert session.role_arn == APP
    assert session.name == "botocore-session-1795"
    assert session.principal.groups == ("analysts", "dba")


def test_every_answer_has_a_request_id_of_its_own(assume):
    one, two = (texts(assume()[0])["RequestId"] for _ in range(2))
    assert one
    assert one != two


def test_a_token_with_a_newline_at_its_end_is_taken(assume, issuer):
    assert assume(WebIdentityToken=token(issuer.url).decode() + "\n")


def test_markup_in_a_subject_stays_text(assume):
    subject = "a</SubjectFromWebIdentityToken>&<b>\"'"
    assert texts(assume(claims={"sub": subject})[0])["SubjectFromWebIdentityToken"] == (
        subject
    )


@pytest.mark.parametrize(
    ("asked", "given"), [(None, 3600), ("900", 900), ("3600", 3600), ("43200", 3600)]
)
def test_a_session_is_as_short_as_asked_and_never_longer_than_settings(
    assume, asked, given
):
    answer, session = assume(DurationSeconds=asked)
    assert session.expires_at_s - session.issued_at_s == given
    told = texts(answer)["Expiration"]
    assert told == ("2026-11-18T11:26:40Z" if given == 900 else "2026-11-18T12:06:40Z")


def test_roles_are_given_by_group_subject_or_principal(assume, refused, issuer):
    assert assume(RoleArn=APP, claims={"groups": ["operators"]})
    assert assume(RoleArn=BY_SUBJECT, claims={"sub": "agent-8", "groups": None})
    assert assume(RoleArn=BY_PRINCIPAL, claims={"sub": "agent-9"})
    assert refused(RoleArn=BY_PRINCIPAL, claims={"sub": "agent-8"})
    # A subject cannot dress up as a whole principal.
    assert refused(RoleArn=BY_PRINCIPAL, claims={"sub": f"{issuer.url}#agent-9"})
    assert refused(RoleArn=ADMIN, claims={"groups": "admin administrators ADMINS"})


def test_an_unknown_role_and_a_forbidden_one_are_refused_alike(refused):
    forbidden = refused(RoleArn=ADMIN)
    unknown = refused(RoleArn=ADMIN[:-1] + "N")
    assert forbidden.message.replace(ADMIN, "…") == unknown.message.replace(
        ADMIN[:-1] + "N", "…"
    )
    for error in (forbidden, unknown):
        assert (error.aws_code, error.status) == ("AccessDenied", 403)
        assert "agent-7" in error.message
        assert "ask the operator" in error.message
        assert "dba" not in error.message


def test_a_role_is_not_looked_at_before_the_token_holds(refused):
    error = refused(RoleArn=ADMIN, WebIdentityToken="nonsense")
    assert error.aws_code == "InvalidIdentityToken"


@pytest.mark.parametrize(
    ("change", "aws_code", "part"),
    [
        ({"Version": None}, "InvalidAction", "NO_VERSION_SPECIFIED"),
        ({"Version": "2010-01-01"}, "InvalidAction", "2010-01-01"),
        ({"RoleArn": None}, "ValidationError", "'roleArn'"),
        ({"RoleArn": ""}, "ValidationError", "'roleArn'"),
        ({"RoleArn": "x"}, "ValidationError", "expected the ARN of a role"),
        ({"RoleArn": APP + "\n"}, "ValidationError", "expected the ARN of a role"),
        ({"RoleArn": "arn:aws:iam::1:user/x" * 3}, "ValidationError", "ARN"),
        ({"RoleArn": APP + "/" + "x" * 2048}, "ValidationError", "ARN"),
        ({"RoleSessionName": None}, "ValidationError", "'roleSessionName'"),
        ({"RoleSessionName": "x"}, "ValidationError", "pattern"),
        ({"RoleSessionName": "x" * 65}, "ValidationError", "pattern"),
        ({"RoleSessionName": "a b"}, "ValidationError", "pattern"),
        ({"RoleSessionName": "naïve"}, "ValidationError", "pattern"),
        ({"RoleSessionName": "ab\n"}, "ValidationError", "pattern"),
        ({"WebIdentityToken": None}, "ValidationError", "'webIdentityToken'"),
        ({"DurationSeconds": "899"}, "ValidationError", "900 and 43200"),
        ({"DurationSeconds": "43201"}, "ValidationError", "900 and 43200"),
        ({"DurationSeconds": "-900"}, "ValidationError", "900 and 43200"),
        ({"DurationSeconds": "1e3"}, "ValidationError", "900 and 43200"),
        ({"DurationSeconds": "٩٠٠"}, "ValidationError", "900 and 43200"),
        ({"DurationSeconds": "9" * 5000}, "ValidationError", "900 and 43200"),
        ({"DurationSeconds": ""}, "ValidationError", "900 and 43200"),
        ({"Policy": "{}"}, "ValidationError", "'Policy'"),
        ({"PolicyArns.member.1.arn": "a"}, "ValidationError", "'PolicyArns.member"),
        ({"ProviderId": "www.amazon.com"}, "ValidationError", "'ProviderId'"),
        ({"WebIdentityToken": "naïve"}, "InvalidIdentityToken", "not an OIDC token"),
    ],
)
def test_a_bad_parameter_is_named(refused, change, aws_code, part):
    error = refused(**change)
    assert (error.aws_code, error.status) == (aws_code, 400)
    assert part in error.message


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=30), max_size=6))
def test_any_form_is_refused_by_a_declared_error(knock, form):
    with pytest.raises(PeerError) as caught:
        knock(lambda door: door.assume_role_with_web_identity(form))
    caught.value.message.encode()


def test_the_callers_identity_is_the_roles_session(assume, knock):
    answer, session = assume()

    async def ask(door):
        return door.get_caller_identity(session, exchange_id="e-2")

    said = texts(knock(ask))
    assert said["Arn"] == texts(answer)["Arn"]
    assert said["UserId"] == texts(answer)["AssumedRoleId"]
    assert said["Account"] == "123456789012"
    assert said["RequestId"] == "e-2"
    assert said["UserId"].endswith(":botocore-session-1795")


def test_an_assumed_roles_arn_keeps_partition_and_drops_path():
    assert assumed_role_arn(BY_PRINCIPAL, "me") == (
        "arn:aws-us-gov:sts::210987654321:assumed-role/by-principal/me"
    )
    assert assumed_role_arn(APP, "me").endswith(":assumed-role/app/me")


# --- container credentials -----------------------------------------------------------


@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer  ", "BEARER "])
def test_container_credentials_take_a_token_alone_or_after_bearer(
    knock, issuer, scheme
):
    header = scheme.encode() + token(issuer.url) + b"\n"
    answer, session = knock(lambda door: door.container_credentials(header))
    assert json.loads(answer) == {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key.reveal().decode(),
        "Token": json.loads(answer)["Token"],
        "Expiration": "2026-11-18T12:06:40Z",
        "RoleArn": APP,
    }
    assert session.name == "agent-7"


def test_container_credentials_are_for_the_one_role_or_the_named_one(knock, issuer):
    both = b"Bearer " + token(issuer.url, groups=["dba", "admins"])
    with pytest.raises(PeerError, match="2 roles") as caught:
        knock(lambda door: door.container_credentials(both))
    assert caught.value.aws_code == "ValidationError"
    _, session = knock(lambda door: door.container_credentials(both, role_name="admin"))
    assert session.role_arn == ADMIN
    for role_name in ("nobody", "by-subject", "agents/app", "*"):
        with pytest.raises(AuthenticationError, match="ask the operator") as caught:
            knock(
                lambda door, name=role_name: door.container_credentials(
                    both, role_name=name
                )
            )
        assert caught.value.aws_code == "AccessDenied"


@pytest.mark.parametrize("header", [b"", b"Bearer", b"Bearer ", b"Basic abc", b"x"])
def test_container_credentials_need_a_token(knock, header):
    with pytest.raises(AuthenticationError) as caught:
        knock(lambda door: door.container_credentials(header))
    assert caught.value.aws_code == "InvalidIdentityToken"
    assert json.loads(container_fault(caught.value))["code"] == "InvalidIdentityToken"


def test_a_container_session_is_named_after_any_subject(knock, issuer):
    for subject in ("x", "system:serviceaccount:a:b", "ä" * 500, "a b"):
        header = token(issuer.url, sub=subject)
        _, session = knock(
            lambda door, header=header: door.container_credentials(header)
        )
        assert session.name == session.principal.session_name()
        assert 2 <= len(session.name) <= 64
        assert session.name.isascii()


# --- settings ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arns",
    [(APP, APP), ("arn:aws:iam::123456789012:role/a b",), (APP + "/",)],
)
def test_roles_that_cannot_be_told_apart_or_named_are_the_operators_error(arns):
    roles = tuple(RoleSettings(arn=arn) for arn in arns)
    with pytest.raises(OperatorError):
        Door(None, None, roles, SessionSettings(keyring="unused"))
