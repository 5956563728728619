"""The proxies that are measured: gatekeep, and what people use instead.

Each peer is one small class: how to start it in front of an upstream, with TLS, on
one core. What is not installed says how to install it and is left out.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

from bench import machine
from bench.upstream import Upstream
from tests.support.stand import Issuer, Stand, free_port

BENCH_BIN = Path(".bench/venv/bin")
"""Where `make bench-peers` installs what is not packaged by Debian."""

ACCESS_KEY_ID = "AKIABENCHUPSTREAM000"
SECRET_ACCESS_KEY = "bench-upstream-secret-key-000000000000"
"""What proxies that sign sign with."""


class Proxy:
    """A proxy with TLS in front, one core, one upstream."""

    name: ClassVar[str]
    signs: ClassVar[bool] = False
    """Whether the upstream sees a signature of the proxy's own."""
    hint: ClassVar[str]
    """How to install it."""

    def __init__(self, directory: Path, upstream: Upstream) -> None:
        self.directory = directory / self.name
        self.upstream = upstream
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def program(cls) -> str | None:
        """Path of its program; None when it is not installed."""
        return shutil.which(cls.name)

    @classmethod
    def version(cls) -> str:
        return machine.version_of(cls.program() or "false", "--version")

    def command(self) -> list[str | Path]:
        """Write its configuration; give the command that runs it."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it; return once it accepts connections."""
        self.directory.mkdir()
        for name in ("server.pem", "server.key"):
            shutil.copy(self.upstream.directory / name, self.directory)
        command = self.command()
        with machine.on_core(machine.PROXY_CORE):
            self.process = subprocess.Popen(
                command,
                stdout=(self.directory / "out.log").open("wb"),
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env={
                    **os.environ,
                    "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
                    "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
                },
            )
        until_s = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until_s:
                    raise RuntimeError(
                        (self.directory / "out.log").read_text()
                    ) from None
                time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    def pids(self) -> list[int]:
        """Its processes."""
        assert self.process is not None
        return machine.family(self.process.pid)


