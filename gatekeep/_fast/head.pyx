"""Reads the heads that nearly all traffic has, in one pass, and writes all heads.

Reading: a strict common subset of RFC 9112. None means "not this one": incomplete, unusual
or wrong, and the caller asks h11. Whatever is read here h11 reads too, with the
same meaning; `tests/reference/head.py` is the same subset in plain Python.

BOUNDS: every function scans a `bytes` object by pointer. CPython keeps a NUL behind
the last byte of each, which may be read, and no class of `CLASS` holds NUL. So a
scan by class stops at the object's end at the latest, and a byte is only stepped
over after it compared equal to something that is not NUL or was of a class. No
index passes the length. Lengths of slices are differences of two such positions.
"""

from cpython.bytes cimport (
    PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE,
)
from libc.string cimport memchr, memcmp, memcpy

cdef enum:
    TOKEN = 1  # RFC 9110 5.6.2 tchar
    TARGET = 2  # visible ASCII except "#"
    VALUE = 4  # field-vchar, obs-text, SP and HTAB
    HOST = 8  # what a name or an IPv4 address is made of
    DIGIT = 16

    # Beyond these a head is unusual; each is below the bound in `limits`.
    HEAD_BYTES = 32768
    TARGET_BYTES = 8192
    FIELDS = 64
    LENGTH_DIGITS = 15

HEAD_BYTES_READ_MAX = HEAD_BYTES
TARGET_BYTES_READ_MAX = TARGET_BYTES
FIELDS_READ_MAX = FIELDS

cdef unsigned char CLASS[256]
cdef unsigned char LOWER[256]


cdef void fill_tables():
    cdef int byte
    for byte in range(256):
        CLASS[byte] = 0
        LOWER[byte] = byte + 32 if 65 <= byte <= 90 else byte
        if 0x21 <= byte <= 0x7E and byte != 0x23:
            CLASS[byte] |= TARGET
        if byte == 9 or 0x20 <= byte <= 0x7E or byte >= 0x80:
            CLASS[byte] |= VALUE
        if 48 <= byte <= 57:
            CLASS[byte] |= DIGIT
        if 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122:
            CLASS[byte] |= TOKEN | HOST
    for byte in b"!#$%&'*+-.^_`|~":
        CLASS[byte] |= TOKEN
    for byte in b"-._~":
        CLASS[byte] |= HOST


fill_tables()


cdef struct Facts:
    Py_ssize_t length  # Content-Length; -1 without one
    int hosts
    bint chunked
    bint closes
    bint expects


cdef inline bint is_name(const unsigned char* name, Py_ssize_t size, const char* word):
    return memcmp(name, word, size) == 0


cdef inline bint note_length(const unsigned char* value, Py_ssize_t size, Facts* facts):
    cdef Py_ssize_t i, length = 0
    if facts.length >= 0 or not 1 <= size <= LENGTH_DIGITS:
        return False
    for i in range(size):
        if not CLASS[value[i]] & DIGIT:
            return False
        length = length * 10 + (value[i] - 48)
    facts.length = length
    return True


cdef inline bint note_host(const unsigned char* value, Py_ssize_t size, Facts* facts):
    cdef Py_ssize_t i = 0, port
    facts.hosts += 1
    while i < size and CLASS[value[i]] & HOST:
        i += 1
    if i == 0:
        return False
    if i < size:
        if value[i] != b":":
            return False
        port = size - i - 1
        if not 1 <= port <= 5:
            return False
        for i in range(i + 1, size):
            if not CLASS[value[i]] & DIGIT:
                return False
    return facts.hosts == 1


cdef bint note(
    const unsigned char* name, Py_ssize_t name_size,
    const unsigned char* value, Py_ssize_t size, Facts* facts,
):
    """Keep what a field says about transport; False when it is unusual."""
    if name_size == 4 and is_name(name, 4, b"host"):
        return note_host(value, size, facts)
    if name_size == 6 and is_name(name, 6, b"expect"):
        if facts.expects or size != 12 or memcmp(value, b"100-continue", 12) != 0:
            return False
        facts.expects = True
    elif name_size == 10 and is_name(name, 10, b"connection"):
        if size == 5 and memcmp(value, b"close", 5) == 0:
            facts.closes = True
        elif size != 10 or (
            memcmp(value, b"keep-alive", 10) != 0
            and memcmp(value, b"Keep-Alive", 10) != 0
        ):
            return False
    elif name_size == 14 and is_name(name, 14, b"content-length"):
        return note_length(value, size, facts)
    elif name_size == 17 and is_name(name, 17, b"transfer-encoding"):
        if facts.chunked or size != 7 or memcmp(value, b"chunked", 7) != 0:
            return False
        facts.chunked = True
    return True


