"""The names and paths that profiles and AWS's models give a meaning.

Names are compared folded: letter case and ``_ - .`` and space do not count.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp

cdef enum:
    NAME_SIZE = 64  # a longer name is none of ours


cdef inline unsigned int mix(unsigned int code, byte c) noexcept nogil:
    """One step of FNV-1a."""
    return (code ^ c) * 16777619u


cdef class Names:
    """Looks names up, and follows paths; shared, never changed."""

    def __cinit__(self, names, ways, nodes, int secure_style=-1, Names inside=None):
        """Keep the tables.

        Args:
            names: folded name -> (style or -1, keyed bits, flags, step).
            ways: (node, step, node) of the tree of paths; node 1 is the top.
            nodes: of each node its style, or -1, and keyed bits; node 0 is nowhere.
            secure_style: the style of a value of a secret type, or -1.
            inside: what names mean in a users' text inside of a text; None: the same.
        """
        cdef int i, slot
        cdef unsigned int code
        cdef Name *name
        cdef Py_ssize_t place
        size = 16
        while size < 3 * len(names):
            size *= 2
        self.mask = size - 1
        self.kept = tuple(names)
        self.names_count = len(names)
        self.ways_count = len(ways)
        self.secure_style = secure_style
        self.inside = inside
        self.names = <Name *>calloc(len(names) + 1, sizeof(Name))
        self.slots = <int *>calloc(size, sizeof(int))
        self.ways = <Way *>calloc(len(ways) + 1, sizeof(Way))
        self.node_style = <int *>calloc(len(nodes) + 2, sizeof(int))
        self.node_keyed = <unsigned int *>calloc(len(nodes) + 2, sizeof(unsigned int))
        if (self.names == NULL or self.slots == NULL or self.ways == NULL
                or self.node_style == NULL or self.node_keyed == NULL):
            raise MemoryError
        self.node_style[0] = self.node_style[1] = -1
        for i, node in enumerate(nodes):
            self.node_style[i], self.node_keyed[i] = node
        for i, (node, step, to) in enumerate(ways):
            self.ways[i].node, self.ways[i].step, self.ways[i].to = node, step, to
        for i, text in enumerate(self.kept):
            if not 0 < len(text) <= NAME_SIZE:
                raise ValueError(f"a name of {len(text)} bytes")
            name = self.names + i
            name.text = <const byte *>PyBytes_AS_STRING(text)
            name.size = <int>PyBytes_GET_SIZE(text)
            name.style, name.keyed, name.flags, name.step = names[text]
            code = 2166136261u
            for place in range(name.size):
                code = mix(code, name.text[place])
            slot = code & self.mask
            while self.slots[slot]:
                slot = (slot + 1) & self.mask
            self.slots[slot] = i + 1

    def __dealloc__(self):
        free(self.names)
        free(self.slots)
        free(self.ways)
        free(self.node_style)
        free(self.node_keyed)

    cdef Name *find(self, const byte *name, Py_ssize_t size) noexcept nogil:
        """The entry of a name as it stands on the wire, or NULL."""
        cdef byte folded[NAME_SIZE]
        cdef int count = 0, slot
        cdef Py_ssize_t i
        cdef unsigned int code = 2166136261u
        cdef byte c
        for i in range(size):
            c = name[i]
            if 65 <= c <= 90:
                c |= 0x20
            elif c == 95 or c == 45 or c == 46 or c == 32:
                continue
            if count == NAME_SIZE:
                return NULL
            folded[count] = c
            count += 1
            code = mix(code, c)
        slot = code & self.mask
        while self.slots[slot]:
            if self.names[self.slots[slot] - 1].size == count and memcmp(
                self.names[self.slots[slot] - 1].text, folded, count
            ) == 0:
                return self.names + self.slots[slot] - 1
            slot = (slot + 1) & self.mask
        return NULL

    cdef int follow(self, int node, int step) noexcept nogil:
        """The node that a step leads to; an element's own place goes before ANY."""
        cdef int i, to = 0
        if node == 0:
            return 0
        for i in range(self.ways_count):
            if self.ways[i].node == node:
                if self.ways[i].step == step:
                    return self.ways[i].to
                if self.ways[i].step == ANY and step <= -2:
                    to = self.ways[i].to
        return to
