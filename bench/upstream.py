"""AWS for the bench: nginx with a few fixed answers, in plain HTTP and in TLS.

Uploads go on to `bench.sink`, which reads them whole before it answers.

Each answer is the shape and size that AWS would give, with the checksum that SDKs
check. ``x-amz-id-2`` says whose access key signed the request, so that a probe can
tell that a proxy that signs did sign.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from bench.machine import LOAD_CORE, on_core
from tests.support.stand import free_port, make_certificate

OBJECTS = {"orders.csv": 1 << 30, "few-orders.csv": 1 << 26}
"""Objects of the bucket and their sizes. Under ``masked/`` they are there again."""
PAGE_BYTES = 1 << 16

_PERSON = {
    "ssn": "536-22-8726",
    "card": "4111 1111 1111 1111",
    "email": "ada.lovelace@example.com",
    "phone": "+1 202-555-0143",
    "date_of_birth": "1985-12-10",
}
PROTECTED = tuple(_PERSON.values())
"""The values that no masked answer may show."""


def _item(number: int) -> dict[str, dict[str, str]]:
    return {
        "id": {"S": f"c-{number:06}"},
        **{name: {"S": value} for name, value in _PERSON.items()},
        "plan": {"S": "standard"},
        "visits": {"N": str(1000 + number)},
    }


def _padded(
    answer: dict[str, object], item: dict[str, dict[str, str]], size: int
) -> bytes:
    """The answer as compact JSON of exactly that size: the item's note is filled."""
    item["note"] = {"S": ""}
    missing = size - len(json.dumps(answer, separators=(",", ":")))
    item["note"] = {"S": "x" * missing}
    text = json.dumps(answer, separators=(",", ":")).encode()
    assert len(text) == size, (len(text), size)
    return text


def _page() -> bytes:
    items = [_item(number) for number in range(230)]
    page = {"Count": len(items), "Items": items, "ScannedCount": len(items)}
    return _padded(page, items[-1], PAGE_BYTES)


_one = _item(1)
ITEM = _padded({"Item": _one}, _one, 400)
"""Answer to GetItem: 400 bytes, five of its fields protected."""
WRITTEN = b"{}"
"""Answer to PutItem."""
PAGE = _page()
"""Answer to Query: 64 KiB of customers."""


class Upstream:
    """nginx on the load core; `port` speaks plain HTTP, `tls_port` TLS."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, self.tls_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._sink: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        directory = self.directory
        (directory / "files" / "bucket").mkdir(parents=True)
        (directory / "files" / "page.json").write_bytes(PAGE)
        make_certificate(directory)
        bucket = directory / "files" / "bucket"
        (bucket / "masked").mkdir()
        for key, size in OBJECTS.items():
            write_object(bucket / key, size)
            (bucket / "masked" / key).hardlink_to(bucket / key)
        (directory / "nginx.conf").write_text(self._configuration())
        with on_core(LOAD_CORE):
            self._process = subprocess.Popen(
                ["nginx", "-c", directory / "nginx.conf", "-p", directory],
                stderr=(directory / "nginx.log").open("wb"),
            )
            self._sink = subprocess.Popen(
                [sys.executable, "-m", "bench.sink", directory / "sink.sock"]
            )

    def stop(self) -> None:
        for process in (self._process, self._sink):
            if process is not None:
                process.terminate()
                process.wait()

    def _configuration(self) -> str:
        def answer(body: bytes) -> str:
            return (
                f"add_header x-amz-crc32 {zlib.crc32(body)};\n"
                f"      return 200 '{body.decode()}';"
            )

        return f"""
daemon off;
user root;  # its files are in the private directory of whoever runs the bench
pid upstream.pid;
error_log /dev/stderr warn;
events {{ worker_connections 40000; }}
http {{
  access_log off;
  client_body_temp_path body;
  keepalive_requests 100000000;
  keepalive_timeout 300s;
  client_max_body_size 0;
  default_type application/x-amz-json-1.0;
  sendfile on;
  map $http_authorization $signer {{ "~Credential=(?<key>[^/]+)/" $key; }}
  map $http_x_amz_target $place {{
    default          /object;
    ~\\.GetItem$     /item;
    ~\\.PutItem$     /written;
    ~\\.Query$       /page;
  }}
  add_header x-amzn-RequestId $request_id;
  add_header x-amz-id-2 $signer;
  server {{
    listen 127.0.0.1:{self.port} backlog=4096;
    listen 127.0.0.1:{self.tls_port} ssl backlog=4096;
    ssl_certificate server.pem;
    ssl_certificate_key server.key;
    location / {{ rewrite ^ $place$uri last; }}
    location /item {{
      internal;
      add_header x-amzn-RequestId $request_id;
      add_header x-amz-id-2 $signer;
      {answer(ITEM)}
    }}
    location /written {{
      internal;
      add_header x-amzn-RequestId $request_id;
      add_header x-amz-id-2 $signer;
      {answer(WRITTEN)}
    }}
    location /page {{
      internal;
      error_page 405 =200 /page.json;  # files are not for POST; an error page is
      return 405;
    }}
    location = /page.json {{
      internal;
      add_header x-amzn-RequestId $request_id;
      add_header x-amz-id-2 $signer;
      add_header x-amz-crc32 {zlib.crc32(PAGE)};
      types {{ application/x-amz-json-1.0 json; }}
      root files;
    }}
    location /object/ {{
      internal;
      if ($request_method = PUT) {{ rewrite ^ /sink last; }}
      types {{ text/csv csv; }}
      alias files/;
    }}
    location = /sink {{
      internal;
      proxy_pass http://unix:{self.directory}/sink.sock:/;
      proxy_http_version 1.1;
      proxy_request_buffering off;
    }}
  }}
}}
"""


_LINE = b"2026-11-23,order,shipped,north,standard,paid in full,no remarks\n"
BLOCK = _LINE * (1 << 16)
"""What objects are made of, over and over: CSV in which nothing is protected."""


def object_pieces(size: int) -> Iterator[bytes]:
    """The content of an object of that size."""
    for start in range(0, size, len(BLOCK)):
        yield BLOCK[: size - start]


def write_object(path: Path, size: int) -> None:
    """Write an object, down to the disk."""
    with path.open("wb") as file:
        for piece in object_pieces(size):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
