"""The masking engine as plainly as it can be said: whole values, Python, no streams.

What the kernels in `gatekeep._fast` do with windows and matches, this does with a
list of bytes and the standard library's `re`. The two are compared over random
bodies; where they differ, one of them is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from gatekeep.masking.detectors import DETECTORS, Detector
from gatekeep.masking.profiles import Profile
from gatekeep.masking.styles import Style, TokenKey, hide, hide_number

Span = tuple[int, int]

# --- what a text means -------------------------------------------------------------


@dataclass
class View:
    """A text as it is meant: each byte with its place on the wire."""

    text: bytearray = field(default_factory=bytearray)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    dropped: int = 0

    def add(self, piece: bytes, start: int, end: int) -> None:
        self.text += piece
        self.starts += [start] * len(piece)
        self.ends += [end] * len(piece)
        self.dropped = 0 if piece else self.dropped + 1

    def plain(self, piece: bytes, start: int) -> None:
        for place, one in enumerate(piece):
            self.add(bytes([one]), start + place, start + place + 1)

    def character(
        self, code: int, start: int, end: int, *, spelled: bytes | None
    ) -> None:
        """A character; `spelled`: it stands there as these very bytes."""
        meant = meaning(code)
        if meant == "" and self.dropped < 2:
            self.add(b"", start, end)
        elif meant == "" and spelled is not None:
            self.plain(spelled, start)
        else:
            lone = 0xD800 <= code < 0xE000
            one = "\ufffd" if lone else meant or chr(code)
            self.add(one.encode(), start, end)


def meaning(code: int) -> str | None:
    """The ASCII that a character stands for; empty: nothing at all; None: itself."""
    for first, last, to in (
        (0x660, 0x669, "0"), (0x6F0, 0x6F9, "0"), (0xFF10, 0xFF19, "0"),
        (0xFF21, 0xFF3A, "A"), (0xFF41, 0xFF5A, "a"),
    ):  # fmt: skip
        if first <= code <= last:
            return chr(ord(to) + code - first)
    if 0x1D7CE <= code <= 0x1D7FF:
        return str((code - 0x1D7CE) % 10)
    if code in (0xA0, 0x202F, 0x205F, 0x3000) or 0x2000 <= code <= 0x200A:
        return " "
    if (
        code in (0xAD, 0xFEFF)
        or 0x200B <= code <= 0x200F
        or 0x202A <= code <= 0x202E
        or 0x2060 <= code <= 0x2064
    ):
        return ""
    if 0x2010 <= code <= 0x2015 or code in (0x2212, 0xFF0D):
        return "-"
    return {0xFF20: "@", 0xFF0E: "."}.get(code)


def decode_utf8(raw: bytes, at: int) -> tuple[int, int]:
    """The character at a place and its size; size 1 when it is none."""
    size = 2 if raw[at] < 0xE0 else 3 if raw[at] < 0xF0 else 4
    tail = raw[at + 1 : at + size]
    if len(tail) < size - 1 or any(c & 0xC0 != 0x80 for c in tail):
        return -1, 1
    code = raw[at] & (0x1F, 0x0F, 0x07)[size - 2]
    for c in tail:
        code = code << 6 | c & 0x3F
    return code, size


def view_high(view: View, raw: bytes, at: int) -> int:
    code, size = decode_utf8(raw, at)
    if code < 0 or meaning(code) is None or (meaning(code) == "" and view.dropped >= 2):
        view.plain(raw[at : at + size], at)
    else:
        view.character(code, at, at + size, spelled=None)
    return at + size


SIMPLE = {0x62: 8, 0x66: 12, 0x6E: 10, 0x72: 13, 0x74: 9}


def json_view(raw: bytes) -> View:
    """The inside of a JSON string, whose grammar has been checked."""
    view, at = View(), 0
    while at < len(raw):
        if raw[at] >= 0x80:
            at = view_high(view, raw, at)
        elif raw[at] != 0x5C:
            view.plain(raw[at : at + 1], at)
            at += 1
        elif raw[at + 1] != 0x75:
            view.add(bytes([SIMPLE.get(raw[at + 1], raw[at + 1])]), at, at + 2)
            at += 2
        else:
            end, code = at + 6, int(raw[at + 2 : at + 6], 16)
            low = re.match(rb"\\u([dD][c-fC-F][0-9a-fA-F]{2})", raw[end : end + 6])
            if 0xD800 <= code < 0xDC00 and low:
                code = 0x10000 + ((code & 0x3FF) << 10) + (int(low[1], 16) & 0x3FF)
                end += 6
            view.character(code, at, end, spelled=None)
            at = end
    return view


ENTITIES = {b"lt": 60, b"gt": 62, b"amp": 38, b"quot": 34, b"apos": 39}


def text_view(raw: bytes, *, escapes: bool, entities: bool) -> View:
    """A text read without its structure."""
    view, at = View(), 0
    while at < len(raw):
        if raw[at] >= 0x80:
            at = view_high(view, raw, at)
            continue
        unit = re.compile(rb"\\u([0-9a-fA-F]{4})").match(raw, at) if escapes else None
        short = re.compile(rb'\\([nrtbf"/])').match(raw, at) if escapes else None
        entity = (
            re.compile(rb"&([^;]{1,9});", re.DOTALL).match(raw, at)
            if entities
            else None
        )
        code = entity_code(entity[1]) if entity else None
        if unit:
            view.character(int(unit[1], 16), at, at + 6, spelled=unit[0])
            at += 6
        elif short:
            view.add(bytes([SIMPLE.get(short[1][0], short[1][0])]), at, at + 2)
            at += 2
        elif entity and code is not None:
            view.character(code, at, entity.end(), spelled=entity[0])
            at = entity.end()
        else:
            view.plain(raw[at : at + 1], at)
            at += 1
    return view


def entity_code(name: bytes) -> int | None:
    if re.fullmatch(rb"#[0-9]+", name):
        code = int(name[1:])
    elif re.fullmatch(rb"#[xX][0-9a-fA-F]+", name):
        code = int(b"0" + name[1:], 16)
    else:
        return ENTITIES.get(name)
    return code if code <= 0x10FFFF else None


# --- what is protected -------------------------------------------------------------


def alone(text: bytes, start: int, end: int) -> bool:
    return not (
        re.search(rb"\w\Z|[0-9][-.]\Z", text[max(start - 2, 0) : start])
        or re.match(rb"\w|[-.][0-9]", text[end : end + 2])
    )


def no_row(text: bytes, start: int, end: int) -> bool:
    """Isolated, and no number of a row of them."""
    beside = text[max(start - 2, 0) : start] + b"|" + text[end : end + 2]
    return alone(text, start, end) and not re.search(rb"[0-9] \||\| [0-9]", beside)


def luhn(digits: bytes) -> bool:
    doubled = {0: 0, 1: 2, 2: 4, 3: 6, 4: 8, 5: 1, 6: 3, 7: 5, 8: 7, 9: 9}
    values = [c - 48 for c in reversed(digits)]
    return (sum(values[::2]) + sum(doubled[v] for v in values[1::2])) % 10 == 0


BRANDS = (
    r"4(\d{12}|\d{15}|\d{18})", r"5[1-5]\d{14}",
    r"(222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}", r"3[47]\d{13}",
    r"(6011|64[4-9]\d|65\d\d|62\d\d)\d{12,15}", r"(352[89]|35[3-8]\d)\d{12,15}",
    r"(30[0-5]|36\d|3[89]\d)\d{11,16}",
)  # fmt: skip


def is_pan(digits: bytes) -> bool:
    return any(re.fullmatch(one, digits.decode()) for one in BRANDS) and luhn(digits)


def is_ssn(d: bytes) -> bool:
    return bool(
        re.fullmatch(rb"(?!000|666|9)\d{3}(?!00)\d\d(?!0000)\d{4}", d)
    ) and d not in (b"078051120", b"219099999", b"457555462")


def is_itin(d: bytes) -> bool:
    group = int(d[3:5])
    return d[:1] == b"9" and group in {*range(50, 66), *range(70, 89), 90, 91, 92, *range(94, 100)}  # fmt: skip


def is_ein(d: bytes) -> bool:
    return d[:2] not in {
        b"00", b"07", b"08", b"09", b"17", b"18", b"19", b"28", b"29", b"49", b"69",
        b"70", b"78", b"79", b"89", b"96", b"97",
    }  # fmt: skip


def is_aba(d: bytes) -> bool:
    n = [c - 48 for c in d]
    total = 3 * (n[0] + n[3] + n[6]) + 7 * (n[1] + n[4] + n[7]) + n[2] + n[5] + n[8]
    prefix = int(d[:2])
    return total > 0 and total % 10 == 0 and (
        prefix <= 12 or 21 <= prefix <= 32 or 61 <= prefix <= 72 or prefix == 80
    )  # fmt: skip


IBAN_SIZES = dict(re.findall(r"([A-Z]{2})(\d\d)", (
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18"
    "DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23"
    "IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27"
    "MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19"
    "SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30")))  # fmt: skip


def is_iban(characters: bytes) -> bool:
    turned = characters[4:] + characters[:4]
    return int("".join(str(int(chr(c), 36)) for c in turned)) % 97 == 1


def is_nanp(ten: bytes) -> bool:
    return bool(re.fullmatch(rb"(?!.11)[2-9][0-8]\d(?!.11)[2-9]\d{6}", ten))


MONTH = rb"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
DATES = (
    rb"(?P<y>\d{4})(?P<s>[-./])(?P<a>\d\d?)(?P=s)(?P<b>\d\d?)",
    rb"(?P<a>\d\d?)(?P<s>[-./])(?P<b>\d\d?)(?P=s)(?P<y>\d{4}|\d\d)",
    rb"(?P<y>\d{4})(?P<a>\d\d)(?P<b>\d\d)",
)


def date_end(text: bytes, start: int) -> int | None:
    """Where a date ends; digits right after it are the caller's to judge."""
    named = re.compile(rb"(?i)" + MONTH + rb"[a-z]*", re.DOTALL).match(text, start)
    if named:
        # Month first: at most ten letters, blanks, a day, at most a few letters
        # or commas, a year.
        word = named[0][:10]
        rest = re.compile(rb"[ .]*").match(text, start + len(word), start + 12)
        at = rest.end() if rest else start + len(word)
        day = re.compile(rb"\d{1,3}").match(text, at)
        if not day or len(day[0]) > 2 or not 1 <= int(day[0]) <= 31:
            return None
        filler = re.compile(rb"[A-Za-z, ]*").match(
            text, day.end(), max(start + 20, day.end())
        )
        at = filler.end() if filler else day.end()
        year = re.compile(rb"\d{1,5}").match(text, at)
        if not year or len(year[0]) != 4 or not plausible(year[0], 1, 1):
            return None
        return year.end()
    day_first = re.compile(
        rb"(?i)(\d\d?)([ -])" + MONTH + rb"([a-z]*)", re.DOTALL
    ).match(text, start)
    if day_first:
        letters = re.compile(rb"[A-Za-z]*").match(
            text, day_first.end(2) + 3, max(start + 14, day_first.end(2) + 3)
        )
        at = letters.end() if letters else 0
        if text[at : at + 1] != day_first[2]:
            return None
        year = re.compile(rb"\d{1,5}").match(text, at + 1)
        if year and len(year[0]) in (2, 4) and plausible(year[0], day_first[1], 1):
            return year.end()
        return None
    for form in DATES:
        date = re.compile(form + rb"(?!\d)").match(text, start)
        if date and plausible(date["y"], date["a"], date["b"]):
            return date.end()
    return None


