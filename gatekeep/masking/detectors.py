"""The built-in detectors: what a protected text looks like.

A detector looks for a trigger, then a check decides where the value begins and
ends, or that it is none. Sources of the rules: card brand tables and Luhn
(ISO/IEC 7812), SSA's list of numbers never issued, RFC 5321 and 1035 for e-mail,
AWS's own key prefixes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Detector:
    """One kind of protected value."""

    name: str
    trigger: re.Pattern[bytes]
    check: Callable[[bytes, int, int], Span | None]
    """(text, trigger's start, trigger's end) -> the value's span, or None."""
    keys: frozenset[bytes] = frozenset()
    """Names (folded by `fold`) of members whose whole value is checked."""
    keyed: re.Pattern[bytes] | None = None
    """What the whole value must look like under one of those names."""


def fold(name: bytes) -> bytes:
    """A member's name as names are compared: lower case, no ``_ - . space``."""
    return name.lower().translate(None, b"_-. ")


def isolated(text: bytes, start: int, end: int) -> bool:
    """Whether no letter, digit or joined digit group stands beside the span."""
    before, after = text[max(start - 2, 0) : start], text[end : end + 2]
    return not (
        re.search(rb"[A-Za-z0-9_]\Z|[0-9][-.]\Z", before)
        or re.match(rb"[A-Za-z0-9_]|[-.][0-9]", after)
    )


def luhn(digits: bytes) -> bool:
    """Whether the last digit is the check digit (ISO/IEC 7812-1, Annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = digit - 0x30
        if place % 2:
            value = value * 2 - 9 * (value > 4)
        total += value
    return total % 10 == 0


BRANDS: tuple[tuple[int, int, int, tuple[int, ...]], ...] = (
    # prefix length, first, last, lengths
    (1, 4, 4, (13, 16, 19)),  # Visa
    (2, 51, 55, (16,)),  # Mastercard
    (4, 2221, 2720, (16,)),  # Mastercard, since 2017
    (2, 34, 34, (15,)),  # American Express
    (2, 37, 37, (15,)),
    (4, 6011, 6011, (16, 17, 18, 19)),  # Discover
    (3, 644, 649, (16, 17, 18, 19)),
    (2, 65, 65, (16, 17, 18, 19)),
    (2, 62, 62, (16, 17, 18, 19)),  # UnionPay; Discover 622126 to 622925 in it
    (4, 3528, 3589, (16, 17, 18, 19)),  # JCB
    (3, 300, 305, (14, 15, 16, 17, 18, 19)),  # Diners
    (2, 36, 36, (14, 15, 16, 17, 18, 19)),
    (2, 38, 39, (14, 15, 16, 17, 18, 19)),
)


def is_pan(digits: bytes) -> bool:
    """Whether digits are a card number: brand, length of that brand, Luhn."""
    return any(
        len(digits) in lengths and first <= int(digits[:size]) <= last
        for size, first, last, lengths in BRANDS
    ) and luhn(digits)


PAN_FORMS = re.compile(
    rb"\d{13,19}(?![0-9])"
    rb"|\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?(?![0-9])"
    rb"|\d{4}([ -])\d{6}\2\d{4,5}(?![0-9])"
)


def _pan(text: bytes, start: int, _: int) -> Span | None:
    form = PAN_FORMS.match(text, start)
    if form is None or not isolated(text, start, form.end()):
        return None
    digits = form[0].translate(None, b" -")
    return (start, form.end()) if is_pan(digits) else None


NEVER_ISSUED = frozenset({b"078051120", b"219099999", b"457555462"} | {
    b"98765432%d" % last for last in range(10)
})  # fmt: skip
"""Numbers of advertisements and examples (SSA)."""


def is_ssn(digits: bytes) -> bool:
    """Whether nine digits can be an SSN (SSA: since 2011 no group order)."""
    return (
        digits[:3] not in (b"000", b"666")
        and digits[0] != 0x39
        and digits[3:5] != b"00"
        and digits[5:] != b"0000"
        and digits not in NEVER_ISSUED
    )


def _ssn(text: bytes, start: int, end: int) -> Span | None:
    value = text[start:end]
    if value[3] != value[6] or not isolated(text, start, end):
        return None
    return (start, end) if is_ssn(value[:3] + value[4:6] + value[7:]) else None


LOCAL = re.compile(rb"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}\Z")
DOMAIN = re.compile(
    rb"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+([A-Za-z]{2,24})(?![A-Za-z0-9-])"
)
FILE_SUFFIXES = frozenset(
    {b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"js", b"css"}
)


def _email(text: bytes, start: int, _: int) -> Span | None:
    at = start + 1
    local = LOCAL.search(text[max(0, at - 64) : at])
    domain = DOMAIN.match(text, at + 1)
    if local is None or domain is None or domain[1].lower() in FILE_SUFFIXES:
        return None
    name = local[0].lstrip(b".'/=")
    return (at - len(name), domain.end()) if name else None


def _isolated_trigger(text: bytes, start: int, end: int) -> Span | None:
    return (start, end) if isolated(text, start, end) else None


DETECTORS: dict[str, Detector] = {
    detector.name: detector
    for detector in (
        Detector(
            "pan",
            re.compile(rb"(?<![A-Za-z0-9_])[2-6]\d{3}(?=[ -]?\d{4})"),
            _pan,
        ),
        Detector(
            "ssn",
            re.compile(rb"(?<![0-9])\d{3}[- .]\d{2}[- .]\d{4}(?![0-9])"),
            _ssn,
            keys=frozenset({
                b"ssn", b"socialsecuritynumber", b"socialsecurityno", b"socialsecurity",
                b"ssnumber", b"taxpayerid",
            }),
            keyed=re.compile(rb"\d{9}"),
        ),
        Detector("email", re.compile(rb"[^\s@]@(?=[A-Za-z0-9])"), _email),
        Detector(
            "aws-key",
            re.compile(rb"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"),
            _isolated_trigger,
            keys=frozenset({
                b"secretaccesskey", b"awssecretaccesskey", b"secretkey", b"awssecretkey",
            }),
            keyed=re.compile(rb"[A-Za-z0-9/+]{40}"),
        ),
    )
}  # fmt: skip


def findings(text: bytes, names: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """Every protected value in a text, by start; overlaps are kept."""
    found = []
    for name in names:
        detector = DETECTORS[name]
        for trigger in detector.trigger.finditer(text):
            span = detector.check(text, trigger.start(), trigger.end())
            if span is not None:
                found.append((*span, name))
    found.sort(key=lambda one: (one[0], -one[1]))
    return found
