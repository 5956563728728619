"""Gateways for tests, one process tree a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from raw_client import Session, open_session
from scripted_upstream import ScriptedUpstream, answer
from stand import Issuer, Stand

PERMIT_ALL = '@id("all")\npermit (principal in Group::"agents", action, resource);\n'


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


@pytest.fixture(scope="module")
def scripted() -> Iterator[ScriptedUpstream]:
    upstream = ScriptedUpstream()
    yield upstream
    upstream.close()


@pytest.fixture
def upstream(scripted: ScriptedUpstream) -> ScriptedUpstream:
    """The module's upstream, answering plainly and with nothing received."""
    scripted.script = answer()
    scripted.requests.clear()
    return scripted


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory,
    scripted: ScriptedUpstream,
    issuer: Issuer,
    request: pytest.FixtureRequest,
) -> Iterator[Stand]:
    """A running gateway in front of the scripted upstream.

    A module's ``POLICIES``, ``EXTRA``, ``GATEWAY`` (settings) and ``ENVIRONMENT`` are taken.
    Role assumption is off: these tests are about the gateway, not about STS.
    """
    stand = Stand(
        tmp_path_factory.mktemp("gateway"),
        scripted.url,
        issuer,
        getattr(request.module, "POLICIES", PERMIT_ALL),
        extra=getattr(request.module, "EXTRA", ""),
        gateway=getattr(request.module, "GATEWAY", ""),
        environment=getattr(request.module, "ENVIRONMENT", {}),
        assume=False,
    )
    stand.write()
    stand.start()
    yield stand
    assert stand.stop() == 0, stand.log_path.read_text()
    log = stand.log_path.read_text()
    assert "Traceback" not in log, log


@pytest.fixture(scope="module")
def session(gateway: Stand) -> Session:
    """The sealed session of an agent of the module's gateway."""
    return open_session(gateway)