def plausible(year: bytes, one: bytes | int, other: bytes | int) -> bool:
    y, a, b = int(year), int(one), int(other)
    return (1880 <= y <= 2039 or y < 100) and 1 <= a <= 31 and 1 <= b <= 31 and (a <= 12 or b <= 12)  # fmt: skip


def named_here(text: bytes, start: int) -> bool:
    return re.search(rb"\w", text[:start]) is not None


def span_of(check: str, text: bytes, end: int, width: int) -> Span | None:
    """What a check says of a trigger that ended at a place."""
    start = end - width
    after = text[start:]

    def form(pattern: bytes, at: int = start) -> re.Match[bytes] | None:
        return re.compile(pattern, re.DOTALL).match(text, at)

    match check:
        case "pan-run":
            run = form(rb"\d+")
            ok = run and alone(text, *run.span()) and is_pan(run[0])
            return run.span() if run and ok else None
        case "pan-444" | "pan-46":
            shapes = (
                (rb"\d{4}([ .-])\d{4}\1\d{4}\1\d{4}\1\d{1,3}(?!\d)",
                 rb"\d{4}([ .-])\d{4}\1\d{4}\1\d{1,4}(?!\d)")
                if check == "pan-444"
                else (rb"\d{4}([ .-])\d{6}\1\d{4,5}(?!\d)",)
            )  # fmt: skip
            for shape in shapes:
                found = form(shape)
                if (
                    found
                    and alone(text, *found.span())
                    and is_pan(re.sub(rb"\D", b"", found[0]))
                ):
                    return found.span()
            return None
        case "pan-exponent":
            found = form(rb"(\d)\.(\d{12,18})[eE]\+?(1\d)(?!\d)")
            if not found or not len(found[2]) <= int(found[3]) <= 18:
                return None
            digits = found[1] + found[2].ljust(int(found[3]), b"0")
            return (
                found.span() if alone(text, *found.span()) and is_pan(digits) else None
            )
        case "track-1":
            found = form(rb"%[Bb](\d{13,19})\^[ -~]*?(?:\?|(?=[^ -~])|\Z)")
            if not found or not is_pan(found[1]):
                return None
            stop = min(found.end(), start + 79)
            return (start, stop) if text[start:stop].count(b"^") >= 2 else None
        case "track-2":
            found = form(rb";(\d{13,19})=[0-9=]*\??")
            if not found or not is_pan(found[1]):
                return None
            return start, min(found.end(), start + 40)
        case "ssn" | "itin":
            d = re.sub(rb"\D", b"", after[:11])
            ok = after[3] == after[6] and (is_ssn(d) if check == "ssn" else is_itin(d))
            apart = no_row if after[3:4] == b" " else alone
            return (start, end) if ok and apart(text, start, end) else None
        case "ein":
            return (
                (start, end) if is_ein(after[:2]) and alone(text, start, end) else None
            )
        case "iban-run" | "iban-spaced":
            size = int(IBAN_SIZES.get(after[:2].decode(), 0))
            groups = b" ".join(
                b"[A-Z0-9]{%d}" % min(4, size - at) for at in range(0, size, 4)
            )
            found = form(groups if check == "iban-spaced" else b"[A-Z0-9]{%d}" % size)
            if size and found and is_iban(found[0].replace(b" ", b"")):
                return found.span() if alone(text, *found.span()) else None
            return None
        case "email" | "email-coded":
            at, domain = end - (2 if check == "email" else 4), end - 1
            local = re.search(rb"[\w%+'.\x80-\xff-]*\Z", text[max(0, at - 64) : at])
            name = re.sub(rb"\A[^\w\x80-\xff]+", b"", local[0] if local else b"")
            return (
                (at - len(name), tld)
                if name and (tld := domain_end(text, domain))
                else None
            )
        case "phone-american":
            return american(text, start, end)
        case "phone-international":
            plus = text.rfind(b"+", max(0, end - 10), end)
            return international(text, plus) if plus >= 0 else None
        case "aws-key":
            return (start, end) if alone(text, start, end) else None
        case "token":
            found = form(rb"[\w+/=-]{1,512}")
            return found.span() if found else None
        case "jwt":
            piece = text[start : start + 16384]
            found = re.match(rb"[\w-]+\.ey[\w-]*\.[\w-]*|[\w-]+(?:\.[\w-]*){4}", piece)
            return (start, start + found.end()) if found else None
        case "private-key":
            begin = text.rfind(b"-----", max(0, end - 12 - 60), end - 12 + 5)
            begin = max(begin, 0) if begin >= 0 else max(0, end - 12 - 48)
            return begin, pem_end(text, begin, end)
    if not named_here(text, start):
        return None
    return named_span(check, text, start)


