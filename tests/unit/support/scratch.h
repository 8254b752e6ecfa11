/* scratch.h - a private folder of one test, for its files and sockets. Its name is short, since the
 * path of a Unix socket ends at 107 bytes. */
#ifndef TESTS_UNIT_SUPPORT_SCRATCH_H
#define TESTS_UNIT_SUPPORT_SCRATCH_H

#include "common/base/slice.h"

#define SCRATCH_PATHS_MAX 8

struct scratch {
    char dir[64];
    char paths[SCRATCH_PATHS_MAX][108];
    size_t count;
};

void scratch_open(struct scratch *s);
/* The path of a file in the folder, which need not be there; it lives as long as `s`. */
const char *scratch_path(struct scratch *s, const char *name);
/* The path of a new file with this text. */
const char *scratch_file(struct scratch *s, const char *name, struct slice text);
/* Removes the folder with all that is in it; no folder may be. */
void scratch_close(struct scratch *s);

#endif
