#include "common/aws/profile.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_MAX  KIB(64)
#define PATH_ROOM 1024

/* Whether a section's header names the profile. */
static bool is_profile(struct slice header, bool config, struct slice profile)
{
    static const struct slice prefix = SLICE_INIT("profile ");
    if (!config || slice_equal(header, SLICE("default")))
        return slice_equal(header, profile);
    return slice_starts_with(header, prefix) &&
           slice_equal(slice_trim(slice_after(header, prefix.len)), profile);
}

static bool keep_key(struct slice name, struct slice value, struct credentials *c)
{
    if (slice_equal(name, SLICE("aws_access_key_id")))
        return slice_to_cstr(value, c->access_key, sizeof c->access_key);
    if (slice_equal(name, SLICE("aws_secret_access_key")))
        return slice_to_cstr(value, c->secret_key, sizeof c->secret_key);
    if (slice_equal(name, SLICE("aws_session_token")))
        return slice_to_cstr(value, c->session_token, sizeof c->session_token);
    return true; /* region, output and the like */
}

static struct slice without_cr(struct slice line)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

bool profile_find(struct slice file, bool config, struct slice profile, struct credentials *ret)
{
    CLEANUP(credentials_wipe) struct credentials made = {.source = CREDENTIALS_PROFILE};
    struct slice rest = file, line;
    bool inside = false;
    while (slice_cut(&rest, '\n', &line)) {
        line = slice_trim(without_cr(line));
        if (line.len > 1 && line.ptr[0] == '[' && line.ptr[line.len - 1] == ']') {
            struct slice header = slice_trim((struct slice){line.ptr + 1, line.len - 2});
            inside = is_profile(header, config, profile);
            continue;
        }
        struct slice name = {0}, value = line;
        if (!inside || line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';')
            continue;
        if (slice_cut(&value, '=', &name) && value.ptr &&
            !keep_key(slice_trim(name), slice_trim(value), &made))
            return false;
    }
    if (!made.access_key[0] || !made.secret_key[0])
        return false;
    *ret = made;
    return true;
}

/* The file's text; the empty slice when there is none to be read. Half a file may end in half a
 * key, so one that is too large is an error. */
static bool read_file(const char *path, struct arena *arena, struct slice *ret, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *ret = (struct slice){0};
    if (fd < 0)
        return true;
    char *bytes = arena_alloc(arena, FILE_MAX + 1, 1);
    ssize_t got = bytes ? read(fd, bytes, FILE_MAX + 1) : -1;
    close(fd);
    if (got > (ssize_t)FILE_MAX)
        return err_fail(err, &ERR_CREDENTIALS_ABSENT, "%s has more than %zu bytes", path, FILE_MAX);
    if (got > 0)
        *ret = (struct slice){bytes, (size_t)got};
    return true;
}

static bool is_set(const char *text)
{
    return text && *text;
}

static bool read_shared(const char *named, const char *home, const char *usual, struct arena *arena,
                        struct slice *ret, struct err *err)
{
    char path[PATH_ROOM];
    struct buf out = BUF(path);
    buf_add_cstr(&out, is_set(named) ? named : home);
    buf_add_cstr(&out, is_set(named) ? "" : usual);
    if (!buf_cstr(&out))
        return err_fail(err, &ERR_CREDENTIALS_ABSENT, "the path of a shared AWS file is too long");
    return read_file(path, arena, ret, err);
}

bool profile_read(const struct credentials_settings *s, struct arena *arena,
                  struct credentials *ret, struct err *err)
{
    struct slice profile = slice_from_cstr(is_set(s->profile) ? s->profile : "default"), file;
    if (!read_shared(s->credentials_file, s->home, "/.aws/credentials", arena, &file, err))
        return false;
    if (profile_find(file, false, profile, ret))
        return true;
    if (!read_shared(s->config_file, s->home, "/.aws/config", arena, &file, err))
        return false;
    return profile_find(file, true, profile, ret) ||
           err_fail(err, &ERR_CREDENTIALS_ABSENT,
                    "the shared AWS files have no keys for profile %.*s", SLICE_ARG(profile));
}