cdef Py_ssize_t read_fields(
    const unsigned char* data, Py_ssize_t at, list fields, Facts* facts
) except -2:
    """Read field lines up to the empty one; the index after it, or -1."""
    cdef Py_ssize_t name_at, name_size, value_at, value_end, i
    cdef unsigned char* lower
    cdef bytes name
    cdef int count = 0
    facts.length = -1
    facts.hosts = 0
    facts.chunked = facts.closes = facts.expects = False
    while data[at] != b"\r":
        count += 1
        name_at = at
        while CLASS[data[at]] & TOKEN:
            at += 1
        name_size = at - name_at
        if name_size == 0 or data[at] != b":" or count > FIELDS:
            return -1
        at += 1
        while data[at] == b" " or data[at] == b"\t":
            at += 1
        value_at = at
        while CLASS[data[at]] & VALUE:
            at += 1
        if data[at] != b"\r" or data[at + 1] != b"\n":
            return -1
        value_end = at
        while value_end > value_at and (
            data[value_end - 1] == b" " or data[value_end - 1] == b"\t"
        ):
            value_end -= 1
        at += 2
        name = PyBytes_FromStringAndSize(NULL, name_size)
        # BOUNDS: `name` was just made, is name_size bytes long and ours alone.
        lower = <unsigned char*>PyBytes_AS_STRING(name)
        for i in range(name_size):
            lower[i] = LOWER[data[name_at + i]]
        if not note(lower, name_size, data + value_at, value_end - value_at, facts):
            return -1
        fields.append((
            name,
            PyBytes_FromStringAndSize(<const char*>data + value_at, value_end - value_at),
        ))
    if data[at + 1] != b"\n" or (facts.chunked and facts.length >= 0):
        return -1
    return at + 2


cdef inline bytes method_at(const unsigned char* data, Py_ssize_t size):
    if size == 3:
        if memcmp(data, b"GET", 3) == 0:
            return b"GET"
        if memcmp(data, b"PUT", 3) == 0:
            return b"PUT"
    elif size == 4:
        if memcmp(data, b"POST", 4) == 0:
            return b"POST"
        if memcmp(data, b"HEAD", 4) == 0:
            return b"HEAD"
    elif size == 5 and memcmp(data, b"PATCH", 5) == 0:
        return b"PATCH"
    elif size == 6 and memcmp(data, b"DELETE", 6) == 0:
        return b"DELETE"
    return None


def read_request(bytes buffer not None, Py_ssize_t start):
    """Read a request head from `start`.

    Returns:
        Method, raw target, fields (lower-case name, raw value), body length (None
        when chunked, 0 without a body), whether the connection is kept alive,
        whether 100 Continue is expected, and the index after the head.
        None when there is no whole head of the common subset.

    Raises:
        ValueError: start is outside the buffer.
    """
    cdef const unsigned char* data = <const unsigned char*>PyBytes_AS_STRING(buffer)
    cdef Py_ssize_t at = start, method_size, target_at, target_size
    cdef Facts facts
    cdef bytes method
    cdef list fields
    if not 0 <= start <= PyBytes_GET_SIZE(buffer):
        raise ValueError("start outside the buffer", start)
    while CLASS[data[at]] & TOKEN:
        at += 1
    method_size = at - start
    method = method_at(data + start, method_size)
    if method is None or data[at] != b" " or data[at + 1] != b"/":
        return None
    at += 1
    target_at = at
    while CLASS[data[at]] & TARGET:
        at += 1
    target_size = at - target_at
    if target_size > TARGET_BYTES or not is_line_end(data + at, b" HTTP/1.1\r\n", 11):
        return None
    fields = []
    at = read_fields(data, at + 11, fields, &facts)
    if at < 0 or at - start > HEAD_BYTES or facts.hosts != 1:
        return None
    return (
        method,
        PyBytes_FromStringAndSize(<const char*>data + target_at, target_size),
        fields,
        None if facts.chunked else max(facts.length, 0),
        not facts.closes,
        facts.expects and (facts.chunked or facts.length > 0),
        at,
    )


cdef inline bint is_line_end(const unsigned char* data, const char* text, int size):
    # BOUNDS: byte by byte, because what follows may be shorter than the text: the
    # NUL behind the object is unlike every byte of the text and ends the loop.
    cdef int i
    for i in range(size):
        if data[i] != <unsigned char>text[i]:
            return False
    return True


def read_response(bytes buffer not None, Py_ssize_t start, bint to_head):
    """Read a final response head from `start`.

    Args:
        to_head: it answers a HEAD request, so it has no body.

    Returns:
        Status, fields (lower-case name, raw value), body length (None when it is
        not known beforehand), whether it is chunked, whether the connection is kept
        alive, and the index after the head.
        None when there is no whole final head of the common subset.

    Raises:
        ValueError: start is outside the buffer.
    """
    cdef const unsigned char* data = <const unsigned char*>PyBytes_AS_STRING(buffer)
    cdef Py_ssize_t at = start
    cdef int status
    cdef Facts facts
    cdef list fields
    if not 0 <= start <= PyBytes_GET_SIZE(buffer):
        raise ValueError("start outside the buffer", start)
    if not is_line_end(data + at, b"HTTP/1.1 ", 9):
        return None
    at += 9
    status = 0
    while CLASS[data[at]] & DIGIT and status < 100:
        status = status * 10 + (data[at] - 48)
        at += 1
    if at - start != 12 or not 200 <= status <= 599 or data[at] != b" ":
        return None
    while CLASS[data[at]] & VALUE:
        at += 1
    if data[at] != b"\r" or data[at + 1] != b"\n":
        return None
    fields = []
    at = read_fields(data, at + 2, fields, &facts)
    if at < 0 or at - start > HEAD_BYTES:
        return None
    if status == 204:
        if facts.chunked or facts.length > 0:
            return None
        facts.length = 0
    elif to_head or status == 304:
        facts.chunked = False
        facts.length = 0
    return (
        status,
        fields,
        facts.length if facts.length >= 0 else None,
        facts.chunked,
        not facts.closes,
        at,
    )


