"""Whether what stands where a pattern matched is a protected value, and its span.

A pattern is a cheap trigger: here its match is walked back to the value's start
and forward to its end, and checked (Luhn, brands, never-issued numbers, mod 97).
A check reads at most `REACH` bytes of its kind past the trigger and says MORE when
they have not arrived; so its answer never depends on how a text was cut.
"""

from libc.string cimport memcmp

ctypedef unsigned char byte

cdef enum:
    LONG = 16384  # JWTs and PEM blocks: RSA-8192 keys take 6.4 KB
    TOKEN_SIZE = 512  # API tokens; Bedrock's long-lived keys have 132 characters
    SESSION_SIZE = 4096  # AWS session tokens

cdef enum Check:
    MATCH = 0  # the match is the value
    PAN_RUN
    PAN_444
    PAN_46
    PAN_EXPONENT
    TRACK_1
    TRACK_2
    SSN
    ITIN
    EIN
    IBAN_RUN
    IBAN_SPACED
    EMAIL
    EMAIL_CODED
    PHONE_AMERICAN
    PHONE_INTERNATIONAL
    AWS_KEY
    TOKEN
    JWT
    PRIVATE_KEY
    NAMED_SSN
    NAMED_ITIN
    NAMED_EIN
    NAMED_ABA
    NAMED_ACCOUNT
    NAMED_PHONE
    NAMED_DATE
    NAMED_LICENCE
    NAMED_SECRET
    NAMED_SESSION
    NAMED_VERIFICATION
    NAMED_WHOLE


# --- characters -----------------------------------------------------------------

cdef inline bint digit(byte c) noexcept nogil:
    return c >= 48 and c <= 57


cdef inline bint upper(byte c) noexcept nogil:
    return c >= 65 and c <= 90


cdef inline bint letter(byte c) noexcept nogil:
    return upper(c & 0xDF)


cdef inline bint alphanumeric(byte c) noexcept nogil:
    return digit(c) or letter(c)


cdef inline bint word(byte c) noexcept nogil:
    return alphanumeric(c) or c == 95


cdef inline bint base64url(byte c) noexcept nogil:
    return word(c) or c == 45


cdef inline bint base64(byte c) noexcept nogil:
    return alphanumeric(c) or c == 43 or c == 47


cdef inline byte lower(byte c) noexcept nogil:
    return c | 0x20 if upper(c) else c


# --- neighbours -----------------------------------------------------------------

