from gatekeep._fast.checks cimport Text

ctypedef unsigned char byte

cdef enum Segment_:
    HELD = 1      # nothing of it leaves before it is whole
    NUMBER = 2    # a JSON number, or DynamoDB's number in a string
    KEY = 4       # a member's name
    BLOB = 8      # base64 of bytes
    NESTS = 16    # may hold a JSON text of its own
    DEAD = 32     # what matched in it does not count
    MAYBE = 64    # held while it may turn out to nest
    WANTS = 128   # `whole` is asked about it

cdef enum Mode:
    # How a body is masked; summed.
    LENGTH_KEPT = 1   # every byte stays at its place
    DIGITS_STAY = 2   # bare numbers stay numbers, as the body may be JSON
    ESCAPES = 4       # a text with JSON's escapes
    ENTITIES = 8      # a text with XML's entities
    MANY = 16         # JSON texts one after the other
    TYPED = 32        # DynamoDB's type names

cdef struct Segment:
    # One text of the body: a string's inside, an element's text, a cell, or all.
    long long start   # in the view
    long long end     # -1 while it is open
    int flags
    int style         # index in `Rules`, or -1
    unsigned int keyed  # bits of `Rules.keyed_*` to try on the whole value

cdef struct Candidate:
    long long start   # of the match, where the pattern tells it; else 0
    long long end
    int pattern

cdef struct Edit:
    long long start   # in the view: what is hidden
    long long end
    int style
    Py_ssize_t text   # index in `texts`, or -1: made by the style when written
    int fill          # the character that covers, where lengths are kept
    long long raw_start  # on the wire, where lengths are kept; else unset
    long long raw_end    # -1 until it is known

cdef struct Shift:
    # A piece of the view that is spelled otherwise on the wire.
    long long view
    long long raw
    int view_size
    int raw_size


cdef class Rules:
    cdef readonly int hold
    cdef int patterns_count, styles_count, keyed_count
    cdef int *pattern_check
    cdef int *pattern_width
    cdef int *pattern_style
    cdef int *style_kind
    cdef int *style_keep
    cdef int *keyed_check
    cdef int *keyed_style
    cdef readonly tuple labels
    cdef readonly tuple names
    cdef readonly object render, opaque, open_stream
    cdef readonly int pan_style


cdef class Scanner:
    cdef Rules rules
    cdef object stream
    cdef readonly bint length_kept
    cdef readonly int mode
    cdef bint ended, broken, digits_stay
    cdef bint lent             # the window is not our own
    cdef Py_ssize_t given      # of a lent window: what goes out
    cdef readonly Py_ssize_t token_size

    cdef byte *raw
    cdef Py_ssize_t raw_size, raw_room
    cdef long long raw_base    # offset of raw[0] in the body
    cdef long long at          # walked up to here in the body
    cdef byte *view
    cdef Py_ssize_t view_room
    cdef long long view_base, view_at   # as raw_base and at, in the view
    cdef bint aliased          # the view is the raw window itself
    cdef int dropped           # zero-width characters in a row
    cdef Shift *shifts
    cdef Py_ssize_t shift_first, shift_count, shift_room
    cdef long long scanned     # in the view
    cdef long long cursor      # in the body: written up to here
    cdef long long view_cursor

    cdef Segment *segments
    cdef Py_ssize_t segment_first, segment_whole, segment_count, segment_room
    cdef Candidate *candidates
    cdef Py_ssize_t candidate_count, candidate_room
    cdef Edit *edits
    cdef Py_ssize_t edit_first, edit_count, edit_room
    cdef list texts

    cdef byte *out
    cdef Py_ssize_t out_size, out_room
    cdef long *counts
    cdef list collected        # of edits, instead of output; None: output

    cpdef object feed(self, data)
    cdef object feed_lent(self, const char *piece, Py_ssize_t size)
    cpdef bytes finish(self)
    cdef int walk(self, bint final) except -1
    cdef int encode(self, const byte *text, Py_ssize_t size) except -1

    cdef int plain(self, Py_ssize_t size) except -1
    cdef int mapped(self, const byte *text, int size, int raw_size) except -1
    cdef Segment *open_segment(self, int flags, int style, unsigned int keyed) except NULL
    cdef int close_segment(self) except -1
    cdef int more_segments(self) except -1
    cdef int write(self, const byte *text, Py_ssize_t size) except -1
    cdef int fold(self, const byte *at, Py_ssize_t left, bint final) except -2

    cdef int alias_ends(self) except -1
    cdef long long raw_start(self, long long place) noexcept
    cdef long long raw_end(self, long long place) noexcept
    cdef Py_ssize_t shift_before(self, long long place) noexcept
    cdef const byte *seen(self, long long place) noexcept
    cdef int scan(self, bint final) except -1
    cdef int resolve(self, bint final) except -1
    cdef int whole(self, Segment *segment) except -1
    cdef int hide(self, long long start, long long end, int style) except -1
    cdef int hide_number(self, Segment *segment, int style) except -1
    cdef int add_edit(self, long long start, long long end, int style, object text, int fill) except -1
    cdef object advance(self, bint final)
    cdef int render(self, Edit *edit) except -1
    cdef int paint(self, long long place) except -1
    cdef bytes replacement(self, Edit *edit, Py_ssize_t raw_size)
    cdef int compact(self, long long place) except -1

cdef int digits_of(const byte *text, Py_ssize_t size, byte *digits) noexcept
cdef int meaning(long code) noexcept nogil
cdef int utf8(long code, byte *to) noexcept nogil

cdef enum:
    UNCHANGED = -1
    NOTHING = -2
    DROPPED_MAX = 2  # zero-width characters in a row that a value may hide behind
