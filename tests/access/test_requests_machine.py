"""Any order of steps by any number of clients and people keeps I6.

The model is the plain history of what was asked and answered; it knows nothing of how
the store keeps it.
"""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from gatekeep.access.quorum import Quorum
from gatekeep.access.request import TRANSITIONS, ClaimError, RefusedError, State
from gatekeep.access.requests import AccessRequests
from tests.access.people import Asking, StillClock, person, session_of

ASKERS = [person("agent-1", "agents"), person("dora", "dba", "agents")]
PEOPLE = [
    person("dora", "dba", "agents"),
    person("bo", "dba", "security"),
    person("sam", "security"),
]
QUORUMS = [
    (Quorum(1, "dba"),),
    (Quorum(2, "dba"),),
    (Quorum(1, "dba"), Quorum(1, "security")),
]
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where a commit costs nothing: this is about order, not about disks."""
FINAL = {State.USED, State.DENIED, State.EXPIRED}


class Requests(RuleBasedStateMachine):
    """Clients open, go and claim; people approve and deny; time passes."""

    exchanges = Bundle("exchanges")

    def __init__(self):
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="gatekeep-access-", dir=MEMORY))
        self.clock = StillClock()
        self.requests = AccessRequests(self.directory, clock=self.clock)
        self.ask = Asking(self.requests, self.clock)
        self.count = 0
        self.asked = {}
        """What each exchange asked for: (asker, digest, quorums)."""
        self.request_of = {}
        """The access request each exchange waits on."""
        self.gone = set()
        self.ran = {}
        """The exchange that ran under each access request."""
        self.said_yes = {}
        """The people whose approval was taken, by access request."""
        self.seen = {}
        """The state each access request was seen in last."""

    def teardown(self):
        self.requests.close()
        shutil.rmtree(self.directory)

    @rule(
        target=exchanges,
        asker=st.sampled_from(ASKERS),
        digest=st.sampled_from("ab"),
        quorums=st.sampled_from(QUORUMS),
    )
    def open(self, asker, digest, quorums):
        return self._open((asker, digest, quorums))

    @rule(target=exchanges, exchange=exchanges)
    def open_the_same_again(self, exchange):
        return self._open(self.asked[exchange])

    def _open(self, asked):
        asker, digest, quorums = asked
        self.count += 1
        exchange = f"x-{self.count}"
        opened = self.ask(
            exchange,
            session=session_of(asker),
            parameters_digest=digest,
            quorums=quorums,
        )
        assert opened.state in (State.PENDING, State.APPROVED)
        self.asked[exchange] = asked
        for other, request_id in self.request_of.items():
            if request_id == opened.id:
                assert self.asked[other] == self.asked[exchange]
        self.request_of[exchange] = opened.id
        return exchange

    @rule(exchange=exchanges, approver=st.sampled_from(PEOPLE))
    def approve_once(self, exchange, approver):
        self.approve(exchange, approver)

    def approve(self, exchange, approver):
        request_id = self.request_of[exchange]
        asker, _, quorums = self.asked[exchange]
        try:
            self.requests.approve(request_id, approver=approver)
        except RefusedError:
            return
        people = self.said_yes.setdefault(request_id, [])
        assert approver.id != asker.id
        assert approver not in people
        assert any(quorum.group in approver.groups for quorum in quorums)
        people.append(approver)

    @rule(exchange=exchanges)
    def approve_as_often_as_anyone_can(self, exchange):
        for approver in PEOPLE * 2:
            self.approve(exchange, approver)

    @rule(exchange=exchanges, approver=st.sampled_from(PEOPLE))
    def deny(self, exchange, approver):
        asker, _, quorums = self.asked[exchange]
        try:
            self.requests.deny(self.request_of[exchange], approver=approver)
        except RefusedError:
            return
        assert approver.id != asker.id
        assert any(quorum.group in approver.groups for quorum in quorums)

    @rule(target=exchanges, exchange=consumes(exchanges))
    def claim(self, exchange):
        request_id = self.request_of[exchange]
        try:
            used = self.requests.claim(request_id, exchange_id=exchange)
        except ClaimError as error:
            if error.state is State.USED:
                assert request_id in self.ran
            return exchange
        assert request_id not in self.ran
        assert exchange not in self.gone
        self.ran[request_id] = exchange
        people = self.said_yes[request_id]
        assert [each.approver_id for each in used.approvals] == [
            each.id for each in people
        ]
        needed = sum(quorum.count for quorum in self.asked[exchange][2])
        assert len({each.id for each in people}) == needed
        return multiple()

    @rule(target=exchanges, exchange=consumes(exchanges), keeps=st.booleans())
    def abandon(self, exchange, keeps):
        self.requests.abandon(self.request_of[exchange], exchange)
        self.gone.add(exchange)
        # Kept: a client that has gone and whose gateway still tries to claim.
        return exchange if keeps else multiple()

    @rule(seconds=st.sampled_from([1.0, 2.0, 3.0, 59.0, 61.0, 601.0]))
    def wait(self, seconds):
        self.clock.seconds += seconds

    @invariant()
    def only_known_steps_are_made(self):
        for request in self.requests.list():
            before = self.seen.get(request.id, State.PENDING)
            # Between two looks time may pass and then one step be made.
            reachable = {before} | TRANSITIONS[before]
            assert request.state in reachable
            if before in FINAL:
                assert request.state is before
            self.seen[request.id] = request.state

    @invariant()
    def nothing_ran_twice(self):
        used = [each for each in self.requests.list() if each.state is State.USED]
        assert {each.id: each.claimed_by for each in used} == self.ran

    @invariant()
    def at_most_one_request_can_be_joined_for_each_thing_asked(self):
        open_ones = [
            (each.principal_id, each.parameters_digest, each.quorums)
            for state in (State.PENDING, State.APPROVED)
            for each in self.requests.list(state)
        ]
        assert len(open_ones) == len(set(open_ones))


Requests.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None
)
TestRequests = Requests.TestCase
