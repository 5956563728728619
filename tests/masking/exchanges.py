"""Calls, plans and answers as the gateway makes them, for the tests of this room."""

import itertools
from collections.abc import Iterable

from gatekeep.aws.call import AccessLevel, Call, Need, Protocol
from gatekeep.http.messages import Field, RequestHead, ResponseHead
from gatekeep.masking.masking import Masking
from gatekeep.masking.plan import MaskPlan, ResponseMask
from gatekeep.settings import MaskingSettings, MaskSettings, ProfileSettings

DETECTORS = ("pan", "ssn", "email", "iban", "aws-key", "phone", "dob", "private-key")


def masking(
    *fields: str,
    detectors: Iterable[str] = DETECTORS,
    style: str = "fixed",
    uninspectable: str = "refuse",
) -> Masking:
    masks = [MaskSettings(field=name, style=style) for name in fields]
    masks += [MaskSettings(detector=name, style=style) for name in detectors]
    profile = ProfileSettings(name="p", mask=tuple(masks), uninspectable=uninspectable)
    return Masking(MaskingSettings(profile=(profile,)))


def call(
    service: str,
    operation: str,
    protocol: Protocol = Protocol.JSON,
    **parameters: object,
) -> Call:
    need = Need(f"{service}:{operation}", "*", AccessLevel.READ)
    return Call(service, operation, protocol, "us-east-1", (need,), parameters)


def plan(m: Masking, made: Call, *fields: Field) -> MaskPlan:
    return m.plan(made, RequestHead(b"GET", b"/", list(fields)), ("p",))


def pieces(raw: bytes, cuts: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    return [raw[a:b] for a, b in itertools.pairwise(edges)]


def through(mask: ResponseMask, raw: bytes, cuts: Iterable[int] = ()) -> bytes:
    return b"".join(map(mask.feed, pieces(raw, cuts))) + mask.finish()


def answer(
    m: Masking, made: Call, body: bytes, media: bytes = b"", cuts: Iterable[int] = (),
    status: int = 200, **fields: bytes,
) -> bytes:  # fmt: skip
    head = [(b"content-type", media)] if media else []
    head += [(name.replace("_", "-").encode(), value) for name, value in fields.items()]
    return through(plan(m, made).response(ResponseHead(status, head)), body, cuts)
