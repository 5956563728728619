"""JSON bodies: RFC 8259's grammar, and what the names around a value mean.

The walker checks the grammar as it goes, gives each string and number as a text, and
knows for each which style its name or path asks for, which telling names stand over
it, and whether AWS's model calls it a blob.
"""

import binascii

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcmp

from gatekeep._fast.names cimport (
    BLOB_NAME, PAIR_NAME, PAIR_VALUE, SECURE, TYPE_NAME, UNTOUCHED, Name, Names,
)
from gatekeep._fast.skip cimport gatekeep_skip
from gatekeep._fast.splice cimport (
    BLOB, DEAD, DIGITS_STAY, DROPPED_MAX, HELD, KEY, LENGTH_KEPT, MANY, MAYBE, NESTS, NOTHING,
    NUMBER, TYPED, WANTS, Rules, Scanner, Segment, byte, meaning, utf8,
)
from gatekeep._fast.splice import MalformedTextError
from gatekeep._fast.walk_text cimport hexadecimal
from gatekeep._fast.walk_text import TextScanner

cdef enum State:
    VALUE          # a value must come
    FIRST_VALUE    # a value or the end of the list
    NAME           # a member's name must come
    FIRST_NAME     # a member's name or the end of the object
    COLON
    COMMA          # a comma or the end of the list or object
    STRING         # inside a string
    NUMERAL        # inside a number
    LITERAL        # inside true, false or null
    DONE           # only white space may come

cdef enum Tag:
    # DynamoDB's type names, which stand between an attribute and its value.
    NO_TAG
    OTHER_TAG
    NUMBER_TAG
    BLOB_TAG
    NULL_TAG

cdef enum:
    BLANKS = 64  # white space that a nested text may begin with

cdef struct Level:
    bint is_object
    long long index       # of the element under way, in a list
    int node              # of the tree of paths
    int style             # all below is hidden in it; -1
    unsigned int keyed    # the telling name over this
    int flags             # of the names over this: UNTOUCHED, BLOB_NAME
    Tag tag
    # Of the member under way:
    Name *name
    Tag name_tag
    # Of the members before it:
    Name *pair            # what "Name" named
    bint plain            # "Type" said that "Value" is no secret


