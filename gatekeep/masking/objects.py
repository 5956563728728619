"""Bodies that users stored or functions made: read by media type, name, first bytes."""

from __future__ import annotations

import re

from gatekeep.masking.codec import Codec
from gatekeep.masking.compressed import COMPRESSIONS
from gatekeep.masking.engine import Engine
from gatekeep.masking.failure import MaskingError
from gatekeep.masking.formats import Format, SniffingCodec, format_of, is_opaque

SEPARATORS = {Format.CSV: b",", Format.TSV: b"\t"}


class PassingCodec:
    """Lets a body through as it is: what a profile says of formats it cannot read."""

    length_kept = True

    @property
    def findings(self) -> dict[str, int]:
        """Says to the record that the body was not inspected."""
        return {"uninspectable": 1}

    def feed(self, data: bytes) -> bytes:
        """Give the same bytes."""
        return data

    def finish(self) -> bytes:
        """Give nothing."""
        return b""


def stored_codec(
    engine: Engine, *, media: bytes, encoding: bytes, name: str, part: bool
) -> Codec:
    """Return what masks a stored object, byte for byte at its place.

    Args:
        engine: what is hidden.
        media: media type, lower case, without parameters; empty: unknown.
        encoding: Content-Encoding, lower case.
        name: the object's key.
        part: only a range of it comes.

    Raises:
        MaskingError: a range of an object that only the whole can be read of, or a
            format that cannot be read at all.
    """
    form, compression = format_of(media, name)
    encoding = encoding.removesuffix(b"aws-chunked").strip(b", ")
    if encoding in COMPRESSIONS:
        compression = encoding
    elif encoding not in (b"", b"identity"):
        form = Format.OPAQUE
    if form is Format.OPAQUE:
        return uninspectable(engine)
    if compression:
        if part:
            raise _whole_only("it is compressed")
        return COMPRESSIONS[compression](_sniffing(engine, form))
    if part:
        if form is Format.UNKNOWN:
            raise _whole_only("nothing tells its format")
        if _is_structured(engine, form):
            raise _whole_only("what is masked depends on its structure")
        return _reader(engine, form)
    return _sniffing(engine, form)


def payload_codec(engine: Engine, *, media: bytes) -> Codec:
    """Return what masks a body that is no document of a protocol and has no ranges.

    That is a function's result, a model's answer or a captured body.

    Raises:
        MaskingError: a format that cannot be read.
    """
    form, compression = format_of(media, "")
    if form is Format.OPAQUE or compression:
        return uninspectable(engine)

    def choose(first: bytes) -> Codec:
        if is_opaque(first):
            return uninspectable(engine)
        match _seen(form, first):
            case Format.JSON:
                return engine.json("", many=True)
            case Format.XML:
                return engine.xml("")
            case Format.CSV | Format.TSV:
                return engine.csv(separator=SEPARATORS[form])
        return engine.text(escapes=True, entities=True)

    codec = SniffingCodec(choose)
    codec.length_kept = False
    return codec


def uninspectable(engine: Engine) -> Codec:
    """What the profile says of a body that cannot be read: refuse it or pass it."""
    if engine.profile.refuses_uninspectable:
        raise MaskingError(
            "masking.uninspectable",
            "the answer's format cannot be inspected, so it cannot be masked",
        )
    return PassingCodec()


def _whole_only(why: str) -> MaskingError:
    return MaskingError(
        "masking.range",
        f"a part of this object cannot be masked, because {why}; ask for the whole",
    )


def _is_structured(engine: Engine, form: Format) -> bool:
    """Whether more than its near surroundings decide whether a byte is hidden."""
    return engine.profile.names_fields or (form in SEPARATORS and bool(engine.keyed))


def _sniffing(engine: Engine, form: Format) -> Codec:
    def choose(first: bytes) -> Codec:
        if is_opaque(first):
            return uninspectable(engine)
        # Where ranges are given, the whole must be read as a range of it is.
        guess = form is Format.UNKNOWN or engine.profile.names_fields
        return _reader(engine, _seen(form, first) if guess else form)

    return SniffingCodec(choose)


JSON_BEGINNING = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\{\s*["}]|\[\s*[{\["])')
XML_BEGINNING = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml\s")


def _seen(form: Format, first: bytes) -> Format:
    """The format, once the first bytes are there: text may be JSON or XML."""
    if form in (Format.UNKNOWN, Format.TEXT):
        if JSON_BEGINNING.match(first):
            return Format.JSON
        return Format.XML if XML_BEGINNING.match(first) else Format.TEXT
    return form


def _reader(engine: Engine, form: Format) -> Codec:
    """What masks a format byte for byte."""
    structured = _is_structured(engine, form)
    match form:
        case Format.JSON:
            if structured:
                return engine.json("", many=True, length_kept=True)
            return engine.text(escapes=True, length_kept=True, digits_stay=True)
        case Format.XML:
            if structured:
                return engine.xml("", length_kept=True)
            return engine.text(entities=True, length_kept=True)
        case Format.CSV | Format.TSV if structured:
            return engine.csv(separator=SEPARATORS[form], length_kept=True)
    return engine.text(escapes=True, length_kept=True)
