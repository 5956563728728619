"""The demo's six steps, each told and each checked.

A step tells what it does, does it with real processes, shows what came out, and raises
`StepError` when that is not what the product promises.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from gatekeep.cli.demo import seed
from gatekeep.cli.demo.place import AGENT, BUCKET, REVIEWER, Place, plain_environment
from gatekeep.cli.demo.processes import Processes
from gatekeep.errors import GatekeepError

_AGENT = Path(__file__).with_name("agent.py")
_PAUSE_S = 1.5
_CUSTOMER = "c-1001"
_WAIT_S = 20.0


class StepError(GatekeepError):
    """A step of the demo did not end as it has to; the command exits with 1."""

    def __init__(self, step: str, message: str) -> None:
        super().__init__("demo.step", f"step {step}: {message}")


class Story:
    """Tells the story on a console.

    Args:
        place: where everything is.
        processes: what runs, and runs more.
        console: who is told.
        pauses: leave a reader time after each step.
    """

    def __init__(
        self, place: Place, processes: Processes, console: Console, *, pauses: bool
    ) -> None:
        self._place = place
        self._processes = processes
        self._console = console
        self._pauses = pauses
        self._step = ""
        home = place.directory
        self._agent_env = plain_environment(home) | place.agent_environment
        self._operator_env = plain_environment(home) | {
            "GATEKEEP_CONFIG": str(place.config),
            "COLUMNS": str(min(console.width - 4, 96)),
        }
        if console.is_terminal:
            self._operator_env["FORCE_COLOR"] = "1"

    def tell(self) -> None:
        """All six steps in order.

        Raises:
            StepError: one did not end as it has to.
        """
        self._identity()
        self._masked_read()
        self._blocked_statement()
        self._held_write()
        self._evidence()
        self._forgery()

    def _identity(self) -> None:
        with self._telling(
            "1 Identity",
            "The agent has no AWS credential. Its SDK trades an OIDC token for a short "
            "gateway session by itself: only environment variables were set.",
        ):
            variables = Table.grid(padding=(0, 1))
            for name, value in self._place.agent_environment.items():
                if name not in ("AWS_REGION", "AWS_DEFAULT_REGION"):
                    variables.add_row(Text(name, "cyan"), Text(self._short(value)))
            self._show(variables)
            answer = self._agent_says("whoami")
            self._check("assumed-role/support-agent/" in answer["Arn"], str(answer))
            self._show(Text.assemble("AWS says: ", (answer["Arn"], "bold green")))

    def _masked_read(self) -> None:
        with self._telling(
            "2 A masked read",
            "The agent reads a customer. The SDK notices nothing; protected values never "
            "leave the gateway, and what it cannot look into does not leave at all.",
        ):
            masked = self._agent_says("read", _CUSTOMER)
            raw = seed.raw_customer(self._place.upstream, _CUSTOMER)
            self._side_by_side(raw, masked)
            self._check(
                masked["name"] == raw["name"] and masked["ssn"] != raw["ssn"],
                f"the answer is not masked as it should be: {masked}",
            )
            scan = self._aws(
                "dynamodb", "scan", "--table-name", "customers",
                "--query", "Items[].[id.S, name.S, ssn.S, card.S]", "--output", "text",
            )  # fmt: skip
            self._check(scan.returncode == 0, scan.stderr)
            rows = sorted(scan.stdout.splitlines())
            self._show(Text("\n".join(rows).expandtabs(20)))
            object_ = self._aws(
                "s3api", "get-object", "--bucket", BUCKET, "--key", seed.EXPORT,
                "/dev/stdout",
            )  # fmt: skip
            self._check(
                object_.returncode != 0 and "cannot be inspected" in object_.stderr,
                f"expected a refusal: {object_.stdout}{object_.stderr}",
            )
            self._show(Text(object_.stderr.strip(), "red"))

    def _blocked_statement(self) -> None:
        with self._telling(
            "3 A blocked statement",
            "The agent sends DROP TABLE through Athena. The gateway reads the SQL inside "
            "the API call; policy forbids it and nothing reaches AWS.",
        ):
            done = self._agent("drop")
            self._check(
                done.returncode != 0 and "AccessDenied" in done.stderr,
                f"expected a denial: {done.stdout}{done.stderr}",
            )
            self._show(Text(done.stderr.strip(), "red"))

    def _held_write(self) -> None:
        with self._telling(
            "4 A held write",
            "Writing to a regulated table takes somebody else's consent. The agent's "
            "call waits on its open socket; no SDK setting was changed.",
        ):
            self._command("agent$", "python", "agent.py", "upgrade", _CUSTOMER)
            waiting = self._processes.begin(
                [sys.executable, str(_AGENT), "upgrade", _CUSTOMER], env=self._agent_env
            )
            request_id = self._wait_for_request(waiting)
            self._show_output(self._gatekeep("access", "list").stdout)
            refused = self._gatekeep("access", "approve", request_id, by=AGENT)
            self._check(
                refused.returncode != 0, "the asker could approve its own request"
            )
            self._show(Text(refused.stderr.strip(), "red"))
            self._check(
                seed.raw_customer(self._place.upstream, _CUSTOMER)["tier"] == "gold",
                "the write ran before it was approved",
            )
            approved = self._gatekeep(
                "access", "approve", request_id, "--comment", "ticket 4711", by=REVIEWER
            )
            self._check(approved.returncode == 0, approved.stderr)
            self._show(Text(approved.stdout.strip(), "green"))
            done = self._processes.finish(waiting)
            self._check(done.returncode == 0, done.stderr)
            self._show(Text(f"agent$ {done.stdout.strip()}", "green"))
            raw = seed.raw_customer(self._place.upstream, _CUSTOMER)
            self._check(raw["tier"] == "platinum", "the approved write did not run")

    def _evidence(self) -> None:
        with self._telling(
            "5 The evidence",
            "Intent before each call, outcome before each answer's last byte, masked and "
            "hash-chained. This is the write you just saw, from the log:",
        ):
            dump = self._gatekeep("audit", "dump", "--action", "dynamodb:UpdateItem")
            self._check(dump.returncode == 0 and REVIEWER in dump.stdout, dump.stderr)
            self._show_output(dump.stdout)
            verified = self._gatekeep("audit", "verify")
            self._check(verified.returncode == 0, verified.stdout + verified.stderr)
            self._show(Text(self._short(verified.stdout.strip()), "green"))
            everything = self._gatekeep(
                "audit", "dump", "--json", "--bodies", told=False
            )
            found = [each for each in seed.PROTECTED if each in everything.stdout]
            self._check(
                everything.returncode == 0 and not found,
                f"the log holds protected values: {found}",
            )
            self._show(
                Text(f"None of {len(seed.PROTECTED)} protected values is in the log.")
            )

    def _forgery(self) -> None:
        with self._telling(
            "6 A forgery",
            "An examiner gets an export and checks it offline, with code that shares "
            "nothing with the gateway. Now somebody changes one byte: who approved.",
        ):
            export = self._place.directory / "log.export"
            exported = self._gatekeep("audit", "export", str(export))
            self._check(exported.returncode == 0, exported.stderr)
            honest = self._verify(export)
            self._check(honest.returncode == 0, honest.stdout + honest.stderr)
            self._show(Text(self._short(honest.stdout.strip()), "green"))
            forged = export.with_name("forged.export")
            content = bytearray(export.read_bytes())
            place = content.find(f"#{REVIEWER}".encode()) + 1
            self._check(place > 0, "the approver is not in the export")
            content[place] = ord("n")
            forged.write_bytes(content)
            changed = content[place : place + len(REVIEWER)].decode()
            self._show(Text(f"byte {place}: {REVIEWER} → {changed}"))
            found = self._verify(forged)
            self._check(found.returncode == 1, "the forgery was not found")
            self._show(Text(self._short((found.stdout + found.stderr).strip()), "red"))

    # --- telling ----------------------------------------------------------------

    @contextmanager
    def _telling(self, title: str, text: str) -> Iterator[None]:
        self._step = title
        self._console.print()
        self._console.print(Rule(Text(title, "bold"), align="left"))
        self._console.print(Text(text))
        yield
        if self._pauses:
            self._processes.pause(_PAUSE_S)

    def _show(self, shown: RenderableType) -> None:
        self._console.print(Padding(shown, (0, 0, 0, 2)))

    def _show_output(self, output: str) -> None:
        self._show(Text.from_ansi(self._short(output.rstrip())))

    def _command(self, prompt: str, *words: str) -> None:
        line = f"  {prompt} {shlex.join(words)}"
        # One line whatever the width, so that it can be copied.
        self._console.print(Text(self._short(line), "dim"), soft_wrap=True)

    def _side_by_side(self, raw: dict[str, str], masked: dict[str, str]) -> None:
        table = Table(box=None, padding=(0, 3, 0, 0))
        for heading in ("", "in AWS", "what the agent gets"):
            table.add_column(heading)
        for name, value in raw.items():
            got = masked.get(name, "")
            style = "" if got == value else "bold green"
            table.add_row(Text(name, "dim"), Text(value), Text(got, style))
        self._show(Panel(table, expand=False))

    def _short(self, text: str) -> str:
        """The text with the demo's long directory cut short."""
        return text.replace(f"{self._place.directory}/", "")

    def _check(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise StepError(self._step, otherwise)

    # --- doing ------------------------------------------------------------------

    def _agent(self, *words: str) -> subprocess.CompletedProcess[str]:
        self._command("agent$", "python", "agent.py", *words)
        done = self._processes.run(
            [sys.executable, str(_AGENT), *words], env=self._agent_env
        )
        self._check_masked(done.stdout + done.stderr)
        return done

    def _agent_says(self, *words: str) -> dict[str, str]:
        done = self._agent(*words)
        self._check(done.returncode == 0, done.stderr)
        return dict(json.loads(done.stdout))

    def _aws(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the stock AWS CLI with the agent's environment."""
        self._command("agent$", "aws", *words)
        done = self._processes.run(
            [sys.executable, "-m", "awscli", *words], env=self._agent_env
        )
        self._check_masked(done.stdout + done.stderr)
        return done

    def _check_masked(self, output: str) -> None:
        found = [each for each in seed.PROTECTED if each in output]
        self._check(not found, f"the agent saw protected values: {found}")

    def _gatekeep(
        self, *words: str, by: str = "", told: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a `gatekeep` command as somebody at another terminal would."""
        env = dict(self._operator_env)
        if by:
            env["GATEKEEP_TOKEN_FILE"] = str(self._place.token_file(by))
        if told:
            self._command(f"{by or 'operator'}$", "gatekeep", *words)
        return self._processes.run(
            [sys.executable, "-m", "gatekeep.cli.main", *words], env=env
        )

    def _verify(self, export: Path) -> subprocess.CompletedProcess[str]:
        self._command("examiner$", "python", "-m", "gatekeep.verify", export.name)
        return self._processes.run(
            [sys.executable, "-m", "gatekeep.verify", str(export)],
            env=plain_environment(self._place.directory),
        )

    def _wait_for_request(self, waiting: subprocess.Popen[str]) -> str:
        """The id of the one request that waits for approval, once it does."""
        deadline_s = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline_s and waiting.poll() is None:
            listed = self._gatekeep("access", "list", "--json", told=False)
            if listed.returncode == 0 and (found := json.loads(listed.stdout)):
                self._check_masked(listed.stdout)
                return str(found[0]["id"])
        if waiting.poll() is None:
            raise StepError(self._step, "the write does not wait for approval")
        done = self._processes.finish(waiting)
        raise StepError(
            self._step, f"the write was not held: {done.stdout}{done.stderr}"
        )