cdef class Document(Scanner):
    """A body with members that have names; its texts may hold texts of their own."""

    def __init__(self, Rules rules, int mode, Py_ssize_t token_size, Names names,
                 int modelled_levels=DEPTH, int nesting=0):
        """Begin a body.

        Args:
            rules, mode, token_size: see `Scanner`.
            names: what names mean.
            modelled_levels: how deep AWS's models name the members.
            nesting: how many JSON texts this one stands inside of.
        """
        self.names = names
        self.modelled_levels = modelled_levels
        self.nesting = nesting

    cdef int whole(self, Segment *segment) except -1:
        if segment.flags & DEAD:
            return 0
        if segment.flags & NESTS and self.whole_nested(segment):
            return 0
        if segment.flags & BLOB and self.whole_blob(segment):
            return 0
        return Scanner.whole(self, segment)

    cdef Scanner inside(self, bint json):
        """What masks a text of its own inside of this one."""
        cdef int mode = self.mode & (LENGTH_KEPT | DIGITS_STAY)
        if json:
            return JsonScanner(
                self.rules, mode, self.token_size, self.names.inside or self.names, 0,
                self.nesting + 1,
            )
        return TextScanner(self.rules, mode, self.token_size)

    cdef bint whole_nested(self, Segment *segment) except -1:
        """Mask a string that is a JSON text; False: it is none."""
        cdef bytes text = PyBytes_FromStringAndSize(
            <char *>self.seen(segment.start), segment.end - segment.start
        )
        cdef Scanner inner = self.inside(True)
        cdef bytes masked = b""
        cdef list edits = []
        cdef Py_ssize_t i = 0, begin
        try:
            if self.length_kept:
                masked = inner.feed(text) + inner.finish()
            else:
                edits = inner.edits_of(text)
        except MalformedTextError as error:
            if error.args[0] != "malformed":
                raise
            return False
        segment.flags |= DEAD
        if not self.length_kept:
            for start, end, replacement, style in edits:
                self.add_edit(segment.start + start, segment.start + end, style, replacement, 0)
            return True
        self.count(inner)
        while i < len(text):
            begin = i
            while i < len(text) and text[i] != masked[i]:
                i += 1
            if i > begin:
                self.add_edit(segment.start + begin, segment.start + i, -1, masked[begin:i], 0)
            i += 1
        return True

    cdef int hold_nesting(self, Segment *segment) except -1:
        """Hold an open text while it may turn out to be JSON itself."""
        if self.nesting < NESTING and (segment.flags == 0 or segment.flags == HELD | MAYBE):
            segment.flags = 0
            if self.may_nest(
                segment, self.seen(segment.start), self.view_at - segment.start
            ):
                segment.flags = HELD | MAYBE
        return 0

    cdef bint may_nest(self, Segment *segment, const byte *text, Py_ssize_t size) noexcept:
        """Whether a text begins like JSON. One whose beginning has gone out does not:
        it would have been held."""
        return (
            self.nesting < NESTING and segment.start >= self.view_base
            and opens(text, size)
        )

    cdef int count(self, Scanner inner) except -1:
        """Take over what a scanner inside of this one has hidden."""
        cdef int i
        for i in range(self.rules.styles_count):
            self.counts[i] += inner.counts[i]
        return 0

    cdef bytes masked_bytes(self, bytes value):
        """Bytes of unknown form, masked: as JSON when they are, else as a text."""
        cdef Scanner inner
        cdef bytes masked
        if nests(<const byte *>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)) and self.nesting < NESTING:
            inner = self.inside(True)
            try:
                masked = inner.feed(value) + inner.finish()
                self.count(inner)
                return masked
            except MalformedTextError as error:
                if error.args[0] != "malformed":
                    raise
        inner = self.inside(False)
        masked = inner.feed(value) + inner.finish()
        self.count(inner)
        return masked

    cdef bint whole_blob(self, Segment *segment) except -1:
        """Mask the bytes that a string of base64 holds; False: it is no base64."""
        cdef bytes text = PyBytes_FromStringAndSize(
            <char *>self.seen(segment.start), segment.end - segment.start
        )
        try:
            value = binascii.a2b_base64(text, strict_mode=True)
        except binascii.Error:
            return False
        if segment.style >= 0:
            masked = self.rules.render(segment.style, value, False)
            style = segment.style
        else:
            if self.rules.opaque is not None and self.rules.opaque(value):
                raise MalformedTextError("uninspectable", "it holds bytes of a format that cannot be read")
            masked = self.masked_bytes(value)
            style = -1
            if masked == value:
                # Some members share a blob's name: what matches as a text counts too.
                return True
        segment.flags |= DEAD
        self.add_edit(segment.start, segment.end, style, binascii.b2a_base64(masked, newline=False), 0)
        return True


