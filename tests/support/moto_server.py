"""moto as a server in its own process: AWS for tests."""

from __future__ import annotations

import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from stand import free_port


class Moto:
    """A moto server in its own process: AWS for these tests.

    Args:
        certificates: where ``server.pem``, ``server.key`` and ``ca.pem`` are: then it
            speaks TLS. SDKs sign uploads in another way without.
    """

    def __init__(self, certificates: Path | None = None) -> None:
        self.port = free_port()
        self.certificates = certificates
        self.url = f"http{'s' if certificates else ''}://127.0.0.1:{self.port}"
        tls: list[str] = []
        self._context: ssl.SSLContext | None = None
        if certificates is not None:
            tls = ["-c", str(certificates / "server.pem"),
                   "-k", str(certificates / "server.key")]  # fmt: skip
            self._context = ssl.create_default_context(
                cafile=str(certificates / "ca.pem")
            )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port),
             *tls],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(
                    f"{self.url}/moto-api/", timeout=1, context=self._context
                ).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def reset(self) -> None:
        """Forget everything, as if it had just been started."""
        urllib.request.urlopen(
            f"{self.url}/moto-api/reset", data=b"", timeout=10, context=self._context
        ).close()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
