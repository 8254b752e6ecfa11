#include "fcgi/pool/memory.h"

#include "common/base/number.h"

#include <stdio.h>
#include <unistd.h>

int64_t memory_own_mib(pid_t pid)
{
    char path[40], line[128] = "";
    int64_t resident = 0, shared = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    struct slice rest = slice_from_cstr(fgets(line, sizeof line, file) ? line : ""), size, word;
    bool good = slice_cut(&rest, ' ', &size) && slice_cut(&rest, ' ', &word) &&
                number_parse_i64(word, 0, INT64_MAX, &resident) == NUMBER_OK &&
                slice_cut(&rest, ' ', &word) &&
                number_parse_i64(word, 0, resident, &shared) == NUMBER_OK;
    fclose(file);
    return good ? (resident - shared) * sysconf(_SC_PAGESIZE) / (int64_t)MIB(1) : 0;
}