cdef class JsonScanner(Document):
    """Masks a JSON text, or in mode MANY several one after the other."""

    cdef bint many, typed, begun
    cdef State state
    cdef int depth
    cdef Level levels[DEPTH + 1]
    cdef Level context      # of the value under way
    cdef bint in_name
    cdef byte literal[8]
    cdef int literal_size

    def __init__(self, Rules rules, int mode, Py_ssize_t token_size, Names names,
                 int modelled_levels=DEPTH, int nesting=0):
        """Begin a body; see `Document`."""
        Document.__init__(self, rules, mode, token_size, names, modelled_levels, nesting)
        self.many = (mode & MANY) != 0
        self.typed = (mode & TYPED) != 0
        self.state = VALUE
        self.levels[0].style = -1
        self.levels[0].node = 1

    cdef int walk(self, bint final) except -1:
        cdef const byte *p
        cdef Py_ssize_t left
        cdef byte c
        cdef int taken = 1
        while taken:
            self.stride()
            p = self.raw + (self.at - self.raw_base)
            left = self.raw_size - (self.at - self.raw_base)
            if left == 0:
                break
            if self.state == STRING:
                taken = self.walk_string(p, left)
                continue
            if self.state == NUMERAL:
                self.walk_numeral(p, left)
                continue
            if self.state == LITERAL:
                self.walk_literal(p, left)
                continue
            c = p[0]
            if c == 34:
                self.plain(1)
                self.open_string()
            elif c == 32 or c == 10 or c == 13 or c == 9:
                self.plain(1)
            elif c == 44 or c == 58 or c == 123 or c == 125 or c == 91 or c == 93:
                self.punctuation(c)
                self.plain(1)
            else:
                self.open_scalar(c)
        if final:
            if self.state == NUMERAL:
                self.end_numeral()
            elif self.state == LITERAL:
                self.end_literal()
            if self.state != DONE and not (
                self.depth == 0 and self.state == VALUE and (self.many or not self.begun)
            ):
                raise malformed("it ends too early", self.at)
        else:
            self.pause()
        return 0

    cdef int stride(self) except -1:
        """Take what is whole and plainly spelled, as most of JSON is, in one go.

        It stops before anything else, at the window's end or where an error is, and
        leaves that to the step by step walk.
        """
        cdef const byte *begin = self.raw + (self.at - self.raw_base)
        cdef const byte *p = begin
        cdef const byte *end = self.raw + self.raw_size
        cdef const byte *q
        cdef Segment *segment
        cdef Level *level
        cdef Py_ssize_t size
        cdef long long place = self.view_at
        cdef byte c
        if self.state == STRING or self.state == NUMERAL or self.state == LITERAL:
            return 0
        while p < end:
            c = p[0]
            level = self.levels + self.depth
            if c == 34:
                p += 1
                size = gatekeep_skip(p, end - p, 32, 34, 92)
                q = p + size
                if q >= end or q[0] != 34 or size > self.token_size:
                    p -= 1
                    break
                if self.state == NAME or self.state == FIRST_NAME:
                    segment = self.add_segment(place + (p - begin), size, 0)
                    level.name = self.names.find(p, size)
                    level.name_tag = type_tag(p, size)
                    self.state = COLON
                elif self.state == VALUE or self.state == FIRST_VALUE:
                    self.begun = True
                    self.find_context(level)
                    segment = self.add_segment(
                        place + (p - begin), size, self.string_flags(level) & ~HELD
                    )
                    self.finish_string(level, segment, p, size)
                else:
                    p -= 1
                    break
                p = q + 1
            elif c == 44:
                if self.state != COMMA:
                    break
                self.state = NAME if level.is_object else VALUE
                level.index += 1
                p += 1
            elif c == 58:
                if self.state != COLON:
                    break
                self.state = VALUE
                p += 1
            elif c == 32 or c == 10 or c == 13 or c == 9:
                p += 1
            elif c == 123 or c == 91:
                if (self.state != VALUE and self.state != FIRST_VALUE) or self.depth == DEPTH:
                    break
                self.begun = True
                self.open_level(c == 123)
                p += 1
            elif c == 125 or c == 93:
                if not (
                    self.depth and level.is_object == (c == 125) and (
                        self.state == COMMA
                        or self.state == (FIRST_NAME if level.is_object else FIRST_VALUE)
                    )
                ):
                    break
                self.depth -= 1
                self.end_value()
                p += 1
            else:
                break
        return self.plain(p - begin)

    cdef int encode(self, const byte *text, Py_ssize_t size) except -1:
        """Write the inside of a string."""
        cdef Py_ssize_t i = 0, run
        cdef byte escape[6]
        while True:
            run = i
            while i < size and text[i] >= 32 and text[i] != 34 and text[i] != 92:
                i += 1
            if i > run:
                self.write(text + run, i - run)
            if i == size:
                return 0
            escape[0], escape[1], escape[2], escape[3] = 92, 117, 48, 48
            escape[4] = 48 + (text[i] >> 4)
            escape[5] = b"0123456789abcdef"[text[i] & 15]
            self.write(escape, 6)
            i += 1

    # --- structure --------------------------------------------------------------

    cdef int punctuation(self, byte c) except -1:
        cdef Level *level = self.levels + self.depth
        if c == 44:
            if self.state != COMMA:
                raise malformed("a comma where none may stand", self.at)
            self.state = NAME if level.is_object else VALUE
            level.index += 1
        elif c == 58:
            if self.state != COLON:
                raise malformed("a colon where none may stand", self.at)
            self.state = VALUE
        elif c == 123 or c == 91:
            self.begin_value()
            self.open_level(c == 123)
        else:
            if not (
                self.depth and level.is_object == (c == 125) and (
                    self.state == COMMA
                    or self.state == (FIRST_NAME if level.is_object else FIRST_VALUE)
                )
            ):
                raise malformed("a bracket that closes nothing", self.at)
            self.depth -= 1
            self.end_value()
        return 0

    cdef int begin_value(self) except -1:
        if self.state != VALUE and self.state != FIRST_VALUE:
            raise malformed("a value where none may stand", self.at)
        self.begun = True
        return 0

    cdef void end_value(self) noexcept:
        if self.depth:
            self.state = COMMA
        else:
            self.state = VALUE if self.many else DONE

    cdef int open_level(self, bint is_object) except -1:
        cdef Level *level
        if self.depth == DEPTH:
            raise MalformedTextError("depth", f"it is nested deeper than {DEPTH} levels")
        self.find_context(self.levels + self.depth)
        self.depth += 1
        level = self.levels + self.depth
        level[0] = self.context
        level.is_object = is_object
        level.index = 0
        level.name = level.pair = NULL
        level.name_tag = NO_TAG
        level.plain = False
        self.state = FIRST_NAME if is_object else FIRST_VALUE
        return 0

    cdef void find_context(self, Level *over) noexcept:
        """What the names and paths over the value that now comes mean for it."""
        cdef Level *to = &self.context
        cdef Name *name
        to.node = 0
        to.style, to.keyed, to.flags, to.tag = over.style, over.keyed, over.flags, over.tag
        if self.depth == 0:
            to.node = 1
            return
        if not over.is_object:
            if self.names.ways_count:
                to.node = self.names.follow(over.node, <int>(-2 - min(over.index, 1 << 30)))
                self.stricter(self.names.node_style[to.node])
                to.keyed |= self.names.node_keyed[to.node]
            return
        name = over.name
        to.tag = over.name_tag
        if to.tag == NO_TAG:
            to.keyed = 0
            to.flags = over.flags & UNTOUCHED
        if name == NULL:
            return
        self.stricter(name.style)
        if to.tag == NO_TAG:
            to.keyed = name.keyed
        if self.names.ways_count:
            to.node = self.names.follow(over.node, name.step)
            self.stricter(self.names.node_style[to.node])
            to.keyed |= self.names.node_keyed[to.node]
        if to.tag == NO_TAG:
            to.flags |= name.flags & BLOB_NAME
            if name.flags & UNTOUCHED and self.depth <= self.modelled_levels:
                to.flags |= UNTOUCHED
        if name.flags & PAIR_VALUE and over.pair != NULL:
            self.stricter(over.pair.style)
            to.keyed |= over.pair.keyed
        if name.flags & SECURE and not over.plain:
            self.stricter(self.names.secure_style)

    cdef inline void stricter(self, int style) noexcept:
        """Styles are in order: the smaller number is the stricter."""
        if style >= 0 and (self.context.style < 0 or style < self.context.style):
            self.context.style = style

    # --- strings ----------------------------------------------------------------

    cdef int string_flags(self, Level *level) noexcept:
        """How a string in the context that was found is to be taken."""
        cdef int flags = 0
        if self.context.flags & UNTOUCHED:
            flags = DEAD
        elif self.context.tag == NUMBER_TAG:
            flags = HELD | NUMBER | WANTS
        elif self.context.flags & BLOB_NAME or (self.context.tag == BLOB_TAG and self.typed):
            flags = HELD | BLOB | WANTS
        elif self.context.style >= 0 or self.context.keyed:
            flags = HELD | WANTS
        if level.is_object and level.name != NULL and level.name.flags & (PAIR_NAME | TYPE_NAME):
            flags |= HELD
        return flags

    cdef int open_string(self) except -1:
        cdef Level *level = self.levels + self.depth
        if self.state == NAME or self.state == FIRST_NAME:
            self.in_name = True
            self.open_segment(HELD | KEY, -1, 0)
        else:
            self.begin_value()
            self.in_name = False
            self.find_context(level)
            self.open_segment(self.string_flags(level), self.context.style, self.context.keyed)
        self.state = STRING
        return 0

    cdef Segment *add_segment(self, long long start, Py_ssize_t size, int flags) except NULL:
        """A segment that is whole already; its style and names are the context's."""
        cdef Segment *segment
        if self.segment_count == self.segment_room:
            self.more_segments()
        segment = self.segments + self.segment_count
        segment.start, segment.end, segment.flags = start, start + size, flags
        segment.style, segment.keyed = self.context.style, self.context.keyed
        self.segment_count += 1
        return segment

    cdef int walk_string(self, const byte *p, Py_ssize_t left) except -1:
        """Take the inside of a string; 0: more bytes are needed."""
        cdef Py_ssize_t size = gatekeep_skip(p, left, 32, 34, 92)
        if size:
            self.plain(size)
            p += size
            left -= size
        if left == 0:
            return 0
        if p[0] == 34:
            self.end_string()
            self.plain(1)
            return 1
        if p[0] == 92:
            return self.walk_escape(p, left)
        if p[0] < 32:
            raise malformed("a control character in a string", self.at)
        return self.fold(p, left, False)

    cdef int walk_escape(self, const byte *p, Py_ssize_t left) except -1:
        cdef byte to[4]
        cdef byte c
        cdef long code, low
        cdef int meant, raw_size = 6
        if left < 2:
            return 0
        c = p[1]
        if c != 117:
            if c == 110:
                c = 10
            elif c == 116:
                c = 9
            elif c == 114:
                c = 13
            elif c == 98:
                c = 8
            elif c == 102:
                c = 12
            elif c != 34 and c != 92 and c != 47:
                raise malformed("an escape that JSON has not", self.at)
            to[0] = c
            return self.mapped(to, 1, 2) + 1
        if left < 6:
            return 0
        code = self.unit(p)
        if 0xD800 <= code < 0xDC00:
            # A high surrogate takes the low one with it, when there is one.
            if left < 12 and (left < 7 or p[6] == 92) and (left < 8 or p[7] == 117):
                return 0
            if p[6] == 92 and p[7] == 117:
                low = self.unit(p + 6)
                if 0xDC00 <= low < 0xE000:
                    code = 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF)
                    raw_size = 12
        meant = meaning(code)
        if meant == NOTHING and self.dropped < DROPPED_MAX:
            return self.mapped(to, 0, raw_size) + 1
        return self.mapped(to, utf8(code if meant < 0 else meant, to), raw_size) + 1

    cdef long unit(self, const byte *p) except -1:
        """The UTF-16 unit of ``\\uXXXX``."""
        cdef long code = 0
        cdef int i, value
        for i in range(2, 6):
            value = hexadecimal(p[i])
            if value < 0:
                raise malformed("an escape that JSON has not", self.at)
            code = code * 16 + value
        return code

    cdef int pause(self) except -1:
        """Hold an open string that may turn out to be JSON itself."""
        if self.state == STRING:
            self.hold_nesting(self.segments + self.segment_count - 1)
        return 0

    cdef int end_string(self) except -1:
        cdef Level *level = self.levels + self.depth
        cdef Segment *segment = self.segments + self.segment_count - 1
        cdef const byte *text = self.seen(segment.start)
        cdef Py_ssize_t size = self.view_at - segment.start
        self.close_segment()
        if self.in_name:
            level.name = self.names.find(text, size)
            level.name_tag = type_tag(text, size)
            self.state = COLON
            return 0
        return self.finish_string(level, segment, text, size)

    cdef int finish_string(self, Level *level, Segment *segment, const byte *text,
                           Py_ssize_t size) except -1:
        """A value's string is whole: what it tells of others, and what it may be."""
        if level.is_object and level.name != NULL:
            if level.name.flags & PAIR_NAME:
                level.pair = self.names.find(text, size)
            if level.name.flags & TYPE_NAME:
                level.plain = not (size == 12 and memcmp(text, b"SecureString", 12) == 0)
        if (
            not segment.flags & (DEAD | NUMBER | BLOB) and segment.style < 0
            and self.may_nest(segment, text, size)
        ):
            if size > self.token_size:
                raise MalformedTextError("token_size", "a value that must be seen whole is too long")
            if nests(text, size):
                segment.flags |= NESTS | WANTS
        self.end_value()
        return 0

    # --- numbers and literals ---------------------------------------------------

    cdef int open_scalar(self, byte c) except -1:
        cdef bint untouched
        if self.state == DONE:
            raise malformed("more after the end", self.at)
        self.begin_value()
        self.find_context(self.levels + self.depth)
        untouched = (self.context.flags & UNTOUCHED) != 0
        if c == 45 or 48 <= c <= 57:
            self.open_segment(
                HELD | (DEAD if untouched else NUMBER | WANTS),
                self.context.style, self.context.keyed,
            )
            self.state = NUMERAL
        elif c == 116 or c == 102 or c == 110:
            self.open_segment(
                HELD | DEAD, self.context.style if c == 116 and not untouched else -1, 0
            )
            self.literal_size = 0
            self.state = LITERAL
        else:
            raise malformed("a character that begins no value", self.at)
        return 0

    cdef int walk_numeral(self, const byte *p, Py_ssize_t left) except -1:
        cdef Py_ssize_t size = 0
        while size < left and (48 <= p[size] <= 57 or p[size] in b"+-.eE"):
            size += 1
        if size:
            self.plain(size)
        if size < left:
            self.end_numeral()
        return 0

    cdef int end_numeral(self) except -1:
        cdef Segment *segment = self.segments + self.segment_count - 1
        self.close_segment()
        if not is_number(self.seen(segment.start), segment.end - segment.start):
            raise malformed("a number that JSON has not", self.at)
        self.end_value()
        return 0

    cdef int walk_literal(self, const byte *p, Py_ssize_t left) except -1:
        cdef Py_ssize_t size = 0
        while size < left and 97 <= p[size] <= 122:
            if self.literal_size == 5:
                raise malformed("a word that JSON has not", self.at)
            self.literal[self.literal_size] = p[size]
            self.literal_size += 1
            size += 1
        if size:
            self.plain(size)
        if size < left:
            self.end_literal()
        return 0

    cdef int end_literal(self) except -1:
        cdef Segment *segment = self.segments + self.segment_count - 1
        cdef Level *level = self.levels + self.depth
        self.close_segment()
        if self.literal_size == 4 and memcmp(self.literal, b"true", 4) == 0:
            # DynamoDB's {"NULL": true} says that there is no value.
            if segment.style >= 0 and not (level.is_object and level.name_tag == NULL_TAG):
                self.add_edit(
                    segment.start, segment.end, segment.style,
                    b"null" if self.length_kept else b"false", 0,
                )
        elif not (
            (self.literal_size == 4 and memcmp(self.literal, b"null", 4) == 0)
            or (self.literal_size == 5 and memcmp(self.literal, b"false", 5) == 0)
        ):
            raise malformed("a word that JSON has not", self.at)
        self.end_value()
        return 0