def domain_end(text: bytes, domain: int) -> int | None:
    end, at, label = None, domain, domain
    while at <= len(text) and at - domain <= 253:
        c = text[at : at + 1] if at - domain < 253 else b""
        if re.match(rb"[A-Za-z0-9\x80-\xff-]", c) and at - label < 63:
            at += 1
            continue
        stops = not re.match(rb"[A-Za-z0-9-]", text[at : at + 1])
        name = text[label:at]
        if label > domain and stops and re.fullmatch(rb"[A-Za-z\x80-\xff]{2,63}", name):
            end = at
        if c != b"." or at == label:
            break
        at += 1
        label = at
    if end is None:
        return None
    last = text[:end].rpartition(b".")[2].lower()
    return None if last in (b"png", b"jpg", b"gif", b"svg", b"css", b"jpeg", b"webp", b"js") else end  # fmt: skip


def american(text: bytes, start: int, end: int) -> Span | None:
    value = text[start:end]
    if value[:1] != b"(" and value[3] != value[7]:
        return None
    if not is_nanp(re.sub(rb"\D", b"", value)):
        return None
    country = re.search(rb"(\+)?1[ .-]\Z", text[:start])
    if country:
        before = text[: country.start()]
        if not country[1] and re.search(rb"[\w.-]\Z", before):
            return None
        start = country.start()
    spaced = re.search(rb"\d{3} ", value) and b")" not in value
    apart = no_row if spaced else alone
    return (start, end) if apart(text, start, end) else None


