"""Fixtures of the store's tests."""

from tests.support.disk import tiny_disk  # noqa: F401
