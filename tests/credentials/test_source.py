"""Each session signs with credentials that name it, or does not sign at all."""

import asyncio
import time

import botocore.session
import pytest

from gatekeep.credentials import source as source_module
from gatekeep.credentials.source import CredentialSource
from gatekeep.errors import AuthenticationError, OperatorError, UnavailableError
from gatekeep.limits import CREDENTIALS_MARGIN_S, CREDENTIALS_RETRY_S
from gatekeep.principal import Principal, Secret, Session
from gatekeep.settings import CredentialsSettings, RoleSettings, UpstreamSettings
from tests.credentials.sts_server import NOW_S, STSServer

APP = "arn:aws:iam::123456789012:role/agents/app"
PLAIN = "arn:aws:iam::123456789012:role/plain"
ROLES = (
    RoleSettings(arn=APP, groups=("dba",), external_id="x-1", duration_s=1800),
    RoleSettings(arn=PLAIN, groups=("dba",), assume=False),
)


def session(number=0, subject="agent-7", role_arn=APP):
    return Session(
        id=f"{number:A>26}",
        principal=Principal("https://issuer.example", subject, ("dba",)),
        role_arn=role_arn,
        name="work",
        access_key_id="GKSAAAAAAAAAAAAAAAAA",
        secret_access_key=Secret(b"s"),
        issued_at_s=NOW_S,
        expires_at_s=NOW_S + 3600,
    )


@pytest.fixture
def with_source(sts, clock):
    """Run a story with a `CredentialSource`, and close it."""

    def run(story, *, endpoint=sts.url, roles=ROLES, **settings):
        async def once():
            source = CredentialSource(
                CredentialsSettings(**settings),
                UpstreamSettings(endpoint=endpoint),
                roles,
                clock,
            )
            try:
                return await story(source)
            finally:
                await source.close()

        return asyncio.run(once())

    return run


async def get(source, *, exchange_id="e-1", **which):
    return await source.credentials_for(session(**which), exchange_id=exchange_id)


@pytest.fixture
def unavailable(with_source):
    """Ask once, in vain; gives the error."""

    def run(**changes):
        with pytest.raises(UnavailableError) as caught:
            with_source(get, **changes)
        return caught.value

    return run


# --- attribution -----------------------------------------------------------------


def test_moto_names_the_agent_as_the_caller(with_source, moto_url, clock):
    clock.s = time.time()
    credentials = with_source(get, endpoint=moto_url)
    client = botocore.session.Session().create_client(
        "sts",
        region_name="us-east-1",
        endpoint_url=moto_url,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key.reveal().decode(),
        aws_session_token=credentials.session_token,
    )
    assert client.get_caller_identity()["Arn"] == (
        "arn:aws:sts::123456789012:assumed-role/app/gk-agent-7"
    )
    assert 1700 < credentials.expires_at_s - clock.s <= 1801


def test_the_request_names_who_asks_and_why(with_source, sts):
    with_source(get)
    (form,) = sts.asked
    tags = {
        form[f"Tags.member.{n}.Key"]: form[f"Tags.member.{n}.Value"]
        for n in range(1, 5)
    }
    assert tags == {
        "gatekeep:session": f"{0:A>26}",
        "gatekeep:issuer": "https://issuer.example",
        "gatekeep:subject": "agent-7",
        "gatekeep:exchange": "e-1",
    }
    transitive = {form[f"TransitiveTagKeys.member.{n}"] for n in range(1, 5)}
    assert transitive == set(tags)
    assert form["RoleArn"] == APP
    assert form["RoleSessionName"] == "gk-agent-7"
    assert form["SourceIdentity"] == "agent-7"
    assert form["DurationSeconds"] == "1800"
    assert form["ExternalId"] == "x-1"


def test_the_answer_is_what_requests_are_signed_with(with_source):
    credentials = with_source(get)
    assert credentials.access_key_id == "ASIAEXAMPLE000000001"
    assert credentials.secret_access_key == Secret(b"secret-1")
    assert credentials.session_token == "token-1"
    assert credentials.expires_at_s == NOW_S + 3600
    assert "secret-1" not in repr(credentials)
    assert "token-1" not in repr(credentials)


@pytest.mark.parametrize(
    ("code", "message", "part"),
    [
        (
            "AccessDenied",
            "User: arn:aws:iam::1:user/gw is not authorized to perform: "
            "sts:TagSession on resource: " + APP,
            "sts:TagSession is denied: the role's trust policy must allow",
        ),
        (
            "AccessDenied",
            "User: x is not authorized to perform: sts:SetSourceIdentity on "
            "resource: y",
            "sts:SetSourceIdentity is denied",
        ),
        ("AccessDenied", "Nope.", "sts:AssumeRole is denied: the role's trust policy"),
        ("ExpiredToken", "old", "refuses the gateway's own credentials"),
        ("InvalidClientTokenId", "who", "refuses the gateway's own credentials"),
        (
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration",
            "AWS does not allow 1800 s: lower the role's `duration_s`",
        ),
        ("ValidationError", "other", "STS answered `ValidationError`"),
        ("PackedPolicyTooLarge", "tags", "STS answered `PackedPolicyTooLarge`"),
    ],
)
def test_a_refusal_tells_the_operator_what_to_change(
    unavailable, sts, code, message, part
):
    sts.error = (403, code, message)
    error = unavailable()
    assert part in error.message
    assert APP in error.message
    # What AWS said has account ids and the gateway's own name: for the log only.
    assert message not in error.message
    assert message in error.detail


