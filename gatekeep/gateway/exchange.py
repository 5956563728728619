"""The story of one request, from its head to its last byte.

Read `Exchange._pass` top to bottom: it is what gatekeep does, in order. Each line
calls one room and knows nothing of how it works. A refusal at any line is told to
the client in its own protocol's shape, and recorded when somebody was identified.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

import structlog

from gatekeep.access.requests import AccessRequest
from gatekeep.audit.record import Receipt, Record
from gatekeep.aws.authorization import Authorization, parse_authorization
from gatekeep.aws.call import Call, Route
from gatekeep.aws.credentials import UpstreamCredentials
from gatekeep.aws.embedded import remake_url, take_out_url
from gatekeep.aws.sigv4 import verify_head
from gatekeep.errors import (
    GatekeepError,
    PeerError,
    UnavailableError,
    UnknownOutcomeError,
    UpstreamError,
)
from gatekeep.gateway import doors, entries, refusal
from gatekeep.gateway.answer import Delivered, Delivery
from gatekeep.gateway.approval import approve
from gatekeep.gateway.client import Client, ClientGoneError
from gatekeep.gateway.forward import Forwarding
from gatekeep.gateway.gate import Gate
from gatekeep.gateway.own_credentials import (
    CredentialsRefusedError,
    ReadAhead,
    look_at_fault,
)
from gatekeep.gateway.request_body import RequestBody
from gatekeep.gateway.upstream import UpstreamConnection
from gatekeep.http.messages import RequestHead, ResponseHead
from gatekeep.policy.decision import Decision, Effect
from gatekeep.principal import Session

log = structlog.get_logger()

_OWN_STORES = ("audit.", "ledger.", "store.")
"""Codes of errors that are about our own disk or ledger."""


class Exchange:
    """One HTTP request and its response, and what is known of it so far."""

    # Each is set once, by the line of the story that finds it out.
    session: Session
    authorization: Authorization
    route: Route
    body: RequestBody
    call: Call
    decision: Decision

    def __init__(self, gate: Gate, client: Client, head: RequestHead) -> None:
        self.gate = gate
        self.client = client
        self.head = head
        self.id = os.urandom(16).hex()
        self.started_ns = gate.clock.now_ns()
        self.source_address = client.peer_address
        self.approved: AccessRequest | None = None
        self.intent: asyncio.Future[Receipt] | None = None
        self.sent = False
        """Whether AWS has got the whole request, and may have acted on it."""
        self.ended = False
        """Whether the outcome is recorded."""
        self._upstream_request_id = ""
        self._masked_parameters: Mapping[str, object] | None = None

    async def run(self) -> None:
        """Answer the request, whatever comes of it; never raises for a peer's fault."""
        try:
            await self._pass()
        except UnknownOutcomeError as error:
            await self._end_early("unknown", error)
        except GatekeepError as error:
            # Without the whole request, only AWS or the way there can have failed.
            failed_there = self.sent or isinstance(
                error, (UpstreamError, UnavailableError)
            )
            result = "upstream_failed" if self.intent and failed_there else "refused"
            await self._end_early(result, self._as_told(error))
        except Exception:
            log.exception("exchange failed", exchange=self.id)
            fault = GatekeepError(
                "gateway.fault", "gatekeep failed; its operator's log says more"
            )
            result = "unknown" if self.sent else "refused"
            await self._end_early(result, self._as_told(fault))
        finally:
            self.client.on_lost = None
            if self.intent is not None:
                self.intent.add_done_callback(_look_at)
            if hasattr(self, "body"):
                self.body.release()

    async def _pass(self) -> None:
        """What happens to a request, in order."""
        gate, received = self.gate, self.head
        if doors.leads_to_session(received):
            await doors.give_session(self)
            return

        self.authorization = parse_authorization(received)
        self.session = self._open_session()
        self.head, tagged = gate.recogniser.untagged(received)
        self.route = gate.recogniser.route(
            self.head,
            signing_name=self.authorization.service,
            region=self.authorization.region,
            service=tagged,
        )
        self.body = RequestBody(gate, self.client, self.authorization)
        await self.body.receive(self.route)
        verified = verify_head(
            received,
            self.authorization,
            self.session,
            now_s=gate.clock.now_s(),
            body_sha256=self.body.sha256(),
        )
        self.body.verify_whole()
        call = gate.recogniser.call(
            self.route,
            self.head,
            self.body.whole,
            account_id=self.session.role_arn.split(":")[4],
        )
        self.call, source_region = take_out_url(call)
        self.decision = self._decide()
        if self.decision.effect is Effect.HOLD:
            self.approved = await self._wait_for_people()
        if doors.answers_itself(self.call):
            await doors.say_who_you_are(self)
            return

        plan = gate.masking.plan(self.call, self.head, self.decision.obligations.mask)
        endpoint = gate.endpoints.resolve(self.call, self.head)
        credentials = await gate.credentials.credentials_for(
            self.session, exchange_id=self.id
        )
        if source_region:
            self._remake_url(source_region, credentials)
        await self.record_intent(upstream_host=endpoint.host)
        forwarding = Forwarding(self, verified, plan, endpoint, credentials)
        upstream, answer = await forwarding.run()
        await self._deliver(forwarding, upstream, answer)

    # --- the lines of the story ---------------------------------------------------

    def _open_session(self) -> Session:
        """The sealed session that the request names, if it still stands."""
        session = self.gate.keyring.open(
            self.authorization.session_token,
            access_key_id=self.authorization.access_key_id,
            now_s=self.gate.clock.now_s(),
        )
        self.gate.revocations.verify(session)
        return session

    def _decide(self) -> Decision:
        """What policy says; a denial ends the exchange."""
        session = self.session
        doors.refuse_impassable(self.call)
        decision = self.gate.policy.decide(
            session.principal,
            self.call,
            {
                "source_ip": self.source_address,
                "justification": session.justification,
                "ticket": session.ticket,
                "session_name": session.name,
            },
        )
        if decision.effect is Effect.DENY and not doors.answers_itself(self.call):
            self.decision = decision
            raise refusal.DeniedError("policy.denied", decision.message, decision)
        return decision

    async def _wait_for_people(self) -> AccessRequest:
        """Hold the request until people approve exactly it, once (I6)."""
        # An upload is approved with its content, so the content must be here.
        await self.body.read_whole()
        self.body.verify_whole()
        return await approve(self)

    def _remake_url(self, source_region: str, credentials: UpstreamCredentials) -> None:
        """Presign the URL that the call carries with the gateway's credentials."""
        gate = self.gate
        form = remake_url(
            self.call,
            self.head,
            self.body.whole or b"",
            source_region,
            endpoints=gate.endpoints,
            signer=gate.signer,
            credentials=credentials,
            now_s=gate.clock.now_s(),
        )
        self.body.replace(form)

    async def record_intent(self, *, upstream_host: str) -> None:
        """Have the intent recorded: durable before anything can change (I1)."""
        self.intent = self.gate.ledger.append(
            entries.intent_of(self, upstream_host=upstream_host)
        )
        if self.call.changes:
            await self.intent

    async def _deliver(
        self,
        forwarding: Forwarding,
        upstream: UpstreamConnection,
        answer: ResponseHead,
    ) -> None:
        """Mask the answer on its way and finish it once its outcome is durable (I2)."""
        self._upstream_request_id = (
            answer.get(b"x-amzn-requestid") or answer.get(b"x-amz-request-id")
        ).decode("latin-1")
        content_type = answer.get(b"content-type")

        async def before_last(delivered: Delivered) -> None:
            await self.record_outcome(delivered, content_type)

        assert self.intent is not None
        try:
            source: UpstreamConnection | ReadAhead = upstream
            if answer.status >= 400:
                source = await look_at_fault(
                    upstream,
                    answer,
                    self.call.service,
                    forwarding.credentials,
                    forwarding.signature,
                )
            await Delivery(
                self.client,
                source,
                self.head.method,
                forwarding.plan.response(answer),
                self.intent,
                before_last,
            ).run(answer)
        except CredentialsRefusedError as error:
            self.sent = False
            self.gate.pool.discard(upstream)
            log.error(
                "AWS refuses the gateway's credentials",
                exchange=self.id,
                upstream=forwarding.endpoint.host,
                access_key_id=forwarding.credentials.access_key_id,
                aws_code=error.aws_says,
            )
            raise
        except BaseException:
            self.gate.pool.discard(upstream)
            raise
        self.client.on_lost = None
        self.gate.pool.give_back(upstream)

    async def record_outcome(self, delivered: Delivered, content_type: bytes) -> None:
        """Make the outcome durable; only then may the answer's last byte leave."""
        references, kept = entries.captured_answer(self, delivered, content_type)
        outcome = entries.outcome_of(
            self,
            result="completed",
            delivered=delivered,
            upstream_request_id=self._upstream_request_id,
            captures=references,
        )
        self.ended = True
        await self.gate.ledger.append(outcome, captures=kept)

    # --- when it ends early -------------------------------------------------------

    def _as_told(self, error: GatekeepError) -> GatekeepError:
        """The error as the client should hear it.

        Once a call that changes something was sent, no answer may invite the SDK to
        send it again, whatever went wrong with the answer.
        """
        if isinstance(error, UnavailableError) and error.code.startswith(_OWN_STORES):
            # Paths and sizes of ours are the operator's business.
            log.error("cannot record", exchange=self.id, error=str(error))
            error = UnavailableError(
                error.code, "the gateway cannot keep records now, so it refuses"
            )
        if not (self.sent and self.call.changes):
            return error
        return UnknownOutcomeError(
            error.code,
            f"{error.message}; the call was sent to AWS and may have taken effect, so"
            " look before you send it again",
            detail=error.detail,
        )

    async def _end_early(self, result: str, error: GatekeepError) -> None:
        """Record how an exchange ended that did not complete, and tell the client."""
        if not self.ended and hasattr(self, "session"):
            self.ended = True
            if self.client.closed:
                result, error = "client_gone", ClientGoneError()
            record: Record
            if self.intent is None:
                status = error.status if isinstance(error, PeerError) else 503
                record = entries.refusal_of(self, error, status=status)
            else:
                record = entries.outcome_of(
                    self,
                    result=result,
                    error=error,
                    upstream_request_id=self._upstream_request_id,
                )
            try:
                await self.gate.ledger.append(record)
            except GatekeepError as failure:
                # Nothing was passed on, or its intent is durable: no hole in the log.
                log.error("not recorded", exchange=self.id, error=str(failure))
        await self._refuse(error)

    async def _refuse(self, error: GatekeepError) -> None:
        """Tell the client why not; one whose answer has begun is cut off instead."""
        client = self.client
        if client.closed or client.answer_began:
            client.abort()
            return
        answer, body = refusal.answer_for(
            error,
            head=self.head,
            service=self.authorization.service
            if hasattr(self, "authorization")
            else "",
            known=self.known,
            exchange_id=self.id,
        )
        client.send_whole(answer, body, method=self.head.method)
        await client.discard_body()

    # --- what is known so far -----------------------------------------------------

    @property
    def known(self) -> Call | Route | None:
        """The call, or as much as the head told; None before recognition."""
        return getattr(self, "call", None) or getattr(self, "route", None)

    @property
    def user_agent(self) -> str:
        """What the client says it is; a hint, unsigned."""
        return self.head.get(b"user-agent")[:256].decode("latin-1")

    def masked_parameters(self) -> Mapping[str, object]:
        """The call's parameters as records and reviewers see them (I5)."""
        if self._masked_parameters is None:
            decision = getattr(self, "decision", None)
            profiles = decision.obligations.mask if decision else ()
            masked, _ = self.gate.masking.mask_value(
                dict(self.call.parameters), profiles
            )
            assert isinstance(masked, Mapping)
            self._masked_parameters = masked
        return self._masked_parameters


def _look_at(intent: asyncio.Future[Receipt]) -> None:
    """Take notice of how an intent ended that nobody waits for any more."""
    if not intent.cancelled():
        intent.exception()
