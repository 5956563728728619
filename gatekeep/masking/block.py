"""``@block_on``: what goes out is scanned, and stops where a protected value is."""

from __future__ import annotations

import json

from gatekeep._fast.splice import MalformedTextError
from gatekeep.aws.call import Call
from gatekeep.masking.codec import Codec
from gatekeep.masking.compressed import COMPRESSIONS
from gatekeep.masking.engine import Engine
from gatekeep.masking.failure import MaskingError, unreadable
from gatekeep.masking.formats import Format, SniffingCodec, format_of, is_opaque
from gatekeep.masking.objects import SEPARATORS
from gatekeep.masking.values import plain

PARTS = frozenset((("s3", "UploadPart"), ("glacier", "UploadMultipartPart")))
"""Operations whose body is a piece of an object, so that only its text can be read."""


class BlockScanner:
    """Scans one request's streaming body; the same for any cutting of it."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def feed(self, data: bytes) -> None:
        """Take bytes of the body as they go out.

        Raises:
            MaskingError: a protected value is in what came so far, or the body
                cannot be read; the upstream request must be broken off.
        """
        try:
            self._codec.feed(data)
        except MalformedTextError as error:
            raise unreadable(error) from error
        refuse_findings(self._codec.findings)

    def finish(self) -> None:
        """End the body; call it before its last bytes go out. Raises as `feed`."""
        try:
            self._codec.finish()
        except MalformedTextError as error:
            raise unreadable(error) from error
        refuse_findings(self._codec.findings)


def refuse_findings(findings: dict[str, int]) -> None:
    """Raise MaskingError when something was found."""
    if findings:
        names = ", ".join(f"`{name}`" for name in sorted(findings))
        raise MaskingError(
            "masking.blocked",
            f"policy lets no {names} out, and the request carries it; remove it",
        )


def block_scanner(
    engine: Engine, call: Call, *, media: bytes = b"", encoding: bytes = b""
) -> BlockScanner:
    """Return what scans a call's streaming body; its parameters are scanned at once.

    Args:
        engine: the detectors that block.
        call: what is asked.
        media: the body's media type, lower case, without parameters.
        encoding: its Content-Encoding, lower case.

    Raises:
        MaskingError: the parameters carry a protected value, or the body is of a
            form that cannot be read.
    """
    told = json.dumps(call.parameters, default=plain, ensure_ascii=False)
    parameters = engine.json("")
    try:
        parameters.feed(told.encode("utf-8", "replace"))
        parameters.finish()
    except MalformedTextError as error:
        raise unreadable(error) from error
    refuse_findings(parameters.findings)
    return BlockScanner(_upload_codec(engine, call, media, encoding))


def _upload_codec(engine: Engine, call: Call, media: bytes, encoding: bytes) -> Codec:
    form, compression = format_of(media, str(call.parameters.get("Key", "")))
    encodings = [one.strip() for one in encoding.split(b",")]
    for one in encodings:
        if one in COMPRESSIONS:
            compression = one
        elif one not in (b"", b"identity", b"aws-chunked"):
            form = Format.OPAQUE
    part = (call.service, call.operation) in PARTS
    if form is Format.OPAQUE or (compression and part):
        raise _unreadable_upload()
    if part:
        form = Format.TEXT

    def choose(first: bytes) -> Codec:
        if is_opaque(first):
            raise _unreadable_upload()
        if form in SEPARATORS:
            return engine.csv(separator=SEPARATORS[form])
        return engine.text(escapes=True, entities=True)

    codec = SniffingCodec(choose)
    return COMPRESSIONS[compression](codec) if compression else codec


def _unreadable_upload() -> MaskingError:
    return MaskingError(
        "masking.uninspectable",
        "policy scans what goes out, and this body's format cannot be inspected",
    )
