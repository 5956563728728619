"""A real filesystem of 2 MiB that a test may fill or make read-only."""

import subprocess

import pytest


@pytest.fixture
def tiny_disk(tmp_path):
    """Its mount point; skips where mounting is not permitted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", place],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a small filesystem is not permitted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)
