"""Real clients, a real moto server, a real gateway between them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto_server import Moto
from stand import Issuer, Stand

PERMIT_ALL = '@id("all")\npermit (principal in Group::"agents", action, resource);\n'


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


@pytest.fixture(scope="module")
def direct() -> Iterator[Moto]:
    """The AWS that a client talks to directly."""
    moto = Moto()
    yield moto
    moto.close()


@pytest.fixture(scope="module")
def behind() -> Iterator[Moto]:
    """The AWS behind the gateway."""
    moto = Moto()
    yield moto
    moto.close()


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory,
    behind: Moto,
    issuer: Issuer,
    request: pytest.FixtureRequest,
) -> Iterator[Stand]:
    stand = Stand(
        tmp_path_factory.mktemp("gateway"),
        behind.url,
        issuer,
        getattr(request.module, "POLICIES", PERMIT_ALL),
        extra=getattr(request.module, "EXTRA", ""),
    )
    stand.write()
    stand.start()
    yield stand
    assert stand.stop() == 0, stand.log_path.read_text()
    assert "Traceback" not in stand.log_path.read_text(), stand.log_path.read_text()
