cdef extern from *:
    """
    /* Where a run of plain ASCII ends: the first byte that is 0x80 or above, below
     * `low`, or one of two marks. Sixteen bytes a step where SSE2 is there (every
     * x86-64), one a step elsewhere. */
    #include <stddef.h>

    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif

    #if defined(__SSE2__)
    static inline __m128i gatekeep_stop(__m128i piece, __m128i lows, __m128i ones,
                                        __m128i others) {
        return _mm_or_si128(_mm_cmplt_epi8(piece, lows),
                            _mm_or_si128(_mm_cmpeq_epi8(piece, ones),
                                         _mm_cmpeq_epi8(piece, others)));
    }
    #endif

    static inline ptrdiff_t gatekeep_skip(const unsigned char *at, ptrdiff_t size,
                                          unsigned char low, unsigned char one,
                                          unsigned char other) {
        ptrdiff_t i = 0;
    #if defined(__SSE2__)
        const __m128i ones = _mm_set1_epi8((char)one);
        const __m128i others = _mm_set1_epi8((char)other);
        /* Signed comparison: bytes of 0x80 and above are negative, so below `low`. */
        const __m128i lows = _mm_set1_epi8((char)low);
    #define GATEKEEP_STOP(place) gatekeep_stop( \\
            _mm_loadu_si128((const __m128i *)(at + (place))), lows, ones, others)
        for (; i + 16 <= size; i += 16) {
            const int mask = _mm_movemask_epi8(GATEKEEP_STOP(i));
            if (mask) {
                return i + __builtin_ctz((unsigned)mask);
            }
            /* Long runs go by 64 bytes; what ends one is found above. */
            while (i + 80 <= size) {
                const __m128i first = _mm_or_si128(GATEKEEP_STOP(i + 16), GATEKEEP_STOP(i + 32));
                const __m128i second = _mm_or_si128(GATEKEEP_STOP(i + 48), GATEKEEP_STOP(i + 64));
                if (_mm_movemask_epi8(_mm_or_si128(first, second))) {
                    break;
                }
                i += 64;
            }
        }
    #undef GATEKEEP_STOP
    #endif
        for (; i < size; i++) {
            const unsigned char c = at[i];
            if (c >= 0x80 || c < low || c == one || c == other) {
                break;
            }
        }
        return i;
    }
    """
    Py_ssize_t gatekeep_skip(const unsigned char *at, Py_ssize_t size, unsigned char low,
                             unsigned char one, unsigned char other) noexcept nogil
