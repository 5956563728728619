"""What can go wrong, said by whose fault it is and what happens next.

An exception class answers two questions: at whose door does the fault lie, and
what does the process do now. A denial by policy is a value (`policy.Decision`),
not an exception.

Every error carries a ``code``: dotted, lower case, stable, never reused. The code
and the exchange id are all a client is told beyond the message; ``detail`` may go
to the operator's log and must never hold a secret or a body.
"""

from __future__ import annotations


class GatekeepError(Exception):
    """Base of every error gatekeep raises on purpose.

    Attributes:
        code: stable dotted name, for example ``wire.content_length_conflict``.
        message: one line for whoever has to act; no secret, no body.
        detail: more for the operator's log; no secret, no body.
    """

    def __init__(self, code: str, message: str, *, detail: str = "") -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.detail = detail


class PeerError(GatekeepError):
    """The client or the upstream broke the rules. Nothing of ours is in doubt.

    Attributes:
        status: HTTP status for the client, 400 to 599.
        aws_code: the error code an AWS SDK parses, for example ``AccessDenied``.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 400,
        aws_code: str = "ValidationException",
        detail: str = "",
    ) -> None:
        super().__init__(code, message, detail=detail)
        self.status = status
        self.aws_code = aws_code


class FramingError(PeerError):
    """The bytes are not the protocol. The connection is closed after the answer."""


class LimitError(PeerError):
    """A named bound of `limits.py` was passed. Nothing was sent upstream."""


class AuthenticationError(PeerError):
    """Signature, time, token or key does not hold. Nothing was sent upstream."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        aws_code: str,
        status: int = 403,
        detail: str = "",
    ) -> None:
        super().__init__(code, message, status=status, aws_code=aws_code, detail=detail)


class UnsupportedError(PeerError):
    """Valid, and not understood. Not understood is not passed (I3)."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 403,
        aws_code: str = "AccessDenied",
        detail: str = "",
    ) -> None:
        super().__init__(code, message, status=status, aws_code=aws_code, detail=detail)


class UpstreamError(PeerError):
    """The upstream answered with bytes that are not the protocol, or not at all.

    Raised only when it is certain that the request had no effect, or when an
    answer began: otherwise it is an `UnknownOutcomeError`.
    """

    def __init__(self, code: str, message: str, *, detail: str = "") -> None:
        super().__init__(
            code, message, status=502, aws_code="BadGateway", detail=detail
        )


class OperatorError(GatekeepError):
    """Settings, policy text or a command line is wrong. The program exits with 2.

    The message names the place (file, line or key) and what was expected there.
    """


class UnavailableError(GatekeepError):
    """Our side cannot now, and nothing was done. Retrying later can help (503)."""


class UnknownOutcomeError(GatekeepError):
    """Sent, and no answer: it may have happened. Never retried; recorded as such."""


class VerificationError(GatekeepError):
    """A chain, proof or signature does not hold. The command exits with 1."""


class FatalError(GatekeepError):
    """Durable state is in doubt: stop accepting, drain, exit with 70."""