def international(text: bytes, start: int) -> Span | None:
    if re.search(rb"[\w+]\Z", text[:start]):
        return None
    found = re.compile(rb"\+(?:[ .()-]{0,2}\d)+").match(text, start)
    if not found:
        return None
    digits = re.sub(rb"\D", b"", found[0])
    if not 8 <= len(digits) <= 15 or digits[:1] == b"0":
        return None
    if digits[:1] == b"1" and not (len(digits) == 11 and is_nanp(digits[1:])):
        return None
    return found.span() if alone(text, *found.span()) else None


def pem_end(text: bytes, begin: int, at: int) -> int:
    limit = min(len(text), begin + 16384)
    ending = False
    while at < limit:
        c = text[at]
        if not (32 <= c < 127 or c in (9, 10, 13)):
            break
        if ending and c == 0x2D:
            while at < limit and text[at] == 0x2D:
                at += 1
            break
        ending = ending or (text[at - 1 : at + 4] == b"-END ")
        at += 1
    return at


def named_span(check: str, text: bytes, start: int) -> Span | None:
    """What a check says of a value that a word before it names."""

    def form(pattern: bytes, at: int = start) -> re.Match[bytes] | None:
        return re.compile(pattern, re.DOTALL).match(text, at)

    match check:
        case "named-date":
            begin = start - 2 if text[start : start + 1].isalpha() else start
            end = date_end(text, begin) if begin >= 0 else None
            ok = end is not None and not text[end : end + 1].isdigit()
            return (begin, end) if ok and end is not None else None
        case "named-licence":
            found = form(rb"[A-Za-z0-9-]+")
            if not found or len(found[0]) > 20:
                return None
            value = found[0].rstrip(b"-")
            ok = len(value) >= 4 and re.search(rb"\d", value)
            return (start, start + len(value)) if ok else None
        case "named-secret":
            return None if form(rb"[A-Za-z0-9+/=]", start + 40) else (start, start + 40)
        case "named-session":
            found = form(rb"[A-Za-z0-9+/=]{100,4096}")
            return found.span() if found else None
        case "named-verification":
            found = form(rb"\d{3,4}(?!\d)")
            return found.span() if found and alone(text, *found.span()) else None
    run = form(rb"\d+")
    if run is None or not alone(text, *run.span()):
        return None
    test: Callable[[bytes], bool] = {
        "named-ssn": is_ssn, "named-itin": is_itin, "named-ein": is_ein,
        "named-aba": is_aba, "named-phone": is_nanp, "named-account": lambda _: True,
    }[check]  # fmt: skip
    sizes = {"named-phone": (10, 10), "named-account": (4, 17)}.get(check, (9, 9))
    return run.span() if sizes[0] <= len(run[0]) <= sizes[1] and test(run[0]) else None


