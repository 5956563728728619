"""`AWS_ENDPOINT_URL_<SERVICE>` with a path tag says which of several services is meant."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from raw_client import Session, ask, signed
from scripted_upstream import ScriptedUpstream, answer
from stand import Stand

FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
DESCRIBE = b"Action=DescribeDBClusters&Version=2014-10-31"
EMPTY = (
    b"<DescribeDBClustersResponse><DescribeDBClustersResult><DBClusters/>"
    b"</DescribeDBClustersResult></DescribeDBClustersResponse>"
)


def describe(gateway: Stand, session: Session, path: str) -> tuple[int, bytes]:
    return ask(
        gateway,
        signed(
            gateway, session, target="", service="rds", path=path, body=DESCRIBE,
            headers=FORM,
        ),
    )  # fmt: skip


@pytest.mark.parametrize("service", ["rds", "docdb", "neptune"])
@pytest.mark.parametrize("end", ["", "/"])
def test_the_tag_chooses_among_services_of_one_signing_name(
    gateway: Stand, session: Session, upstream: ScriptedUpstream, service: str, end: str
) -> None:
    upstream.script = answer(EMPTY, content_type="text/xml")
    assert describe(gateway, session, f"/~{service}{end}") == (200, EMPTY)
    assert upstream.requests[0].startswith(b"POST / HTTP/1.1\r\n"), "the tag stays here"
    intent = [r for r in gateway.dump("--last", "1") if r["kind"] == "intent"][-1]
    assert (intent["service"], intent["operation"]) == (service, "DescribeDBClusters")


@pytest.mark.parametrize("tag", ["dynamodb", "nosuch", ""])
def test_a_tag_cannot_name_what_the_scope_does_not_sign(
    gateway: Stand, session: Session, upstream: ScriptedUpstream, tag: str
) -> None:
    status, body = describe(gateway, session, f"/~{tag}/")
    assert status == 403
    assert b"aws." in body
    assert upstream.requests == []


def test_a_key_that_looks_like_a_tag_is_a_key_behind_its_buckets_host(
    gateway: Stand, session: Session, upstream: ScriptedUpstream
) -> None:
    upstream.script = answer(b"x", content_type="text/plain")
    status, _ = ask(
        gateway,
        signed(
            gateway, session, target="", service="s3", method="GET", body=b"",
            path="/~dynamodb/key", headers={"Host": f"bucket.localhost:{gateway.port}"},
        ),
    )  # fmt: skip
    assert status == 200
    assert b"/~dynamodb/key" in upstream.requests[0].split(b"\r\n")[0]


def test_stock_boto3_takes_the_tag_from_its_environment(
    gateway: Stand, upstream: ScriptedUpstream
) -> None:
    upstream.script = answer(EMPTY, content_type="text/xml")
    env = {
        **gateway.agent(),
        "AWS_ENDPOINT_URL_DOCDB": f"{gateway.url}/~docdb",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    code = "import boto3; print(boto3.client('docdb').describe_db_clusters()['DBClusters'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout == "[]\n", done.stderr
    intent = [r for r in gateway.dump("--last", "1") if r["kind"] == "intent"][-1]
    assert intent["service"] == "docdb"
