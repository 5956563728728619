"""aws-chunked bodies: chunks that carry signatures, and a trailer with a checksum.

The framing is the client's, the proof is checked here and made anew: `ChunkedBody`
takes a client's body in and gives the upstream's out, with the same chunk sizes, so
that its Content-Length stays. A signed chunk is passed on only when its signature
holds, so it is held whole; the end is passed on only when length, checksum and all
signatures hold, and without its end S3 stores nothing. Source: "Transferring payload
in multiple chunks" and "Using trailing headers", Amazon S3 API Reference.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Generator, Iterator
from hashlib import sha256
from typing import NamedTuple, NoReturn

from gatekeep.aws.authorization import EMPTY_SHA256, PayloadMode
from gatekeep.aws.checksums import Checksum, checksum_named
from gatekeep.aws.signature_chain import SignatureChain
from gatekeep.aws.sigv4 import Verified
from gatekeep.errors import AuthenticationError, FramingError, LimitError, PeerError
from gatekeep.http.messages import RequestHead
from gatekeep.limits import (
    AWS_CHUNK_BYTES_MAX,
    AWS_CHUNK_LINE_BYTES_MAX,
    AWS_TRAILER_BYTES_MAX,
)

_chunk_line = re.compile(
    rb"(0|[1-9a-fA-F][0-9a-fA-F]{0,12})(?:;chunk-signature=([0-9a-f]{64}))?"
).fullmatch
_trailer_line = re.compile(rb"([A-Za-z0-9-]+): ?([!-~]*)").fullmatch

_SIGNED = (PayloadMode.STREAMING_SIGNED, PayloadMode.STREAMING_SIGNED_TRAILER)
_WITH_TRAILER = (
    PayloadMode.STREAMING_UNSIGNED_TRAILER,
    PayloadMode.STREAMING_SIGNED_TRAILER,
)


class Piece(NamedTuple):
    """Decoded bytes of a chunk: all of a signed one, any part of an unsigned one."""

    data: bytes
    begins: int | None
    """Size of the chunk that begins here; None where one goes on."""
    sha256: str
    """Of a signed chunk's data, hex; empty for unsigned ones."""