def is_whole(check: str, value: bytes, *, number: bool) -> bool:
    """Whether a whole value under a telling name is protected."""
    value = value.strip(b" \n")
    if not value or len(value) > 4096:
        return False
    digits = re.sub(rb"\D", b"", value)
    letters = len(re.findall(rb"[A-Za-z]", value))
    others = len(re.findall(rb"[^A-Za-z0-9 .-]", value))
    match check:
        case "named-whole":
            return True
        case "named-date":
            return date_end(value, 0) is not None
        case "named-secret":
            return bool(re.fullmatch(rb"[A-Za-z0-9+/=]{40}", value))
        case "named-session":
            return bool(re.fullmatch(rb"[A-Za-z0-9+/=]{100,}", value))
        case "named-licence":
            return 4 <= len(value) <= 24 and not others and bool(digits)
        case "named-phone":
            return 7 <= len(digits) <= 15 and letters <= 3 and len(value) <= 32
    if letters or others:
        return False
    if check == "named-verification":
        return 3 <= len(digits) <= 12
    if check == "named-account":
        return 4 <= len(digits) <= 17
    if number and len(digits) == 8:
        digits = b"0" + digits
    test = {"named-ssn": is_ssn, "named-itin": is_itin, "named-ein": is_ein, "named-aba": is_aba}[check]  # fmt: skip
    return len(digits) == 9 and test(digits)


