"""Which codec reads an answer: by protocol, operation and media type."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gatekeep.aws.call import Call, Protocol
from gatekeep.http.messages import ResponseHead
from gatekeep.masking.cbor_body import CborCodec
from gatekeep.masking.codec import Codec
from gatekeep.masking.engine import Engine
from gatekeep.masking.event_body import EventCodec
from gatekeep.masking.failure import MaskingError
from gatekeep.masking.objects import payload_codec, stored_codec, uninspectable
from gatekeep.masking.queues import MessagesCodec
from gatekeep.masking.tables import TABLES, TableCodec
from gatekeep.masking.wire_facts import EVENT_STREAMS, PAYLOADS

EVENT_STREAM = b"application/vnd.amazon.eventstream"

OBJECTS = frozenset((("s3", "GetObject"), ("s3", "HeadObject")))
"""Operations whose body is an object that may be asked for in ranges."""


def media_type(value: bytes) -> bytes:
    """A Content-Type without its parameters, in lower case."""
    return value.partition(b";")[0].strip().lower()


def answer_codec(
    engine: Engine, call: Call, head: ResponseHead, *, part: bool
) -> Codec:
    """Return what masks an answer.

    Args:
        engine: what is hidden.
        call: what was asked.
        head: the answer's head.
        part: the answer is a range of an object.

    Raises:
        MaskingError: an answer of this form cannot be masked.
    """
    media = media_type(head.get(b"content-type"))
    good = head.status < 300
    if good and (call.service, call.operation) in OBJECTS:
        return _object(engine, call, head, media, part=part)
    if head.get(b"content-encoding", b"identity").lower() != b"identity":
        return uninspectable(engine)
    if (
        good
        and call.operation in EVENT_STREAMS.get(call.service, ())
        and (media == EVENT_STREAM or not media)
    ):
        return _events(engine, call)
    if good and call.operation in PAYLOADS.get(call.service, ()):
        return payload_codec(engine, media=media)
    return _document(engine, call, media)


def _object(
    engine: Engine, call: Call, head: ResponseHead, media: bytes, *, part: bool
) -> Codec:
    encoding = head.get(b"content-encoding").lower()
    if "ResponseContentType" in call.parameters:
        media = b""  # the client's word, not the object's
    if "ResponseContentEncoding" in call.parameters:
        encoding = b""
    name = str(call.parameters.get("Key", ""))
    return stored_codec(engine, media=media, encoding=encoding, name=name, part=part)


def _document(engine: Engine, call: Call, media: bytes) -> Codec:
    """What masks an answer in its protocol's own form, or the form its type tells."""
    service = call.service
    if call.protocol is Protocol.CBOR or media == b"application/cbor":
        return CborCodec(
            engine.json(service), lambda _: payload_codec(engine, media=b"")
        )
    if media.endswith(b"xml") or (
        not media and call.protocol in (Protocol.QUERY, Protocol.EC2, Protocol.REST_XML)
    ):
        codec: Codec = engine.xml(service)
    elif not media or media.endswith(b"json") or b"/x-amz-json" in media:
        table = TABLES.get((service, call.operation))
        if table is not None and (engine.profile.names_fields or engine.keyed):
            return TableCodec(engine, service, table)
        codec = engine.json(service)
    else:
        return payload_codec(engine, media=media)
    if (service, call.operation) == ("sqs", "ReceiveMessage"):
        return MessagesCodec(codec, xml=media.endswith(b"xml"))
    return codec


def _events(engine: Engine, call: Call) -> Codec:
    service = call.service

    def document(media: bytes) -> Codec:
        return engine.xml(service) if media.endswith(b"xml") else engine.json(service)

    def piece() -> Codec:
        if (service, call.operation) == ("s3", "SelectObjectContent"):
            return _records(engine, call)
        return payload_codec(engine, media=b"")

    return EventCodec(service, document=document, piece=piece, text=engine.text)


# --- S3 Select ----------------------------------------------------------------------

SELECTED = re.compile(r"\s*select\s+(.*?)\s+from\s", re.IGNORECASE | re.DOTALL)
COLUMN = re.compile(
    r'(?:\w+\.)?(?:"([^"]+)"|(\w+))(?:\s+(?:as\s+)?"?(\w+)"?)?\s*', re.IGNORECASE
)


def _records(engine: Engine, call: Call) -> Codec:
    """What masks the records of S3 Select, whose form the call asked for.

    Raises:
        MaskingError: fields are masked, and the columns' names are not told.
    """
    output = call.parameters.get("OutputSerialization")
    if not isinstance(output, dict) or "CSV" not in output:
        return engine.json("", many=True)
    form = output.get("CSV") or {}
    separator = str(form.get("FieldDelimiter", ",")).encode()[:1] or b","
    header = _selected(engine, str(call.parameters.get("Expression", "")))
    if header is None:
        if engine.profile.names_fields:
            raise MaskingError(
                "masking.columns",
                "the answer cannot be masked by field, because the query names no"
                " columns; name them, or ask for JSON",
            )
        header = []
    return engine.csv(separator=separator, header=header)


def _selected(engine: Engine, expression: str) -> Sequence[bytes] | None:
    """The columns of a query's answer by name; None when it does not name them."""
    found = SELECTED.match(expression)
    if found is None:
        return None
    names = []
    for column in found[1].split(","):
        one = COLUMN.fullmatch(column.strip())
        if one is None:
            return None
        source, alias = (one[1] or one[2]).encode(), (one[3] or "").encode()
        # The name of either side that means something.
        names.append(alias if engine.means(source) == (-1, 0) and alias else source)
    return names
