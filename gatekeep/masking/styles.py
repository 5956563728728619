"""Styles: what stands in the place of a protected text or number.

A style hides a part of a text, from its first byte on, and says what is written
there. What it keeps (the last digits) stays as it is on the wire, so an escaped
or odd spelling of the kept part is never written anew.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from gatekeep.errors import OperatorError
from gatekeep.principal import Secret

TOKEN_KEY_BYTES = 32
"""Key of ``token`` and ``digits``: as long as the SHA-256 output it drives."""

TOKEN_CHARACTERS = 26
"""130 bits in base32: no two values of one key share a token by chance."""

ALPHANUMERIC = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)


class Kind(Enum):
    """What a style does; strictest first, for when two profiles disagree."""

    DROP = "drop"
    FIXED = "fixed"
    SAME_LENGTH = "same-length"
    TOKEN = "token"  # noqa: S105  # a style, no credential
    DIGITS = "digits"
    KEEP_LAST = "keep-last"


STRICTNESS = {kind: place for place, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Style:
    """A parsed style: ``keep-last-4`` is ``Style(Kind.KEEP_LAST, 4)``."""

    kind: Kind
    keep: int = 0

    @property
    def rank(self) -> tuple[int, int]:
        """Smaller is stricter."""
        return (STRICTNESS[self.kind], self.keep)


def parse_style(name: str) -> Style:
    """Return the style of a name that settings have checked."""
    if name.startswith("keep-last-"):
        return Style(Kind.KEEP_LAST, int(name.removeprefix("keep-last-")))
    return Style(Kind(name))


class TokenKey:
    """The key of deterministic styles: one value gives one token, everywhere."""

    def __init__(self, key: bytes) -> None:
        self._key = Secret(key)

    @classmethod
    def read(cls, path: Path) -> TokenKey:
        """Read a key file: base64 of 32 bytes.

        Raises:
            OperatorError: the file cannot be read or holds something else.
        """
        try:
            key = base64.b64decode(path.read_bytes().strip(), validate=True)
        except OSError as error:
            raise OperatorError(
                "masking.token_key", f"masking.token_key: {path}: {error.strerror}"
            ) from error
        except binascii.Error:
            key = b""
        if len(key) != TOKEN_KEY_BYTES:
            raise OperatorError(
                "masking.token_key",
                f"masking.token_key: {path}: expected base64 of {TOKEN_KEY_BYTES} bytes",
            )
        return cls(key)

    def stream(self, label: bytes, value: bytes, size: int) -> bytes:
        """``size`` bytes that follow from key, label and value (HMAC, counted)."""
        output = b""
        while len(output) < size:
            block = len(output).to_bytes(8, "big") + label + b"\0" + value
            output += hmac.digest(self._key.reveal(), block, hashlib.sha256)
        return output[:size]

    def token(self, value: bytes) -> bytes:
        """A token of `TOKEN_CHARACTERS` lower-case base32 characters."""
        raw = self.stream(b"token", value, 20)
        return base64.b32encode(raw)[:TOKEN_CHARACTERS].lower()

    def digits(self, value: bytes) -> bytes:
        """The value with each digit and ASCII letter exchanged for another one."""
        noise = self.stream(b"digits", value, len(value))
        return bytes(map(_exchange, value, noise))


def _exchange(character: int, noise: int) -> int:
    """A character of the same class, chosen by a byte of noise."""
    for first, size in ((0x30, 10), (0x41, 26), (0x61, 26)):
        if first <= character < first + size:
            return first + noise % size
    return character


def canonical(value: bytes) -> bytes:
    """What tokens are made of: letter case and separators do not count."""
    kept = bytes(c for c in value.lower() if c in ALPHANUMERIC or c in b"@._")
    return kept.replace(b".", b"").replace(b"_", b"") if b"@" not in kept else kept


def kept_from(value: bytes, keep: int) -> int:
    """Where the part that ``keep-last-n`` leaves begins.

    At least half of the letters and digits are hidden whatever n is: a kept
    part longer than the value would hide nothing.
    """
    places = [index for index, c in enumerate(value) if c in ALPHANUMERIC]
    keep = min(keep, len(places) // 2)
    return places[len(places) - keep] if keep else len(value)


def hide(
    style: Style, value: bytes, *, label: bytes, key: TokenKey | None
) -> tuple[int, bytes]:
    """What a style does to a text.

    Args:
        style: the style.
        value: the text, UTF-8.
        label: name of the detector, or ``masked`` for a field.
        key: needed by ``token`` and ``digits``.

    Returns:
        How many bytes from the start are hidden, and what is written there.
    """
    size = len(value)
    match style.kind:
        case Kind.DROP:
            return size, b""
        case Kind.FIXED:
            return size, b"[" + label + b"]"
        case Kind.SAME_LENGTH:
            return size, b"*" * size
        case Kind.TOKEN:
            assert key is not None
            return size, b"tok_" + key.token(canonical(value))
        case Kind.DIGITS:
            assert key is not None
            return size, key.digits(value)
        case Kind.KEEP_LAST:
            size = kept_from(value, style.keep)
            return size, bytes(
                0x2A if c in ALPHANUMERIC or c >= 0x80 else c for c in value[:size]
            )


NUMBER = re.compile(rb"-?([0-9]+)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]{1,4}))?")
EXPONENT_MAX = 40
"""A larger exponent makes no number that a detector knows."""


def number_digits(text: bytes) -> bytes:
    """The digits of a number, a small exponent worked in: 4.1e3 gives 4100."""
    number = NUMBER.fullmatch(text)
    if number is None:
        return bytes(c for c in text if 0x30 <= c <= 0x39)
    fraction = (number[2] or b"").rstrip(b"0")
    shift = int(number[3] or 0)
    if len(fraction) <= shift <= EXPONENT_MAX:
        fraction = fraction.ljust(shift, b"0")
    return number[1] + fraction


def hide_number(style: Style, text: bytes, *, key: TokenKey | None) -> bytes:
    """What a style makes of a number: a number in JSON's grammar.

    ``fixed`` and ``drop`` give 0; ``keep-last-n`` the last digits without the
    zeros before them; ``same-length`` as many nines; ``token`` and ``digits`` as
    many digits drawn from the key.
    """
    digits = number_digits(text)
    match style.kind:
        case Kind.DROP | Kind.FIXED:
            return b"0"
        case Kind.SAME_LENGTH:
            return b"9" * len(digits)
        case Kind.TOKEN | Kind.DIGITS:
            assert key is not None
            return key.digits(digits).lstrip(b"0") or b"0"
        case Kind.KEEP_LAST:
            keep = min(style.keep, len(digits) // 2)
            return digits[len(digits) - keep :].lstrip(b"0") or b"0"
