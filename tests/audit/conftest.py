"""Fixtures of the audit tests."""

import pytest

from tests.support.disk import failing_syncs, tiny_disk  # noqa: F401
from tests.support.ledger import LedgerProcess


@pytest.fixture
def ledger(tmp_path):
    """A ledger that runs."""
    process = LedgerProcess(tmp_path).start()
    yield process
    process.close()


@pytest.fixture
def make_ledger():
    """Makes ledgers that do not run yet."""
    made = []

    def make(directory, **options):
        made.append(LedgerProcess(directory, **options))
        return made[-1]

    yield make
    for process in made:
        process.close()