class Gatekeep(Proxy):
    """This tree's gateway: one worker and its ledger, both on the proxy core."""

    name = "gatekeep"
    signs = True
    hint = "make build"
    issuer: ClassVar[Issuer | None] = None

    # Several policies and labels, as a real set has; the tables' names say what
    # each is for.
    policies = """
@id("read-orders")
permit (
  principal in Group::"agents",
  action in [Action::"dynamodb:Read", Action::"dynamodb:List"],
  resource
) when { resource.arn like "arn:aws:dynamodb:*:*:table/orders*" };

@id("read-customers")
@mask("customer")
permit (
  principal in Group::"agents",
  action in [Action::"dynamodb:Read", Action::"dynamodb:List"],
  resource
) when { resource.arn like "arn:aws:dynamodb:*:*:table/customers*" };

@id("write-orders")
permit (
  principal in Group::"agents",
  action in Action::"dynamodb:Write",
  resource
) when { resource.arn like "arn:aws:dynamodb:*:*:table/orders*" };

@id("write-regulated")
@approve("1 of dba")
permit (
  principal in Group::"agents",
  action in Action::"dynamodb:Write",
  resource
) when { resource.labels.contains("regulated") };

@id("objects")
permit (
  principal in Group::"agents",
  action in [Action::"s3:Read", Action::"s3:Write"],
  resource
) when { resource.arn like "arn:aws:s3:::bucket/*" };

@id("masked-objects")
@mask("customer")
permit (
  principal in Group::"agents",
  action in Action::"s3:Read",
  resource
) when { resource.arn like "arn:aws:s3:::bucket/masked/*" };

@id("nothing-destructive")
forbid (principal, action, resource)
when { context.statement_verbs.containsAny(["DROP", "DELETE", "TRUNCATE"]) };

@id("nothing-unread")
forbid (principal, action, resource)
when { context.statement_unparsed };
"""
    settings = """
[[resource]]
arn = "arn:aws:dynamodb:*:*:table/ledger*"
labels = ["regulated"]
[[masking.profile]]
name = "customer"
mask = [
  { detector = "ssn" },
  { detector = "pan", style = "keep-last-4" },
  { detector = "email" },
  { detector = "aws-key" },
  { field = "phone" },
  { field = "date_of_birth" },
]
[access]
hold_s_max = 600
"""

    @classmethod
    def program(cls) -> str | None:
        return sys.executable

    @classmethod
    def version(cls) -> str:
        return "this tree"

    def start(self) -> None:
        self.directory.mkdir()
        cls = type(self)
        cls.issuer = cls.issuer or Issuer()
        self.stand = Stand(
            self.directory, self.upstream.url, cls.issuer, self.policies,
            extra=self.settings, assume=False,
            environment={
                "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
                "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            },
        )  # fmt: skip
        self.stand.write()
        with machine.on_core(machine.PROXY_CORE):
            self.stand.start()
        self.process = self.stand.process
        self.port = self.stand.port

    def stop(self) -> None:
        if self.process is not None:
            code = self.stand.stop()
            log = self.stand.log_path.read_text()
            assert code == 0, log
            assert "Traceback" not in log, log

    @property
    def ledger_pid(self) -> int:
        return self.pids()[1]

    @property
    def worker_pid(self) -> int:
        return self.pids()[2]


class Nginx(Proxy):
    """nginx as a TLS proxy that passes everything through."""

    name = "nginx"
    hint = "apt-get install nginx-light"

    @classmethod
    def version(cls) -> str:
        return machine.version_of("nginx", "-v")

    def command(self) -> list[str | Path]:
        (self.directory / "nginx.conf").write_text(f"""
daemon off;
worker_processes 1;
pid proxy.pid;
error_log stderr warn;
events {{ worker_connections 40000; }}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  keepalive_requests 100000000;
  keepalive_timeout 300s;
  client_max_body_size 0;
  large_client_header_buffers 4 32k;
  upstream aws {{
    server 127.0.0.1:{self.upstream.port};
    keepalive 512;
    keepalive_requests 100000000;
  }}
  server {{
    listen 127.0.0.1:{self.port} ssl backlog=4096;
    ssl_certificate server.pem;
    ssl_certificate_key server.key;
    location / {{
      proxy_pass http://aws;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
      proxy_buffers 8 64k;
      proxy_buffer_size 64k;
    }}
  }}
}}
""")
        return ["nginx", "-c", self.directory / "nginx.conf", "-p", self.directory]


class Haproxy(Proxy):
    """HAProxy as a TLS proxy that passes everything through."""

    name = "haproxy"
    hint = "apt-get install haproxy"

    @classmethod
    def version(cls) -> str:
        return machine.version_of("haproxy", "-v")

    def command(self) -> list[str | Path]:
        both = [(self.directory / n).read_text() for n in ("server.pem", "server.key")]
        (self.directory / "both.pem").write_text("".join(both))
        (self.directory / "haproxy.cfg").write_text(f"""
global
  nbthread 1
  maxconn 9900
  tune.bufsize 65536
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 10s
  timeout client 300s
  timeout server 300s
  http-reuse always
frontend agents
  bind 127.0.0.1:{self.port} ssl crt both.pem alpn http/1.1 backlog 4096
  default_backend aws
backend aws
  server aws 127.0.0.1:{self.upstream.port} pool-max-conn 512
""")
        return ["haproxy", "-f", self.directory / "haproxy.cfg"]


class Envoy(Proxy):
    """Envoy with its AWS request-signing filter: the nearest to gatekeep's signing."""

    name = "envoy"
    signs = True
    hint = "make bench-peers"

    @classmethod
    def program(cls) -> str | None:
        # The wheel's own launcher is a Python script; the program is beside it.
        found = sorted(
            BENCH_BIN.parent.glob("lib/python*/site-packages/envoy/_bin/envoy")
        )
        return str(found[0].resolve()) if found else shutil.which("envoy")

    @classmethod
    def version(cls) -> str:
        return machine.version_of(cls.program() or "false", "--version", after="/")

    def command(self) -> list[str | Path]:
        (self.directory / "envoy.yaml").write_text(f"""
static_resources:
  listeners:
  - name: agents
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {self.port} }} }}
    tcp_backlog_size: 4096
    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [http/1.1]
            tls_certificates:
            - certificate_chain: {{ filename: server.pem }}
              private_key: {{ filename: server.key }}
      filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: agents
          codec_type: HTTP1
          generate_request_id: false
          route_config:
            virtual_hosts:
            - name: aws
              domains: ["*"]
              routes:
              - match: {{ prefix: /bucket/ }}
                route: {{ cluster: aws, timeout: 300s }}
                typed_per_filter_config:
                  sign:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.aws_request_signing.v3.AwsRequestSigningPerRoute
                    stat_prefix: s3
                    aws_request_signing:
                      service_name: s3
                      region: us-east-1
                      # Otherwise it holds the whole body to hash it, and refuses.
                      use_unsigned_payload: true
              - match: {{ prefix: / }}
                route: {{ cluster: aws, timeout: 300s }}
          http_filters:
          - name: drop
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
              mutations:
                request_mutations:
                - remove: authorization
                - remove: x-amz-date
                - remove: x-amz-security-token
                - remove: x-amz-content-sha256
          - name: sign
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.aws_request_signing.v3.AwsRequestSigning
              service_name: dynamodb
              region: us-east-1
              use_unsigned_payload: false
          - name: route
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: aws
    type: STATIC
    connect_timeout: 10s
    circuit_breakers: {{ thresholds: [{{ max_connections: 4096, max_requests: 40000,
      max_pending_requests: 40000 }}] }}
    load_assignment:
      cluster_name: aws
      endpoints:
      - lb_endpoints:
        - endpoint:
            address: {{ socket_address: {{ address: 127.0.0.1,
              port_value: {self.upstream.port} }} }}
""")
        return [
            self.program() or "envoy", "-c", self.directory / "envoy.yaml",
            "--concurrency", "1", "--log-level", "error", "--disable-hot-restart",
        ]  # fmt: skip


class Mitmproxy(Proxy):
    """mitmproxy as a TLS reverse proxy whose add-on masks whole bodies by pattern."""

    name = "mitmproxy"
    hint = "make bench-peers"

    @classmethod
    def program(cls) -> str | None:
        path = BENCH_BIN / "mitmdump"
        return str(path.resolve()) if path.exists() else shutil.which("mitmdump")

    def command(self) -> list[str | Path]:
        both = [(self.directory / n).read_text() for n in ("server.key", "server.pem")]
        (self.directory / "both.pem").write_text("".join(both))
        addon = Path(__file__).with_name("mitmproxy_mask.py").resolve()
        return [
            self.program() or "mitmdump", "--quiet",
            "--mode", f"reverse:{self.upstream.url}",
            "--listen-host", "127.0.0.1", "--listen-port", str(self.port),
            "--certs", f"*={self.directory / 'both.pem'}",
            "--set", f"confdir={self.directory}", "--set", "keep_host_header=true",
            "--set", "connection_strategy=lazy", "-s", addon,
        ]  # fmt: skip


PROXIES: tuple[type[Proxy], ...] = (Gatekeep, Nginx, Haproxy, Envoy, Mitmproxy)


def installed(names: list[str] | None = None) -> list[type[Proxy]]:
    """The proxies that can run here; says how to install the others."""
    found = []
    for proxy in PROXIES:
        if names and proxy.name not in names:
            continue
        if proxy.program() is None:
            print(
                f"{proxy.name}: not installed, left out; install it with: {proxy.hint}"
            )
        else:
            found.append(proxy)
    return found
