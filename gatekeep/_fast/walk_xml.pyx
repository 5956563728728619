"""XML bodies, as AWS writes them: elements, attributes, text, CDATA; no DTD.

A tag is read when all of it is there; text streams. Entities mean their characters,
and what is written is escaped again. Namespaces do not count: a name is what follows
the colon.
"""

from libc.string cimport memcmp

from gatekeep._fast.names cimport BLOB_NAME, PAIR_NAME, PAIR_VALUE, UNTOUCHED, Name, Names
from gatekeep._fast.skip cimport gatekeep_skip
from gatekeep._fast.splice cimport (
    BLOB, DEAD, DROPPED_MAX, HELD, NESTS, NOTHING, UNCHANGED, WANTS, Rules, Segment, byte,
    meaning, utf8,
)
from gatekeep._fast.splice import MalformedTextError
from gatekeep._fast.walk_json cimport DEPTH, Document, nests
from gatekeep._fast.walk_text cimport entity_code

cdef enum State:
    TEXT     # between tags
    SECTION  # inside of CDATA
    MARKUP   # at a <

cdef enum:
    TAG_SIZE = 65536  # one tag, comment or declaration; S3 metadata fits many times
    ENTITY_SIZE = 12

cdef struct Level:
    unsigned int code     # of the element's name, to match its end tag
    Py_ssize_t size
    Name *name
    int node              # of the tree of paths
    int style             # all below is hidden in it; -1
    unsigned int keyed
    int flags
    Name *pair            # what a "Name" or "Key" before has named


