"""One exchange's masking: what to ask for, and how the answer is masked."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from gatekeep._fast.splice import MalformedText
from gatekeep.aws.call import Call
from gatekeep.http.messages import Field, ResponseHead
from gatekeep.masking.codecs import Codec, document_codec
from gatekeep.masking.engine import Engine
from gatekeep.masking.failure import MaskingError, unreadable
from gatekeep.masking.untouched import UNTOUCHED_FIELDS

CRC32 = b"x-amz-crc32"


class ResponseMask:
    """Masks one answer: its body as it streams, and its head fields."""

    __slots__ = ("_codec", "_engine", "findings_before", "length_kept", "passes")

    def __init__(self, codec: Codec | None, engine: Engine | None) -> None:
        self._codec = codec
        self._engine = engine
        self.passes = codec is None
        """Nothing to do: bytes and fields go through untouched."""
        self.length_kept = codec is None or codec.length_kept
        """The body keeps its length, so Content-Length stays right."""

    @property
    def findings(self) -> dict[str, int]:
        """How many values each detector (``field``: a named field) hid so far."""
        return {} if self._codec is None else self._codec.findings

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the body as they come; give masked bytes to pass on.

        Raises:
            MaskingError: the body cannot be masked; nothing more may pass.
        """
        if self._codec is None:
            return data
        try:
            return self._codec.feed(data)
        except MalformedText as error:
            raise unreadable(error) from error

    def finish(self) -> bytes:
        """End the body; give the masked rest. Raises as `feed` does."""
        if self._codec is None:
            return b""
        try:
            return self._codec.finish()
        except MalformedText as error:
            raise unreadable(error) from error

    def fields(self, fields: Sequence[Field], *, body: bytes | None) -> list[Field]:
        """Return the answer's fields, right for the masked body.

        Args:
            fields: as the upstream sent them.
            body: the whole masked body when it was collected, so that its length
                and checksum are known; None when it streams.
        """
        if self._engine is None:
            return list(fields)
        kept = []
        for field in fields:
            name, value = field
            if name == b"content-length":
                if body is not None:
                    kept.append((name, b"%d" % len(body)))
                elif self.length_kept:
                    kept.append(field)
            elif name == CRC32:
                # Deleted, Go's SDK would check against 0 and warn on each call.
                if body is not None:
                    kept.append((name, b"%d" % zlib.crc32(body)))
            elif name in UNTOUCHED_FIELDS:
                kept.append(field)
            elif not name.startswith(b"x-amz-checksum-") and name != b"content-md5":
                kept.append((name, self._engine.mask_field(name, value)))
        return kept


class MaskPlan:
    """How one call's answer will be masked; made before the call is sent."""

    __slots__ = ("_call", "_engine")

    def __init__(self, call: Call, engine: Engine | None) -> None:
        self._call = call
        self._engine = engine

    def request_fields(self, fields: Sequence[Field]) -> list[Field]:
        """Return the request's fields, changed so that the answer can be masked."""
        if self._engine is None:
            return list(fields)
        kept = [one for one in fields if one[0] != b"accept-encoding"]
        return [*kept, (b"accept-encoding", b"identity")]

    def response(self, head: ResponseHead) -> ResponseMask:
        """Return what masks the answer that this head begins.

        Raises:
            MaskingError: an answer of this form cannot be masked.
        """
        engine = self._engine
        if engine is None:
            return PASSES
        codec = document_codec(engine, self._call, head)
        if codec is None and engine.profile.refuses_uninspectable:
            raise MaskingError(
                "masking.uninspectable", "the answer's format cannot be inspected"
            )
        return ResponseMask(codec, engine)


PASSES = ResponseMask(None, None)
"""The mask that does nothing: shared, because it keeps nothing."""