class ChunkedDecoder:
    """Takes an aws-chunked body apart and checks all that is checkable in it.

    Attributes:
        ended: the body's last byte was fed, and everything in it holds.
        trailer: the trailer's lines as they came, without the signature's.
    """

    def __init__(self, head: RequestHead, verified: Verified) -> None:
        """Start at the body of a verified head.

        Raises:
            FramingError: the head lacks what describes such a body.
        """
        mode = verified.authorization.payload
        if not mode.is_aws_chunked:
            raise ValueError(f"the body of {mode} is not aws-chunked")
        self.ended = False
        self.trailer: list[bytes] = []
        self._has_trailer = mode in _WITH_TRAILER
        self._chain = verified.chain() if mode in _SIGNED else None
        self._buffer = bytearray()
        self._left = _decoded_length(head)
        self._announced = _announced_trailer(head)
        self._checksums: dict[str, Checksum] = {}
        for name in self._announced:
            checksum = checksum_named(name)
            if checksum is not None:
                self._checksums[name] = checksum
        self._reading = self._read()

    def feed(self, data: bytes) -> list[Piece]:
        """Take in what came; return what it completes.

        Raises:
            FramingError: not aws-chunked, longer or shorter than the head said, or
                not the trailer that the head announced.
            LimitError: a chunk or the trailer passes its bound.
            AuthenticationError: a signature does not hold.
            PeerError: BadDigest, the checksum does not hold.
        """
        if self.ended and data:
            _refuse("bytes follow the end of the body")
        self._buffer += data
        pieces = []
        for piece in self._reading:
            if piece is None:
                break
            pieces.append(piece)
        return pieces

    def finish(self) -> None:
        """Say that no more comes.

        Raises:
            FramingError: the body has not ended.
        """
        if not self.ended:
            _refuse("the body stopped before its end", aws_code="IncompleteBody")

    def _read(self) -> Iterator[Piece | None]:
        """Read the whole body; give pieces, and None where more must come."""
        while True:
            line = yield from self._line(AWS_CHUNK_LINE_BYTES_MAX)
            size, signature = self._chunk(line)
            if size == 0:
                break
            if self._chain is None:
                yield from self._unsigned_chunk(size)
            else:
                yield from self._signed_chunk(size, signature, self._chain)
            yield from self._crlf()
        if self._chain is not None:
            _match_signature(self._chain.chunk(EMPTY_SHA256), signature)
        if self._left:
            _refuse("the body is shorter than said", aws_code="IncompleteBody")
        if self._has_trailer:
            yield from self._read_trailer()
        else:
            yield from self._crlf()
        if self._buffer:
            _refuse("bytes follow the end of the body")
        self.ended = True

    def _chunk(self, line: bytes) -> tuple[int, bytes]:
        """Size and signature of the chunk that a line begins."""
        match = _chunk_line(line)
        if match is None or (match[2] is None) != (self._chain is None):
            _refuse("a chunk does not begin with its size (and signature)")
        size = int(match[1], 16)
        if size > self._left:
            _refuse("the body is longer than x-amz-decoded-content-length")
        self._left -= size
        return size, match[2] or b""

    def _unsigned_chunk(self, size: int) -> Iterator[Piece | None]:
        """Pass a chunk on as it comes: only the checksum at the end proves it."""
        begins: int | None = size
        while size:
            if not self._buffer:
                yield None
                continue
            data = self._take(min(size, len(self._buffer)))
            size -= len(data)
            for checksum in self._checksums.values():
                checksum.update(data)
            yield Piece(data, begins, "")
            begins = None

    def _signed_chunk(
        self, size: int, signature: bytes, chain: SignatureChain
    ) -> Iterator[Piece | None]:
        """Hold a chunk until it is whole and its signature is verified."""
        if size > AWS_CHUNK_BYTES_MAX:
            raise LimitError(
                "limit.aws_chunk",
                f"a signed chunk is over {AWS_CHUNK_BYTES_MAX} bytes",
                aws_code="InvalidChunkSizeError",
            )
        while len(self._buffer) < size:
            yield None
        data = self._take(size)
        hashed = sha256(data).hexdigest()
        _match_signature(chain.chunk(hashed), signature)
        for checksum in self._checksums.values():
            checksum.update(data)
        yield Piece(data, size, hashed)

    def _read_trailer(self) -> Iterator[None]:
        """Read the trailer; what it says must hold."""
        canonical = b""
        names = []
        signature = b""
        room = AWS_TRAILER_BYTES_MAX
        while line := (yield from self._line(room)):
            room -= len(line)
            match = _trailer_line(line)
            if match is None or signature:
                _refuse("malformed trailer", aws_code="MalformedTrailerError")
            name, value = match[1].lower(), match[2]
            if name == b"x-amz-trailer-signature" and self._chain is not None:
                signature = value
                continue
            self.trailer.append(line)
            names.append(name.decode())
            canonical += name + b":" + value + b"\n"
            checksum = self._checksums.get(names[-1])
            if checksum is not None:
                _match_checksum(checksum, value)
        if sorted(names) != self._announced:
            _refuse("not the announced trailer", aws_code="MalformedTrailerError")
        if self._chain is not None:
            _match_signature(self._chain.trailer(canonical), signature)

    def _line(self, bytes_max: int) -> Generator[None, None, bytes]:
        """Read a line, without its end."""
        while (end := self._buffer.find(b"\r\n", 0, bytes_max + 2)) < 0:
            if len(self._buffer) >= bytes_max + 2:
                raise LimitError(
                    "limit.aws_chunk_line",
                    f"a line of the aws-chunked framing is over {bytes_max} bytes",
                    aws_code="InvalidRequest",
                )
            yield None
        line = self._take(end)
        del self._buffer[:2]
        return line

    def _crlf(self) -> Iterator[None]:
        while len(self._buffer) < 2:
            yield None
        if self._take(2) != b"\r\n":
            _refuse("a chunk is not as long as its size says")

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data


