"""One exchange's masking: what to ask for, and how the answer is masked."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Protocol as Interface

from gatekeep.aws.call import Call, Protocol
from gatekeep.http.messages import Field, ResponseHead
from gatekeep.limits import MASKED_DEPTH_MAX, MASKED_TOKEN_BYTES_MAX
from gatekeep.masking.failure import MaskingError
from gatekeep.masking.json_body import JsonMask
from gatekeep.masking.profiles import Rules
from gatekeep.masking.untouched import UNTOUCHED_FIELDS

MODELLED_LEVELS = {"dynamodb": 1, "dynamodbstreams": 2}
"""Services below whose first levels of members the names are the users' own."""

CRC32 = b"x-amz-crc32"


class Codec(Interface):
    """Masks one body: bytes in, bytes out, however they are cut."""

    findings: dict[str, int]
    length_kept: bool

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the body, give masked bytes that are final."""

    def finish(self) -> bytes:
        """End the body, give the masked rest. Raises MaskingError."""


class ResponseMask:
    """Masks one answer: its body as it streams, and its head fields."""

    __slots__ = ("_codec", "findings", "length_kept", "passes")

    def __init__(self, codec: Codec | None) -> None:
        self._codec = codec
        self.passes = codec is None
        """Nothing to do: bytes and fields go through untouched."""
        self.length_kept = codec is None or codec.length_kept
        """The body keeps its length, so Content-Length stays right."""
        self.findings: dict[str, int] = {} if codec is None else codec.findings
        """How many values each detector (``field``: a named field) hid so far."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the body as they come; give masked bytes to pass on.

        Raises:
            MaskingError: the body cannot be masked; nothing more may pass.
        """
        return data if self._codec is None else self._codec.feed(data)

    def finish(self) -> bytes:
        """End the body; give the masked rest. Raises as `feed` does."""
        return b"" if self._codec is None else self._codec.finish()

    def fields(self, fields: Sequence[Field], *, body: bytes | None) -> list[Field]:
        """Return the answer's fields, right for the masked body.

        Args:
            fields: as the upstream sent them.
            body: the whole masked body when it was collected, so that its length
                and checksum are known; None when it streams.
        """
        if self._codec is None:
            return list(fields)
        kept = []
        for name, value in fields:
            if name == b"content-length":
                if body is not None:
                    kept.append((name, b"%d" % len(body)))
                elif self.length_kept:
                    kept.append((name, value))
            elif name == CRC32:
                # Deleted, Go's SDK would check against 0 and warn on each call.
                if body is not None:
                    kept.append((name, b"%d" % zlib.crc32(body)))
            elif not name.startswith(b"x-amz-checksum-") and name != b"content-md5":
                kept.append((name, self._field(name, value)))
        return kept

    def _field(self, name: bytes, value: bytes) -> bytes:
        """A field's value, masked unless it is AWS's own."""
        if name in UNTOUCHED_FIELDS or self._codec is None:
            return value
        return value


class WholeJson:
    """Masks a JSON body once it is complete."""

    length_kept = False

    def __init__(self, mask: JsonMask) -> None:
        self._mask = mask
        self._body = bytearray()
        self.findings: dict[str, int] = mask.counts

    def feed(self, data: bytes) -> bytes:
        """Keep bytes up to the limit."""
        self._body += data
        if len(self._body) > MASKED_TOKEN_BYTES_MAX:
            raise MaskingError("masking.size", "the answer is too large to be masked")
        return b""

    def finish(self) -> bytes:
        """Give the whole masked body."""
        return self._mask.mask(bytes(self._body)) if self._body else b""


def is_json(content_type: bytes) -> bool:
    """Whether a media type says JSON; AWS's JSON services may give none."""
    media = content_type.partition(b";")[0].strip().lower()
    return not media or media.endswith(b"json") or b"/x-amz-json" in media


class MaskPlan:
    """How one call's answer will be masked; made before the call is sent."""

    __slots__ = ("_call", "_rules")

    def __init__(self, call: Call, rules: Rules | None) -> None:
        self._call = call
        self._rules = rules

    def request_fields(self, fields: Sequence[Field]) -> list[Field]:
        """Return the request's fields, changed so that the answer can be masked."""
        if self._rules is None:
            return list(fields)
        kept = [one for one in fields if one[0] != b"accept-encoding"]
        return [*kept, (b"accept-encoding", b"identity")]

    def response(self, head: ResponseHead) -> ResponseMask:
        """Return what masks the answer that this head begins.

        Raises:
            MaskingError: an answer of this form cannot be masked.
        """
        if self._rules is None:
            return PASSES
        if head.get(b"content-encoding", b"identity") != b"identity":
            raise MaskingError(
                "masking.encoding", "the answer is compressed and cannot be masked"
            )
        if self._call.protocol in (Protocol.JSON, Protocol.REST_JSON) and is_json(
            head.get(b"content-type")
        ):
            levels = MODELLED_LEVELS.get(self._call.service, MASKED_DEPTH_MAX)
            mask = JsonMask(self._rules, modelled_levels=levels)
            return ResponseMask(WholeJson(mask))
        if not self._rules.refuses_uninspectable:
            return PASSES
        raise MaskingError(
            "masking.uninspectable", "the answer's format cannot be inspected"
        )


PASSES = ResponseMask(None)
"""The mask that does nothing: shared, because it keeps nothing."""
