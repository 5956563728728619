"""A fresh store of access requests, its clock, and a way to ask."""

import pytest

from gatekeep.access.requests import AccessRequests
from tests.access.people import Asking, StillClock


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def requests(tmp_path, clock):
    with AccessRequests(tmp_path / "access", clock=clock) as opened:
        yield opened


@pytest.fixture
def ask(requests, clock):
    return Asking(requests, clock)
