"""aws-chunked bodies, with a client by the documents on the other side."""

from __future__ import annotations

import base64
import itertools
import re
import zlib
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeep.aws.authorization import PayloadMode
from gatekeep.aws.chunked import ChunkedBody, ChunkedDecoder, Piece
from gatekeep.aws.credentials import UpstreamCredentials
from gatekeep.aws.sigv4 import Signer, Verified
from gatekeep.errors import FramingError, LimitError, PeerError
from gatekeep.http.messages import RequestHead
from gatekeep.limits import AWS_CHUNK_BYTES_MAX
from gatekeep.principal import Secret
from tests.aws.signing import AMZ_DATE, NOW_S, a_client, a_head, verify
from tests.reference.sigv4 import Client, unsigned_chunks

UNSIGNED = PayloadMode.STREAMING_UNSIGNED_TRAILER
SIGNED = PayloadMode.STREAMING_SIGNED
SIGNED_TRAILER = PayloadMode.STREAMING_SIGNED_TRAILER
MODES = [UNSIGNED, SIGNED, SIGNED_TRAILER]

UPSTREAM = UpstreamCredentials("ASIAUPSTREAM", Secret(b"upstream secret"), "token")
UPSTREAM_CLIENT = Client("ASIAUPSTREAM", "upstream secret", "us-east-1", "s3", AMZ_DATE)


def crc32(data: bytes) -> bytes:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big"))


@dataclass
class Upload:
    """A PUT of some chunks as a client sends it."""

    mode: PayloadMode
    chunks: list[bytes]
    extra: list[tuple[bytes, bytes]] = field(default_factory=list)
    trailer: list[tuple[bytes, bytes]] | None = None

    @property
    def data(self) -> bytes:
        return b"".join(self.chunks)

    def trailer_lines(self) -> list[tuple[bytes, bytes]] | None:
        if self.mode is SIGNED:
            return None
        if self.trailer is not None:
            return self.trailer
        return [(b"x-amz-checksum-crc32", crc32(self.data))]

    def head(self, client: Client) -> RequestHead:
        fields = [
            (b"host", b"gw.test"),
            (b"x-amz-content-sha256", self.mode.value.encode()),
            (b"x-amz-decoded-content-length", b"%d" % len(self.data)),
            *self.extra,
        ]
        if self.mode is not SIGNED:
            fields.append((b"x-amz-trailer", b"x-amz-checksum-crc32"))
        return a_head(
            b"PUT", b"/b/k", client.sign(b"PUT", b"/b/k", fields, self.mode.value)
        )

    def body(self, client: Client, seed: str) -> bytes:
        if self.mode is UNSIGNED:
            return unsigned_chunks(self.chunks, self.trailer_lines() or [])
        return client.sign_chunks(seed, self.chunks, self.trailer_lines())

    def sent(self) -> tuple[RequestHead, Verified, bytes]:
        client = a_client("s3")
        head = self.head(client)
        verified = verify(head)
        return (
            head,
            verified,
            self.body(client, verified.authorization.signature.decode()),
        )


def relay(upload: Upload, pieces: list[bytes] | None = None) -> tuple[bytes, bytes]:
    """What goes up for an upload, and the seed of its signatures."""
    head, verified, body = upload.sent()
    fields, chain = Signer().sign_stream(
        method=b"PUT", path=b"/b/k", query=b"", fields=head.fields,
        body_sha256=upload.mode.value, service="s3", region="us-east-1",
        credentials=UPSTREAM, now_s=NOW_S,
    )  # fmt: skip
    chunked = ChunkedBody(head, verified, chain)
    out = [chunked.feed(piece) for piece in (pieces or [body])]
    chunked.finish()
    return b"".join(out), dict(fields)[b"authorization"][-64:]


def decode(upload: Upload, body: bytes | None = None) -> bytes:
    head, verified, sent = upload.sent()
    decoder = ChunkedDecoder(head, verified)
    return decode_with(decoder, sent if body is None else body)


