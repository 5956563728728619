"""The masking engine: a window on a body, what matched in it, and what is cut out.

A body comes in pieces of any size. A walker (a subclass) says which bytes are texts
and gives them as they are meant: escapes undone, odd digits made plain. That is the
*view*; most of the time it is the raw bytes themselves. Hyperscan reads the view as
one stream; `checks` decides what its matches are worth; edits are made where the
value stands on the wire. What cannot be decided yet stays in the window: from an
open text's start if it must be seen whole, else the last `Rules.hold` bytes.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.buffer cimport PyBUF_READ
from cpython.object cimport PyObject
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memmove, memset

from gatekeep._fast.checks cimport MORE, NO, YES, Span, Text, Verdict, check, check_keyed, is_pan

cdef extern from "Python.h":
    PyObject *new_bytes "PyBytes_FromStringAndSize" (const char *, Py_ssize_t) except NULL
    int resize_bytes "_PyBytes_Resize" (PyObject **, Py_ssize_t) except -1
    void Py_XDECREF(PyObject *)

cdef enum Kind:
    # Styles, strictest first; `masking.styles.Kind` has the same order.
    DROP
    FIXED
    SAME_LENGTH
    TOKEN
    DIGITS
    KEEP_LAST

cdef enum:
    STAR = 42
    NINE = 57
    LENT_BYTES = 4096  # a smaller piece is not worth a window of its own


class MalformedTextError(ValueError):
    """The body is not of its format, or passes a bound: ``(code, what)``."""


cdef int grow(void **items, Py_ssize_t *room, Py_ssize_t need, size_t size) except -1:
    """Make room for `need` items, at least doubling."""
    cdef Py_ssize_t more
    cdef void *moved
    if need <= room[0]:
        return 0
    more = max(need, 2 * room[0], 8)
    moved = realloc(items[0], more * size)
    if moved == NULL:
        raise MemoryError
    items[0] = moved
    room[0] = more
    return 0


cdef inline bint alphanumeric(byte c) noexcept nogil:
    return 48 <= c <= 57 or 65 <= (c & 0xDF) <= 90


cdef class Rules:
    """What a set of profiles hides, as the engine reads it; shared, never changed."""

    def __cinit__(self, *, open_stream, patterns, keyed, styles, int hold, render,
                  opaque=None, int pan_style=-1):
        """Keep the tables.

        Args:
            open_stream: opens a Hyperscan stream over the patterns; None: no patterns.
            patterns: for each Hyperscan id: check, width, style.
            keyed: checks of whole values under telling names: check, style.
            styles: kind, characters kept, label, name it counts under; strictest first.
            hold: how far a value's start, and what is looked at before it, may lie
                before the end of its pattern's match.
            render: (style, value, whether a number) -> bytes; for what needs a key,
                for numbers and for blobs.
            opaque: whether bytes are of a format that cannot be read, so that they
                must not pass; None: they may.
            pan_style: the style of card numbers, or -1.
        """
        cdef int i
        self.open_stream = open_stream
        self.hold = hold
        self.render = render
        self.opaque = opaque
        self.pan_style = pan_style
        self.labels = tuple(one[2] for one in styles)
        self.names = tuple(one[3] for one in styles)
        self.patterns_count = len(patterns)
        self.styles_count = len(styles)
        self.keyed_count = len(keyed)
        self.pattern_check = <int *>calloc(self.patterns_count + 1, sizeof(int))
        self.pattern_width = <int *>calloc(self.patterns_count + 1, sizeof(int))
        self.pattern_style = <int *>calloc(self.patterns_count + 1, sizeof(int))
        self.style_kind = <int *>calloc(self.styles_count + 1, sizeof(int))
        self.style_keep = <int *>calloc(self.styles_count + 1, sizeof(int))
        self.keyed_check = <int *>calloc(self.keyed_count + 1, sizeof(int))
        self.keyed_style = <int *>calloc(self.keyed_count + 1, sizeof(int))
        if (self.pattern_check == NULL or self.pattern_width == NULL or self.pattern_style == NULL
                or self.style_kind == NULL or self.style_keep == NULL
                or self.keyed_check == NULL or self.keyed_style == NULL):
            raise MemoryError
        for i in range(self.patterns_count):
            self.pattern_check[i], self.pattern_width[i], self.pattern_style[i] = patterns[i]
        for i in range(self.styles_count):
            self.style_kind[i], self.style_keep[i] = styles[i][:2]
        for i in range(self.keyed_count):
            self.keyed_check[i], self.keyed_style[i] = keyed[i]

    def __dealloc__(self):
        free(self.pattern_check)
        free(self.pattern_width)
        free(self.pattern_style)
        free(self.style_kind)
        free(self.style_keep)
        free(self.keyed_check)
        free(self.keyed_style)


cdef class Scanner:
    """Masks one body. Subclasses walk a format; this one takes all as one text."""

    def __cinit__(self, Rules rules, int mode, Py_ssize_t token_size, *_):
        """Begin a body.

        Args:
            rules: what is hidden.
            mode: a sum of `Mode`.
            token_size: the longest value that is held to be seen whole, in bytes.
        """
        self.rules = rules
        self.stream = None if rules.open_stream is None else rules.open_stream()
        self.mode = mode
        self.length_kept = (mode & LENGTH_KEPT) != 0
        self.digits_stay = (mode & DIGITS_STAY) != 0
        self.token_size = token_size
        self.aliased = True
        self.texts = []
        self.counts = <long *>calloc(rules.styles_count + 1, sizeof(long))
        if self.counts == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.stream is not None:
            # Hyperscan's own wrapper leaks a stream that nobody closes.
            self.stream.close(match_event_handler=_ignore)
        free(self.raw)
        free(self.view)
        free(self.shifts)
        free(self.segments)
        free(self.candidates)
        free(self.edits)
        free(self.out)
        free(self.counts)

    # --- the door ---------------------------------------------------------------

    cpdef object feed(self, data):
        """Take bytes of the body; return masked bytes that are final.

        Raises:
            MalformedTextError: the body is not of its format or passes a bound.
        """
        cdef bytes piece = data if type(data) is bytes else bytes(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(piece)
        if self.ended:
            raise MalformedTextError("malformed", "the body has ended")
        if size >= LENT_BYTES and self.raw_size < LENT_BYTES and self.collected is None:
            return self.feed_lent(PyBytes_AS_STRING(piece), size)
        if size:
            grow(<void **>&self.raw, &self.raw_room, self.raw_size + size, 1)
            memcpy(self.raw + self.raw_size, PyBytes_AS_STRING(piece), size)
            self.raw_size += size
            self.walk(False)
        return self.advance(False)

    cdef object feed_lent(self, const char *piece, Py_ssize_t size):
        """`feed` with the window in the very bytes that go out when nothing is hidden.

        One copy less: of a large clean piece the window is cut to what is final.
        """
        cdef byte *own = self.raw
        cdef Py_ssize_t room = self.raw_room
        cdef PyObject *window = new_bytes(NULL, self.raw_size + size)
        self.raw = <byte *>PyBytes_AS_STRING(<object>window)
        if self.raw_size:
            memcpy(self.raw, own, self.raw_size)
        memcpy(self.raw + self.raw_size, piece, size)
        self.raw_size += size
        self.lent = True
        try:
            self.walk(False)
            result = self.advance(False)
            # What stays moves into the window of our own.
            if self.raw_size:
                grow(<void **>&own, &room, self.raw_size, 1)
                memcpy(own, self.raw, self.raw_size)
            if result is None:
                resize_bytes(&window, self.given)
                result = <object>window
        except BaseException:
            self.raw_size = 0
            self.ended = True
            raise
        finally:
            self.raw, self.raw_room, self.lent = own, room, False
            Py_XDECREF(window)
        return result

    cpdef bytes finish(self):
        """End the body; return the masked rest. Raises as `feed` does."""
        if self.ended:
            return b""
        self.ended = True
        self.walk(True)
        return self.advance(True)

    def edits_of(self, data):
        """Return what would be replaced in a whole body: [(start, end, bytes, style)].

        Raises as `feed` does.
        """
        self.collected = []
        self.feed(data)
        self.finish()
        return self.collected

    @property
    def findings(self):
        """How many values were hidden so far, by detector (``field``: by name)."""
        cdef int i
        cdef dict found = {}
        for i in range(self.rules.styles_count):
            if self.counts[i]:
                name = self.rules.names[i]
                found[name] = found.get(name, 0) + self.counts[i]
        return found

    def __call__(self, unsigned int pattern, unsigned long long start,
                 unsigned long long end, unsigned int flags, context):
        """Take one match from Hyperscan; it must not raise there."""
        cdef Candidate *one
        try:
            grow(<void **>&self.candidates, &self.candidate_room, self.candidate_count + 1, sizeof(Candidate))
        except MemoryError:
            self.broken = True  # an exception raised here would be lost
            return True
        one = self.candidates + self.candidate_count
        one.pattern, one.start, one.end = <int>pattern, <long long>start, <long long>end
        self.candidate_count += 1

    # --- for walkers ------------------------------------------------------------

    cdef int walk(self, bint final) except -1:
        """Read the raw window from `at` on. Here: all of it is one text."""
        raise NotImplementedError

    cdef int encode(self, const byte *text, Py_ssize_t size) except -1:
        """Write text as the format spells it."""
        return self.write(text, size)

    cdef int plain(self, Py_ssize_t size) except -1:
        """The next `size` raw bytes mean what they are."""
        if not self.aliased and size:
            grow(<void **>&self.view, &self.view_room, self.view_at - self.view_base + size, 1)
            memcpy(self.view + (self.view_at - self.view_base), self.raw + (self.at - self.raw_base), size)
        self.at += size
        self.view_at += size
        self.dropped = 0
        return 0

    cdef int mapped(self, const byte *text, int size, int raw_size) except -1:
        """The next `raw_size` raw bytes mean `text`, which may be empty."""
        cdef Shift *shift
        if self.aliased:
            self.alias_ends()
        grow(<void **>&self.shifts, &self.shift_room, self.shift_count + 1, sizeof(Shift))
        shift = self.shifts + self.shift_count
        shift.view, shift.raw, shift.view_size, shift.raw_size = self.view_at, self.at, size, raw_size
        self.shift_count += 1
        grow(<void **>&self.view, &self.view_room, self.view_at - self.view_base + size, 1)
        if size:
            memcpy(self.view + (self.view_at - self.view_base), text, size)
        self.at += raw_size
        self.view_at += size
        self.dropped = 0 if size else self.dropped + 1
        return 0

    cdef Segment *open_segment(self, int flags, int style, unsigned int keyed) except NULL:
        cdef Segment *segment
        if self.segment_count == self.segment_room:
            self.more_segments()
        segment = self.segments + self.segment_count
        segment.start, segment.end = self.view_at, -1
        segment.flags, segment.style, segment.keyed = flags, style, keyed
        self.segment_count += 1
        return segment

    cdef int more_segments(self) except -1:
        """Make room for one more segment."""
        return grow(
            <void **>&self.segments, &self.segment_room, self.segment_count + 1, sizeof(Segment)
        )

    cdef int close_segment(self) except -1:
        cdef Segment *segment = self.segments + self.segment_count - 1
        segment.end = self.view_at
        if segment.flags & HELD and segment.end - segment.start > self.token_size:
            raise MalformedTextError("token_size", "a value that must be seen whole is too long")
        return 0

    cdef int write(self, const byte *text, Py_ssize_t size) except -1:
        if size <= 0:
            return 0
        grow(<void **>&self.out, &self.out_room, self.out_size + size, 1)
        memcpy(self.out + self.out_size, text, size)
        self.out_size += size
        return 0

    cdef int fold(self, const byte *at, Py_ssize_t left, bint final) except -2:
        """Take a character beyond ASCII: plain, or as the ASCII it stands for.

        Returns 0 when more bytes are needed to tell.
        """
        cdef int size = 2 if at[0] < 0xE0 else 3 if at[0] < 0xF0 else 4, i
        cdef long code
        cdef int meant
        cdef byte one
        if left < size:
            for i in range(1, <int>left):
                if at[i] & 0xC0 != 0x80:
                    return self.plain(1) + 1
            if not final:
                return 0
            return self.plain(1) + 1
        code = at[0] & (0x1F if size == 2 else 0x0F if size == 3 else 0x07)
        for i in range(1, size):
            if at[i] & 0xC0 != 0x80:
                return self.plain(1) + 1
            code = (code << 6) | (at[i] & 0x3F)
        meant = meaning(code)
        if meant == UNCHANGED or (meant == NOTHING and self.dropped >= DROPPED_MAX):
            return self.plain(size) + 1
        one = <byte>meant
        return self.mapped(&one, 0 if meant == NOTHING else 1, size) + 1

    # --- view and wire ----------------------------------------------------------

    cdef int alias_ends(self) except -1:
        """From here on the view is a buffer of its own."""
        cdef Py_ssize_t size = self.view_at - self.view_base
        grow(<void **>&self.view, &self.view_room, size + 64, 1)
        if size:
            memcpy(self.view, self.raw, size)
        self.aliased = False
        return 0

    cdef Py_ssize_t shift_before(self, long long place) noexcept:
        """Index of the last shift that begins at or before a place, or -1."""
        cdef Py_ssize_t low = self.shift_first, high = self.shift_count, middle
        while low < high:
            middle = (low + high) // 2
            if self.shifts[middle].view <= place:
                low = middle + 1
            else:
                high = middle
        return low - 1 if low > self.shift_first else -1

    cdef long long raw_start(self, long long place) noexcept:
        """Where the view's byte at a place begins on the wire."""
        cdef Py_ssize_t i = -1 if self.aliased else self.shift_before(place)
        cdef Shift *shift
        if i < 0:
            return self.raw_base + place - self.view_base
        shift = self.shifts + i
        if place < shift.view + shift.view_size:
            return shift.raw
        return shift.raw + shift.raw_size + place - shift.view - shift.view_size

    cdef long long raw_end(self, long long place) noexcept:
        """Where the view's byte before a place ends on the wire."""
        cdef Py_ssize_t i = -1 if self.aliased else self.shift_before(place - 1)
        cdef Shift *shift
        if i < 0:
            return self.raw_base + place - self.view_base
        shift = self.shifts + i
        if place <= shift.view + shift.view_size:
            return shift.raw + shift.raw_size
        return shift.raw + shift.raw_size + place - shift.view - shift.view_size

    cdef const byte *seen(self, long long place) noexcept:
        """The view's bytes from a place on."""
        return (self.raw if self.aliased else self.view) + (place - self.view_base)

    # --- matches to edits -------------------------------------------------------

    cdef int scan(self, bint final) except -1:
        """Let Hyperscan read the view's new bytes."""
        cdef Py_ssize_t size = self.view_at - self.scanned
        if self.stream is None:
            self.scanned = self.view_at
            return 0
        if size:
            self.stream.scan(
                PyMemoryView_FromMemory(<char *>self.seen(self.scanned), size, PyBUF_READ),
                match_event_handler=self,
            )
            self.scanned = self.view_at
        if final:
            stream, self.stream = self.stream, None
            stream.close(match_event_handler=self)
        if self.broken:
            raise MemoryError
        return 0

    cdef int resolve(self, bint final) except -1:
        """Turn whole segments and candidates into edits, as far as they are known."""
        cdef Py_ssize_t i, j, kept = 0, at
        cdef Candidate one
        cdef Segment *segment
        cdef Text text
        cdef Span span
        cdef Verdict verdict
        while self.segment_whole < self.segment_count and self.segments[self.segment_whole].end >= 0:
            if self.segments[self.segment_whole].flags & WANTS:
                self.whole(self.segments + self.segment_whole)
            self.segment_whole += 1
        for i in range(1, self.candidate_count):  # nearly sorted as they come
            one = self.candidates[i]
            j = i
            while j and (self.candidates[j - 1].end > one.end or (
                self.candidates[j - 1].end == one.end and self.candidates[j - 1].pattern > one.pattern
            )):
                self.candidates[j] = self.candidates[j - 1]
                j -= 1
            self.candidates[j] = one
        at = self.segment_first
        for i in range(self.candidate_count):
            one = self.candidates[i]
            while at < self.segment_count and 0 <= self.segments[at].end < one.end:
                at += 1
            if at == self.segment_count:
                continue
            segment = self.segments + at
            if one.end <= segment.start or segment.flags & DEAD:
                continue
            if segment.end < 0 and segment.flags & HELD:
                verdict = MORE
            else:
                text.at = self.seen(self.view_base)
                text.low = max(segment.start, self.view_base) - self.view_base
                text.final = segment.end >= 0
                text.high = (segment.end if text.final else self.view_at) - self.view_base
                if self.rules.pattern_check[one.pattern] == 0:
                    span.start, span.end = one.start - self.view_base, one.end - self.view_base
                    verdict = YES if span.start >= text.low else NO
                elif segment.flags & NUMBER:
                    continue
                else:
                    verdict = check(
                        self.rules.pattern_check[one.pattern], &text, one.end - self.view_base,
                        self.rules.pattern_width[one.pattern], &span,
                    )
            if verdict == MORE:
                self.candidates[kept] = one
                kept += 1
            elif verdict == YES:
                if segment.flags & NUMBER:
                    self.hide_number(segment, self.rules.pattern_style[one.pattern])
                else:
                    self.hide(span.start + self.view_base, span.end + self.view_base,
                              self.rules.pattern_style[one.pattern])
        self.candidate_count = kept
        return 0

    cdef int whole(self, Segment *segment) except -1:
        """Hide a finished segment by its field's style or by its telling name."""
        cdef const byte *text = self.seen(segment.start)
        cdef Py_ssize_t size = segment.end - segment.start
        cdef byte digits[64]
        cdef int i, count = 0, style = segment.style
        if segment.flags & NUMBER:
            count = digits_of(text, size, digits)
            if count < 0:
                segment.flags &= ~NUMBER
        for i in range(self.rules.keyed_count):
            if style >= 0:
                break
            if segment.keyed >> i & 1:
                if segment.flags & NUMBER:
                    if count > 0 and check_keyed(self.rules.keyed_check[i], digits, count, True):
                        style = self.rules.keyed_style[i]
                elif check_keyed(self.rules.keyed_check[i], text, size, False):
                    style = self.rules.keyed_style[i]
        if segment.flags & NUMBER:
            if style < 0 and self.rules.pan_style >= 0 and count >= 13 and is_pan(digits, count):
                style = self.rules.pan_style
            if style >= 0:
                self.hide_number(segment, style)
            segment.flags |= DEAD if style >= 0 else 0
        elif style >= 0:
            self.hide(segment.start, segment.end, style)
        return 0

    cdef int hide(self, long long start, long long end, int style) except -1:
        """Hide a value of the view in a style."""
        cdef const byte *text = self.seen(start)
        cdef Py_ssize_t size = end - start, i, left
        cdef int kind = self.rules.style_kind[style], fill = STAR
        cdef byte digits[64]
        cdef object replacement = None
        if size <= 0:
            return 0
        if self.digits_stay and digits_of(text, size, digits) >= 0:
            # A bare number must stay one: a star would break JSON's grammar.
            fill = NINE
        if kind == KEEP_LAST:
            left = 0
            for i in range(size):
                left += alphanumeric(text[i])
            left = min(<Py_ssize_t>self.rules.style_keep[style], left // 2)
            while left:
                size -= 1
                left -= alphanumeric(text[size])
        elif kind == TOKEN or kind == DIGITS:
            replacement = self.rules.render(
                style, PyBytes_FromStringAndSize(<char *>text, size), fill == NINE
            )
        return self.add_edit(start, start + size, style, replacement, fill)

    cdef int hide_number(self, Segment *segment, int style) except -1:
        """Hide a number; what stands there is a number again."""
        if self.length_kept:
            return self.hide(segment.start, segment.end, style)
        cdef bytes text = PyBytes_FromStringAndSize(
            <char *>self.seen(segment.start), segment.end - segment.start
        )
        return self.add_edit(
            segment.start, segment.end, style, self.rules.render(style, text, True), NINE
        )

    cdef int add_edit(self, long long start, long long end, int style, object text, int fill) except -1:
        """Keep edits by start; of those with one start the longest first."""
        cdef Edit *edit
        cdef Py_ssize_t i = self.edit_count
        grow(<void **>&self.edits, &self.edit_room, self.edit_count + 1, sizeof(Edit))
        while i > self.edit_first and (self.edits[i - 1].start > start or (
            self.edits[i - 1].start == start and (self.edits[i - 1].end < end or (
                self.edits[i - 1].end == end and self.edits[i - 1].style > style
            ))
        )):
            self.edits[i] = self.edits[i - 1]
            i -= 1
        edit = self.edits + i
        edit.start, edit.end, edit.style, edit.fill, edit.text = start, end, style, fill, -1
        edit.raw_end = -1
        if text is not None:
            edit.text = len(self.texts)
            self.texts.append(text)
        self.edit_count += 1
        return 0

    # --- output -----------------------------------------------------------------

    cdef object advance(self, bint final):
        """Scan, resolve, and give out what is final."""
        cdef long long safe, place
        cdef Py_ssize_t i
        cdef Segment *last
        self.scan(final)
        self.resolve(final)
        safe = self.view_at
        if self.segment_count > self.segment_first and not final:
            last = self.segments + self.segment_count - 1
            if last.end < 0:
                if last.flags & HELD:
                    safe = last.start
                    if self.view_at - last.start > self.token_size:
                        raise MalformedTextError("token_size", "a value that must be seen whole is too long")
                else:
                    safe = max(last.start, self.view_at - self.rules.hold)
            for i in range(self.candidate_count):
                safe = min(safe, self.candidates[i].end - self.rules.hold)
            safe = max(safe, self.segments[self.segment_first].start, self.view_base)
        place = self.at if final or safe == self.view_at else self.raw_start(safe)
        if self.length_kept and self.collected is None:
            self.paint(place)
        else:
            while self.edit_first < self.edit_count and (
                final or self.edits[self.edit_first].start < safe
            ):
                self.render(self.edits + self.edit_first)
                self.edit_first += 1
        if self.edit_first == self.edit_count:
            self.edit_first = self.edit_count = 0
            if self.texts:
                self.texts = []
        if self.collected is not None:
            self.cursor = max(self.cursor, place)
            result = b""
        elif self.out_size == 0 and self.lent and self.cursor == self.raw_base:
            # Nothing hidden, and the window is made to go out.
            self.given = place - self.cursor
            self.cursor = place
            result = None
        elif self.out_size == 0:
            # Nothing hidden: the raw bytes go out as they are.
            place = max(place, self.cursor)
            result = PyBytes_FromStringAndSize(
                <char *>self.raw + (self.cursor - self.raw_base), place - self.cursor
            )
            self.cursor = place
        else:
            if self.cursor < place:
                self.write(self.raw + (self.cursor - self.raw_base), place - self.cursor)
                self.cursor = place
            result = PyBytes_FromStringAndSize(<char *>self.out, self.out_size)
            self.out_size = 0
        self.compact(safe)
        return result

    cdef int render(self, Edit *edit) except -1:
        """Write the raw bytes before an edit, and what stands in its place.

        Where edits overlap the first stands, and what later ones hide beyond its end
        is covered: no byte that any of them hides comes out.
        """
        cdef long long start = self.raw_start(edit.start), end = self.raw_end(edit.end)
        cdef bytes replacement
        cdef int style = edit.style
        if end <= self.cursor:
            return 0
        if start < self.cursor:
            replacement = b"*" * max(
                end - self.cursor if self.length_kept else edit.end - self.view_cursor, 0
            )
            start = self.cursor
            style = -1
        else:
            if edit.style >= 0:
                self.counts[edit.style] += 1
            replacement = self.replacement(edit, end - start)
        if self.collected is None:
            self.write(self.raw + (self.cursor - self.raw_base), start - self.cursor)
        self.encode(<const byte *>PyBytes_AS_STRING(replacement), PyBytes_GET_SIZE(replacement))
        if self.collected is not None:
            replacement = PyBytes_FromStringAndSize(<char *>self.out, self.out_size)
            self.out_size = 0
            self.collected.append((start, end, replacement, style))
        self.cursor = end
        self.view_cursor = edit.end
        return 0

    cdef int paint(self, long long place) except -1:
        """Write the raw bytes up to a place, painted over where they are hidden.

        A byte shows the strictest of the edits that cover it, each made from its own
        value. So it depends on nothing but them, and a byte range, masked with
        enough of its surroundings, is the same as in the masked whole.
        """
        cdef Py_ssize_t i, j, kept = 0
        cdef long long first, last
        cdef bytes replacement
        cdef list texts = []
        cdef Edit *edit
        if self.edit_count == 0 or place <= self.cursor:
            return 0
        self.write(self.raw + (self.cursor - self.raw_base), place - self.cursor)
        for i in range(self.edit_count):
            edit = self.edits + i
            if edit.raw_end < 0:
                # Once, while all of the value is in the window.
                edit.raw_start, edit.raw_end = self.raw_start(edit.start), self.raw_end(edit.end)
                replacement = self.replacement(edit, edit.raw_end - edit.raw_start)
                edit.text = len(self.texts)
                self.texts.append(replacement)
            if edit.end > self.view_cursor and edit.raw_start < place:
                self.view_cursor = edit.end
                if edit.style >= 0:
                    self.counts[edit.style] += 1
        for j in range(self.rules.styles_count - 1, -2, -1):
            for i in range(self.edit_count - 1, -1, -1):
                edit = self.edits + i
                first, last = max(edit.raw_start, self.cursor), min(edit.raw_end, place)
                if edit.style == j and first < last:
                    replacement = self.texts[edit.text]
                    memcpy(
                        self.out + (first - self.cursor),
                        PyBytes_AS_STRING(replacement) + (first - edit.raw_start), last - first,
                    )
        for i in range(self.edit_count):
            edit = self.edits + i
            if edit.raw_end > place:
                texts.append(self.texts[edit.text])
                edit.text = len(texts) - 1
                self.edits[kept] = edit[0]
                kept += 1
        self.edit_count = kept
        self.texts = texts
        self.cursor = place
        return 0

    cdef bytes replacement(self, Edit *edit, Py_ssize_t raw_size):
        """What stands in the place of an edit."""
        cdef const byte *text
        cdef Py_ssize_t size = edit.end - edit.start, i
        cdef bytes made
        cdef byte *to
        cdef int kind = -1 if edit.style < 0 else self.rules.style_kind[edit.style]
        if edit.text >= 0:
            made = self.texts[edit.text]
            if not self.length_kept or len(made) == raw_size:
                return made
            if kind == TOKEN:
                made = made * (raw_size // max(len(made), 1) + 1)
            elif kind == DIGITS and edit.fill == STAR:
                made = b""  # what it leaves as it is may be spelled longer here
            return made[:raw_size].ljust(raw_size, b"9" if edit.fill == NINE else b"*")
        if kind == DROP and not self.length_kept:
            return b""
        if kind == FIXED and not self.length_kept:
            return self.rules.labels[edit.style]
        if self.length_kept:
            made = PyBytes_FromStringAndSize(NULL, raw_size)
        else:
            raw_size = size
            made = PyBytes_FromStringAndSize(NULL, size)
        to = <byte *>PyBytes_AS_STRING(made)
        memset(to, edit.fill if self.length_kept else STAR, raw_size)
        if kind == KEEP_LAST and raw_size == size and edit.fill == STAR:
            text = self.seen(edit.start)
            for i in range(size):
                if not (alphanumeric(text[i]) or text[i] >= 0x80):
                    to[i] = text[i]
        return made

    cdef int compact(self, long long place) except -1:
        """Forget what lies before a place of the view."""
        cdef long long base = self.raw_start(place)
        cdef Py_ssize_t gone, i, kept
        if place == self.view_at:
            base = self.at
        while self.shift_first < self.shift_count and (
            self.shifts[self.shift_first].raw + self.shifts[self.shift_first].raw_size <= base
        ):
            self.shift_first += 1
        if self.shift_first == self.shift_count:
            self.shift_first = self.shift_count = 0
        gone = place - self.view_base
        if not self.aliased and self.view_at > place:
            memmove(self.view, self.view + gone, self.view_at - place)
        self.view_base = place
        gone = base - self.raw_base
        if gone:
            self.raw_size -= gone
            if self.lent:
                self.raw += gone
            elif self.raw_size:
                memmove(self.raw, self.raw + gone, self.raw_size)
            self.raw_base = base
        if not self.aliased and self.shift_count == 0:
            self.aliased = True
        i = self.segment_first
        while i < self.segment_whole and self.segments[i].end <= place:
            i += 1
        if i == self.segment_count:
            self.segment_first = self.segment_whole = self.segment_count = 0
        elif i > 64:
            kept = self.segment_count - i
            memmove(self.segments, self.segments + i, kept * sizeof(Segment))
            self.segment_whole -= i
            self.segment_count = kept
            self.segment_first = 0
        else:
            self.segment_first = i
        if self.edit_first > 64:
            kept = self.edit_count - self.edit_first
            memmove(self.edits, self.edits + self.edit_first, kept * sizeof(Edit))
            self.edit_first, self.edit_count = 0, kept
        if self.shift_first > 64:
            kept = self.shift_count - self.shift_first
            memmove(self.shifts, self.shifts + self.shift_first, kept * sizeof(Shift))
            self.shift_first, self.shift_count = 0, kept
        return 0


def _ignore(pattern, start, end, flags, context):
    """Take no notice of the matches of a stream that is given up."""


cdef int digits_of(const byte *text, Py_ssize_t size, byte *digits) noexcept:
    """The digits of a whole number, its exponent worked in: 4.1e3 gives 4100.

    -1: no number; 0: no whole number, or too long to be one that matters.
    `digits` has room for 64.
    """
    cdef Py_ssize_t i = 0, whole, fraction = 0, end = 0, count
    cdef int exponent = 0
    cdef bint negative = False
    if i < size and text[i] == 45:
        i += 1
    whole = i
    while i < size and 48 <= text[i] <= 57:
        i += 1
    count = i - whole
    if count == 0:
        return -1
    if i < size and text[i] == 46:
        i += 1
        fraction = i
        while i < size and 48 <= text[i] <= 57:
            i += 1
        if i == fraction:
            return -1
        end = i
        while end > fraction and text[end - 1] == 48:
            end -= 1
    if i < size and text[i] | 0x20 == 101:
        i += 1
        if i < size and (text[i] == 43 or text[i] == 45):
            negative = text[i] == 45
            i += 1
        if i == size:
            return -1
        while i < size and 48 <= text[i] <= 57:
            exponent = min(exponent * 10 + text[i] - 48, 1000)
            i += 1
    if i < size:
        return -1
    if negative and exponent or end - fraction > exponent or count + exponent > 64:
        return 0
    memcpy(digits, text + whole, count)
    memcpy(digits + count, text + fraction, end - fraction)
    memset(digits + count + end - fraction, 48, exponent - (end - fraction))
    return <int>(count + exponent)


# --- characters beyond ASCII that stand for ASCII --------------------------------

cdef int meaning(long code) noexcept nogil:
    """The ASCII that a character stands for: digits, at sign, spaces, dashes.

    Zero-width characters mean NOTHING. So a number cannot hide behind full-width
    or Arabic digits, no-break spaces or joiners.
    """
    if code < 0x660:
        return 32 if code == 0xA0 else NOTHING if code == 0xAD else UNCHANGED
    if code <= 0x669:
        return 48 + code - 0x660
    if 0x6F0 <= code <= 0x6F9:
        return 48 + code - 0x6F0
    if code < 0x2000:
        return UNCHANGED
    if code <= 0x200A or code == 0x202F or code == 0x205F or code == 0x3000:
        return 32
    if code <= 0x200F or 0x202A <= code <= 0x202E or 0x2060 <= code <= 0x2064 or code == 0xFEFF:
        return NOTHING
    if 0x2010 <= code <= 0x2015 or code == 0x2212 or code == 0xFF0D:
        return 45
    if 0xFF10 <= code <= 0xFF19 or 0xFF21 <= code <= 0xFF3A or 0xFF41 <= code <= 0xFF5A:
        return code - 0xFEE0
    if code == 0xFF20:
        return 64
    if code == 0xFF0E:
        return 46
    if 0x1D7CE <= code <= 0x1D7FF:
        return 48 + (code - 0x1D7CE) % 10
    return UNCHANGED


cdef int utf8(long code, byte *to) noexcept nogil:
    """Write a character as UTF-8, a lone surrogate as U+FFFD; return its size."""
    if code < 0x80:
        to[0] = code
        return 1
    if code < 0x800:
        to[0] = 0xC0 | (code >> 6)
        to[1] = 0x80 | (code & 0x3F)
        return 2
    if 0xD800 <= code < 0xE000:
        code = 0xFFFD
    if code < 0x10000:
        to[0] = 0xE0 | (code >> 12)
        to[1] = 0x80 | ((code >> 6) & 0x3F)
        to[2] = 0x80 | (code & 0x3F)
        return 3
    to[0] = 0xF0 | (code >> 18)
    to[1] = 0x80 | ((code >> 12) & 0x3F)
    to[2] = 0x80 | ((code >> 6) & 0x3F)
    to[3] = 0x80 | (code & 0x3F)
    return 4
