"""Presigned URLs with no SDK at all, and transfers of 256 MiB in parallel parts."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from stand import Stand

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PRESIGN = """
import boto3, json
from botocore.config import Config
s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
s3.create_bucket(Bucket="presigned")
at = {"Bucket": "presigned", "Key": "a b/ü+%//x"}
print(json.dumps([
    s3.generate_presigned_url("put_object", at, 300),
    s3.generate_presigned_url("get_object", {**at, "ResponseContentType": "x/y"}, 300),
    s3.generate_presigned_url("head_object", at, 300),
]))
"""

TRANSFER = """
import boto3, hashlib, json, pathlib, sys
from boto3.s3.transfer import TransferConfig
mebi, home = int(sys.argv[1]), pathlib.Path(sys.argv[2])
source, target = home / "source", home / "target"
piece = hashlib.shake_256(b"gatekeep").digest(1 << 20)
with source.open("wb") as file:
    for number in range(mebi):
        file.write(number.to_bytes(8, "big") + piece[8:])
s3 = boto3.client("s3")
s3.create_bucket(Bucket="large")
config = TransferConfig(multipart_chunksize=8 << 20, max_concurrency=8)
s3.upload_file(str(source), "large", "big", Config=config)
head = s3.head_object(Bucket="large", Key="big")
s3.download_file("large", "big", str(target), Config=config)
def digest(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
print(json.dumps([digest(source) == digest(target), head["ContentLength"], head["ETag"]]))
"""


def run(env: dict[str, str], program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=env, text=True, capture_output=True, check=False, timeout=580,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def test_presigned_urls_work_with_plain_http(gateway: Stand) -> None:
    put, get, head = json.loads(run(gateway.agent(), PRESIGN))
    context = ssl.create_default_context(cafile=str(gateway.directory / "ca.pem"))

    def fetch(url: str, method: str, data: bytes | None = None):
        # urllib would call it a form, and moto would read it as one.
        headers = {"Content-Type": "application/octet-stream"} if data else {}
        request = urllib.request.Request(url, data, headers, method=method)
        return urllib.request.urlopen(request, context=context, timeout=20)

    data = bytes(range(256)) * 8192
    with fetch(put, "PUT", data) as answer:
        assert answer.status == 200
    with fetch(get, "GET") as answer:
        assert answer.read() == data
    with fetch(head, "HEAD") as answer:
        assert int(answer.headers["Content-Length"]) == len(data)
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(head, "PUT", data)
    assert refused.value.code == 403
    with refused.value:
        assert b"<Code>SignatureDoesNotMatch</Code>" in refused.value.read()


@pytest.mark.slow
def test_256_mib_travel_in_parallel_parts(
    gateway: Stand, straight: dict[str, str], tmp_path: Path
) -> None:
    mebi = 256
    expected = json.loads(run(straight, TRANSFER, str(mebi), str(tmp_path)))
    actual = json.loads(run(gateway.agent(), TRANSFER, str(mebi), str(tmp_path)))
    assert actual == expected
    assert actual[:2] == [True, mebi << 20]
