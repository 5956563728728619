"""One exchange's masking: what to ask for, and how the answer is masked."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from gatekeep._fast.splice import MalformedTextError
from gatekeep.aws.call import Call
from gatekeep.http.messages import Field, RequestHead, ResponseHead
from gatekeep.masking.codec import Codec
from gatekeep.masking.codecs import OBJECTS, answer_codec
from gatekeep.masking.engine import Engine
from gatekeep.masking.failure import MaskingError, unreadable
from gatekeep.masking.ranges import Range, RangeCodec, cut_codec, margin, parse_range
from gatekeep.masking.untouched import UNTOUCHED_FIELDS

CRC32 = b"x-amz-crc32"


class ResponseMask:
    """Masks one answer: its body as it streams, and its head fields."""

    __slots__ = (
        "_codec",
        "_content_range",
        "_engine",
        "_head_only",
        "length_kept",
        "passes",
    )

    def __init__(
        self,
        codec: Codec | None,
        engine: Engine | None,
        *,
        content_range: bytes = b"",
        head_only: bool = False,
    ) -> None:
        self._codec = codec
        self._engine = engine
        self._content_range = content_range
        self._head_only = head_only
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
        except MalformedTextError as error:
            raise unreadable(error) from error

    def finish(self) -> bytes:
        """End the body; give the masked rest. Raises as `feed` does."""
        if self._codec is None:
            return b""
        try:
            return self._codec.finish()
        except MalformedTextError as error:
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
                length = self._length(value, body)
                if length:
                    kept.append((name, length))
            elif name == b"content-range" and self._content_range:
                kept.append((name, self._content_range))
            elif name == CRC32:
                # Deleted, Go's SDK would check against 0 and warn on each call.
                if body is not None:
                    kept.append((name, b"%d" % zlib.crc32(body)))
            elif name in UNTOUCHED_FIELDS:
                kept.append(field)
            elif not name.startswith(b"x-amz-checksum-") and name != b"content-md5":
                kept.append((name, self._engine.mask_field(name, value)))
        return kept

    def _length(self, value: bytes, body: bytes | None) -> bytes:
        """The masked body's Content-Length; empty when it is not known."""
        if self._head_only:
            # What a compressed object's length will be, only masking it would tell.
            return value
        if body is not None:
            return b"%d" % len(body)
        if isinstance(self._codec, RangeCodec):
            return b"%d" % self._codec.size
        return value if self.length_kept else b""


class MaskPlan:
    """How one call's answer will be masked; made before the call is sent."""

    __slots__ = ("_asked", "_call", "_engine")

    def __init__(self, call: Call, head: RequestHead, engine: Engine | None) -> None:
        """Plan a call's answer.

        Raises:
            MaskingError: what is asked for cannot be masked.
        """
        self._call = call
        self._engine = engine
        self._asked: Range | None = None
        if engine is None or (call.service, call.operation) not in OBJECTS:
            return
        if "PartNumber" in call.parameters:
            raise MaskingError(
                "masking.part",
                "a numbered part of this object cannot be masked, because its place is"
                " not known; ask for a byte range or the whole",
            )
        self._asked = parse_range(head.get(b"range"))

    def request_fields(self, fields: Sequence[Field]) -> list[Field]:
        """Return the request's fields, changed so that the answer can be masked."""
        if self._engine is None:
            return list(fields)
        kept = []
        for name, value in fields:
            if name == b"range" and self._asked is not None:
                kept.append((name, self._asked.widened(margin(self._engine.reach))))
            elif name != b"accept-encoding":
                kept.append((name, value))
        kept.append((b"accept-encoding", b"identity"))
        return kept

    def response(self, head: ResponseHead) -> ResponseMask:
        """Return what masks the answer that this head begins.

        Raises:
            MaskingError: an answer of this form cannot be masked, or the object has
                none of the range that was asked for (416).
        """
        engine = self._engine
        if engine is None:
            return PASSES
        part = head.status == 206
        codec = answer_codec(engine, self._call, head, part=part)
        head_only = self._call.operation == "HeadObject"
        if not part:
            return ResponseMask(codec, engine, head_only=head_only)
        if self._asked is None:
            raise MaskingError(
                "masking.range", "the answer is a range that was not understood"
            )
        cut, content_range = cut_codec(codec, self._asked, head.get(b"content-range"))
        return ResponseMask(
            cut, engine, content_range=content_range, head_only=head_only
        )


PASSES = ResponseMask(None, None)
"""The mask that does nothing: shared, because it keeps nothing."""
