"""Tables of text: RFC 4180's rows of cells, the first row naming the columns.

A cell's text is what stands between its quotes, doubled ones undone. Cells keep
their quotes, rows their cells. A quote inside of an unquoted cell is a character.
"""

from libc.stdlib cimport calloc, free

from gatekeep._fast.names cimport Name, Names
from gatekeep._fast.skip cimport gatekeep_skip
from gatekeep._fast.splice cimport HELD, KEY, NESTS, Rules, Scanner, Segment, WANTS, byte
from gatekeep._fast.splice import MalformedTextError
from gatekeep._fast.walk_json cimport DEPTH, Document, nests

cdef enum State:
    BEGIN      # a cell begins
    UNQUOTED
    QUOTED
    QUOTE      # after a quote in a quoted cell: its end, or one of two

cdef enum:
    COLUMNS = 4096

cdef struct Column:
    int style
    unsigned int keyed


cdef class CsvScanner(Document):
    """Masks a table of text."""

    cdef byte separator
    cdef State state
    cdef bint in_header, filled
    cdef int column
    cdef Column *columns

    def __cinit__(self, *_):
        self.columns = <Column *>calloc(COLUMNS + 1, sizeof(Column))
        if self.columns == NULL:
            raise MemoryError

    def __init__(self, Rules rules, int mode, Py_ssize_t token_size, Names names,
                 byte separator=44, header=None):
        """Begin a table.

        Args:
            rules, mode, token_size, names: see `Document`.
            separator: what stands between cells.
            header: the columns' names when no row of the body has them.
        """
        cdef int i
        Document.__init__(self, rules, mode, token_size, names, 0, 0)
        self.separator = separator
        self.in_header = header is None
        for i in range(COLUMNS + 1):
            self.columns[i].style = -1
        for name in header or ():
            self.name_column(name, len(name))
            self.column += 1
        self.column = 0

    def __dealloc__(self):
        free(self.columns)

    cdef int walk(self, bint final) except -1:
        cdef const byte *p
        cdef Py_ssize_t left, size
        cdef byte c
        while True:
            p = self.raw + (self.at - self.raw_base)
            left = self.raw_size - (self.at - self.raw_base)
            if left == 0:
                break
            c = p[0]
            if self.state == BEGIN:
                if c == self.separator or c == 10 or c == 13:
                    self.next_cell(c)
                    self.plain(1)
                elif c == 34:
                    self.plain(1)
                    self.open_cell()
                    self.state = QUOTED
                else:
                    self.open_cell()
                    self.state = UNQUOTED
            elif self.state == UNQUOTED:
                size = gatekeep_skip(p, left, 14, self.separator, 0xFF)
                if size:
                    self.plain(size)
                elif c == self.separator or c == 10 or c == 13:
                    self.close_cell()
                    self.next_cell(c)
                    self.plain(1)
                elif c >= 0x80:
                    if not self.fold(p, left, final):
                        break
                else:
                    self.plain(1)
            elif self.state == QUOTED:
                size = gatekeep_skip(p, left, 0, 34, 0xFF)
                if size:
                    self.plain(size)
                elif c == 34:
                    if left == 1 and not final:
                        break
                    if left > 1 and p[1] == 34:
                        self.mapped(p, 1, 2)
                    else:
                        self.close_cell()
                        self.plain(1)
                        self.state = QUOTE
                elif not self.fold(p, left, final):
                    break
            elif c == self.separator or c == 10 or c == 13:
                self.next_cell(c)
                self.plain(1)
            else:
                # More after the quotes: a text of its own in the same column.
                self.open_cell()
                self.state = UNQUOTED
        if final:
            if self.state == UNQUOTED or self.state == QUOTED:
                self.close_cell()
        elif self.state == UNQUOTED or self.state == QUOTED:
            self.hold_nesting(self.segments + self.segment_count - 1)
        return 0

    cdef int encode(self, const byte *text, Py_ssize_t size) except -1:
        """Write the inside of a cell: a quote would end it."""
        cdef Py_ssize_t i
        cdef byte star = 42
        for i in range(size):
            self.write(&star if text[i] == 34 else text + i, 1)
        return 0

    cdef int open_cell(self) except -1:
        cdef Column *column = self.columns + self.column
        if self.in_header:
            self.open_segment(HELD | KEY, -1, 0)
        elif column.style >= 0 or column.keyed:
            self.open_segment(HELD | WANTS, column.style, column.keyed)
        else:
            self.open_segment(0, -1, 0)
        return 0

    cdef int close_cell(self) except -1:
        cdef Segment *segment
        cdef const byte *text
        cdef Py_ssize_t size
        self.close_segment()
        segment = self.segments + self.segment_count - 1
        text = self.seen(segment.start)
        size = segment.end - segment.start
        if size:
            self.filled = True
        if self.in_header:
            self.name_column(text[:size], size)
        elif segment.style < 0 and self.may_nest(segment, text, size):
            if size > self.token_size:
                raise MalformedTextError("token_size", "a value that must be seen whole is too long")
            if nests(text, size):
                segment.flags |= NESTS | WANTS
        return 0

    cdef int name_column(self, bytes name, Py_ssize_t size) except -1:
        cdef Name *known = self.names.find(<const byte *>name, size)
        if known != NULL and self.column < COLUMNS:
            self.columns[self.column].style = known.style
            self.columns[self.column].keyed = known.keyed
        return 0

    cdef int next_cell(self, byte c) except -1:
        self.state = BEGIN
        if c == self.separator:
            self.filled = True
            self.column += 1
            if self.column > COLUMNS:
                raise MalformedTextError("columns", f"a row has more than {COLUMNS} cells")
        else:
            # Empty lines before the header are none.
            self.in_header = self.in_header and not self.filled
            self.column = 0
        return 0
