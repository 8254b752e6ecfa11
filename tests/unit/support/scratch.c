#include "tests/unit/support/scratch.h"

#include "common/base/buf.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void scratch_open(struct scratch *s)
{
    const char *parent = getenv("TMPDIR");
    *s = (struct scratch){0};
    int length = snprintf(s->dir, sizeof s->dir, "%s/cbu-XXXXXX", parent ? parent : "/tmp");
    ck_assert_msg(length > 0 && (size_t)length < sizeof s->dir, "TMPDIR is too long for sockets");
    ck_assert_ptr_nonnull(mkdtemp(s->dir));
}

const char *scratch_path(struct scratch *s, const char *name)
{
    ck_assert_uint_lt(s->count, SCRATCH_PATHS_MAX);
    struct buf path = BUF(s->paths[s->count]);
    s->count++;
    buf_add_cstr(&path, s->dir);
    buf_add_char(&path, '/');
    buf_add_cstr(&path, name);
    const char *text = buf_cstr(&path);
    ck_assert_ptr_nonnull(text);
    return text;
}

const char *scratch_file(struct scratch *s, const char *name, struct slice text)
{
    const char *path = scratch_path(s, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text.ptr, text.len), (ssize_t)text.len);
    close(fd);
    return path;
}

void scratch_close(struct scratch *s)
{
    DIR *dir = opendir(s->dir);
    const struct dirent *entry;
    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            ck_assert_int_eq(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    closedir(dir);
    ck_assert_int_eq(rmdir(s->dir), 0);
}