cdef class XmlScanner(Document):
    """Masks an XML document."""

    cdef State state
    cdef bint rooted, text_open
    cdef int depth
    cdef Level levels[DEPTH + 1]

    def __init__(self, Rules rules, int mode, Py_ssize_t token_size, Names names,
                 int modelled_levels=DEPTH, int nesting=0):
        """Begin a body; see `Document`."""
        Document.__init__(self, rules, mode, token_size, names, modelled_levels, nesting)
        self.levels[0].style = -1
        self.levels[0].node = 1

    cdef int walk(self, bint final) except -1:
        cdef const byte *p
        cdef Py_ssize_t left = 0
        while True:
            p = self.raw + (self.at - self.raw_base)
            left = self.raw_size - (self.at - self.raw_base)
            if left == 0:
                break
            if self.state == MARKUP:
                if not self.markup(p, left):
                    break
            elif not self.text(p, left, final):
                break
        if final and (left or self.depth or self.state != TEXT or not self.rooted):
            if left or self.at:
                raise malformed("it ends too early", self.at)
        return 0

    cdef int encode(self, const byte *text, Py_ssize_t size) except -1:
        """Write text between tags or in an attribute. ``]`` too: no ``]]>`` may come."""
        cdef Py_ssize_t i
        for i in range(size):
            if text[i] == 38:
                self.write(b"&amp;", 5)
            elif text[i] == 60:
                self.write(b"&lt;", 4)
            elif text[i] == 62:
                self.write(b"&gt;", 4)
            elif text[i] == 34:
                self.write(b"&#34;", 5)
            elif text[i] == 39:
                self.write(b"&#39;", 5)
            elif text[i] == 93:
                self.write(b"&#93;", 5)
            else:
                self.write(text + i, 1)
        return 0

    # --- text -------------------------------------------------------------------

    cdef int text(self, const byte *p, Py_ssize_t left, bint final) except -1:
        """Take text up to a tag; 0: more bytes are needed."""
        cdef byte stop = 93 if self.state == SECTION else 60
        cdef Py_ssize_t size = gatekeep_skip(p, left, 0, stop, stop if self.state == SECTION else 38)
        if size:
            self.begin_text(p, size)
            self.plain(size)
            p += size
            left -= size
        if left == 0:
            self.pause()
            return 0
        if self.state == SECTION and p[0] == 93:
            if left < 3 and memcmp(p, b"]]>", left) == 0:
                return 0
            if left >= 3 and memcmp(p, b"]]>", 3) == 0:
                self.end_text()
                self.plain(3)
                self.state = TEXT
            else:
                self.begin_text(p, 1)
                self.plain(1)
            return 1
        if self.state == TEXT and p[0] == 60:
            self.end_text()
            self.state = MARKUP
            return 1
        if p[0] == 0xEF and self.at == 0 and left >= 3 and memcmp(p, b"\xef\xbb\xbf", 3) == 0:
            return self.plain(3) + 1
        if p[0] == 0xEF and self.at == 0 and left < 3 and not final:
            return 0
        if p[0] == 38 and self.state == TEXT:
            self.begin_text(p, 1)
            return self.entity(p, left)
        self.begin_text(p, 1)
        return self.fold(p, left, final)

    cdef int begin_text(self, const byte *p, Py_ssize_t size) except -1:
        """Open a text under the element, or check that there is only white space."""
        cdef Level *level = self.levels + self.depth
        cdef Py_ssize_t i
        cdef int flags = 0
        if self.text_open:
            return 0
        if self.depth == 0:
            for i in range(size):
                if not (p[i] == 32 or p[i] == 10 or p[i] == 13 or p[i] == 9):
                    raise malformed("text outside of all elements", self.at)
            return 0
        if level.flags & UNTOUCHED:
            flags = DEAD
        elif level.flags & BLOB_NAME:
            flags = HELD | BLOB | WANTS
        elif level.style >= 0 or level.keyed:
            flags = HELD | WANTS
        if level.name != NULL and level.name.flags & PAIR_NAME:
            flags |= HELD
        self.open_segment(flags, level.style, level.keyed)
        self.text_open = True
        return 0

    cdef int end_text(self) except -1:
        cdef Level *level = self.levels + self.depth
        cdef Segment *segment
        cdef const byte *text
        cdef Py_ssize_t size
        if not self.text_open:
            return 0
        self.text_open = False
        self.close_segment()
        segment = self.segments + self.segment_count - 1
        text = self.seen(segment.start)
        size = segment.end - segment.start
        if level.name != NULL and level.name.flags & PAIR_NAME:
            self.levels[self.depth - 1].pair = self.names.find(text, size)
        if (
            not segment.flags & (DEAD | BLOB) and segment.style < 0
            and self.may_nest(segment, text, size)
        ):
            if size > self.token_size:
                raise MalformedTextError("token_size", "a value that must be seen whole is too long")
            if nests(text, size):
                segment.flags |= NESTS | WANTS
        return 0

    cdef int pause(self) except -1:
        """Hold an open text that may turn out to be JSON."""
        if self.text_open:
            self.hold_nesting(self.segments + self.segment_count - 1)
        return 0

    cdef int entity(self, const byte *p, Py_ssize_t left) except -1:
        """Take an entity; 0: more bytes are needed."""
        cdef byte to[4]
        cdef Py_ssize_t end = 1
        cdef long code
        cdef int meant
        while end < left and end < ENTITY_SIZE and p[end] != 59:
            end += 1
        if end == left and end < ENTITY_SIZE:
            return 0
        code = entity_code(p + 1, end - 1) if end < left and p[end] == 59 else -1
        if code < 0:
            raise malformed("an entity that XML has not", self.at)
        meant = meaning(code)
        if meant == NOTHING and self.dropped < DROPPED_MAX:
            return self.mapped(to, 0, <int>end + 1) + 1
        return self.mapped(to, utf8(code if meant < 0 else meant, to), <int>end + 1) + 1

    # --- markup -----------------------------------------------------------------

    cdef int markup(self, const byte *p, Py_ssize_t left) except -1:
        """Take a tag, comment, CDATA mark or declaration; 0: more bytes are needed."""
        cdef Py_ssize_t end
        if left < 2:
            return 0
        if p[1] == 33:
            if left < 4 or (p[2] == 91 and left < 9):
                return 0
            if memcmp(p, b"<!--", 4) == 0:
                end = found(p, 4, left, b"-->", 3)
                if end == 0:
                    return self.waits(left)
                self.plain(4)
                self.open_segment(0, -1, 0)
                self.inner(p + 4, end - 7, False)
                self.close_segment()
                self.plain(3)
            elif memcmp(p, b"<![CDATA[", 9) == 0 and self.depth:
                self.plain(9)
                self.state = SECTION
                return 1
            else:
                raise malformed("a document type, which is not read", self.at)
        elif p[1] == 63:
            end = found(p, 2, left, b"?>", 2)
            if end == 0:
                return self.waits(left)
            self.declaration(p, end)
            self.plain(end)
        else:
            end = tag_end(p, left)
            if end == 0:
                return self.waits(left)
            if p[1] == 47:
                self.end_tag(p, end)
            else:
                self.start_tag(p, end)
        self.state = TEXT
        return 1

    cdef int waits(self, Py_ssize_t left) except -1:
        if left > TAG_SIZE:
            raise malformed("a tag without an end", self.at)
        return 0

    cdef int declaration(self, const byte *p, Py_ssize_t end) except -1:
        """Only UTF-8 is read: another encoding would hide every text."""
        cdef Py_ssize_t i
        if end < 6 or memcmp(p, b"<?xml", 5) != 0:
            return 0
        for i in range(5, end - 9):
            if memcmp(p + i, b"encoding=", 9) == 0:
                i += 10
                if not (
                    (p[i] | 0x20 == 117 and p[i + 1] | 0x20 == 116 and p[i + 2] | 0x20 == 102
                     and (p[i + 3] == 56 or (p[i + 3] == 45 and p[i + 4] == 56)))
                    or (p[i] | 0x20 == 117 and p[i + 1] | 0x20 == 115)  # US-ASCII
                ):
                    raise MalformedTextError("uninspectable", "XML in an encoding other than UTF-8")
                return 0
        return 0

    cdef int end_tag(self, const byte *p, Py_ssize_t end) except -1:
        cdef Py_ssize_t size = name_size(p + 2, end - 3), i = 2 + size
        cdef Level *level = self.levels + self.depth
        while i < end - 1 and blank(p[i]):
            i += 1
        if (
            self.depth == 0 or i != end - 1 or size != level.size
            or code_of(p + 2, size) != level.code
        ):
            raise malformed("an end tag that ends nothing", self.at)
        self.depth -= 1
        return self.plain(end)

    cdef int start_tag(self, const byte *p, Py_ssize_t end) except -1:
        cdef Py_ssize_t size = name_size(p + 1, end - 2), i, begin
        cdef bint closed = p[end - 2] == 47
        cdef Py_ssize_t last = end - (2 if closed else 1)
        cdef byte quote
        if size == 0:
            raise malformed("a tag without a name", self.at)
        if self.depth == 0 and self.rooted:
            raise malformed("a second root", self.at)
        if self.depth == DEPTH:
            raise MalformedTextError("depth", f"it is nested deeper than {DEPTH} levels")
        self.open_level(p + 1, size)
        i = 1 + size
        self.plain(i)
        while True:
            begin = i
            while i < last and blank(p[i]):
                i += 1
            if i == last:
                break
            size = name_size(p + i, last - i)
            if size == 0 or i == begin:
                raise malformed("a tag that XML has not", self.at)
            begin = i
            i += size
            if i + 1 >= last or p[i] != 61 or (p[i + 1] != 34 and p[i + 1] != 39):
                raise malformed("an attribute that XML has not", self.at)
            quote = p[i + 1]
            i += 2
            self.plain(i - (self.at - (self.raw_base + (p - self.raw))))
            size = i
            while i < last and p[i] != quote:
                i += 1
            if i == last:
                raise malformed("an attribute that XML has not", self.at)
            self.attribute(p + begin, p + size, i - size)
            i += 1
        self.plain(end - (self.at - (self.raw_base + (p - self.raw))))
        if closed:
            self.depth -= 1
        return 0

    cdef int attribute(self, const byte *tag, const byte *value, Py_ssize_t size) except -1:
        """Take an attribute's value; its quotes are taken as markup."""
        cdef Level *level = self.levels + self.depth
        cdef Py_ssize_t name = name_size(tag, size + TAG_SIZE)
        cdef const byte *plain_name = local(tag, &name)
        cdef Name *known = self.names.find(plain_name, name)
        cdef int style = level.style, flags = 0
        cdef unsigned int keyed = 0
        if known != NULL:
            keyed = known.keyed
            if known.style >= 0 and (style < 0 or known.style < style):
                style = known.style
        if level.flags & UNTOUCHED:
            flags = DEAD
        elif style >= 0 or keyed:
            flags = WANTS
        # Namespaces are names, no values.
        if name >= 5 and memcmp(tag, b"xmlns", 5) == 0:
            flags = DEAD
        self.open_segment(flags, style, keyed)
        self.inner(value, size, True)
        self.close_segment()
        return 0

    cdef int inner(self, const byte *p, Py_ssize_t left, bint entities) except -1:
        """Take bytes that are all there, as one text."""
        cdef Py_ssize_t size
        while left:
            size = gatekeep_skip(p, left, 0, 38 if entities else 0xFF, 0xFF)
            if size:
                self.plain(size)
            else:
                size = self.at
                if p[0] >= 0x80:
                    self.fold(p, left, True)
                elif not self.entity(p, left):
                    raise malformed("an entity without an end", self.at)
                size = self.at - size
            p += size
            left -= size
        return 0

    cdef int open_level(self, const byte *tag, Py_ssize_t size) except -1:
        cdef Level *over = self.levels + self.depth
        cdef Level *level = over + 1
        cdef Py_ssize_t name_length = size
        cdef const byte *plain_name = local(tag, &name_length)
        cdef Name *name = self.names.find(plain_name, name_length)
        level.code, level.size, level.name, level.pair = code_of(tag, size), size, name, NULL
        level.style, level.keyed, level.flags = over.style, 0, over.flags & UNTOUCHED
        level.node = 0
        self.depth += 1
        self.rooted = True
        if name == NULL:
            return 0
        if self.names.ways_count:
            level.node = self.names.follow(over.node, name.step)
            self.stricter(level, self.names.node_style[level.node])
        self.stricter(level, name.style)
        level.keyed = name.keyed
        level.flags |= name.flags & BLOB_NAME
        if name.flags & UNTOUCHED and self.depth <= self.modelled_levels:
            level.flags |= UNTOUCHED
        if name.flags & PAIR_VALUE and over.pair != NULL:
            self.stricter(level, over.pair.style)
            level.keyed |= over.pair.keyed
        return 0

    cdef void stricter(self, Level *level, int style) noexcept:
        if style >= 0 and (level.style < 0 or style < level.style):
            level.style = style


