#include "tests/unit/support/output.h"

#include <check.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static void flush(void)
{
    ck_assert_int_eq(fflush(stdout), 0);
    ck_assert_int_eq(fflush(stderr), 0);
}

void output_begin(struct output *t)
{
    flush();
    t->file = memfd_create("output", MFD_CLOEXEC);
    t->saved_out = dup(STDOUT_FILENO);
    t->saved_err = dup(STDERR_FILENO);
    ck_assert(t->file >= 0 && t->saved_out >= 0 && t->saved_err >= 0);
    ck_assert_int_eq(dup2(t->file, STDOUT_FILENO), STDOUT_FILENO);
    ck_assert_int_eq(dup2(t->file, STDERR_FILENO), STDERR_FILENO);
}

void output_end(struct output *t, char *ret, size_t cap)
{
    flush();
    ck_assert_int_eq(dup2(t->saved_out, STDOUT_FILENO), STDOUT_FILENO);
    ck_assert_int_eq(dup2(t->saved_err, STDERR_FILENO), STDERR_FILENO);
    ssize_t got = pread(t->file, ret, cap, 0);
    close(t->saved_out);
    close(t->saved_err);
    close(t->file);
    ck_assert_int_ge(got, 0);
    ck_assert_uint_lt((size_t)got, cap);
    ret[got] = '\0';
}
