"""The STS door behind a real HTTP(S) server, so that stock SDKs can knock.

It checks no SigV4 signature: that is another room's. GetCallerIdentity opens the
session that the request carries.
"""

import asyncio
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

from gatekeep.aws.call import Protocol
from gatekeep.aws.faults import fault_of, render_fault
from gatekeep.clock import SYSTEM_CLOCK
from gatekeep.errors import GatekeepError
from gatekeep.identity.sts import container_fault

_ACCESS_KEY_ID = re.compile(r"Credential=([^/]+)/")


class DoorServer:
    """Serves a `Door`; ``asked`` has a line for every request."""

    def __init__(self, door, keyring, tls=None):
        self.asked = []
        self._door, self._keyring = door, keyring
        self._loop = asyncio.new_event_loop()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self._threads = [
            threading.Thread(target=self._loop.run_forever),
            threading.Thread(target=self._server.serve_forever, args=(0.02,)),
        ]
        for thread in self._threads:
            thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            thread.join()
        self._loop.close()

    def answer(self, method, path, headers, body):
        """Status, content type and body of the answer."""
        try:
            if method == "GET":
                self.asked.append(path)
                role_name = path.removeprefix("/credentials").lstrip("/")
                answer, _ = self.run(
                    self._door.container_credentials(
                        headers["Authorization"].encode(), role_name=role_name
                    )
                )
                return 200, "application/json", answer
            form = dict(parse_qsl(body.decode(), keep_blank_values=True))
            self.asked.append(form["Action"])
            if form["Action"] == "GetCallerIdentity":
                session = self._keyring.open(
                    headers["X-Amz-Security-Token"].encode(),
                    access_key_id=_ACCESS_KEY_ID.search(headers["Authorization"])[1],
                    now_s=SYSTEM_CLOCK.now_s(),
                )
                return 200, "text/xml", self._door.get_caller_identity(session)
            answer, _ = self.run(self._door.assume_role_with_web_identity(form))
            return 200, "text/xml", answer
        except GatekeepError as error:
            if method == "GET":
                return error.status, "application/json", container_fault(error)
            aws_code, status = fault_of(error)
            _, _, answer = render_fault(
                protocol=Protocol.QUERY,
                service="sts",
                aws_code=aws_code,
                message=error.message,
                status=status,
                exchange_id="e1",
            )
            return status, "text/xml", answer

    def _handler(server):  # noqa: N805  # `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, kind, answer = server.answer(
                    self.command, self.path, self.headers, body
                )
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = _serve  # noqa: N815

            def log_message(self, *_):
                pass

        return Handler
