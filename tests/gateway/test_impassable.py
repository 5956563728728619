"""Calls that no policy can permit: they would give out credentials, or cannot pass."""

from __future__ import annotations

import botocore.loaders
import pytest
from raw_client import Session, ask, signed
from scripted_upstream import ScriptedUpstream
from stand import Stand

from gatekeep.gateway import doors

FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
ROLE = "arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fother"


@pytest.mark.parametrize(
    "form",
    [
        f"Action=AssumeRole&Version=2011-06-15&RoleArn={ROLE}&RoleSessionName=x1",
        "Action=GetSessionToken&Version=2011-06-15",
        "Action=GetFederationToken&Version=2011-06-15&Name=abc",
    ],
    ids=["assume_role", "session_token", "federation_token"],
)
def test_credentials_are_never_given_out_though_policy_permits_everything(
    gateway: Stand, session: Session, upstream: ScriptedUpstream, form: str
) -> None:
    status, body = ask(
        gateway,
        signed(
            gateway, session, target="", service="sts", body=form.encode(), headers=FORM
        ),
    )
    assert status == 403
    assert b"gateway.hands_out_credentials" in body
    assert upstream.requests == []


def test_a_stream_in_both_directions_is_refused_clearly(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    status, body = ask(
        gateway,
        signed(
            gateway,
            session,
            target="",
            service="qbusiness",
            path="/applications/0123456789abcdef0123456789abcdef0123/conversations",
            body=b"{}",
            headers={"Content-Type": "application/vnd.amazon.eventstream"},
        ),
    )
    assert status == 403
    assert b"gateway.speaks_both_ways" in body
    assert upstream.requests == []


def test_every_operation_that_aws_takes_over_http2_only_is_named() -> None:
    """Held against botocore's models, so that a new one does not slip through."""
    loader = botocore.loaders.Loader()
    found = set()
    for service in loader.list_available_services("service-2"):
        model = loader.load_service_model(service, "service-2")
        settings = model["metadata"].get("protocolSettings", {})
        if settings.get("h2") != "eventstream":
            continue
        shapes = model["shapes"]
        for name, operation in model["operations"].items():
            members = (
                shapes[operation.get("input", {}).get("shape", "")].get("members", {})
                if operation.get("input")
                else {}
            )
            if any(
                shapes[member["shape"]].get("eventstream")
                for member in members.values()
            ):
                found.add(f"{service}:{name}")
    assert found == doors._SPEAKS_BOTH_WAYS