class ChunkedEncoder:
    """Puts an aws-chunked body together, signed with a chain or unsigned without."""

    def __init__(self, chain: SignatureChain | None, *, has_trailer: bool) -> None:
        self._chain = chain
        self._has_trailer = has_trailer
        self._left = 0

    def encode(self, piece: Piece) -> bytes:
        """Return the bytes of a piece."""
        out = piece.data
        if piece.begins is not None:
            out = self._head(piece.begins, piece.sha256) + out
            self._left = piece.begins
        self._left -= len(piece.data)
        return out if self._left else out + b"\r\n"

    def end(self, trailer: list[bytes]) -> bytes:
        """Return the bytes that end the body, with the lines of a trailer."""
        lines = b"".join([line + b"\r\n" for line in trailer])
        out = self._head(0, EMPTY_SHA256) + lines
        if self._chain is not None and self._has_trailer:
            canonical = b"".join([_canonical_line(line) for line in trailer])
            out += b"x-amz-trailer-signature:%b\r\n" % (
                self._chain.trailer(canonical).encode()
            )
        return out + b"\r\n"

    def _head(self, size: int, hashed: str) -> bytes:
        if self._chain is None:
            return b"%x\r\n" % size
        return b"%x;chunk-signature=%b\r\n" % (size, self._chain.chunk(hashed).encode())


class ChunkedBody:
    """A client's aws-chunked body on its way up: checked, and signed anew.

    The framing that goes out is as long as the framing that came in.
    """

    def __init__(
        self, head: RequestHead, verified: Verified, chain: SignatureChain
    ) -> None:
        """Start at the body of a verified head.

        Args:
            head: as received.
            verified: what verifying it gave.
            chain: what signing the upstream head gave; that head says the same
                ``x-amz-content-sha256``.

        Raises:
            FramingError: the head lacks what describes such a body.
        """
        mode = verified.authorization.payload
        self._decoder = ChunkedDecoder(head, verified)
        self._encoder = ChunkedEncoder(
            chain if mode in _SIGNED else None, has_trailer=mode in _WITH_TRAILER
        )

    def feed(self, data: bytes) -> bytes:
        """Take in what came; return what may go up. Raises as the decoder does."""
        out = [self._encoder.encode(piece) for piece in self._decoder.feed(data)]
        if self._decoder.ended and data:
            out.append(self._encoder.end(self._decoder.trailer))
        return b"".join(out)

    def finish(self) -> None:
        """Say that no more comes; raises FramingError when the end is missing."""
        self._decoder.finish()


def _decoded_length(head: RequestHead) -> int:
    value = head.get(b"x-amz-decoded-content-length")
    if not value.isdigit() or len(value) > 15:
        _refuse(
            "x-amz-decoded-content-length is missing or no number",
            aws_code="MissingContentLength",
        )
    return int(value)


def _announced_trailer(head: RequestHead) -> list[str]:
    """The names that ``x-amz-trailer`` announces, sorted."""
    value = b",".join(head.values(b"x-amz-trailer")).lower().decode("latin-1")
    return sorted(filter(None, map(str.strip, value.split(","))))


def _canonical_line(line: bytes) -> bytes:
    name, _, value = line.partition(b":")
    return name.lower() + b":" + value.strip() + b"\n"


def _match_signature(expected: str, signature: bytes) -> None:
    if not hmac.compare_digest(expected.encode(), signature):
        raise AuthenticationError(
            "signature.chunk",
            "the signature of a chunk or of the trailer does not match it",
            aws_code="SignatureDoesNotMatch",
        )


def _match_checksum(checksum: Checksum, value: bytes) -> None:
    if base64.b64encode(checksum.digest()) != value:
        raise PeerError(
            "body.checksum",
            "the checksum in the trailer is not that of the body",
            aws_code="BadDigest",
        )


def _refuse(message: str, *, aws_code: str = "InvalidRequest") -> NoReturn:
    raise FramingError("body.aws_chunked", message, aws_code=aws_code)