cdef Verdict isolated(Text *t, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """No letter, digit or joined digit group (``12-``, ``.34``) beside the span."""
    cdef byte c
    if start > t.low:
        c = t.at[start - 1]
        if word(c):
            return NO
        if (c == 45 or c == 46) and start - 1 > t.low and digit(t.at[start - 2]):
            return NO
    if end < t.high:
        c = t.at[end]
        if word(c):
            return NO
        if c == 45 or c == 46:
            if end + 1 < t.high:
                return NO if digit(t.at[end + 1]) else YES
            return YES if t.final else MORE
        return YES
    return YES if t.final else MORE


cdef Verdict no_row(Text *t, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Isolated, and no number of a row of them: ``200 200 34 3661`` is a log's."""
    if start > t.low + 1 and t.at[start - 1] == 32 and digit(t.at[start - 2]):
        return NO
    if end < t.high and t.at[end] == 32:
        if end + 1 == t.high:
            return isolated(t, start, end) if t.final else MORE
        if digit(t.at[end + 1]):
            return NO
    return isolated(t, start, end)


cdef Py_ssize_t run_digits(Text *t, Py_ssize_t start, Py_ssize_t most) noexcept nogil:
    """Where the digits from `start` on end; looks at `most` + 1 of them at most."""
    cdef Py_ssize_t i = start
    while i < t.high and i - start <= most and digit(t.at[i]):
        i += 1
    return i


# --- cards ----------------------------------------------------------------------

cdef bint luhn(const byte *digits, Py_ssize_t size) noexcept nogil:
    cdef int total = 0, value
    cdef Py_ssize_t i
    for i in range(size):
        value = digits[size - 1 - i] - 48
        if i & 1:
            value = value * 2 - (9 if value > 4 else 0)
        total += value
    return total % 10 == 0


cdef bint is_pan(const byte *digits, Py_ssize_t size) noexcept nogil:
    """Brand prefix, a length of that brand, and Luhn (ISO/IEC 7812)."""
    cdef int four, three, two
    cdef bint known
    if size < 13 or size > 19:
        return False
    two = (digits[0] - 48) * 10 + digits[1] - 48
    three = two * 10 + digits[2] - 48
    four = three * 10 + digits[3] - 48
    if digits[0] == 52:  # Visa
        known = size == 13 or size == 16 or size == 19
    elif 51 <= two <= 55 or 2221 <= four <= 2720:  # Mastercard
        known = size == 16
    elif two == 34 or two == 37:  # American Express
        known = size == 15
    elif four == 6011 or 644 <= three <= 649 or two == 65 or two == 62:
        known = size >= 16  # Discover, UnionPay
    elif 3528 <= four <= 3589:  # JCB
        known = size >= 16
    elif 300 <= three <= 305 or two == 36 or two == 38 or two == 39:  # Diners
        known = size >= 14
    else:
        known = False
    return known and luhn(digits, size)


cdef Verdict pan_run(Text *t, Py_ssize_t start, Span *span) noexcept nogil:
    """Thirteen to nineteen digits in one run."""
    cdef Py_ssize_t end = run_digits(t, start, 19)
    cdef Verdict alone
    if end - start > 19:
        return NO
    if end == t.high and not t.final:
        return MORE
    alone = isolated(t, start, end)
    if alone == YES:
        span.start, span.end = start, end
        return YES if is_pan(t.at + start, end - start) else NO
    return alone


cdef Verdict pan_upto(Text *t, Py_ssize_t start, Py_ssize_t end, Span *span) noexcept nogil:
    """Whether the digits of [start, end), separators left out, are a card number."""
    cdef byte digits[24]
    cdef Py_ssize_t size = 0, i
    cdef Verdict alone = isolated(t, start, end)
    if alone != YES:
        return alone
    for i in range(start, end):
        if digit(t.at[i]) and size < 24:
            digits[size] = t.at[i]
            size += 1
    span.start, span.end = start, end
    return YES if is_pan(digits, size) else NO


cdef Verdict pan_grouped(Text *t, Py_ssize_t start, Py_ssize_t end, Py_ssize_t first,
                         Span *span) noexcept nogil:
    """Groups of 4-4-4-n(-n) or 4-6-n with one separator throughout.

    `end` is that of the trigger; `first` the second group's size.
    """
    cdef byte separator = t.at[start + 4]
    cdef Py_ssize_t last, longest
    cdef Verdict verdict
    if t.at[start + 5 + first] != separator:
        return NO
    if first == 4:
        if end >= t.high:
            return NO if t.final else MORE
        if t.at[end] != separator:
            return NO
        last = run_digits(t, end + 1, 4)
        if last - end - 1 > 4 or (last == end + 1 and (last < t.high or t.final)):
            return NO
    else:
        last = run_digits(t, end - 4, 5)
        if last - end + 4 > 5:
            return NO
    if last == t.high and not t.final:
        return MORE
    if first == 4 and last - end - 1 == 4 and last < t.high and t.at[last] == separator:
        longest = run_digits(t, last + 1, 3)
        if longest == t.high and not t.final:
            return MORE
        if 1 <= longest - last - 1 <= 3:
            verdict = pan_upto(t, start, longest, span)
            if verdict != NO:
                return verdict
    return pan_upto(t, start, last, span)


cdef Verdict pan_exponent(Text *t, Py_ssize_t start, Span *span) noexcept nogil:
    """A card number as 4.111111111111111e15."""
    cdef byte digits[24]
    cdef Py_ssize_t i = run_digits(t, start + 2, 18), size, shift
    cdef Verdict alone
    size = i - start - 2
    if size > 18:
        return NO
    if i < t.high and (t.at[i] | 0x20) == 101:
        i += 1
        if i < t.high and t.at[i] == 43:
            i += 1
        if i + 1 < t.high:
            if not (t.at[i] == 49 and digit(t.at[i + 1])):
                return NO
            shift = 10 + t.at[i + 1] - 48
            if shift < size or shift > 18:
                return NO
            alone = isolated(t, start, i + 2)
            if alone != YES:
                return alone
            digits[0] = t.at[start]
            for i in range(shift):
                digits[1 + i] = t.at[start + 2 + i] if i < size else 48
            span.start = start
            span.end = run_digits(t, start + 2, 18)
            span.end += 4 if t.at[span.end + 1] == 43 else 3
            return YES if is_pan(digits, shift + 1) else NO
    elif i < t.high:
        return NO
    return NO if t.final else MORE


cdef Verdict track(Text *t, Py_ssize_t start, bint first, Span *span) noexcept nogil:
    """Magnetic stripe data (ISO/IEC 7813), track 1 ``%B…^…^…?`` or 2 ``;…=…?``."""
    cdef Py_ssize_t i = start + (2 if first else 1), begin = i, most
    cdef int carets = 0
    i = run_digits(t, begin, 19)
    if i == t.high and not t.final:
        return MORE
    if i == t.high or t.at[i] != (94 if first else 61) or not is_pan(t.at + begin, i - begin):
        return NO
    most = start + (79 if first else 40)
    while i < t.high and i < most:
        if t.at[i] == 63:
            i += 1
            break
        if first:
            if t.at[i] < 32 or t.at[i] > 126:
                break
            carets += t.at[i] == 94
        elif not digit(t.at[i]) and t.at[i] != 61:
            break
        i += 1
    else:
        if i < most and not t.final:
            return MORE
    if first and carets < 2:
        return NO
    span.start, span.end = start, i
    return YES


# --- tax and bank numbers -------------------------------------------------------

cdef bint nine_digits(Text *t, Py_ssize_t start, byte *digits) noexcept nogil:
    """Collect 3-2-4 digits into nine; False when the two separators differ."""
    if t.at[start + 3] != t.at[start + 6]:
        return False
    digits[0], digits[1], digits[2] = t.at[start], t.at[start + 1], t.at[start + 2]
    digits[3], digits[4] = t.at[start + 4], t.at[start + 5]
    digits[5], digits[6] = t.at[start + 7], t.at[start + 8]
    digits[7], digits[8] = t.at[start + 9], t.at[start + 10]
    return True


cdef bint is_ssn(const byte *d) noexcept nogil:
    """Nine digits that the SSA can have issued; since 2011 groups have no order."""
    if d[0] == 57 or (d[0] == 48 and d[1] == 48 and d[2] == 48):
        return False
    if d[0] == 54 and d[1] == 54 and d[2] == 54:
        return False
    if (d[3] == 48 and d[4] == 48) or memcmp(d + 5, b"0000", 4) == 0:
        return False
    # Numbers of advertisements and examples, never issued to a person.
    return not (
        memcmp(d, b"078051120", 9) == 0
        or memcmp(d, b"219099999", 9) == 0
        or memcmp(d, b"457555462", 9) == 0
    )


cdef bint is_itin(const byte *d) noexcept nogil:
    """Nine digits of the IRS's ITIN groups: 50-65, 70-88, 90-92, 94-99."""
    cdef int group = (d[3] - 48) * 10 + d[4] - 48
    return d[0] == 57 and (50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or group >= 94)


cdef bint is_ein(const byte *d) noexcept nogil:
    """Nine digits with a prefix that an IRS campus gives out."""
    cdef int prefix = (d[0] - 48) * 10 + d[1] - 48
    return not (
        prefix == 0 or 7 <= prefix <= 9 or 17 <= prefix <= 19 or prefix == 28
        or prefix == 29 or prefix == 49 or prefix == 69 or prefix == 70
        or prefix == 78 or prefix == 79 or prefix == 89 or prefix == 96 or prefix == 97
    )


cdef bint is_aba(const byte *d) noexcept nogil:
    """Nine digits with the ABA's 3-7-1 checksum and a prefix of a Federal Reserve."""
    cdef int prefix = (d[0] - 48) * 10 + d[1] - 48
    cdef int total = (
        3 * (d[0] + d[3] + d[6] - 144) + 7 * (d[1] + d[4] + d[7] - 144) + d[2] + d[5] + d[8] - 144
    )
    return total > 0 and total % 10 == 0 and (
        prefix <= 12 or 21 <= prefix <= 32 or 61 <= prefix <= 72 or prefix == 80
    )


cdef Verdict tax_number(Text *t, Py_ssize_t start, bint itin, Span *span) noexcept nogil:
    cdef byte digits[9]
    if not nine_digits(t, start, digits):
        return NO
    if not (is_itin(digits) if itin else is_ssn(digits)):
        return NO
    span.start, span.end = start, start + 11
    if t.at[start + 3] == 32:
        return no_row(t, start, start + 11)
    return isolated(t, start, start + 11)


cdef Verdict ein(Text *t, Py_ssize_t start, Span *span) noexcept nogil:
    span.start, span.end = start, start + 10
    return isolated(t, start, start + 10) if is_ein(t.at + start) else NO


# ISO 13616 registry: country and length of its IBANs.
cdef const char *IBANS = (
    b"AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18"
    b"DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23"
    b"IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27"
    b"MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19"
    b"SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30"
)


cdef Py_ssize_t iban_size(const byte *code) noexcept nogil:
    cdef Py_ssize_t i = 0
    while IBANS[i]:
        if code[0] == <byte>IBANS[i] and code[1] == <byte>IBANS[i + 1]:
            return (IBANS[i + 2] - 48) * 10 + IBANS[i + 3] - 48
        i += 4
    return 0


cdef Verdict iban(Text *t, Py_ssize_t start, bint spaced, Span *span) noexcept nogil:
    cdef Py_ssize_t size = iban_size(t.at + start), i = start, seen = 0, place
    cdef byte characters[34]
    cdef int rest = 0
    cdef byte c
    if size == 0:
        return NO
    while seen < size:
        if spaced and seen and seen % 4 == 0:
            if i < t.high and t.at[i] != 32:
                return NO
            i += 1
        if i >= t.high:
            return NO if t.final else MORE
        c = t.at[i]
        if not (digit(c) or upper(c)):
            return NO
        characters[seen] = c
        seen += 1
        i += 1
    for place in range(size):  # the first four characters go last
        c = characters[(place + 4) % size]
        rest = (rest * 10 + c - 48) % 97 if digit(c) else (rest * 100 + c - 55) % 97
    if rest != 1:
        return NO
    span.start, span.end = start, i
    return isolated(t, start, i)


# --- reaching people ------------------------------------------------------------

cdef inline bint local_character(byte c) noexcept nogil:
    return word(c) or c == 46 or c == 37 or c == 43 or c == 39 or c == 45 or c >= 0x80


cdef bint is_file_suffix(const byte *label, Py_ssize_t size) noexcept nogil:
    """Suffixes that stand after ``name@2x.``: images and scripts, no domains."""
    cdef byte low[4]
    cdef Py_ssize_t i
    if size < 2 or size > 4:
        return False
    for i in range(size):
        low[i] = lower(label[i])
    if size == 3:
        return (memcmp(low, b"png", 3) == 0 or memcmp(low, b"jpg", 3) == 0
                or memcmp(low, b"gif", 3) == 0 or memcmp(low, b"svg", 3) == 0
                or memcmp(low, b"css", 3) == 0)
    if size == 4:
        return memcmp(low, b"jpeg", 4) == 0 or memcmp(low, b"webp", 4) == 0
    return memcmp(low, b"js", 2) == 0


cdef Verdict email(Text *t, Py_ssize_t domain, Py_ssize_t before, Span *span) noexcept nogil:
    """A mailbox around an at sign: `before` is its place, `domain` what follows it."""
    cdef Py_ssize_t start = before, i = domain, label = domain, end = 0
    cdef byte c
    cdef bint letters = True
    while start > t.low and before - start < 64 and local_character(t.at[start - 1]):
        start -= 1
    while start < before and not (word(t.at[start]) or t.at[start] >= 0x80):
        start += 1
    if start == before:
        return NO
    while i < t.high and i - domain < 253:
        c = t.at[i]
        if alphanumeric(c) or c == 45 or c >= 0x80:
            letters = letters and (letter(c) or c >= 0x80)
            if i - label >= 63:
                break
        elif c == 46 and i > label:
            if label > domain and letters and 2 <= i - label <= 63:
                end = i
            label = i + 1
            letters = True
        else:
            break
        i += 1
    else:
        if i - domain < 253 and not t.final:
            return MORE
    if label > domain and letters and 2 <= i - label <= 63 and not (
        i < t.high and (alphanumeric(t.at[i]) or t.at[i] == 45)
    ):
        end = i
    if end == 0:
        return NO
    # The last label that can be a top-level domain ends the mailbox.
    label = end
    while t.at[label - 1] != 46:
        label -= 1
    if is_file_suffix(t.at + label, end - label):
        return NO
    span.start, span.end = start, end
    return YES


cdef bint is_nanp(const byte *area, const byte *exchange) noexcept nogil:
    """North American area and exchange: NXX, not N11, not N9X (expansion)."""
    return (
        area[0] >= 50 and exchange[0] >= 50 and area[1] != 57
        and not (area[1] == 49 and area[2] == 49)
        and not (exchange[1] == 49 and exchange[2] == 49)
    )


cdef Verdict phone_american(Text *t, Py_ssize_t start, Py_ssize_t end, Span *span) noexcept nogil:
    """(212) 555-0123 or 212-555-0123, with or without +1 before it."""
    cdef Py_ssize_t area = start + (t.at[start] == 40)
    if t.at[start] != 40 and t.at[start + 3] != t.at[start + 7]:
        return NO
    if not is_nanp(t.at + area, t.at + end - 8):
        return NO
    if start > t.low + 1 and t.at[start - 2] == 49 and (
        t.at[start - 1] == 45 or t.at[start - 1] == 46 or t.at[start - 1] == 32
    ):
        start -= 2
        if start > t.low and t.at[start - 1] == 43:
            start -= 1
        elif start > t.low and (word(t.at[start - 1]) or t.at[start - 1] == 45 or t.at[start - 1] == 46):
            return NO
    span.start, span.end = start, end
    if t.at[area + 3] == 32:
        return no_row(t, start, end)
    return isolated(t, start, end)


cdef Verdict phone_international(Text *t, Py_ssize_t start, Span *span) noexcept nogil:
    """E.164: plus, eight to fifteen digits; single or double separators between."""
    cdef byte digits[16]
    cdef Py_ssize_t i = start + 1, end = 0, gap = 0
    cdef int count = 0
    if start > t.low and (word(t.at[start - 1]) or t.at[start - 1] == 43):
        return NO
    while i < t.high and gap <= 2:
        if digit(t.at[i]):
            if count == 15:
                return NO
            digits[count] = t.at[i]
            count += 1
            gap = 0
            end = i + 1
        elif t.at[i] == 32 or t.at[i] == 45 or t.at[i] == 46 or t.at[i] == 40 or t.at[i] == 41:
            gap += 1
        else:
            break
        i += 1
    if i == t.high and gap <= 2 and not t.final:
        return MORE
    if count < 8 or digits[0] == 48:
        return NO
    if digits[0] == 49 and not (count == 11 and is_nanp(digits + 1, digits + 4)):
        return NO
    span.start, span.end = start, end
    return isolated(t, start, end)


# --- dates ----------------------------------------------------------------------

cdef int number(const byte *at, Py_ssize_t size) noexcept nogil:
    cdef int value = 0
    cdef Py_ssize_t i
    for i in range(size):
        value = value * 10 + at[i] - 48
    return value


cdef const char *MONTHS = b"janfebmaraprmayjunjulaugsepoctnovdec"


cdef bint is_month(const byte *at) noexcept nogil:
    cdef byte low[3]
    cdef Py_ssize_t i
    for i in range(3):
        low[i] = lower(at[i])
    for i in range(12):
        if memcmp(low, MONTHS + 3 * i, 3) == 0:
            return True
    return False


cdef bint is_day(int year, int one, int other) noexcept nogil:
    """A day of a life: month and day in either order."""
    return (
        (1880 <= year <= 2039 or year < 100)
        and 1 <= one <= 31 and 1 <= other <= 31 and (one <= 12 or other <= 12)
    )


cdef Py_ssize_t date_end(Text *t, Py_ssize_t start) noexcept nogil:
    """Where the date from `start` on ends; 0 when none is there.

    Forms: 1980-01-31, 01/31/1980, 31.1.80, 19800131, Jan 31, 1980, 31 Jan 1980.
    Reads up to 24 bytes; whoever calls has made sure of them.
    """
    cdef Py_ssize_t sizes[3]
    cdef int values[3]
    cdef Py_ssize_t i = start, begin
    cdef int part
    cdef byte separator = 0
    if i < t.high and letter(t.at[i]):
        if i + 3 > t.high or not is_month(t.at + i):
            return 0
        while i < t.high and letter(t.at[i]) and i - start < 10:
            i += 1
        while i < t.high and (t.at[i] == 32 or t.at[i] == 46) and i - start < 12:
            i += 1
        begin = i
        i = run_digits(t, i, 2)
        if not 1 <= i - begin <= 2 or not 1 <= number(t.at + begin, i - begin) <= 31:
            return 0
        while i < t.high and (letter(t.at[i]) or t.at[i] == 44 or t.at[i] == 32) and i - start < 20:
            i += 1
        begin = i
        i = run_digits(t, i, 4)
        return i if i - begin == 4 and is_day(number(t.at + begin, 4), 1, 1) else 0
    for part in range(3):
        begin = i
        i = run_digits(t, i, 8)
        sizes[part] = i - begin
        if part == 0 and sizes[0] == 8:
            return i if is_day(number(t.at + begin, 4), number(t.at + begin + 4, 2), number(t.at + begin + 6, 2)) else 0
        if not 1 <= sizes[part] <= 4 or sizes[part] == 3:
            return 0
        values[part] = number(t.at + begin, sizes[part])
        if part < 2:
            if i >= t.high:
                return 0
            if part == 0:
                separator = t.at[i]
                if separator == 32 or separator == 45:
                    if i + 4 < t.high and is_month(t.at + i + 1) and sizes[0] <= 2:
                        i += 4
                        while i < t.high and letter(t.at[i]) and i - start < 14:
                            i += 1
                        if i >= t.high or t.at[i] != separator:
                            return 0
                        begin = i + 1
                        i = run_digits(t, begin, 4)
                        return i if (
                            (i - begin == 4 or i - begin == 2)
                            and is_day(number(t.at + begin, i - begin), values[0], 1)
                        ) else 0
                if separator != 45 and separator != 46 and separator != 47:
                    return 0
            elif t.at[i] != separator:
                return 0
            i += 1
    if sizes[0] == 4:
        return i if sizes[1] <= 2 and sizes[2] <= 2 and is_day(values[0], values[1], values[2]) else 0
    if sizes[0] <= 2 and sizes[1] <= 2 and (sizes[2] == 4 or sizes[2] == 2):
        return i if is_day(values[2], values[0], values[1]) else 0
    return 0


# --- values that a word before them names ---------------------------------------

cdef bint named_here(Text *t, Py_ssize_t start) noexcept nogil:
    """The naming word stands in this text, not in the token before it."""
    cdef Py_ssize_t i = start
    while i > t.low and not word(t.at[i - 1]):
        i -= 1
    return i > t.low


cdef Verdict named_digits(Text *t, Py_ssize_t start, int which, Span *span) noexcept nogil:
    """Nine digits (ten for a phone, four to seventeen for an account) after a name."""
    cdef Py_ssize_t end = run_digits(t, start, 17), size
    if end == t.high and not t.final:
        return MORE
    size = end - start
    if which == NAMED_ACCOUNT:
        if not 4 <= size <= 17:
            return NO
    elif which == NAMED_PHONE:
        if size != 10 or not is_nanp(t.at + start, t.at + start + 3):
            return NO
    elif size != 9:
        return NO
    elif which == NAMED_SSN:
        if not is_ssn(t.at + start):
            return NO
    elif which == NAMED_ITIN:
        if not is_itin(t.at + start):
            return NO
    elif which == NAMED_EIN:
        if not is_ein(t.at + start):
            return NO
    elif not is_aba(t.at + start):
        return NO
    span.start, span.end = start, end
    return isolated(t, start, end)


cdef Verdict named_verification(Text *t, Py_ssize_t start, Span *span) noexcept nogil:
    """Three or four digits after ``CVV``."""
    cdef Py_ssize_t end = run_digits(t, start, 4)
    if end == t.high and not t.final:
        return MORE
    span.start, span.end = start, end
    return isolated(t, start, end) if 3 <= end - start <= 4 else NO


cdef Verdict named_date(Text *t, Py_ssize_t start, Span *span) noexcept nogil:
    cdef Py_ssize_t end
    if letter(t.at[start]):  # the trigger ends with a month's third letter
        start -= 2
    if start < t.low:
        return NO
    if t.high - start < 26 and not t.final:
        return MORE
    end = date_end(t, start)
    if end == 0:
        return NO
    span.start, span.end = start, end
    return NO if end < t.high and digit(t.at[end]) else YES


cdef Verdict named_licence(Text *t, Py_ssize_t start, Span *span) noexcept nogil:
    """Four to twenty letters, digits and dashes, a digit among them."""
    cdef Py_ssize_t i = start
    cdef bint has_digit = False
    while i < t.high and i - start <= 20 and (alphanumeric(t.at[i]) or t.at[i] == 45):
        has_digit = has_digit or digit(t.at[i])
        i += 1
    if i - start > 20:
        return NO
    if i == t.high and not t.final:
        return MORE
    while i > start and t.at[i - 1] == 45:
        i -= 1
    span.start, span.end = start, i
    return YES if has_digit and 4 <= i - start <= 20 else NO


cdef Verdict named_secret(Text *t, Py_ssize_t start, Span *span) noexcept nogil:
    """Forty characters of base64: an AWS secret access key."""
    cdef Py_ssize_t end = start + 40
    span.start, span.end = start, end
    if end < t.high:
        return NO if base64(t.at[end]) or t.at[end] == 61 else YES
    return YES if t.final else MORE


cdef Verdict named_session(Text *t, Py_ssize_t start, Span *span) noexcept nogil:
    """At least a hundred characters of base64: an AWS session token."""
    cdef Py_ssize_t i = start
    while i < t.high and i - start < SESSION_SIZE and (base64(t.at[i]) or t.at[i] == 61):
        i += 1
    if i == t.high and i - start < SESSION_SIZE and not t.final:
        return MORE
    span.start, span.end = start, i
    return YES if i - start >= 100 else NO


# --- secrets --------------------------------------------------------------------

cdef Verdict token_run(Text *t, Py_ssize_t start, Span *span) noexcept nogil:
    """A token known by its prefix: letters, digits, ``_ - + / =`` up to its end."""
    cdef Py_ssize_t i = start
    while i < t.high and i - start < TOKEN_SIZE and (
        base64url(t.at[i]) or base64(t.at[i]) or t.at[i] == 61
    ):
        i += 1
    if i == t.high and i - start < TOKEN_SIZE and not t.final:
        return MORE
    span.start, span.end = start, i
    return YES


cdef Verdict jwt(Text *t, Py_ssize_t start, Span *span) noexcept nogil:
    """Three parts of base64url, the first two JSON objects (JWS); or five (JWE)."""
    cdef Py_ssize_t i = start, second = 0
    cdef int dots = 0
    while i < t.high and i - start < LONG:
        if t.at[i] == 46:
            if dots == 4 or (dots == 2 and t.at[second] == 101):
                break
            dots += 1
            if dots == 1:
                second = i + 1
        elif not base64url(t.at[i]):
            break
        i += 1
    else:
        if i - start < LONG and not t.final:
            return MORE
    if dots < 2 or not (dots == 4 or (t.at[second] == 101 and t.at[second + 1] == 121)):
        return NO
    span.start, span.end = start, i
    return YES


cdef Verdict private_key(Text *t, Py_ssize_t start, Py_ssize_t i, Span *span) noexcept nogil:
    """A PEM block to the end of its END line, or what there is of one."""
    cdef bint ending = False
    cdef byte c
    while i < t.high and i - start < LONG:
        c = t.at[i]
        if not (32 <= c < 127 or c == 10 or c == 13 or c == 9):
            break
        if ending and c == 45:
            while i < t.high and t.at[i] == 45 and i - start < LONG:
                i += 1
            break
        if c == 69 and t.at[i - 1] == 45:
            if i + 3 < t.high:
                ending = ending or memcmp(t.at + i, b"END ", 4) == 0
            elif not t.final:
                return MORE
        i += 1
    if i == t.high and i - start < LONG and not t.final:
        return MORE
    span.start, span.end = start, i
    return YES


# --- one door -------------------------------------------------------------------

cdef Verdict check(int which, Text *t, Py_ssize_t end, Py_ssize_t width, Span *span) noexcept nogil:
    """Whether a value stands where a trigger ended.

    `width` is that of the trigger, or of the part of it that belongs to the value.
    """
    cdef Py_ssize_t start = end - width
    if start < t.low:
        return NO
    if which == PAN_RUN:
        return pan_run(t, start, span)
    if which == PAN_444:
        return pan_grouped(t, start, end, 4, span)
    if which == PAN_46:
        return pan_grouped(t, start, end, 6, span)
    if which == PAN_EXPONENT:
        return pan_exponent(t, start, span)
    if which == TRACK_1 or which == TRACK_2:
        return track(t, start, which == TRACK_1, span)
    if which == SSN or which == ITIN:
        return tax_number(t, start, which == ITIN, span)
    if which == EIN:
        return ein(t, start, span)
    if which == IBAN_RUN or which == IBAN_SPACED:
        return iban(t, start, which == IBAN_SPACED, span)
    if which == EMAIL or which == EMAIL_CODED:
        return email(t, end - 1, end - (2 if which == EMAIL else 4), span)
    if which == PHONE_AMERICAN:
        return phone_american(t, start, end, span)
    if which == PHONE_INTERNATIONAL:
        start = end - 1
        while start > t.low and end - start < 10 and t.at[start] != 43:
            start -= 1
        return phone_international(t, start, span) if t.at[start] == 43 else NO
    if which == AWS_KEY:
        span.start, span.end = start, end
        return isolated(t, start, end)
    if which == TOKEN:
        return token_run(t, start, span)
    if which == JWT:
        return jwt(t, start, span)
    if which == PRIVATE_KEY:
        while start > t.low and end - start < 60 and memcmp(t.at + start, b"-----", 5) != 0:
            start -= 1
        return private_key(t, start, end, span)
    if not named_here(t, start):
        return NO
    if which == NAMED_DATE:
        return named_date(t, start, span)
    if which == NAMED_LICENCE:
        return named_licence(t, start, span)
    if which == NAMED_SECRET:
        return named_secret(t, start, span)
    if which == NAMED_SESSION:
        return named_session(t, start, span)
    if which == NAMED_VERIFICATION:
        return named_verification(t, start, span)
    return named_digits(t, start, which, span)


# --- whole values under a telling name ------------------------------------------

cdef bint check_keyed(int which, const byte *value, Py_ssize_t size, bint number) noexcept nogil:
    """Whether a member's whole value, named as `which` says, is a protected one.

    `number`: the value is a JSON number, whose leading zeros are lost.
    """
    cdef byte digits[20]
    cdef Py_ssize_t count = 0, letters = 0, others = 0, i
    cdef Text text
    while size and (value[size - 1] == 32 or value[size - 1] == 10):
        size -= 1
    while size and (value[0] == 32 or value[0] == 10):
        value += 1
        size -= 1
    if size == 0 or size > SESSION_SIZE:
        return False
    if which == NAMED_WHOLE:
        return True
    if which == NAMED_DATE:
        text.at, text.low, text.high, text.final = value, 0, size, True
        return date_end(&text, 0) > 0
    for i in range(size):
        if digit(value[i]):
            if count < 20:
                digits[count] = value[i]
            count += 1
        elif letter(value[i]):
            letters += 1
        elif not (value[i] == 32 or value[i] == 45 or value[i] == 46):
            others += 1
    if which == NAMED_SECRET:
        return size == 40 and base64_only(value, size)
    if which == NAMED_SESSION:
        return size >= 100 and base64_only(value, size)
    if which == NAMED_LICENCE:
        return 4 <= size <= 24 and others == 0 and count > 0
    if which == NAMED_PHONE:
        return 7 <= count <= 15 and letters <= 3 and size <= 32
    if letters or others:
        return False
    if which == NAMED_VERIFICATION:
        return 3 <= count <= 12
    if which == NAMED_ACCOUNT:
        return 4 <= count <= 17
    if number and count == 8:
        for i in range(8, 0, -1):
            digits[i] = digits[i - 1]
        digits[0] = 48
        count = 9
    if count != 9:
        return False
    if which == NAMED_SSN:
        return is_ssn(digits)
    if which == NAMED_ITIN:
        return is_itin(digits)
    if which == NAMED_EIN:
        return is_ein(digits)
    return which == NAMED_ABA and is_aba(digits)


cdef bint base64_only(const byte *value, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(size):
        if not (base64(value[i]) or value[i] == 61):
            return False
    return True


def checks():
    """Return the number of each check by its name, for whoever pairs it with a pattern."""
    return {
        "match": MATCH, "pan-run": PAN_RUN, "pan-444": PAN_444, "pan-46": PAN_46,
        "pan-exponent": PAN_EXPONENT, "track-1": TRACK_1, "track-2": TRACK_2,
        "ssn": SSN, "itin": ITIN, "ein": EIN, "iban-run": IBAN_RUN,
        "iban-spaced": IBAN_SPACED, "email": EMAIL, "email-coded": EMAIL_CODED,
        "phone-american": PHONE_AMERICAN, "phone-international": PHONE_INTERNATIONAL,
        "aws-key": AWS_KEY, "token": TOKEN, "jwt": JWT, "private-key": PRIVATE_KEY,
        "named-ssn": NAMED_SSN, "named-itin": NAMED_ITIN, "named-ein": NAMED_EIN,
        "named-aba": NAMED_ABA, "named-account": NAMED_ACCOUNT,
        "named-phone": NAMED_PHONE, "named-date": NAMED_DATE,
        "named-licence": NAMED_LICENCE, "named-secret": NAMED_SECRET,
        "named-session": NAMED_SESSION, "named-verification": NAMED_VERIFICATION,
        "named-whole": NAMED_WHOLE,
    }
