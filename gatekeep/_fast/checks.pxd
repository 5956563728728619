cdef enum Verdict:
    NO = 0
    YES = 1
    MORE = 2

cdef struct Text:
    # A window on a text. Bytes [low, high) of `at` may be read; when `final` is
    # true the text ends at `high`, else more bytes follow there.
    const unsigned char *at
    Py_ssize_t low
    Py_ssize_t high
    bint final

cdef struct Span:
    Py_ssize_t start
    Py_ssize_t end

cdef Verdict check(int which, Text *t, Py_ssize_t end, Py_ssize_t width, Span *span) noexcept nogil
cdef bint check_keyed(int which, const unsigned char *value, Py_ssize_t size, bint number) noexcept nogil
cdef bint is_pan(const unsigned char *digits, Py_ssize_t size) noexcept nogil
