"""`gatekeep demo` as a newcomer runs it, and everything it started gone afterwards."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gatekeep.cli.demo import command, story
from gatekeep.cli.demo.seed import PROTECTED
from gatekeep.cli.demo.story import StepError
from gatekeep.errors import OperatorError, UnavailableError

DEMO = [sys.executable, "-m", "gatekeep.cli.main", "demo", "--fast"]
pytestmark = pytest.mark.e2e


class Demo:
    """A demo in a process of its own, with its temporary files in one place."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self.process = subprocess.Popen(
            [*DEMO, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "TMPDIR": str(directory), "COLUMNS": "100"},
            start_new_session=True,
        )
        self.told = ""

    def read_until(self, text: str) -> None:
        for line in self.process.stdout:
            self.told += line
            if text in line:
                return
        raise AssertionError(f"never came to {text!r}: {self.told}")

    def end(self) -> int:
        self.told += self.process.communicate(timeout=60)[0]
        return self.process.returncode

    def leftovers(self) -> list[str]:
        """What is left of it: processes that know its directory, and files."""
        found = [str(path) for path in self.directory.iterdir()]
        for process in Path("/proc").glob("[0-9]*"):
            try:
                about = (process / "cmdline").read_bytes()
                about += (process / "environ").read_bytes()
            except OSError:
                continue
            if os.fsencode(self.directory) in about:
                found.append(f"{process.name}: {about[:200]!r}")
        return found


@pytest.fixture
def demo(tmp_path):
    started = []

    def start(*options):
        started.append(Demo(tmp_path, *options))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            os.killpg(each.process.pid, signal.SIGKILL)
            each.process.communicate()


FACTS = [
    "AWS says: arn:aws:sts::123456789012:assumed-role/support-agent/",
    "in AWS what the agent gets",
    "536-22-8145 [ssn]",
    "4012888888881881 ************1881",
    "c-1003 Chloe Park [ssn]",
    "the answer's format cannot be inspected",
    "AccessDenied",
    "no-destructive-sql",
    "still missing: 1 more of dba",
    "is your own: somebody else has to decide it",
    ": approved; it runs once",
    'agent$ {"tier": "platinum"}',
    "None of 9 protected values is in the log.",
    "dora → nora",
    "does not hold",
    "That was gatekeep",
]


def test_the_demo_tells_its_story_goes_on_and_leaves_nothing(demo):
    """To its end, then an agent of the reader's own with what it printed, then Ctrl-C."""
    running = demo("--keep")
    running.read_until("Ctrl-C ends it")
    told = " ".join(running.told.replace("│", " ").split())
    for fact in FACTS:
        assert fact in told
    exported = dict(re.findall(r"^export (\w+)=(\S+)$", running.told, re.MULTILINE))
    done = subprocess.run(
        [sys.executable, str(story._AGENT), "read", "c-1002"],
        env={"PATH": os.environ["PATH"], "HOME": str(running.directory), **exported},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ssn"] == "[ssn]"
    listed = subprocess.run(
        [sys.executable, "-m", "gatekeep.cli.main", "access", "list", "--all"],
        env={**os.environ, **exported},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "used" in listed.stdout
    os.kill(running.process.pid, signal.SIGINT)
    assert running.end() == 0
    assert running.leftovers() == []
    assert "Traceback" not in running.told


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143)],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_an_interrupted_demo_leaves_nothing(demo, number, code):
    running = demo()
    running.read_until("Starting")
    # In the middle of it: once something runs.
    while not list(running.directory.glob("*/moto.log")):
        assert running.process.poll() is None
        time.sleep(0.01)
    for _ in range(3):
        # Who is impatient presses it again.
        os.kill(running.process.pid, number)
        time.sleep(0.05)
    assert running.end() == code
    assert running.leftovers() == []
    assert "Traceback" not in running.told


def test_a_server_that_fails_ends_the_demo_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(command, "_GATEWAY_CREDENTIALS", {"PYTHONHOME": "/nowhere"})
    with pytest.raises(UnavailableError) as raised:
        command.demo(keep=False, fast=True)
    assert raised.value.message.startswith("gateway did not come up")
    assert list(tmp_path.iterdir()) == []


def test_a_step_that_fails_is_named():
    error = StepError("3 A blocked statement", "expected a denial")
    assert error.message == "step 3 A blocked statement: expected a denial"


def test_what_the_demo_needs_is_named_with_how_to_get_it(monkeypatch):
    monkeypatch.setattr(command, "_NEEDED", ("boto3", "nothing_of_that_name"))
    with pytest.raises(OperatorError) as raised:
        command.demo(keep=False, fast=True)
    assert raised.value.message == (
        "the demo needs nothing_of_that_name: pip install 'gatekeep[demo]'"
    )


def test_the_agent_is_stock_boto3():
    """Its whole difference is its environment."""
    text = story._AGENT.read_text()
    imported = set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE))
    assert imported == {"boto3", "botocore", "collections", "json", "sys"}
    for word in ("endpoint", "verify", "Config(", "http", *PROTECTED):
        assert word not in text
