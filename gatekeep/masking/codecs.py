"""Which codec reads a body: by protocol for documents, by media type for payloads."""

from __future__ import annotations

from typing import Protocol as Interface

from gatekeep.aws.call import Call, Protocol
from gatekeep.http.messages import ResponseHead
from gatekeep.masking.engine import Engine
from gatekeep.masking.wire_facts import PAYLOADS


class Codec(Interface):
    """Masks one body: bytes in, bytes out, however they are cut."""

    @property
    def length_kept(self) -> bool:
        """Every byte that is not hidden stays at its place."""

    @property
    def findings(self) -> dict[str, int]:
        """How many values each detector has hidden."""

    def feed(self, data: bytes, /) -> bytes:
        """Take bytes of the body, give masked bytes that are final."""

    def finish(self) -> bytes:
        """End the body, give the masked rest."""


def document_codec(engine: Engine, call: Call, head: ResponseHead) -> Codec | None:
    """Return what masks an answer, or None when its format cannot be read."""
    media = head.get(b"content-type").partition(b";")[0].strip().lower()
    if head.get(b"content-encoding", b"identity") != b"identity":
        return None
    payload = call.operation in PAYLOADS.get(call.service, ())
    if payload and head.status < 300:
        return media_codec(engine, media)
    if call.protocol in (Protocol.JSON, Protocol.REST_JSON) and is_json(media):
        return engine.json(call.service)
    return media_codec(engine, media)


def media_codec(engine: Engine, media: bytes) -> Codec | None:
    """Return what masks a body of a media type whose names are the users' own."""
    if is_json(media) and media:
        return engine.json("")
    if media.startswith(b"text/"):
        return engine.text(escapes=True, entities=True)
    return None


def is_json(media: bytes) -> bool:
    """Whether a media type says JSON; AWS's JSON services may give none."""
    return not media or media.endswith(b"json") or b"/x-amz-json" in media
