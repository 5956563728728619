"""Fixtures of the store's tests."""

from tests.support.disk import failing_syncs, tiny_disk  # noqa: F401
