"""Disks that fail: a real filesystem of 2 MiB, and system calls that say EIO."""

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


@pytest.fixture
def failing_syncs(tmp_path):
    """Gives the command that makes every ``fdatasync`` from the nth on fail."""
    tracer = ["strace", "-f", "-qq", "-o", str(tmp_path / "trace")]
    tracer += ["-e", "trace=fdatasync"]
    try:
        subprocess.run([*tracer, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("strace is not there or not permitted")
    return lambda first: [*tracer, "-e", f"inject=fdatasync:error=EIO:when={first}+"]
