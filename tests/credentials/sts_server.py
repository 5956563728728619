"""A small real STS that says what a test wants, and a small real container endpoint."""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

NOW_S = 1_795_000_000


class StillClock:
    """Time that moves only when told to."""

    def __init__(self):
        self.s = float(NOW_S)

    def now_s(self):
        return self.s

    def now_ns(self):
        return int(self.s * 1e9)

    def monotonic_s(self):
        return self.s


def iso(seconds):
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Hundreds of sessions may ask at once.
    request_queue_size = 512

    def handle_error(self, request, client_address):
        """A client that hangs up is what some tests are about."""


class STSServer:
    """Answers AssumeRole, and GET as a container's credential endpoint.

    Attributes:
        asked: the form of every request, in order.
        error: ``(status, code, message)`` to refuse with; None to comply.
        expires_s: when what it gives ends.
        gate: cleared, requests wait until it is set.
        raw: an answer to give instead of all this.
    """

    def __init__(self):
        self.asked = []
        self.changed = threading.Condition()
        self.error = None
        self.raw = None
        self.expires_s = NOW_S + 3600
        self.gate = threading.Event()
        self.gate.set()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self):
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_until_asked(self, times):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= times, 20)

    def _note(self, form):
        with self.changed:
            self.asked.append(form)
            number = len(self.asked)
            self.changed.notify_all()
        self.gate.wait()
        return number

    def _answer(self, form):
        number = self._note(form)
        if self.raw is not None:
            return 200, self.raw
        if self.error is not None:
            status, code, message = self.error
            return status, (
                "<ErrorResponse><Error><Type>Sender</Type>"
                f"<Code>{code}</Code><Message>{message}</Message></Error>"
                "<RequestId>r</RequestId></ErrorResponse>"
            ).encode()
        return 200, (
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            "<AssumeRoleResult><Credentials>"
            f"<AccessKeyId>ASIAEXAMPLE{number:09}</AccessKeyId>"
            f"<SecretAccessKey>secret-{number}</SecretAccessKey>"
            f"<SessionToken>token-{number}</SessionToken>"
            f"<Expiration>{iso(self.expires_s)}</Expiration>"
            "</Credentials></AssumeRoleResult>"
            "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>"
            "</AssumeRoleResponse>"
        ).encode()

    def _container_answer(self):
        number = self._note({"GET": "1"})
        return 200, json.dumps(
            {
                "AccessKeyId": f"ASIACONTAINER{number:07}",
                "SecretAccessKey": f"secret-{number}",
                "Token": f"token-{number}",
                "Expiration": iso(self.expires_s),
                "RoleArn": "arn:aws:iam::123456789012:role/gateway",
            }
        ).encode()

    def _handler(server):  # noqa: N805  # `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _send(self, status, body):
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self._send(*server._container_answer())

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                form = {
                    name: value[0] for name, value in parse_qs(body.decode()).items()
                }
                self._send(*server._answer(form))

            def log_message(self, *_):
                pass

        return Handler
