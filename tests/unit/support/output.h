/* output.h - what a function prints to standard output and standard error, for tests of the
 * command line. Both go to one file, in the order of the writes. */
#ifndef TESTS_UNIT_SUPPORT_OUTPUT_H
#define TESTS_UNIT_SUPPORT_OUTPUT_H

#include <stddef.h>

struct output {
    int file, saved_out, saved_err;
};

void output_begin(struct output *t);
/* Copies what was printed, NUL-terminated; more than `cap` - 1 bytes fail the test. */
void output_end(struct output *t, char *ret, size_t cap);

#endif