def test_a_role_without_its_tags_is_never_assumed_instead(with_source, sts):
    sts.error = (403, "AccessDenied", "not authorized to perform: sts:TagSession")

    async def story(source):
        for _ in range(3):
            with pytest.raises(UnavailableError, match="sts:TagSession"):
                await get(source)

    with_source(story)
    for form in sts.asked:
        assert form["Tags.member.1.Key"] == "gatekeep:session"
        assert form["SourceIdentity"] == "agent-7"


def test_a_role_that_left_the_settings_is_refused(with_source, sts):
    async def story(source):
        with pytest.raises(AuthenticationError, match="no longer configured") as caught:
            await get(source, role_arn=APP + "2")
        assert caught.value.aws_code == "AccessDenied"

    with_source(story)
    assert sts.asked == []


# --- kept and refreshed ------------------------------------------------------------


def test_a_session_assumes_its_role_once(with_source, sts):
    async def story(source):
        first = await get(source)
        assert await get(source, exchange_id="e-2") is first
        assert await get(source, number=1) is not first

    with_source(story)
    assert len(sts.asked) == 2


def test_requests_that_come_together_share_one_call(with_source, sts):
    sts.gate.clear()

    async def story(source):
        waiting = [asyncio.create_task(get(source)) for _ in range(100)]
        await asyncio.to_thread(sts.wait_until_asked, 1)
        sts.gate.set()
        assert len({id(each) for each in await asyncio.gather(*waiting)}) == 1

    with_source(story)
    assert len(sts.asked) == 1


def test_a_client_that_goes_away_does_not_end_the_call_for_others(with_source, sts):
    sts.gate.clear()

    async def story(source):
        gone, stays = (asyncio.create_task(get(source)) for _ in range(2))
        await asyncio.to_thread(sts.wait_until_asked, 1)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        sts.gate.set()
        assert await stays

    with_source(story)
    assert len(sts.asked) == 1


def test_new_credentials_come_ahead_of_need_behind_the_request(with_source, sts, clock):
    async def story(source):
        first = await get(source)
        clock.s = NOW_S + 3600 * 0.74
        assert await get(source) is first
        assert len(sts.asked) == 1
        sts.expires_s = NOW_S + 7200
        clock.s = NOW_S + 3600 * 0.86
        sts.gate.clear()
        # STS does not answer yet, and nobody waits for it.
        assert await get(source, exchange_id="e-2") is first
        assert await get(source, exchange_id="e-3") is first
        await asyncio.to_thread(sts.wait_until_asked, 2)
        sts.gate.set()
        async with asyncio.timeout(20):
            while (second := await get(source)) is first:
                await asyncio.sleep(0)
        assert second.expires_at_s == NOW_S + 7200

    with_source(story)
    assert [form["Tags.member.4.Value"] for form in sts.asked] == ["e-1", "e-2"]


def test_a_failed_refresh_leaves_the_credentials_until_their_last_minute(
    with_source, sts, clock
):
    async def story(source):
        first = await get(source)
        sts.error = (400, "Throttling", "slow down")
        clock.s = NOW_S + 3600 - CREDENTIALS_MARGIN_S - 1
        assert await get(source) is first
        clock.s = NOW_S + 3600 - CREDENTIALS_MARGIN_S
        with pytest.raises(UnavailableError, match="Throttling"):
            await get(source)

    with_source(story)


def test_a_role_that_cannot_be_assumed_costs_one_call_in_five_seconds(
    with_source, sts, clock
):
    sts.error = (403, "AccessDenied", "no")

    async def story(source):
        for _ in range(20):
            with pytest.raises(UnavailableError, match="trust policy"):
                await get(source)
        assert len(sts.asked) == 1
        sts.error = None
        clock.s += CREDENTIALS_RETRY_S
        assert await get(source)

    with_source(story)
    assert len(sts.asked) == 2


def test_credentials_that_have_ended_already_are_not_used(unavailable, sts):
    sts.expires_s = NOW_S + 30
    assert "check the gateway's clock" in unavailable().message


@pytest.mark.parametrize("answer", [b"", b"<html>", b"{}", b"<AssumeRoleResponse/>"])
def test_an_answer_that_makes_no_sense_is_no_credentials(unavailable, sts, answer):
    sts.raw = answer
    assert "STS" in unavailable().message


def test_an_sts_that_is_not_there_is_unavailable(unavailable, monkeypatch):
    monkeypatch.setattr("gatekeep.credentials.own.STS_TIMEOUT_S", 0.2)
    error = unavailable(endpoint="http://127.0.0.1:1")
    assert "STS does not answer" in error.message


