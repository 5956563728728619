"""Issuers in their own threads, over plain loopback and over TLS."""

import pytest

from tests.identity.issuer import (
    Issuer,
    StillClock,
    certificate_authority,
    server_tls,
)


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def issuer():
    opened = Issuer()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Paths of the CA, the server certificate and its key."""
    return certificate_authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def tls_issuer(authority):
    opened = Issuer(server_tls(*authority[1:]))
    yield opened
    opened.close()
