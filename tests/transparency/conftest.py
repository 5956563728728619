"""Two motos, one reached directly and one through a gateway that permits everything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto_server import Moto
from stand import Issuer, Stand, make_certificate

PERMIT_ALL = '@id("all")\npermit (principal in Group::"agents", action, resource);\n'


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


@pytest.fixture(scope="session")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """The AWS that agents talk to directly, over TLS as they talk to the gateway."""
    directory = tmp_path_factory.mktemp("direct")
    make_certificate(directory)
    moto = Moto(directory)
    yield moto
    moto.close()


@pytest.fixture(scope="session")
def behind() -> Iterator[Moto]:
    """The AWS behind the gateway."""
    moto = Moto()
    yield moto
    moto.close()


@pytest.fixture(scope="session")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, behind: Moto, issuer: Issuer
) -> Iterator[Stand]:
    directory = tmp_path_factory.mktemp("transparent")
    stand = Stand(directory, behind.url, issuer, PERMIT_ALL, assume=False)
    stand.write()
    stand.start()
    yield stand
    assert stand.stop() == 0, stand.log_path.read_text()
    assert "Traceback" not in stand.log_path.read_text()


@pytest.fixture(scope="session")
def straight(direct: Moto, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of an agent that talks to its moto directly."""
    home: Path = tmp_path_factory.mktemp("home")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_ENDPOINT_URL": direct.url,
        "AWS_ACCESS_KEY_ID": "AKIADIRECTDIRECTDIRE",
        "AWS_SECRET_ACCESS_KEY": "direct",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_CA_BUNDLE": str(direct.certificates / "ca.pem"),
    }