def test_a_region_that_is_none_is_unavailable_and_says_where(unavailable):
    error = unavailable(region="not a region!")
    assert "[credentials] `region`" in error.message


def test_only_so_many_sessions_are_kept(with_source, sts, monkeypatch):
    monkeypatch.setattr(source_module, "ASSUMED_CREDENTIALS_MAX", 2)

    async def story(source):
        kept = [await get(source, number=number) for number in (1, 2)]
        assert await get(source, number=1) is kept[0]  # used last, so it stays
        await get(source, number=3)
        assert await get(source, number=1) is kept[0]
        assert await get(source, number=2) is not kept[1]

    with_source(story)


# --- the gateway's own credentials ---------------------------------------------------


def test_a_role_with_assume_off_signs_as_the_gateway(with_source, sts):
    async def story(source):
        await source.start()
        own = await get(source, role_arn=PLAIN)
        assert own.access_key_id == "AKIAGATEWAY000000000"
        assert own.secret_access_key == Secret(b"gateway-secret")
        assert own.session_token is None
        assert await get(source, number=5, role_arn=PLAIN) is own

    with_source(story)
    assert sts.asked == []


def test_an_endpoint_in_the_environment_is_not_where_we_ask(
    with_source, sts, environment
):
    trap = STSServer()
    try:
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"):
            environment.setenv(name, trap.url)
        assert with_source(get)
        assert (len(sts.asked), trap.asked) == (1, [])
    finally:
        trap.close()


def test_an_endpoint_for_sts_wins_over_the_one_for_all(sts, clock):
    async def once():
        upstream = UpstreamSettings(
            endpoint="http://127.0.0.1:1", service_endpoints={"sts": sts.url}
        )
        source = CredentialSource(CredentialsSettings(), upstream, ROLES, clock)
        assert await get(source)
        await source.close()

    asyncio.run(once())


def test_start_does_not_fail_without_credentials_and_finds_them_later(
    with_source, environment, clock
):
    environment.delenv("AWS_ACCESS_KEY_ID")

    async def story(source):
        await source.start()
        for role_arn in (APP, PLAIN):
            with pytest.raises(UnavailableError, match="has no AWS credentials"):
                await get(source, role_arn=role_arn)
        environment.setenv("AWS_ACCESS_KEY_ID", "AKIALATER00000000000")
        clock.s += CREDENTIALS_RETRY_S
        assert await get(source)
        own = await get(source, number=1, role_arn=PLAIN)
        assert own.access_key_id == "AKIALATER00000000000"

    with_source(story)


def test_container_credentials_of_the_gateway_are_renewed(
    with_source, sts, environment, clock
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environment.delenv(name)
    environment.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{sts.url}/credentials")
    # botocore goes by the host's clock: near its end it renews with every look.
    sts.expires_s = time.time() + 300

    async def story(source):
        first = await get(source, role_arn=PLAIN)
        assert first.access_key_id.startswith("ASIACONTAINER")
        assert first.session_token.startswith("token-")
        assert await get(source, role_arn=PLAIN) is first
        clock.s += 121
        second = await get(source, role_arn=PLAIN)
        assert second.access_key_id > first.access_key_id

    with_source(story)


def test_a_profile_is_used_when_settings_name_it(with_source, tmp_path):
    (tmp_path / "credentials").write_text(
        "[gw]\naws_access_key_id = AKIAPROFILE000000000\n"
        "aws_secret_access_key = profile-secret\n"
    )
    own = with_source(
        lambda source: get(source, role_arn=PLAIN), source="profile", profile="gw"
    )
    assert own.access_key_id == "AKIAPROFILE000000000"


def test_source_environment_looks_nowhere_else(unavailable, environment, tmp_path):
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = AKIADEFAULT000000000\n"
        "aws_secret_access_key = s\n"
    )
    assert unavailable(source="environment").code == "credentials.none"


@pytest.mark.parametrize(
    "settings",
    [
        {"source": "profile"},
        {"source": "default", "profile": "gw"},
        {"source": "profile", "profile": "missing"},
    ],
)
def test_a_profile_that_cannot_be_meant_is_the_operators_error(with_source, settings):
    with pytest.raises(OperatorError, match="profile"):
        with_source(get, **settings)


def test_half_a_key_pair_is_unavailable_and_says_so(unavailable, environment):
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    error = unavailable()
    assert error.code == "credentials.source"
    assert "AWS_SECRET_ACCESS_KEY" in error.detail or "Partial" in error.detail


def test_closing_does_not_wait_for_a_silent_sts(with_source, sts):
    sts.gate.clear()

    async def story(source):
        waiting = asyncio.create_task(get(source))
        await asyncio.to_thread(sts.wait_until_asked, 1)
        began = time.monotonic()
        await source.close()
        assert time.monotonic() - began < 1
        with pytest.raises(asyncio.CancelledError):
            await waiting

    with_source(story)
    sts.gate.set()
