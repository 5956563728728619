"""When a part of the gateway dies or cannot write: refuse, lose nothing, come back."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from raw_client import ask, open_session, signed
from scripted_upstream import ScriptedUpstream
from stand import Issuer, Stand, run_gatekeep

PUT_ITEM = "DynamoDB_20120810.PutItem"


def put(number: int) -> bytes:
    return json.dumps(
        {"TableName": "t", "Item": {"id": {"S": f"write-{number}"}}}
    ).encode()


@pytest.fixture
def stand(
    tmp_path: Path,
    upstream: ScriptedUpstream,
    issuer: Issuer,
    request: pytest.FixtureRequest,
) -> Iterator[Stand]:
    """A gateway of this test's own, because it will be hurt."""
    stand = Stand(
        tmp_path, upstream.url, issuer,
        '@id("all")\npermit (principal in Group::"agents", action, resource);\n',
        extra=getattr(request, "param", ""), assume=False,
    )  # fmt: skip
    stand.write()
    stand.start()
    yield stand
    stand.kill()


def children(stand: Stand) -> list[int]:
    """The ledger and the worker, in the order they were started."""
    assert stand.process is not None
    pid = stand.process.pid
    return [
        int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ]


@pytest.mark.parametrize("stand", ["map_bytes = 1048576"], indirect=True)
def test_a_full_audit_store_refuses_every_request(
    stand: Stand, upstream: ScriptedUpstream
) -> None:
    session = open_session(stand)
    statuses: list[int] = []
    # The last record that does not fit may be an outcome: that write was sent, so the
    # client is told to look (424). From then on nothing is sent any more.
    while statuses[-3:] != [503, 503, 503]:
        assert len(statuses) < 5000
        data = signed(stand, session, target=PUT_ITEM, body=put(len(statuses)))
        status, body = ask(stand, data)
        statuses.append(status)
    assert set(statuses) <= {200, 424, 503}
    assert b"cannot keep records" in body
    assert str(stand.directory).encode() not in body
    upstream.requests.clear()
    for target, content in ((PUT_ITEM, put(0)), ("DynamoDB_20120810.GetItem", None)):
        data = signed(
            stand, session, target=target, **({"body": content} if content else {})
        )
        assert ask(stand, data)[0] == 503
    assert not any(b"PutItem" in request for request in upstream.requests)


def test_a_dead_ledger_refuses_until_it_is_back(
    stand: Stand, upstream: ScriptedUpstream
) -> None:
    session = open_session(stand)
    assert ask(stand, signed(stand, session, target=PUT_ITEM, body=put(1)))[0] == 200
    ledger = children(stand)[0]
    os.kill(ledger, signal.SIGSTOP)
    upstream.requests.clear()
    status, _ = ask(stand, signed(stand, session, target=PUT_ITEM, body=put(2)))
    assert status == 503, "a stalled ledger refuses"
    assert upstream.requests == []
    os.kill(ledger, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while ask(stand, signed(stand, session, target=PUT_ITEM, body=put(3)))[0] != 200:
        assert time.monotonic() < deadline
    assert ": holds: " in run_gatekeep(
        "audit", "verify", "--config", str(stand.directory / "gatekeep.toml")
    )


def test_a_dead_worker_is_replaced(stand: Stand) -> None:
    session = open_session(stand)
    worker = children(stand)[1]
    os.kill(worker, signal.SIGKILL)
    deadline = time.monotonic() + 30
    status = 0
    while status != 200:
        assert time.monotonic() < deadline
        with contextlib.suppress(OSError, ssl.SSLError):
            status, _ = ask(stand, signed(stand, session))
    assert children(stand)[1] != worker


def test_no_effect_upstream_lacks_its_intent_wherever_the_gateway_is_killed(
    stand: Stand, upstream: ScriptedUpstream
) -> None:
    """I1 under SIGKILL of everything at once, a few times, while four agents write."""
    session = open_session(stand)
    numbers = iter(range(1_000_000))

    def write(until: threading.Event) -> None:
        while not until.is_set():
            with contextlib.suppress(OSError, ssl.SSLError, IndexError, ValueError):
                data = signed(stand, session, target=PUT_ITEM, body=put(next(numbers)))
                ask(stand, data)

    for round_ in range(3):
        seen = len(upstream.requests)
        stop = threading.Event()
        writers = [threading.Thread(target=write, args=(stop,)) for _ in range(4)]
        for writer in writers:
            writer.start()
        deadline = time.monotonic() + 30
        while len(upstream.requests) < seen + 20 + 13 * round_:
            assert time.monotonic() < deadline
        for pid in [*children(stand), stand.process.pid]:  # type: ignore[union-attr]
            os.kill(pid, signal.SIGKILL)
        stop.set()
        for writer in writers:
            writer.join()
        stand.kill()
        stand.start()
    done = {match for r in upstream.requests for match in re.findall(rb"write-\d+", r)}
    assert len(done) >= 60
    records = stand.dump()
    intended = {
        str(r["parameters"]["Item"]["id"]["S"])  # type: ignore[index]
        for r in records
        if r["kind"] == "intent"
    }
    assert {name.decode() for name in done} <= intended
    assert ": holds: " in run_gatekeep(
        "audit", "verify", "--config", str(stand.directory / "gatekeep.toml")
    )


def test_a_second_gateway_on_the_same_state_is_refused(stand: Stand) -> None:
    config = (stand.directory / "gatekeep.toml").read_text()
    other = stand.directory / "other.toml"
    other.write_text(config.replace(f":{stand.port}", ":0"))
    done = stand.run("serve", "--config", str(other))
    assert done.returncode == 2
    assert "ledger" in done.stderr


def test_a_bad_policy_keeps_the_last_good_set_in_force(stand: Stand) -> None:
    session = open_session(stand)
    (stand.directory / "policies" / "test.cedar").write_text("permit (oops")
    deadline = time.monotonic() + 20
    while "policy not loaded" not in stand.log_path.read_text():
        assert time.monotonic() < deadline
    assert "test.cedar:1" in stand.log_path.read_text()
    assert ask(stand, signed(stand, session))[0] == 200
    (stand.directory / "policies" / "test.cedar").write_text(
        '@id("none")\nforbid (principal, action, resource);\n'
    )
    while ask(stand, signed(stand, session))[0] == 200:
        assert time.monotonic() < deadline
