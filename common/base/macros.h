/* macros.h - the few language helpers every file may use. gcc and clang, C17 with GNU extensions.
 */
#ifndef COMMON_BASE_MACROS_H
#define COMMON_BASE_MACROS_H

#include <stddef.h>

/* The caller must look at the result. */
#define MUST_USE          __attribute__((warn_unused_result))
/* `fmt` is the 1-based position of the format string, `args` that of the first value. */
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Calls `done(&variable)` when the variable leaves its scope, whichever way it does. */
#define CLEANUP(done) __attribute__((cleanup(done)))

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* An array and its length, as two arguments. */
#define ARRAY(array) (array), COUNT(array)

#define KIB(n) ((size_t)(n)*1024)
#define MIB(n) ((size_t)(n)*1024 * 1024)

#define MS_PER_S 1000

#endif