def decode_with(decoder: ChunkedDecoder, body: bytes) -> bytes:
    data = b"".join(piece.data for piece in decoder.feed(body))
    decoder.finish()
    return data


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[a:b] for a, b in itertools.pairwise(edges)]


uploads = st.builds(
    Upload,
    st.sampled_from(MODES),
    st.lists(st.binary(min_size=1, max_size=300), max_size=4),
)


@given(upload=uploads, places=st.lists(st.integers(min_value=0), max_size=12))
def test_what_goes_up_is_the_same_however_the_body_is_cut(upload, places):
    _, _, body = upload.sent()
    out, seed = relay(upload, cut(body, places))
    # The upstream's own view: the same chunks, signed with the gateway's key.
    assert out == upload.body(UPSTREAM_CLIENT, seed.decode())
    assert len(out) == len(body)
    head, verified, _ = upload.sent()
    decoder = ChunkedDecoder(head, verified)
    pieces = [piece for part in cut(body, places) for piece in decoder.feed(part)]
    decoder.finish()
    assert b"".join(piece.data for piece in pieces) == upload.data


@pytest.mark.parametrize("mode", MODES)
def test_a_body_fed_byte_by_byte_goes_up_the_same(mode):
    upload = Upload(mode, [b"x" * 40, b"y" * 7])
    _, _, body = upload.sent()
    whole, _ = relay(upload)
    assert relay(upload, [body[i : i + 1] for i in range(len(body))])[0] == whole


def test_what_boto3_sends_goes_up_unchanged():
    # The very bytes of boto3's put_object(Body=b"hello") over https (aws-wire, 4).
    body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    upload = Upload(UNSIGNED, [b"hello"])
    assert upload.sent()[2] == body
    assert relay(upload)[0] == body


@pytest.mark.parametrize("mode", MODES)
def test_no_change_of_one_byte_passes(mode):
    upload = Upload(mode, [b"some data\r\n", b"more of it"])
    head, verified, body = upload.sent()
    for place in range(len(body)):
        for change in (0x01, 0x20, 0x80, 0xFF):
            changed = bytearray(body)
            changed[place] ^= change
            if says_the_same(bytes(changed), body):
                continue
            decoder = ChunkedDecoder(head, verified)
            with pytest.raises(PeerError):
                decode_with(decoder, bytes(changed))


def says_the_same(changed: bytes, body: bytes) -> bool:
    """Whether two framings differ in the letter case of sizes and names alone."""
    sizes_and_names = re.compile(rb"(?:^|\r\n)(?:[0-9A-Fa-f]+(?=[;\r])|[A-Za-z0-9-]+:)")
    return sizes_and_names.sub(lambda m: m[0].lower(), changed) == body


@pytest.mark.parametrize("mode", MODES)
def test_no_byte_can_be_removed_added_or_left_off(mode):
    upload = Upload(mode, [b"some data\r\n", b"more of it"])
    head, verified, body = upload.sent()
    for place in range(len(body) + 1):
        for changed in (
            body[:place] + body[place + 1 :],
            body[:place] + b"0" + body[place:],
            body[:place],
        ):
            if changed == body:
                continue
            decoder = ChunkedDecoder(head, verified)
            with pytest.raises(PeerError):
                decode_with(decoder, changed)


@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER])
def test_nothing_of_a_signed_chunk_is_released_before_its_signature_holds(mode):
    upload = Upload(mode, [b"first chunk", b"SECOND chunk"])
    head, verified, body = upload.sent()
    changed = body.replace(b"SECOND", b"second")
    decoder = ChunkedDecoder(head, verified)
    released: list[Piece] = []
    bytes_of_body = (changed[i : i + 1] for i in range(len(changed)))
    with pytest.raises(PeerError) as caught:
        released.extend(piece for byte in bytes_of_body for piece in decoder.feed(byte))
    assert caught.value.aws_code == "SignatureDoesNotMatch"
    assert [piece.data for piece in released] == [b"first chunk"]


def test_chunks_cannot_change_places():
    upload = Upload(SIGNED, [b"pay 1", b"pay 2"])
    _, _, body = upload.sent()
    first, second, end = (body.index(b"5;"), body.index(b"5;", 1), body.index(b"0;"))
    swapped = body[second:end] + body[first:second] + body[end:]
    with pytest.raises(PeerError):
        decode(upload, swapped)


