"""SigV4 as the AWS documents tell it, step by step and slowly.

Shares no code with `gatekeep.aws`; stands in for a client in tests. Source: "Create
a signed AWS API request" and "Signature calculations for the Authorization header:
transferring payload in multiple chunks".
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def uri_encode(data: bytes, *, slash: bool = True) -> str:
    out = ""
    for byte in data:
        if byte in UNRESERVED or (byte == 0x2F and not slash):
            out += chr(byte)
        else:
            out += f"%{byte:02X}"
    return out


def percent_decode(text: bytes) -> bytes:
    out = bytearray()
    at = 0
    while at < len(text):
        if text[at : at + 1] == b"%":
            out.append(int(text[at + 1 : at + 3], 16))
            at += 3
        else:
            out.append(text[at])
            at += 1
    return bytes(out)


def canonical_uri(path: bytes, *, s3: bool) -> str:
    """``path`` is what stands on the request line: encoded once already."""
    if s3:
        return uri_encode(percent_decode(path), slash=False)
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment in (b"", b"."):
            continue
        if segment == b"..":
            kept = kept[:-1]
        else:
            kept.append(segment)
    if not kept:
        return "/"
    ending = b"/" if path.endswith(b"/") else b""
    return uri_encode(b"/" + b"/".join(kept) + ending, slash=False)


def canonical_query(query: bytes) -> str:
    if not query:
        return ""
    pairs = []
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        pairs.append(
            tuple(
                uri_encode(percent_decode(part.replace(b"+", b" ")))
                for part in (name, value)
            )
        )
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def trim(value: bytes) -> str:
    return " ".join(value.decode("latin-1").strip(" \t").replace("\t", " ").split())


def canonical_headers(headers: list[tuple[bytes, bytes]], signed: list[str]) -> str:
    out = ""
    for name in signed:
        values = [trim(v) for n, v in headers if n.lower().decode() == name]
        out += f"{name}:{','.join(values)}\n"
    return out


@dataclass
class Client:
    """Somebody with a key who signs requests in one scope."""

    access_key_id: str
    secret: str
    region: str
    service: str
    amz_date: str

    @property
    def scope(self) -> str:
        return f"{self.amz_date[:8]}/{self.region}/{self.service}/aws4_request"

    def key(self) -> bytes:
        key = b"AWS4" + self.secret.encode()
        for part in self.scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key

    def hmac(self, text: str) -> str:
        return hmac.new(self.key(), text.encode("latin-1"), hashlib.sha256).hexdigest()

    def signature(
        self,
        method: bytes,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        signed: list[str],
        body_hash: str,
    ) -> str:
        path, _, query = target.partition(b"?")
        s3 = self.service in ("s3", "s3express", "s3-outposts", "s3-object-lambda")
        request = "\n".join(
            [
                method.decode(),
                canonical_uri(path, s3=s3),
                canonical_query(query),
                canonical_headers(headers, signed),
                ";".join(signed),
                body_hash,
            ]
        )
        return self.hmac(
            "\n".join(
                [
                    "AWS4-HMAC-SHA256",
                    self.amz_date,
                    self.scope,
                    sha256_hex(request.encode("latin-1")),
                ]
            )
        )

    def sign(
        self,
        method: bytes,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        body_hash: str,
    ) -> list[tuple[bytes, bytes]]:
        """The headers with ``x-amz-date`` and ``authorization``; all are signed."""
        headers = [*headers, (b"x-amz-date", self.amz_date.encode())]
        signed = sorted({name.lower().decode() for name, _ in headers})
        signature = self.signature(method, target, headers, signed, body_hash)
        value = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key_id}/{self.scope},"
            f" SignedHeaders={';'.join(signed)}, Signature={signature}"
        )
        return [*headers, (b"authorization", value.encode())]

    def presign(
        self,
        method: bytes,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        body_hash: str,
        *,
        expires_s: int,
        token: str = "",
    ) -> bytes:
        """The target with the signature in its query."""
        signed = sorted({name.lower().decode() for name, _ in headers})
        given = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.access_key_id}/{self.scope}",
            "X-Amz-Date": self.amz_date,
            "X-Amz-Expires": str(expires_s),
            "X-Amz-SignedHeaders": ";".join(signed),
        }
        if token:
            given["X-Amz-Security-Token"] = token
        query = "&".join(f"{n}={uri_encode(v.encode())}" for n, v in given.items())
        target += (b"&" if b"?" in target else b"?") + query.encode()
        signature = self.signature(method, target, headers, signed, body_hash)
        return target + b"&X-Amz-Signature=" + signature.encode()

    def sign_chunks(
        self, seed: str, chunks: list[bytes], trailer: list[tuple[bytes, bytes]] | None
    ) -> bytes:
        """A signed aws-chunked body; ``chunks`` without the empty last one."""
        previous = seed
        out = b""
        for chunk in [*chunks, b""]:
            previous = self.hmac(
                "\n".join(
                    [
                        "AWS4-HMAC-SHA256-PAYLOAD",
                        self.amz_date,
                        self.scope,
                        previous,
                        sha256_hex(b""),
                        sha256_hex(chunk),
                    ]
                )
            )
            out += b"%x;chunk-signature=%b\r\n" % (len(chunk), previous.encode())
            if chunk:
                out += chunk + b"\r\n"
        if trailer is not None:
            lines = b"".join(b"%b:%b\n" % pair for pair in trailer)
            signature = self.hmac(
                "\n".join(
                    [
                        "AWS4-HMAC-SHA256-TRAILER",
                        self.amz_date,
                        self.scope,
                        previous,
                        sha256_hex(lines),
                    ]
                )
            )
            out += b"".join(b"%b:%b\r\n" % pair for pair in trailer)
            out += b"x-amz-trailer-signature:%b\r\n" % signature.encode()
        return out + b"\r\n"


def unsigned_chunks(chunks: list[bytes], trailer: list[tuple[bytes, bytes]]) -> bytes:
    """An unsigned aws-chunked body with a trailer."""
    out = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return out + b"0\r\n" + b"".join(b"%b:%b\r\n" % pair for pair in trailer) + b"\r\n"


def sign_event(
    client: Client, previous: str, date_header: bytes, payload: bytes
) -> str:
    """The signature of one event-stream message, by its encoded ``:date``."""
    return client.hmac(
        "\n".join(
            [
                "AWS4-HMAC-SHA256-PAYLOAD",
                client.amz_date,
                client.scope,
                previous,
                sha256_hex(date_header),
                sha256_hex(payload),
            ]
        )
    )
