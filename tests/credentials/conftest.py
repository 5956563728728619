"""A clean environment, a scripted STS, and moto in a process of its own."""

import os
import subprocess
import sys

import pytest

from tests.credentials.sts_server import StillClock, STSServer

MOTO = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """Credentials of the gateway in the environment, and nothing else of AWS."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAGATEWAY000000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "gateway-secret")
    return monkeypatch


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def sts():
    opened = STSServer()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def moto_url():
    """A real moto server; it ends when its standard input does."""
    with subprocess.Popen(
        [sys.executable, "-c", MOTO],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()
        process.wait(20)
