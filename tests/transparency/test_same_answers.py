"""Every call of the table gives the same answer through the gateway, byte for byte."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from moto_server import Moto
from stand import Stand

from tests.transparency.likeness import HOP_BY_HOP, Likeness
from tests.transparency.table import BY_HAND, Step, lists

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

AGENT = Path(__file__).parent / "agent.py"


def run_agent(
    table: list[tuple[str, list[Step]]], env: dict[str, str], moto: Moto
) -> list[dict[str, Any]]:
    moto.reset()
    done = subprocess.run(
        [sys.executable, str(AGENT)], input=json.dumps(table), text=True,
        env={**env, "MOTO_SEED_URL": f"{moto.url}/moto-api/seed", "SSL_CERT_FILE": env["AWS_CA_BUNDLE"]},
        capture_output=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    results: list[dict[str, Any]] = json.loads(done.stdout)
    for result in results:
        del result["requests"]  # signed for another host, by another key
        for answer in result["answers"]:
            for name in HOP_BY_HOP:
                answer["headers"].pop(name, None)
    return results


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(BY_HAND, id="by_hand"),
        pytest.param(lists(), id="lists", marks=pytest.mark.slow),
    ],
)
def test_no_call_of_the_table_gives_anything_else_through_the_gateway(
    table: list[tuple[str, list[Step]]],
    gateway: Stand,
    straight: dict[str, str],
    direct: Moto,
    behind: Moto,
) -> None:
    left = run_agent(table, straight, direct)
    right = run_agent(table, gateway.agent(), behind)
    likeness = Likeness(direct.url, behind.url)
    found = [
        difference
        for one, other in zip(left, right, strict=True)
        for difference in likeness.differences(one, other, one["call"])
    ]
    assert not found, "\n".join(found)


def test_the_table_is_wide() -> None:
    operations = {
        (service.partition("/")[0], step[0])
        for service, steps in BY_HAND
        for step in steps
        if step[2]["how"] == "call"
    }
    assert len(operations) >= 300
    assert len({service for service, _ in operations}) >= 25
