/* memory.h - how much memory a process has of its own. Source: proc(5), /proc/PID/statm. */
#ifndef FCGI_POOL_MEMORY_H
#define FCGI_POOL_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

/* Resident memory that is no file and not shared, in MiB; what was inherited at the fork counts. 0:
 * not known, or there is no such process. */
int64_t memory_own_mib(pid_t pid);

#endif