# --- edits -------------------------------------------------------------------------


@dataclass(frozen=True)
class Edit:
    """Bytes [start, end) of a view are hidden, in the style of that rank."""

    start: int
    end: int
    rank: int
    made: bytes
    """What stands there where lengths may change."""
    fill: bytes = b"*"
    """What covers where they may not."""


class Hider:
    """A profile, applied to one text at a time."""

    def __init__(
        self,
        profile: Profile,
        key: TokenKey | None,
        detectors: Mapping[str, Detector] = DETECTORS,
        *,
        digits_stay: bool = False,
    ) -> None:
        self.profile, self.key, self.detectors = profile, key, detectors
        self.digits_stay = digits_stay
        entries = {("field", style) for style in profile.names.values()}
        entries |= {("field", style) for style in profile.paths.values()}
        entries |= set(profile.detectors.items())
        self.styles = sorted(entries, key=lambda entry: (entry[1].rank, entry[0]))
        self.triggers = [
            (re.compile(b"(?=(" + one.expression.encode() + b"))",
                        re.IGNORECASE if one.caseless else 0), one, name)
            for name in profile.detectors for one in detectors[name].patterns
        ]  # fmt: skip

    def findings(self, text: bytes) -> Iterator[tuple[int, int, str]]:
        for trigger, pattern, name in self.triggers:
            for found in trigger.finditer(text):
                if pattern.check == "match":
                    yield (*found.span(1), name)
                elif span := span_of(pattern.check, text, found.end(1), pattern.width):
                    yield (*span, name)

    def hide(self, start: int, end: int, name: str, style: Style, text: bytes) -> Edit:
        value = text[start:end]
        label = b"masked" if name == "field" else name.encode()
        hidden, made = hide(style, value, label=label, key=self.key)
        bare = self.digits_stay and re.fullmatch(
            rb"-?\d+(\.\d+)?([eE][-+]?\d+)?", value
        )
        fill = b"9" if bare else b"*"
        if bare and style.kind.value in ("token", "digits"):
            made = hide_number(style, value, key=self.key)
        return Edit(start, start + hidden, self.styles.index((name, style)), made, fill)

    def keyed(
        self, name: bytes, value: bytes, *, number: bool
    ) -> tuple[str, Style] | None:
        """The first detector that knows the name and the whole value under it."""
        for detector in self.detectors.values():
            style = self.profile.detectors.get(detector.name)
            for named in detector.named if style else ():
                if name in named.names and is_whole(named.check, value, number=number):
                    return detector.name, style
        return None

    def text_edits(self, text: bytes) -> list[Edit]:
        return [
            self.hide(start, end, name, self.profile.detectors[name], text)
            for start, end, name in self.findings(text)
        ]