cdef inline bint has_line_end(const void* data, size_t size):
    return (
        memchr(data, 13, size) != NULL
        or memchr(data, 10, size) != NULL
        or memchr(data, 0, size) != NULL
    )


cdef bint is_lower_token(const unsigned char* data, Py_ssize_t size):
    cdef Py_ssize_t i
    for i in range(size):
        if not CLASS[data[i]] & TOKEN or data[i] != LOWER[data[i]]:
            return False
    return size > 0


cdef bint is_own(bytes name):
    """Whether a field speaks about one connection and is not passed on."""
    cdef const unsigned char* data = <const unsigned char*>PyBytes_AS_STRING(name)
    if PyBytes_GET_SIZE(name) == 10:
        return is_name(data, 10, b"connection") or is_name(data, 10, b"keep-alive")
    return PyBytes_GET_SIZE(name) == 17 and is_name(data, 17, b"transfer-encoding")


cdef Py_ssize_t check_field(field, Facts* facts) except -1:
    """The size of a field's line; raises when it cannot be written."""
    cdef const unsigned char* name_data
    cdef const unsigned char* value_data
    cdef Py_ssize_t name_size, value_size
    if type(field) is not tuple or len(<tuple>field) != 2:
        raise ValueError("not a field")
    name, value = <tuple>field
    if type(name) is not bytes or type(value) is not bytes:
        raise ValueError("not a field")
    name_data = <const unsigned char*>PyBytes_AS_STRING(name)
    name_size = PyBytes_GET_SIZE(name)
    value_data = <const unsigned char*>PyBytes_AS_STRING(value)
    value_size = PyBytes_GET_SIZE(value)
    if not is_lower_token(name_data, name_size):
        raise ValueError("not a lower-case field name")
    if has_line_end(value_data, value_size):
        raise ValueError("a line end in a value")
    # 14 and 17: the lengths of the two framing fields' names.
    if (name_size == 14 or name_size == 17) and not note(
        name_data, name_size, value_data, value_size, facts
    ):
        raise ValueError("framing that cannot be understood")
    return name_size + value_size + 4


cdef inline unsigned char* put(unsigned char* out, bytes part):
    memcpy(out, PyBytes_AS_STRING(part), PyBytes_GET_SIZE(part))
    return out + PyBytes_GET_SIZE(part)


def write_head(bytes first_line not None, fields not None, bint without_own):
    """Write a head up to the empty line, which the caller adds.

    Args:
        first_line: without its line end.
        fields: pairs of lower-case name and value.
        without_own: leave out connection, keep-alive and transfer-encoding.

    Returns:
        The bytes; Content-Length (-1 without one); whether there is a
        Transfer-Encoding, which then is "chunked", also when left out.

    Raises:
        ValueError: a part holds CR, LF or NUL, a name is no lower-case token, or
            the framing fields cannot be understood.
    """
    cdef Py_ssize_t size = PyBytes_GET_SIZE(first_line) + 2, line_size
    cdef unsigned char* out
    cdef bytes head
    cdef list kept = []
    cdef Facts facts
    facts.length = -1
    facts.hosts = 0
    facts.chunked = facts.closes = facts.expects = False
    if has_line_end(PyBytes_AS_STRING(first_line), size - 2):
        raise ValueError("a line end in the first line")
    for field in fields:
        line_size = check_field(field, &facts)
        if not (without_own and is_own(<bytes>(<tuple>field)[0])):
            kept.append(field)
            size += line_size
    if facts.chunked and facts.length >= 0:
        raise ValueError("two framings")
    head = PyBytes_FromStringAndSize(NULL, size)
    # BOUNDS: `head` has the size summed up above, from exactly these parts: `kept`
    # is ours alone, and it holds immutable pairs of immutable bytes.
    out = <unsigned char*>PyBytes_AS_STRING(head)
    out = put(out, first_line)
    out = put(out, b"\r\n")
    for field in kept:
        out = put(out, <bytes>(<tuple>field)[0])
        out = put(out, b": ")
        out = put(out, <bytes>(<tuple>field)[1])
        out = put(out, b"\r\n")
    return head, facts.length, facts.chunked
