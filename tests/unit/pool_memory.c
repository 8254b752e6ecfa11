#include "fcgi/pool/memory.h"

#include "common/base/macros.h"
#include "tests/unit/suites.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MORE_MIB 40

START_TEST(memory_of_a_process)
{
    int64_t before = memory_own_mib(getpid());
    void *own =
        mmap(NULL, MIB(MORE_MIB), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *shared =
        mmap(NULL, MIB(MORE_MIB), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(own != MAP_FAILED && shared != MAP_FAILED);
    int64_t reserved = memory_own_mib(getpid());
    memset(shared, 1, MIB(MORE_MIB));
    memset(own, 1, MIB(MORE_MIB));
    int64_t used = memory_own_mib(getpid());
    ck_assert_int_gt(before, 0);
    ck_assert_int_lt(reserved - before, MORE_MIB / 2); /* not used yet */
    ck_assert_int_ge(used - before, MORE_MIB - 1);
    ck_assert_int_lt(used - before, 2 * MORE_MIB - 10); /* what is shared does not count */
    munmap(own, MIB(MORE_MIB));
    munmap(shared, MIB(MORE_MIB));
}
END_TEST

START_TEST(memory_of_no_process)
{
    ck_assert_int_eq(memory_own_mib(0), 0);
    ck_assert_int_eq(memory_own_mib(-1), 0);
}
END_TEST

void pool_memory(struct suite *s)
{
    suite_test(s, memory_of_a_process);
    suite_test(s, memory_of_no_process);
}
