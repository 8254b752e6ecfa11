/* text_index.h - remembers a number for each text it has seen, in 32 bytes a text however long the
 * texts are: a hash table keyed by 128 bits of SHA-256, so that nobody can make two texts meet. */
#ifndef FCGI_CLI_TEXT_INDEX_H
#define FCGI_CLI_TEXT_INDEX_H

#include "common/base/err.h"
#include "common/base/slice.h"

#include <stdint.h>

struct text_entry {
    unsigned char key[16];
    int64_t number; /* 0: free place; so numbers start at 1 */
};

struct text_index { /* zeroed to begin with */
    struct text_entry *entries;
    size_t count, cap;
};

/* Puts `number` (1 and up) there and gives what was there before, or 0. Errors: ERR_INTERNAL. */
bool text_index_put(struct text_index *index, struct slice text, int64_t number,
                    int64_t *ret_before, struct err *err) MUST_USE;
/* What is there, or 0. */
int64_t text_index_get(const struct text_index *index, struct slice text);
void text_index_done(struct text_index *index);

#endif
