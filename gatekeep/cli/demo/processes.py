"""The demo's processes: each in a group of its own, and all of them ended.

However the demo ends, nothing it started stays: leaving `Processes` ends every group,
and where the kernel can (Linux) a process ends with the demo even if that is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from gatekeep.errors import UnavailableError

_PR_SET_PDEATHSIG = 1
_STOP_TIMEOUT_S = 10.0
_START_TIMEOUT_S = 120.0
"""The first start of the gateway compiles its catalogue."""
_LOOK_S = 0.02
_CHECK_S = 0.05


class Processes:
    """Starts processes and ends them all, the last one first.

    Args:
        logs: directory for what servers write.
        check: called again and again while something is waited for; raises to give up.
    """

    def __init__(self, logs: Path, check: Callable[[], None] = lambda: None) -> None:
        self._logs = logs
        self._check = check
        self._running: list[subprocess.Popen[str]] = []

    def start(
        self, name: str, arguments: Sequence[str], *, env: Mapping[str, str]
    ) -> subprocess.Popen[str]:
        """Start a server; `wait_until_serving` tells when it is there."""
        with (self._logs / f"{name}.log").open("w") as output:
            return self._spawn(arguments, env, stdout=output)

    def wait_until_serving(
        self,
        name: str,
        server: subprocess.Popen[str],
        *,
        port: int,
        ca_file: Path | None = None,
    ) -> None:
        """Return once a server takes connections on a loopback port.

        Args:
            name: of its log.
            server: from `start`.
            port: where it will listen.
            ca_file: the authority of its certificate, when it speaks TLS.

        Raises:
            UnavailableError: it ended, or did not come up in time; the message has
                the end of what it wrote.
        """
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while not _takes_connections(port, ca_file):
            if server.poll() is not None or time.monotonic() > deadline_s:
                log = (self._logs / f"{name}.log").read_text(errors="replace")
                raise UnavailableError(
                    "demo.not_started",
                    f"{name} did not come up: {log.strip()[-2000:] or 'no output'}",
                )
            self.pause(_LOOK_S)

    def start_and_read_line(
        self, name: str, arguments: Sequence[str], *, env: Mapping[str, str]
    ) -> str:
        """Start a server and return the first line that it prints, when it is ready.

        Raises:
            UnavailableError: it ended without printing one.
        """
        with (self._logs / f"{name}.log").open("w") as log:
            process = self._spawn(arguments, env, stdout=subprocess.PIPE, stderr=log)
        line = process.stdout.readline().strip() if process.stdout else ""
        if not line:
            raise UnavailableError("demo.not_started", f"{name} did not come up")
        return line

    def begin(
        self, arguments: Sequence[str], *, env: Mapping[str, str]
    ) -> subprocess.Popen[str]:
        """Start a command whose output is read later, by `finish`."""
        return self._spawn(
            arguments, env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def finish(
        self, process: subprocess.Popen[str], *, timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Wait for a command of `begin` and return how it ended.

        Raises:
            UnavailableError: it did not end in time.
        """
        deadline_s = time.monotonic() + timeout_s
        output: tuple[str, str] | None = None
        while output is None:
            self._check()
            if time.monotonic() > deadline_s:
                raise UnavailableError(
                    "demo.hangs", f"no end after {timeout_s:.0f} s: {process.args!r}"
                )
            with contextlib.suppress(subprocess.TimeoutExpired):
                output = process.communicate(timeout=_CHECK_S)
        self._running.remove(process)
        return subprocess.CompletedProcess(process.args, process.returncode, *output)

    def run(
        self, arguments: Sequence[str], *, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; see `finish`."""
        return self.finish(self.begin(arguments, env=env))

    def pause(self, seconds: float) -> None:
        """Wait."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self._check()
            time.sleep(min(left_s, _CHECK_S))

    def stop(self) -> None:
        """End every process and whatever it started, the last one first."""
        while self._running:
            process = self._running.pop()
            # The leader first: it knows in which order to end what it started.
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_TIMEOUT_S)
            # Then what is left of its group, though the leader may have gone.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _spawn(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        *,
        stdout: int | IO[str],
        stderr: int | IO[str] = subprocess.STDOUT,
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603  # our own commands, no shell
            arguments,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
            # A group of its own: Ctrl-C reaches the demo alone, which ends the rest.
            start_new_session=True,
            # Safe: the demo has one thread.
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
        )
        self._running.append(process)
        return process


def free_port() -> int:
    """A loopback port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _takes_connections(port: int, ca_file: Path | None) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            if ca_file is not None:
                # The backlog takes connections before anybody serves them.
                tls = ssl.create_default_context(cafile=ca_file)
                tls.wrap_socket(connection, server_hostname="127.0.0.1").close()
    except OSError:
        return False
    return True


_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _end_with_parent() -> None:
    """In the child, between fork and exec: get SIGTERM when the demo dies."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
