"""The one error of the masking room: an answer or body that cannot be masked."""

from __future__ import annotations

from gatekeep.errors import PeerError


class MaskingError(PeerError):
    """A body cannot be masked, so it does not pass (I3).

    The status is 403 and the AWS code ``AccessDenied`` unless told otherwise:
    SDKs retry a 5xx, and the same body would be refused again.
    """

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


REASONS = {
    "malformed": "it is not of its format",
    "depth": "it is nested too deep",
    "token_size": "a value in it is too long",
    "uninspectable": "it holds bytes of a format that cannot be inspected",
    "collected": "it must be read whole and is too long for that",
    "columns": "a row in it has too many cells",
}


def unreadable(error: ValueError) -> MaskingError:
    """Return the error for a body in which a kernel found something wrong."""
    code, detail = error.args
    reason = REASONS.get(code, "it cannot be read")
    return MaskingError(
        f"masking.{code}", f"the body cannot be masked: {reason}", detail=detail
    )