cdef object malformed(str what, long long at):
    return MalformedTextError("malformed", f"{what}, byte {at}")


cdef Tag type_tag(const byte *name, Py_ssize_t size) noexcept nogil:
    """DynamoDB's type names are as they are, letter case and all."""
    if size == 1:
        if name[0] == 78:
            return NUMBER_TAG
        if name[0] == 66:
            return BLOB_TAG
        return OTHER_TAG if name[0] == 83 or name[0] == 77 or name[0] == 76 else NO_TAG
    if size == 2 and name[1] == 83:
        if name[0] == 78:
            return NUMBER_TAG
        if name[0] == 66:
            return BLOB_TAG
        return OTHER_TAG if name[0] == 83 else NO_TAG
    if size == 4:
        if memcmp(name, b"NULL", 4) == 0:
            return NULL_TAG
        if memcmp(name, b"BOOL", 4) == 0:
            return OTHER_TAG
    return NO_TAG


cdef bint opens(const byte *text, Py_ssize_t size) noexcept nogil:
    """Whether a text begins like JSON's object or list, or is blank so far."""
    cdef Py_ssize_t i
    for i in range(size):
        if i == BLANKS:
            return False
        if text[i] == 123 or text[i] == 91:
            return True
        if not (text[i] == 32 or text[i] == 10 or text[i] == 13 or text[i] == 9):
            return False
    return True


cdef bint nests(const byte *text, Py_ssize_t size) noexcept nogil:
    """Whether a text begins and ends like JSON's object or list."""
    if not opens(text, size):
        return False
    while size and (
        text[size - 1] == 32 or text[size - 1] == 10 or text[size - 1] == 13 or text[size - 1] == 9
    ):
        size -= 1
    return size > 1 and (text[size - 1] == 125 or text[size - 1] == 93)


cdef bint is_number(const byte *text, Py_ssize_t size) noexcept nogil:
    """RFC 8259, section 6."""
    cdef Py_ssize_t i = 0, begin
    if i < size and text[i] == 45:
        i += 1
    begin = i
    while i < size and 48 <= text[i] <= 57:
        i += 1
    if i == begin or (text[begin] == 48 and i - begin > 1):
        return False
    if i < size and text[i] == 46:
        i += 1
        begin = i
        while i < size and 48 <= text[i] <= 57:
            i += 1
        if i == begin:
            return False
    if i < size and text[i] | 0x20 == 101:
        i += 1
        if i < size and (text[i] == 43 or text[i] == 45):
            i += 1
        begin = i
        while i < size and 48 <= text[i] <= 57:
            i += 1
        if i == begin:
            return False
    return i == size
