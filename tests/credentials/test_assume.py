"""Whatever a subject is called, STS takes the names and tags made of it."""

import re
import unicodedata

import botocore.session
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from gatekeep.credentials.assume import assume_role_request
from gatekeep.principal import Principal, Secret, Session
from gatekeep.settings import RoleSettings
from tests.credentials.sts_server import NOW_S

ROLE = RoleSettings(arn="arn:aws:iam::123456789012:role/app")
NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}")
SHAPE = (
    botocore.session.get_session()
    .get_service_model("sts")
    .operation_model("AssumeRole")
    .input_shape
)

printable = st.text(min_size=1, max_size=300).filter(str.isprintable)


def request_for(subject, issuer="https://issuer.example", exchange_id="e-1"):
    session = Session(
        id="A" * 26,
        principal=Principal(issuer, subject),
        role_arn=ROLE.arn,
        name="work",
        access_key_id="GKSAAAAAAAAAAAAAAAAA",
        secret_access_key=Secret(b"s"),
        issued_at_s=NOW_S,
        expires_at_s=NOW_S + 3600,
    )
    return assume_role_request(session, ROLE, exchange_id=exchange_id)


def is_tag_character(character):
    r"""IAM: ``[\p{L}\p{Z}\p{N}_.:/=+\-@]``."""
    return character in "_.:/=+-@" or unicodedata.category(character)[0] in "LZN"


@given(printable, printable, st.text(max_size=40).filter(str.isprintable))
def test_any_subject_makes_a_request_that_sts_takes(subject, issuer, exchange_id):
    request = request_for(subject, issuer, exchange_id)
    assert not ParamValidator().validate(request, SHAPE).has_errors()
    assert NAME.fullmatch(request["RoleSessionName"])
    assert NAME.fullmatch(request["SourceIdentity"])
    for tag in request["Tags"]:
        assert len(tag["Value"]) <= 256
        assert all(map(is_tag_character, tag["Value"]))


@given(st.lists(printable, min_size=2, max_size=5, unique=True))
def test_two_subjects_never_share_a_name(subjects):
    requests = [request_for(subject) for subject in subjects]
    for key in ("RoleSessionName", "SourceIdentity"):
        assert len({request[key] for request in requests}) == len(subjects)


def test_names_that_fit_are_left_as_they_are():
    request = request_for("agent-7@corp.example")
    assert request["RoleSessionName"] == "gk-agent-7@corp.example"
    assert request["SourceIdentity"] == "agent-7@corp.example"


def test_names_that_do_not_fit_stay_readable():
    name = request_for("system:serviceaccount:agents:app")["SourceIdentity"]
    assert re.fullmatch(r"system-serviceaccount-agents-app\.[a-z2-7]{10}", name)
    long = request_for("a" * 200)["SourceIdentity"]
    assert re.fullmatch(r"a{53}\.[a-z2-7]{10}", long)
    assert re.fullmatch(r"x\.[a-z2-7]{10}", request_for("x")["SourceIdentity"])
