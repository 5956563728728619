from gatekeep._fast.splice cimport byte

cdef int hexadecimal(byte c) noexcept nogil
cdef long entity_code(const byte *name, Py_ssize_t size) noexcept nogil
