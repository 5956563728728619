from gatekeep._fast.splice cimport byte

cdef enum NameFlag:
    UNTOUCHED = 1     # AWS's own: never masked
    BLOB_NAME = 2     # the value is base64 of bytes
    PAIR_NAME = 4     # "Name", "Key": the value names the value beside it
    PAIR_VALUE = 8    # "Value": named by the value beside it
    TYPE_NAME = 16    # SSM's "Type", which says whether "Value" is a secret
    SECURE = 32       # masked unless the type beside it says that it is plain

cdef struct Name:
    const byte *text
    int size
    int style          # index in `Rules`, or -1
    unsigned int keyed
    int flags
    int step           # as a step of paths; 0: none

cdef struct Way:
    # From a node of the tree of paths, by a step, to another node.
    int node
    int step           # a name's number; ANY; or -2 - index of a list's element
    int to

cdef enum:
    ANY = -1

cdef class Names:
    cdef Name *names
    cdef int names_count
    cdef int *slots
    cdef unsigned int mask
    cdef tuple kept
    cdef Way *ways
    cdef readonly int ways_count
    cdef int *node_style
    cdef unsigned int *node_keyed
    cdef readonly int secure_style
    cdef readonly Names inside

    cdef Name *find(self, const byte *name, Py_ssize_t size) noexcept nogil
    cdef int follow(self, int node, int step) noexcept nogil