cdef object malformed(str what, long long at):
    return MalformedTextError("malformed", f"{what}, byte {at}")


cdef bint blank(byte c) noexcept nogil:
    return c == 32 or c == 10 or c == 13 or c == 9


cdef Py_ssize_t name_size(const byte *p, Py_ssize_t left) noexcept nogil:
    """How many bytes of a name stand here."""
    cdef Py_ssize_t i = 0
    cdef byte c
    while i < left:
        c = p[i]
        if not (
            48 <= c <= 58 or 65 <= (c & 0xDF) <= 90 or c == 95 or c == 45 or c == 46 or c >= 0x80
        ):
            break
        i += 1
    return i


cdef const byte *local(const byte *tag, Py_ssize_t *size) noexcept nogil:
    """The name without its namespace prefix; `size` is made that of it."""
    cdef Py_ssize_t i
    for i in range(size[0] - 1, -1, -1):
        if tag[i] == 58:
            size[0] -= i + 1
            return tag + i + 1
    return tag


cdef unsigned int code_of(const byte *name, Py_ssize_t size) noexcept nogil:
    """FNV-1a of a name."""
    cdef unsigned int code = 2166136261u
    cdef Py_ssize_t i
    for i in range(size):
        code = (code ^ name[i]) * 16777619u
    return code


cdef Py_ssize_t found(const byte *p, Py_ssize_t start, Py_ssize_t left, const char *mark,
                      Py_ssize_t size) noexcept nogil:
    """Where the first mark from `start` on ends, or 0."""
    cdef Py_ssize_t i = start
    while i + size <= left:
        if memcmp(p + i, mark, size) == 0:
            return i + size
        i += 1
    return 0


cdef Py_ssize_t tag_end(const byte *p, Py_ssize_t left) noexcept nogil:
    """Where a tag ends, quoted values passed over; 0: not yet."""
    cdef Py_ssize_t i = 1
    cdef byte quote = 0
    while i < left:
        if quote:
            if p[i] == quote:
                quote = 0
        elif p[i] == 34 or p[i] == 39:
            quote = p[i]
        elif p[i] == 62:
            return i + 1
        i += 1
    return 0
