"""Event streams: messages opened, masked and framed anew, values that span them too.

Three things travel in messages. A document (JSON, or XML for S3's statistics) is
masked by itself. A byte stream cut into messages (S3 Select's records, Lambda's
payload) is masked as the one body it is: what is held back goes out with a later
message, the last of it in one more message before the event that ends the stream.
And a text that comes word by word in documents (a model's answer) is masked as one
text; its held rest goes out before the event that closes it.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gatekeep.aws.eventstream import (
    EventStreamDecoder,
    Header,
    Message,
    encode_message,
)
from gatekeep.masking.codec import Codec
from gatekeep.masking.failure import MaskingError

Path = tuple[str | int, ...]

PIECES = {
    ("s3", "Records"): ("Stats", "End"),
    ("lambda", "PayloadChunk"): ("InvokeComplete",),
    ("sagemaker-runtime", "PayloadPart"): (),
    ("polly", "AudioEvent"): ("StreamClosedEvent",),
}
"""(service, event) whose payload is a piece of one body; the events that end it."""

WORDS: Mapping[tuple[str, str], tuple[Path, ...]] = {
    ("bedrock-runtime", "contentBlockDelta"): (
        ("delta", "text"),
        ("delta", "reasoningContent", "text"),
        ("delta", "toolUse", "input"),
    ),
    ("bedrock-runtime", "chunk"): (
        ("delta", "text"),
        ("delta", "thinking"),
        ("delta", "partial_json"),
        ("contentBlockDelta", "delta", "text"),
        ("choices", 0, "delta", "content"),
        ("outputs", 0, "text"),
        ("outputText",),
        ("generation",),
        ("completion",),
        ("text",),
    ),
}
"""(service, event) whose document brings the next words of a text, and where. A
``chunk`` of Bedrock's is base64 of the model's own JSON."""

WRAPPED = {("bedrock-runtime", "chunk"), ("bedrock-agent-runtime", "chunk")}
"""Events whose document carries the text, or a document, in base64 ``bytes``."""

BARE: Path = ("bytes",)
"""The path of words that come as bare bytes."""

BLOCK_KEYS = ("contentBlockIndex", "index")


_UTF8 = codecs.getincrementaldecoder("utf-8")


@dataclass(slots=True)
class Thread:
    """A text that comes word by word: its mask, and its last message as a mould."""

    codec: Codec
    mould: Message
    path: Path
    decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: _UTF8(errors="surrogatepass")
    )
    """What is final may end inside of a character."""

    def feed(self, text: str) -> str:
        """Take the next words, give masked words that are final."""
        return self.decoder.decode(
            self.codec.feed(text.encode("utf-8", "surrogatepass"))
        )

    def finish(self) -> str:
        """End the text, give the masked rest."""
        return self.decoder.decode(self.codec.finish(), final=True)


class EventCodec:
    """Masks one event stream."""

    length_kept = False

    def __init__(
        self,
        service: str,
        *,
        document: Callable[[bytes], Codec],
        piece: Callable[[], Codec],
        text: Callable[[], Codec],
    ) -> None:
        """Begin a stream.

        Args:
            service: botocore's name.
            document: media type -> what masks one message's document.
            piece: makes what masks the body that messages carry in pieces.
            text: makes what masks a text that comes word by word.
        """
        self._service = service
        self._document = document
        self._make_piece = piece
        self._make_text = text
        self._decoder = EventStreamDecoder()
        self._piece: tuple[Codec, Message] | None = None
        self._threads: dict[tuple[object, Path], Thread] = {}
        self._found: dict[str, int] = {}

    @property
    def findings(self) -> dict[str, int]:
        """How many values each detector has hidden."""
        found = dict(self._found)
        if self._piece is not None:
            _add(found, self._piece[0].findings)
        for thread in self._threads.values():
            _add(found, thread.codec.findings)
        return found

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the stream; give whole messages.

        Raises:
            FramingError, LimitError: the messages are not what they say.
            MaskingError, MalformedTextError: a message cannot be masked.
        """
        return b"".join(
            encode_message(one)
            for message in self._decoder.feed(data)
            for one in self._masked(message)
        )

    def finish(self) -> bytes:
        """End the stream; raises as `feed` does."""
        self._decoder.finish()
        ends = [*self._end_threads(lambda _: True), *self._end_piece()]
        return b"".join(map(encode_message, ends))

    def _masked(self, message: Message) -> Iterator[Message]:
        """What goes out for a message that came."""
        event = str(message.header(":event-type") or "")
        kind = (self._service, event)
        if kind in PIECES:
            yield from self._next_piece(message)
            return
        if self._piece is not None and self._ends_piece(message, event):
            yield from self._end_piece()
        document = self._opened(message, kind)
        if kind in WORDS and isinstance(document, dict):
            yield from self._next_words(message, kind, document)
            return
        if kind == ("bedrock-agent-runtime", "chunk"):
            yield from self._next_bytes(message, document)
            return
        yield from self._end_threads(_closed_by(event, document))
        media = str(message.header(":content-type") or "").encode().lower()
        codec = self._document(media)
        payload = codec.feed(message.payload) + codec.finish()
        _add(self._found, codec.findings)
        yield message._replace(payload=payload, headers=self._headers(message))

    def _headers(self, message: Message) -> tuple[Header, ...]:
        """A message's headers; an error's words are a text."""
        if message.header(":message-type") != "error":
            return message.headers
        return tuple(
            header._replace(value=self._once(str(header.value)))
            if header.name == ":error-message"
            else header
            for header in message.headers
        )

    def _once(self, text: str) -> str:
        codec = self._make_text()
        masked = codec.feed(text.encode()) + codec.finish()
        _add(self._found, codec.findings)
        return masked.decode("utf-8", "replace")

    # --- a body in pieces -------------------------------------------------------

    def _next_piece(self, message: Message) -> Iterator[Message]:
        codec = self._make_piece() if self._piece is None else self._piece[0]
        self._piece = (codec, message)
        yield message._replace(payload=codec.feed(message.payload))

    def _ends_piece(self, message: Message, event: str) -> bool:
        if message.header(":message-type") != "event":
            return True
        return any(
            event in ends
            for (service, _), ends in PIECES.items()
            if service == self._service
        )

    def _end_piece(self) -> Iterator[Message]:
        """The rest of the body, in a message like the last of its kind."""
        if self._piece is None:
            return
        codec, mould = self._piece
        self._piece = None
        rest = codec.finish()
        _add(self._found, codec.findings)
        if rest:
            yield mould._replace(payload=rest)

    # --- a text in words --------------------------------------------------------

    def _opened(self, message: Message, kind: tuple[str, str]) -> Any:
        """The document of a message, or what its ``bytes`` hold; None: neither."""
        try:
            document = json.loads(message.payload) if message.payload else None
            if kind in WRAPPED and isinstance(document, dict):
                raw = base64.b64decode(document["bytes"], validate=True)
                if kind in WORDS:
                    return json.loads(raw)
                return raw
        except (ValueError, KeyError, TypeError, binascii.Error):
            return None
        return document

    def _next_words(
        self, message: Message, kind: tuple[str, str], document: dict[str, Any]
    ) -> Iterator[Message]:
        block = next((document[key] for key in BLOCK_KEYS if key in document), None)
        found = [
            (path, text)
            for path in WORDS[kind]
            if isinstance(text := _at(document, path), str)
        ]
        yield from self._end_threads(
            _closed_by(kind[1], document, {path for path, _ in found})
        )
        changed = False
        for path, text in found:
            thread = self._threads.get((block, path))
            if thread is None:
                thread = self._threads[block, path] = Thread(
                    self._make_text(), message, path
                )
            thread.mould = message
            masked = thread.feed(text)
            changed = changed or masked != text
            _put(document, path, masked)
        yield self._told(message, kind, document, changed)

    def _told(
        self, message: Message, kind: tuple[str, str], document: Any, changed: bool
    ) -> Message:
        """A message whose document has new words, its other values masked too."""
        payload = message.payload
        if changed:
            payload = _written(document)
            if kind in WRAPPED:
                outer = json.loads(message.payload)
                outer["bytes"] = base64.b64encode(payload).decode("ascii")
                payload = _written(outer)
        codec = self._document(b"application/json")
        payload = codec.feed(payload) + codec.finish()
        _add(self._found, codec.findings)
        return message._replace(payload=payload)

    def _next_bytes(self, message: Message, raw: object) -> Iterator[Message]:
        """Words that come as bare bytes."""
        if not isinstance(raw, bytes):
            raise MaskingError(
                "masking.event", "an event of the stream is not what it should be"
            )
        thread = self._threads.get((None, BARE))
        if thread is None:
            thread = self._threads[None, BARE] = Thread(
                self._make_text(), message, BARE
            )
        thread.mould = message
        yield self._with_bytes(message, thread.codec.feed(raw))

    def _with_bytes(self, message: Message, raw: bytes) -> Message:
        outer = json.loads(message.payload)
        outer.pop("bytes", None)
        codec = self._document(b"application/json")
        masked = json.loads(codec.feed(_written(outer)) + codec.finish())
        _add(self._found, codec.findings)
        masked["bytes"] = base64.b64encode(raw).decode("ascii")
        return message._replace(payload=_written(masked))

    def _end_threads(
        self, closed: Callable[[tuple[object, Path]], bool]
    ) -> Iterator[Message]:
        """The rest of each text that is closed, in a message like its last."""
        for key in [key for key in self._threads if closed(key)]:
            thread = self._threads.pop(key)
            if thread.path == BARE:
                rest = thread.codec.finish()
                if rest:
                    yield self._with_bytes(thread.mould, rest)
            elif words := thread.finish():
                yield self._again(thread, words)
            _add(self._found, thread.codec.findings)

    def _again(self, thread: Thread, words: str) -> Message:
        """A thread's last message once more, with other words."""
        kind = (self._service, str(thread.mould.header(":event-type") or ""))
        document = self._opened(thread.mould, kind)
        for path in WORDS[kind]:
            if isinstance(_at(document, path), str):
                _put(document, path, words if path == thread.path else "")
        return self._told(thread.mould, kind, document, True)


def _closed_by(
    event: str, document: Any, going_on: set[Path] | None = None
) -> Callable[[tuple[object, Path]], bool]:
    """Which texts an event closes: those of its block that it does not go on with."""
    block = None
    if isinstance(document, dict):
        block = next((document[key] for key in BLOCK_KEYS if key in document), None)

    def closed(key: tuple[object, Path]) -> bool:
        if going_on is not None:
            return key[0] == block and key[1] not in going_on
        return key[0] == block if event.endswith("Stop") and block is not None else True

    return closed


def _add(to: dict[str, int], found: Mapping[str, int]) -> None:
    for name, count in found.items():
        to[name] = to.get(name, 0) + count


def _written(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def _at(document: Any, path: Path) -> object:
    """What stands at a path of a document; None: nothing."""
    for step in path:
        if isinstance(step, int):
            if not isinstance(document, list) or len(document) <= step:
                return None
            document = document[step]
        elif isinstance(document, dict):
            document = document.get(step)
        else:
            return None
    return document


def _put(document: Any, path: Path, text: str) -> None:
    for step in path[:-1]:
        document = document[step]
    document[path[-1]] = text
