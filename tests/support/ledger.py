"""A real ledger in a process of its own, over a state directory."""

import base64
import os
import signal
import subprocess
import sys
from pathlib import Path

from gatekeep.audit.log import LogReader
from gatekeep.audit.verification import verify_log
from gatekeep.settings import Settings, parse_settings
from gatekeep.verify import Summary
from tests.support.audit_log import MAP_BYTES, ORIGIN

_RUN = """
import sys
from pathlib import Path
from gatekeep.audit.ledger import run_ledger
from gatekeep.errors import GatekeepError
from gatekeep.settings import read_settings
try:
    run_ledger(read_settings(Path(sys.argv[1])), ready_fd=int(sys.argv[2]))
except GatekeepError as error:
    sys.exit(f"{error.code}: {error.message}")
"""


def write_settings(
    directory: Path, *, map_bytes: int = MAP_BYTES, origin: str = ORIGIN
) -> Path:
    """A settings file whose state directory is ``state`` beside it."""
    directory.joinpath("digest.key").write_bytes(base64.b64encode(bytes(32)))
    path = directory / "gatekeep.toml"
    path.write_text(f"""
[gateway]
state_directory = "state"
[tls]
certificate = "none.pem"
private_key = "none.key"
[session]
keyring = "none.keys"
[[issuer]]
issuer = "https://issuer.example"
audience = ["gatekeep"]
[[role]]
arn = "arn:aws:iam::123456789012:role/agent"
[audit]
digest_key = "digest.key"
map_bytes = {map_bytes}
origin = "{origin}"
""")
    return path


class LedgerProcess:
    """A ledger that can be started, killed and started again."""

    def __init__(self, directory: Path, **options: object) -> None:
        self.config = write_settings(directory, **options)  # type: ignore[arg-type]
        self.settings: Settings = parse_settings(
            self.config.read_text(), path=self.config
        )
        self.socket_path = self.settings.state_path("ledger.sock")
        self.log_path = self.settings.state_path("audit")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *before: str) -> "LedgerProcess":
        """Start it, after the words of another command; returns when it is ready.

        Raises:
            RuntimeError: with what it said, when it ended instead.
        """
        ready, written = os.pipe()
        self._process = subprocess.Popen(
            [*before, sys.executable, "-c", _RUN, self.config, str(written)],
            pass_fds=[written],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        os.close(written)
        said = os.read(ready, 1)
        os.close(ready)
        if not said:
            raise RuntimeError(self.wait()[1])
        return self

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> tuple[int, str]:
        """Its exit code and what it said on standard error."""
        assert self._process is not None
        _, error = self._process.communicate(timeout=30)
        code = self._process.returncode
        self._process = None
        return code, error.decode()

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """Stop it in order; its exit code."""
        self.send(signal.SIGTERM)
        return self.wait()[0]

    def close(self) -> None:
        """Leave no process behind, whatever the test did."""
        if self._process is not None:
            self.send(signal.SIGCONT)
            self.kill()

    def reader(self) -> LogReader:
        return LogReader(self.log_path, map_bytes=self.settings.audit.map_bytes)

    def verify(self) -> Summary:
        return verify_log(self.log_path, map_bytes=self.settings.audit.map_bytes)
