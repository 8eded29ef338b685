/* CG_CLONES before a function: the compiler makes a copy of it for each level of the x86-64 instruction set,
 * and the loader picks the one that fits the machine. Meant for plain loops that vectorise; all copies give
 * the same bits. Empty where it cannot work: other machines, other C libraries (no ifunc), sanitizers (the
 * picking runs before they do), and clang, which up to 16 accepts the levels but picks the wrong one.
 */
#ifndef COGNATE_CLONES_H
#define COGNATE_CLONES_H

#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(CG_SANITIZE) && !defined(__clang__) &&         \
    __GNUC__ >= 12
#define CG_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CG_CLONES
#endif

/* A part of such a function, compiled for each of its copies. */
#define CG_ALWAYS_INLINE static inline __attribute__((always_inline))

/* Before a loop: the compiler writes its body out n times, n a plain number. clang decides for itself. */
#define CG_PRAGMA(text) _Pragma(#text)
#ifdef __clang__
#define CG_UNROLL(n)
#else
#define CG_UNROLL(n) CG_PRAGMA(GCC unroll n)
#endif

#endif
