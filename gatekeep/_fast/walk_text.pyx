"""Bodies read as one text: plain text and logs, and objects without their structure.

What a stretch means depends on nothing but itself, so a byte range can be read too:
escapes (``\\u0031``, ``\\n``) and entities (``&#49;``) are undone wherever they stand,
without asking what came long before. That can only show more than there is.
"""

from gatekeep._fast.skip cimport gatekeep_skip
from gatekeep._fast.splice cimport (
    DROPPED_MAX, ENTITIES, ESCAPES, NOTHING, UNCHANGED, Scanner, byte, meaning, utf8,
)

cdef enum:
    ENTITY_SIZE = 10  # &#x10FFFF; is the longest


cdef class TextScanner(Scanner):
    """Masks a text; modes ESCAPES and ENTITIES say what is undone in it."""

    cdef bint begun

    cdef int walk(self, bint final) except -1:
        cdef const byte *p
        cdef Py_ssize_t left, size
        cdef byte escape = 92 if self.mode & ESCAPES else 0xFF
        cdef byte entity = 38 if self.mode & ENTITIES else 0xFF
        if not self.begun:
            self.open_segment(0, -1, 0)
            self.begun = True
        while True:
            p = self.raw + (self.at - self.raw_base)
            left = self.raw_size - (self.at - self.raw_base)
            size = gatekeep_skip(p, left, 0, escape, entity)
            if size:
                self.plain(size)
                p += size
                left -= size
            if left == 0:
                break
            if p[0] >= 0x80:
                if not self.fold(p, left, final):
                    break
            elif p[0] == 92:
                size = self.escape(p, left, final)
                if size == 0:
                    break
            elif not self.entity(p, left, final):
                break
        if final:
            self.close_segment()
        return 0

    cdef int escape(self, const byte *p, Py_ssize_t left, bint final) except -1:
        """Take a backslash and what it escapes; 0: more bytes are needed."""
        cdef byte to[4]
        cdef long code
        cdef int i
        if left < 2:
            if not final:
                return 0
            return self.plain(1) + 1
        if p[1] == 117:
            for i in range(2, 6):
                if i >= left:
                    if not final:
                        return 0
                    return self.plain(1) + 1
                if hexadecimal(p[i]) < 0:
                    return self.plain(1) + 1
            code = 0
            for i in range(2, 6):
                code = code * 16 + hexadecimal(p[i])
            return self.character(code, 6) + 1
        to[0] = escaped(p[1])
        if to[0] == 0:
            return self.plain(1) + 1
        return self.mapped(to, 1, 2) + 1

    cdef int entity(self, const byte *p, Py_ssize_t left, bint final) except -1:
        """Take an ampersand and the entity it begins; 0: more bytes are needed."""
        cdef Py_ssize_t end = 1
        cdef long code
        while end < left and end < ENTITY_SIZE and p[end] != 59:
            end += 1
        if end >= left and end < ENTITY_SIZE and not final:
            return 0
        if end >= left or p[end] != 59:
            return self.plain(1) + 1
        code = entity_code(p + 1, end - 1)
        if code < 0:
            return self.plain(1) + 1
        return self.character(code, <int>end + 1) + 1

    cdef int character(self, long code, int raw_size) except -1:
        """The next raw bytes spell a character."""
        cdef byte to[4]
        cdef int meant = meaning(code)
        if meant == NOTHING:
            if self.dropped >= DROPPED_MAX:
                return self.plain(raw_size)
            return self.mapped(to, 0, raw_size)
        return self.mapped(to, utf8(code if meant == UNCHANGED else meant, to), raw_size)


cdef int hexadecimal(byte c) noexcept nogil:
    if 48 <= c <= 57:
        return c - 48
    c |= 0x20
    return c - 87 if 97 <= c <= 102 else -1


cdef byte escaped(byte c) noexcept nogil:
    """What JSON's ``\\c`` stands for, or 0. A backslash stays: it may begin another."""
    if c == 110:
        return 10
    if c == 116:
        return 9
    if c == 114:
        return 13
    if c == 98:
        return 8
    if c == 102:
        return 12
    return c if c == 34 or c == 47 else 0


cdef long entity_code(const byte *name, Py_ssize_t size) noexcept nogil:
    """The character of ``#49``, ``#x31``, ``amp`` and XML's other names; or -1."""
    cdef long code = 0
    cdef Py_ssize_t i
    cdef int value
    if size >= 2 and name[0] == 35:
        if name[1] | 0x20 == 120:
            if size == 2:
                return -1
            for i in range(2, size):
                value = hexadecimal(name[i])
                if value < 0:
                    return -1
                code = code * 16 + value
        else:
            for i in range(1, size):
                if not 48 <= name[i] <= 57:
                    return -1
                code = code * 10 + name[i] - 48
        return code if code <= 0x10FFFF else -1
    if size == 2 and name[1] == 116:
        return 60 if name[0] == 108 else 62 if name[0] == 103 else -1
    if size == 3 and name[0] == 97 and name[1] == 109 and name[2] == 112:
        return 38
    if size == 4 and name[1] == 117 and name[2] == 111 and name[3] == 116 and name[0] == 113:
        return 34
    if size == 4 and name[0] == 97 and name[1] == 112 and name[2] == 111 and name[3] == 115:
        return 39
    return -1