def test_a_chunk_of_another_upload_does_not_fit():
    other = Upload(SIGNED, [b"pay 2"], extra=[(b"x-amz-meta-a", b"b")]).sent()[2]
    with pytest.raises(PeerError):
        decode(Upload(SIGNED, [b"pay 2"]), other)


@given(body=st.binary(max_size=300), mode=st.sampled_from(MODES))
def test_garbage_is_refused_with_a_declared_error(body, mode):
    with pytest.raises(PeerError):
        decode(Upload(mode, [b"x" * 20]), body)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "BadDigest"),
        (b"5\r\nhello\r\n0\r\n\r\n", "MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-sha1:NhCmhg==\r\n\r\n", "MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\nx-amz-meta-a:b\r\n\r\n", "MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\nmore", "InvalidRequest"),
        (b"4\r\nhell\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "IncompleteBody"),
        (b"6\r\nhello!\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "InvalidRequest"),
        (b"5\r\nhello\r\n", "IncompleteBody"),
        (b"05\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "InvalidRequest"),
        (b"5;chunk-signature=" + b"0" * 64 + b"\r\nhello\r\n", "InvalidRequest"),
        (b"+5\r\nhello\r\n", "InvalidRequest"),
        (b"5_\r\nhello\r\n", "InvalidRequest"),
        (b"5\nhello\n0\n\n" + b" " * 200, "InvalidRequest"),
        (b"0\r\n", "IncompleteBody"),
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + b"A" * 4000, "InvalidRequest"),
    ],
)  # fmt: skip
def test_an_unsigned_body_that_is_wrong_says_how(body, code):
    with pytest.raises(PeerError) as caught:
        decode(Upload(UNSIGNED, [b"hello"]), body)
    assert caught.value.aws_code == code
    assert caught.value.status == 400


def test_a_size_in_capitals_is_the_same_size():
    upload = Upload(UNSIGNED, [b"x" * 10])
    _, _, body = upload.sent()
    assert decode(upload, b"A" + body[1:]) == b"x" * 10


@pytest.mark.parametrize("value", [b"", b"-1", b"1e3", b" ", b"9" * 16, b"\xb2"])
def test_a_head_that_does_not_say_the_length_is_refused(value):
    client = a_client("s3")
    fields = [
        (b"host", b"gw.test"),
        (b"x-amz-content-sha256", SIGNED.value.encode()),
        (b"x-amz-decoded-content-length", value),
    ]
    head = a_head(b"PUT", b"/b/k", client.sign(b"PUT", b"/b/k", fields, SIGNED.value))
    with pytest.raises(FramingError) as caught:
        ChunkedDecoder(head, verify(head))
    assert caught.value.aws_code == "MissingContentLength"


def test_a_signed_chunk_beyond_the_limit_is_refused_unread():
    upload = Upload(SIGNED, [b"x" * (AWS_CHUNK_BYTES_MAX + 1)])
    _, _, body = upload.sent()
    with pytest.raises(LimitError):
        decode(upload, body[:100])
    assert decode(Upload(SIGNED, [b"x" * AWS_CHUNK_BYTES_MAX]))


def test_an_unsigned_chunk_of_any_size_passes_as_it_comes():
    upload = Upload(UNSIGNED, [b"x" * 3_000_000])
    head, verified, body = upload.sent()
    decoder = ChunkedDecoder(head, verified)
    released = sum(len(p.data) for p in decoder.feed(body[:1_000_000]))
    assert released > 999_000


def test_a_body_of_another_mode_is_no_aws_chunked_body():
    client = a_client("s3")
    fields = [(b"host", b"gw.test"), (b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD")]
    head = a_head(
        b"PUT", b"/b/k", client.sign(b"PUT", b"/b/k", fields, "UNSIGNED-PAYLOAD")
    )
    with pytest.raises(ValueError, match="aws-chunked"):
        ChunkedDecoder(head, verify(head))
