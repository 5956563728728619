"""SQS messages: masked, and the digests that SDKs check made anew.

The JavaScript, Go and Java SDKs compare ``MD5OfBody`` and
``MD5OfMessageAttributes`` with what they received (aws-wire section 5).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

from gatekeep.limits import MASKED_COLLECTED_BYTES_MAX
from gatekeep.masking.codec import Codec, WholeCodec

JSON_DIGEST = re.compile(
    rb'("(MD5OfBody|MD5OfMessageAttributes)"\s*:\s*")[0-9a-f]{32}(?=")'
)
XML_MESSAGE = re.compile(rb"<Message>.*?</Message>", re.DOTALL)
XML_BODY = re.compile(rb"<Body>(.*?)</Body>", re.DOTALL)
XML_DIGEST = re.compile(rb"(<(MD5OfBody|MD5OfMessageAttributes)>)[0-9a-f]{32}(?=<)")
XML_ATTRIBUTE = re.compile(rb"<MessageAttribute>(.*?)</MessageAttribute>", re.DOTALL)
XML_MEMBER = re.compile(
    rb"<(Name|DataType|StringValue|BinaryValue)>(.*?)</(?:\1)>", re.DOTALL
)


class MessagesCodec(WholeCodec):
    """Masks the answer of ``ReceiveMessage``."""

    def __init__(self, inner: Codec, *, xml: bool) -> None:
        """Begin a body that `inner` masks."""
        super().__init__(MASKED_COLLECTED_BYTES_MAX)
        self._inner = inner
        self._xml = xml

    def mask(self, body: bytes) -> bytes:
        """Return a whole answer, masked, its digests right."""
        masked = self._inner.feed(body) + self._inner.finish()
        self.findings = self._inner.findings
        if masked == body:
            return masked
        return _xml_digests(masked) if self._xml else _json_digests(masked)


def _json_digests(answer: bytes) -> bytes:
    """The answer with the digests of the messages that are in it."""
    digests: dict[bytes, Iterator[bytes]] = {
        b"MD5OfBody": (_md5(m["Body"].encode()) for m in _messages(answer)),
        b"MD5OfMessageAttributes": (
            _attributes_md5(m["MessageAttributes"])
            for m in _messages(answer)
            if "MD5OfMessageAttributes" in m and "MessageAttributes" in m
        ),
    }
    return JSON_DIGEST.sub(lambda found: found[1] + next(digests[found[2]]), answer)


def _messages(answer: bytes) -> list[dict[str, Any]]:
    messages = json.loads(answer).get("Messages")
    return messages if isinstance(messages, list) else []


def _xml_digests(answer: bytes) -> bytes:
    def message(found: re.Match[bytes]) -> bytes:
        body = XML_BODY.search(found[0])
        attributes = {}
        for attribute in XML_ATTRIBUTE.findall(found[0]):
            members = {
                name.decode(): unescape(value.decode())
                for name, value in XML_MEMBER.findall(attribute)
            }
            attributes[members.get("Name", "")] = members
        digests: dict[bytes, Callable[[], bytes]] = {
            b"MD5OfBody": lambda: _md5(
                unescape(body[1].decode()).encode() if body else b""
            ),
            b"MD5OfMessageAttributes": lambda: _attributes_md5(attributes),
        }
        return XML_DIGEST.sub(lambda one: one[1] + digests[one[2]](), found[0])

    return XML_MESSAGE.sub(message, answer)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).hexdigest().encode()


def _attributes_md5(attributes: dict[str, dict[str, Any]]) -> bytes:
    """SQS's digest: names in order, each part with its length, kind of transport.

    Source: "Calculating the MD5 message digest for message attributes", SQS guide.
    """
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        attribute = attributes[name]
        binary = attribute.get("BinaryValue")
        value = str(attribute.get("StringValue", "")).encode()
        if binary is not None:
            try:
                value = base64.b64decode(binary)
            except binascii.Error:
                value = b""
        for part in (name.encode(), str(attribute.get("DataType", "")).encode()):
            digest.update(len(part).to_bytes(4, "big") + part)
        digest.update(b"\1" if binary is None else b"\2")
        digest.update(len(value).to_bytes(4, "big") + value)
    return digest.hexdigest().encode()