def in_order(edits: list[Edit]) -> list[Edit]:
    hiding = [edit for edit in edits if edit.start < edit.end]
    return sorted(hiding, key=lambda e: (e.start, -e.end, e.rank))


def spliced(view: View, edits: list[Edit]) -> list[tuple[int, int, bytes]]:
    """The edits as [start, end) of the wire and what stands there.

    Where edits overlap the first stands; what others hide beyond it is starred.
    """
    placed, cursor, reached = [], 0, 0
    for edit in in_order(edits):
        start, end = view.starts[edit.start], view.ends[edit.end - 1]
        if end <= cursor:
            continue
        if start >= cursor:
            placed.append((start, end, edit.made))
        else:
            placed.append((cursor, end, b"*" * max(edit.end - reached, 0)))
        cursor, reached = end, edit.end
    return placed


def painted(raw: bytes, view: View, edits: list[Edit], hider: Hider) -> bytes:
    """The wire, each byte at its place: the strictest edit over a byte shows."""
    output = bytearray(raw)
    last_first = in_order(edits)[::-1]
    for edit in sorted(last_first, key=lambda e: -e.rank):
        start, end = view.starts[edit.start], view.ends[edit.end - 1]
        output[start:end] = kept_length(edit, view, end - start, hider)
    return bytes(output)


def kept_length(edit: Edit, view: View, size: int, hider: Hider) -> bytes:
    if edit.rank < 0:
        return edit.made[:size].ljust(size, b"*")
    kind = hider.styles[edit.rank][1].kind.value
    made = edit.made
    if kind in ("token", "digits"):
        if kind == "token":
            made = made * (size // max(len(made), 1) + 1)
        elif len(made) != size and edit.fill == b"*":
            made = b""
        return made[:size].ljust(size, edit.fill)
    if kind == "keep-last" and size == edit.end - edit.start and edit.fill == b"*":
        return made
    return edit.fill * size


def mask_text(
    raw: bytes, hider: Hider, *, escapes: bool, entities: bool, length_kept: bool
) -> bytes:
    """A body read as one text, masked."""
    view = text_view(raw, escapes=escapes, entities=entities)
    edits = hider.text_edits(bytes(view.text))
    if length_kept:
        return painted(raw, view, edits, hider)
    return replace(raw, spliced(view, edits))


def replace(raw: bytes, placed: list[tuple[int, int, bytes]]) -> bytes:
    output, cursor = [], 0
    for start, end, made in placed:
        output += [raw[cursor:start], made]
        cursor = end
    return b"".join([*output, raw[cursor:]])
