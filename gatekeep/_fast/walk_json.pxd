from gatekeep._fast.names cimport Names
from gatekeep._fast.splice cimport Scanner, Segment, byte


cdef class Document(Scanner):
    cdef Names names
    cdef int modelled_levels, nesting

    cdef Scanner inside(self, bint json)
    cdef bint whole_nested(self, Segment *segment) except -1
    cdef bint whole_blob(self, Segment *segment) except -1
    cdef int hold_nesting(self, Segment *segment) except -1
    cdef bint may_nest(self, Segment *segment, const byte *text, Py_ssize_t size) noexcept
    cdef int count(self, Scanner inner) except -1
    cdef bytes masked_bytes(self, bytes value)

cdef bint opens(const byte *text, Py_ssize_t size) noexcept nogil
cdef bint nests(const byte *text, Py_ssize_t size) noexcept nogil

cdef enum:
    DEPTH = 64
    NESTING = 4  # JSON in a string in JSON in a string: SNS to SQS to an S3 event
