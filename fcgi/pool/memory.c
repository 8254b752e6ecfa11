#include "fcgi/pool/memory.h"

#include "common/base/macros.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

int64_t memory_own_mib(pid_t pid)
{
    char path[40], line[128] = "";
    long long resident = 0, shared = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    bool good = fgets(line, sizeof line, file) &&
                sscanf(line, "%*d %lld %lld", &resident, &shared) == 2 && resident >= shared;
    fclose(file);
    return good ? (resident - shared) * sysconf(_SC_PAGESIZE) / (int64_t)MIB(1) : 0;
}
